//! `cargo xtask bench shuffle`: for how long, and how compressed.

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::ValueEnum;

use super::Common;
use crate::bench::shuffle::Bench;
use crate::interrupt::Interrupt;
use crate::project::Project;

/// `bench shuffle …`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Seconds of a round
    #[arg(long, value_name = "S", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Rounds of which the best counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Compression of batches
    #[arg(long, value_enum, default_value = "none")]
    compression: Compression,
    /// Send batches as they are instead of splitting them by key
    #[arg(long)]
    whole: bool,
    #[command(flatten)]
    common: Common,
}

/// How batches are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Compression {
    /// Not at all
    None,
    /// LZ4
    Lz4,
    /// Zstandard
    Zstd,
}

/// Fails if a process of the measurement does.
pub(super) fn run(project: &Project, args: &Args, interrupt: &Interrupt) -> Result<ExitCode> {
    ensure!(args.common.program.is_none(), "bench shuffle builds a program of its own");
    let compression = match args.compression {
        Compression::None => "none",
        Compression::Lz4 => "lz4",
        Compression::Zstd => "zstd",
    };
    let bench = Bench {
        project,
        profile: args.common.profile,
        seconds: args.seconds,
        rounds: args.rounds,
        compression,
        whole: args.whole,
        interrupt,
    };
    let report = bench.run()?;
    args.common.show(&report.table(), &report)?;
    Ok(ExitCode::SUCCESS)
}
