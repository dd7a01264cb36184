//! `cargo xtask bench flink`: which queries, over how much input.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::Common;
use crate::bench::flink::{Bench, Report};
use crate::bench::machine::Machine;
use crate::bench::nexmark::Query;
use crate::interrupt::Interrupt;
use crate::project::Project;
use crate::services::flink::Runner;

/// `bench flink …`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Events in the input, of some 400 bytes as JSON
    #[arg(long, value_name = "N", default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(50..=1_000_000_000))]
    events: u64,
    /// Queries, separated by commas; all of them if not given
    #[arg(long, value_delimiter = ',', value_name = "QUERY,…")]
    queries: Vec<Query>,
    /// Subtasks per operator
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=128))]
    parallelism: u32,
    #[command(flatten)]
    common: Common,
}

/// Fails if a query does, in either.
pub(super) fn run(project: &Project, args: &Args, interrupt: &Interrupt) -> Result<ExitCode> {
    let queries = match args.queries.as_slice() {
        [] => Query::value_variants(),
        asked => asked,
    };
    let flink = Runner::install(project)?;
    let program = args.common.program(project, interrupt)?;
    let place = super::place(project)?;
    let folder = tempfile::tempdir_in(&place).context("create a folder for the runs")?;
    let machine = Machine::look(project)?;
    let bench = Bench {
        project,
        program: &program,
        flink: &flink,
        folder: folder.path(),
        events: args.events,
        parallelism: args.parallelism,
        queries,
        interrupt,
    };
    let queries = bench.run()?;
    let report =
        Report::new(machine, args.common.profile(), args.parallelism, flink.version(), queries);
    args.common.show(&report.table(), &report)?;
    Ok(ExitCode::SUCCESS)
}
