//! `cargo xtask bench state`: how large, how much of it changes, how often.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use super::Common;
use crate::bench::machine::Machine;
use crate::bench::state::{Bench, Report};
use crate::interrupt::Interrupt;
use crate::project::Project;

/// `bench state …`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Size of the state in memory, about: a number, or one with KB, MB or GB
    #[arg(long, value_name = "SIZE", default_value = "1GB", value_parser = size)]
    bytes: u64,
    /// Bytes of state that one key is taken to need; the report says what it was
    #[arg(long, value_name = "BYTES", default_value_t = 40, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    bytes_per_key: u64,
    /// Share of the keys that changes between two checkpoints
    #[arg(long, value_name = "SHARE", default_value = "1%", value_parser = share)]
    touched: f64,
    /// Checkpoints after the state has reached its size
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    checkpoints: u64,
    /// Time between checkpoints, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(100..=600_000))]
    interval: u64,
    /// Subtasks per operator
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=128))]
    parallelism: u32,
    #[command(flatten)]
    common: Common,
}

/// Fails if the job does, or does not come to its checkpoints.
pub(super) fn run(project: &Project, args: &Args, interrupt: &Interrupt) -> Result<ExitCode> {
    let program = args.common.program(project, interrupt)?;
    let place = super::place(project)?;
    let folder = tempfile::tempdir_in(&place).context("create a folder for the run")?;
    let machine = Machine::look(project)?;
    let bench = Bench {
        program: &program,
        folder: folder.path(),
        keys: (args.bytes / args.bytes_per_key).max(100),
        touched: args.touched,
        checkpoints: args.checkpoints,
        interval_ms: args.interval,
        parallelism: args.parallelism,
        interrupt,
    };
    let report = Report::new(machine, args.common.profile(), bench.run()?);
    args.common.show(&report.table(), &report)?;
    Ok(ExitCode::SUCCESS)
}

/// Bytes, in powers of ten.
fn size(text: &str) -> Result<u64> {
    let upper = text.trim().to_uppercase();
    let units = [("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000)];
    let (digits, unit) = units
        .iter()
        .find_map(|(name, unit)| Some((upper.strip_suffix(name)?, *unit)))
        .unwrap_or((upper.as_str(), 1));
    let number: u64 = digits.trim().parse().with_context(|| format!("{text} is no size"))?;
    number.checked_mul(unit).filter(|bytes| *bytes > 0).context("the size is out of range")
}

/// A share as `1%` or `0.01`.
fn share(text: &str) -> Result<f64> {
    let (number, unit) = match text.trim().strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text.trim(), 1.0),
    };
    let share = number.parse::<f64>().with_context(|| format!("{text} is no share"))? / unit;
    if !(share > 0.0 && share <= 1.0) {
        bail!("a share is more than 0 and at most 1 (100%)");
    }
    Ok(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_shares() {
        assert_eq!(
            (size("1GB").unwrap(), size("20 mb").unwrap(), size("7").unwrap()),
            (1_000_000_000, 20_000_000, 7)
        );
        assert!(size("much").is_err() && size("0").is_err());
        assert_eq!((share("1%").unwrap(), share("0.5").unwrap()), (0.01, 0.5));
        assert!(share("0").is_err() && share("101%").is_err());
    }
}
