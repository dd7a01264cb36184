//! `cargo xtask bench kernels`: which functions, over how many rows.

use std::process::ExitCode;

use anyhow::{Result, ensure};

use super::Common;
use crate::bench::kernels::Bench;
use crate::interrupt::Interrupt;
use crate::project::Project;

/// `bench kernels …`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rows of the batch
    #[arg(long, value_name = "N", default_value_t = 8_192, value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    rows: u32,
    /// Rounds of which the fastest counts
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// Only functions whose names have this part
    #[arg(long, value_name = "PART")]
    only: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Fails if the measurement does.
pub(super) fn run(project: &Project, args: &Args, interrupt: &Interrupt) -> Result<ExitCode> {
    ensure!(args.common.program.is_none(), "bench kernels builds a program of its own");
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
