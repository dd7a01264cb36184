//! `cargo xtask bench cluster`: how many losses, events, jobs.

use std::process::ExitCode;

use anyhow::{Context, Result};

use super::Common;
use crate::bench::broker::Broker;
use crate::bench::cluster::{Bench, Part};
use crate::bench::machine::Machine;
use crate::interrupt::Interrupt;
use crate::project::Project;

/// `bench cluster …`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Parts of it, separated by commas; all if not given
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART,…")]
    parts: Vec<Part>,
    /// Losses of a leader, and of a worker
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    losses: u32,
    /// Nexmark events of each query that runs across workers
    #[arg(long, value_name = "N", default_value_t = 400_000_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000_000))]
    events: u64,
    /// Jobs in the catalog
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    jobs: u32,
    #[command(flatten)]
    common: Common,
}

/// Fails if a part does.
pub(super) fn run(project: &Project, args: &Args, interrupt: &Interrupt) -> Result<ExitCode> {
    let program = args.common.program(project, interrupt)?;
    let place = super::place(project)?;
    let folder = tempfile::tempdir_in(&place).context("create a folder for the cluster")?;
    let machine = Machine::look(project)?;
    let report = Broker::with(project, &place, |broker| {
        let bench = Bench {
            project,
            program: &program,
            folder: folder.path(),
            broker,
            profile: args.common.profile,
            losses: args.losses,
            events: args.events,
            jobs: args.jobs,
            interrupt,
        };
        bench.run(machine, args.common.profile(), &args.parts)
    })?;
    args.common.show(&report.table(), &report)?;
    Ok(ExitCode::SUCCESS)
}
