//! `cargo xtask bench formats`: which formats, over how many records.

use std::process::ExitCode;

use anyhow::{Result, ensure};

use super::Common;
use crate::bench::formats::Bench;
use crate::interrupt::Interrupt;
use crate::project::Project;

/// `bench formats …`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Records of a batch
    #[arg(long, value_name = "N", default_value_t = 8_192, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    rows: u32,
    /// Rounds of which the fastest counts
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// Only cases whose names have this part, such as 'decode json'
    #[arg(long, value_name = "PART")]
    only: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Fails if the measurement does.
pub(super) fn run(project: &Project, args: &Args, interrupt: &Interrupt) -> Result<ExitCode> {
    ensure!(args.common.program.is_none(), "bench formats builds a program of its own");
    let bench = Bench {
        project,
        profile: args.common.profile,
        rows: args.rows,
        rounds: args.rounds,
        only: args.only.as_deref(),
        interrupt,
    };
    let report = bench.run()?;
    args.common.show(&report.table(), &report)?;
    Ok(ExitCode::SUCCESS)
}
