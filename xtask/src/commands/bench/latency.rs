//! `cargo xtask bench latency`: which load, and what the sink promises.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use super::{Common, Guarantee};
use crate::bench::broker::Broker;
use crate::bench::latency::{Bench, Report, Shape};
use crate::bench::machine::Machine;
use crate::bench::options::TableOption;
use crate::interrupt::Interrupt;
use crate::project::Project;

/// `bench latency …`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What the job does
    #[arg(long = "job", value_enum, default_value = "pass")]
    shape: Shape,
    /// Keys, in turn
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    keys: u64,
    /// Length of the windows, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=500))]
    window: u64,
    /// Another option of the input table, as `properties.fetch.min.bytes=1`
    #[arg(long = "source-option", value_name = "KEY=VALUE", value_parser = TableOption::parse)]
    source_options: Vec<TableOption>,
    /// Another option of the output table, as `properties.linger.ms=5`
    #[arg(long = "sink-option", value_name = "KEY=VALUE", value_parser = TableOption::parse)]
    sink_options: Vec<TableOption>,
    /// Records per second: half of what `bench kafka` shows is a good choice
    #[arg(long, value_name = "R", default_value_t = 400_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rate: u64,
    /// What the sink promises
    #[arg(long, value_enum, default_value = "at-least-once")]
    guarantee: Guarantee,
    /// Time between checkpoints, which exactly-once output waits for
    #[arg(long, value_name = "DURATION", default_value = "200 ms")]
    interval: String,
    /// Seconds that are measured
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Seconds before, which are not; the compilers of the broker's and the load's Java machines need most of them
    #[arg(long, value_name = "S", default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    warm_up: u64,
    /// Subtasks per operator
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=128))]
    parallelism: u32,
    #[command(flatten)]
    common: Common,
}

/// Fails if a record does not arrive.
pub(super) fn run(project: &Project, args: &Args, interrupt: &Interrupt) -> Result<ExitCode> {
    ensure!(
        1_000 % args.window == 0,
        "--window must divide a second, so that windows begin with it"
    );
    let program = args.common.program(project, interrupt)?;
    let place = super::place(project)?;
    let folder = tempfile::tempdir_in(&place).context("create a folder for the run")?;
    let machine = Machine::look(project)?;
    let exactly_once = args.guarantee == Guarantee::ExactlyOnce;
    let measured = Broker::with(project, &place, |broker| {
        let bench = Bench {
            program: &program,
            folder: folder.path(),
            broker,
            shape: args.shape,
            keys: args.keys,
            window_ms: args.window,
            source_options: &args.source_options,
            sink_options: &args.sink_options,
            rate: args.rate,
            warm_up: args.warm_up,
            seconds: args.seconds,
            interval: &args.interval,
            parallelism: args.parallelism,
            exactly_once,
            interrupt,
        };
        bench.run()
    })?;
    let report =
        Report::new(machine, args.common.profile(), exactly_once, &args.interval, measured);
    args.common.show(&report.table(), &report)?;
    Ok(if report.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
