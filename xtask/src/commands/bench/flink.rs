//! `cargo xtask bench flink`: which queries, over how much input.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use super::Common;
use crate::bench::flink::{Bench, Report, names};
use crate::bench::machine::Machine;
use crate::interrupt::Interrupt;
use crate::project::Project;
use crate::services::flink::Runner;

/// `bench flink …`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Bids in the input, of some 200 bytes as JSON
    #[arg(long, value_name = "N", default_value_t = 20_000_000, value_parser = clap::value_parser!(u64).range(46..=1_000_000_000))]
    records: u64,
    /// Queries, separated by commas; all of them if not given
    #[arg(long, value_delimiter = ',', value_name = "QUERY,…")]
    queries: Vec<String>,
    /// Subtasks per operator
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=128))]
    parallelism: u32,
    #[command(flatten)]
    common: Common,
}

/// Fails if a query does, in either.
pub(super) fn run(project: &Project, args: &Args, interrupt: &Interrupt) -> Result<ExitCode> {
    for query in &args.queries {
        let known = names();
        ensure!(
            known.contains(&query.as_str()),
            "there is no query `{query}`; there are: {}",
            known.join(", ")
        );
    }
    let flink = Runner::install(project)?;
    let program = args.common.program(project, interrupt)?;
    let place = super::place(project)?;
    let folder = tempfile::tempdir_in(&place).context("create a folder for the runs")?;
    let machine = Machine::look(project)?;
    let bench = Bench {
        program: &program,
        flink: &flink,
        folder: folder.path(),
        records: args.records,
        parallelism: args.parallelism,
        queries: &args.queries,
        interrupt,
    };
    let queries = bench.run()?;
    let report =
        Report::new(machine, args.common.profile(), args.parallelism, flink.version(), queries);
    args.common.show(&report.table(), &report)?;
    Ok(ExitCode::SUCCESS)
}
