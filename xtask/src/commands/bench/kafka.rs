//! `cargo xtask bench kafka`: how many records, and what the sinks promise.

use std::process::ExitCode;

use anyhow::{Context, Result};

use super::{Common, Guarantee};
use crate::bench::broker::Broker;
use crate::bench::kafka::{Bench, Report};
use crate::bench::machine::Machine;
use crate::bench::options::TableOption;
use crate::interrupt::Interrupt;
use crate::project::Project;

/// `bench kafka …`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Records, of some 100 bytes as JSON
    #[arg(long, value_name = "N", default_value_t = 20_000_000, value_parser = clap::value_parser!(u64).range(46..=1_000_000_000))]
    records: u64,
    /// Subtasks per operator
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=128))]
    parallelism: u32,
    /// What the sinks promise
    #[arg(long, value_enum, default_value = "at-least-once")]
    guarantee: Guarantee,
    /// Another option of the tables that are read, as `properties.fetch.min.bytes=1`
    #[arg(long = "source-option", value_name = "KEY=VALUE", value_parser = TableOption::parse)]
    source_options: Vec<TableOption>,
    /// Another option of the tables that are written, as `properties.linger.ms=5`
    #[arg(long = "sink-option", value_name = "KEY=VALUE", value_parser = TableOption::parse)]
    sink_options: Vec<TableOption>,
    #[command(flatten)]
    common: Common,
}

/// Fails if a step does.
pub(super) fn run(project: &Project, args: &Args, interrupt: &Interrupt) -> Result<ExitCode> {
    let program = args.common.program(project, interrupt)?;
    let place = super::place(project)?;
    let folder = tempfile::tempdir_in(&place).context("create a folder for the runs")?;
    let machine = Machine::look(project)?;
    let steps = Broker::with(project, &place, |broker| {
        let bench = Bench {
            program: &program,
            folder: folder.path(),
            broker,
            records: args.records,
            parallelism: args.parallelism,
            exactly_once: args.guarantee == Guarantee::ExactlyOnce,
            source_options: &args.source_options,
            sink_options: &args.sink_options,
            interrupt,
        };
        bench.run()
    })?;
    let exactly_once = args.guarantee == Guarantee::ExactlyOnce;
    let report = Report::new(machine, args.common.profile(), args.parallelism, exactly_once, steps);
    args.common.show(&report.table(), &report)?;
    Ok(ExitCode::SUCCESS)
}
