//! `cargo xtask differential`: many random questions about changing tables, asked of the binary and of
//! DataFusion. What they are and how to read a failure is in `docs/testing.md`.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use crate::cargo::cargo;
use crate::interrupt::{self, Interrupt};
use crate::process;
use crate::project::Project;

/// The package of the tests.
const PACKAGE: &str = "tidegate-integration-tests";

/// `differential [--cases N] [--minutes M] [--seed S] [--question Q] [--jobs J]`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Questions, rounded up to twenties: those of a seed run together
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..))]
    cases: u64,
    /// Begin no seed after so many minutes; without, ask all
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u64).range(1..))]
    minutes: Option<u64>,
    /// The first seed; without, one that the clock chooses
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Ask this question of each seed alone
    #[arg(long, value_name = "Q", value_parser = clap::value_parser!(u64).range(..20))]
    question: Option<u64>,
    /// Seeds at a time
    #[arg(long, value_name = "J", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=64))]
    jobs: u64,
}

/// Returns 1 if an answer differs.
pub(crate) fn run(project: &Project, args: &Args) -> Result<ExitCode> {
    let interrupt = Interrupt::listen()?;
    let seed = match args.seed {
        Some(seed) => seed,
        // Small enough to be typed again.
        None => SystemTime::now().duration_since(UNIX_EPOCH).context("the clock")?.as_secs(),
    };
    // Together, so that features are the same.
    let mut build = cargo(project);
    build.args(["build", "--locked", "--package", "tidegate-cli", "--package", PACKAGE]);
    build.args(["--bins", "--tests"]);
    let mut test = cargo(project);
    test.args(["test", "--locked", "--package", PACKAGE, "--test", "it", "--"]);
    test.args(["random_changing", "--nocapture"]).env("RUST_BACKTRACE", "0");
    test.envs(args.variables(seed));
    for command in [&mut build, &mut test] {
        let status = process::run_interruptible(command, &interrupt)?;
        if interrupt.raised() {
            return Ok(ExitCode::from(interrupt::EXIT_CODE));
        }
        if !status.success() {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    /// What the test reads.
    fn variables(&self, seed: u64) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("TIDEGATE_TEST_SEED", seed.to_string()),
            ("TIDEGATE_TEST_CASES", self.cases.to_string()),
            ("TIDEGATE_TEST_JOBS", self.jobs.to_string()),
        ];
        let more =
            [("TIDEGATE_TEST_MINUTES", self.minutes), ("TIDEGATE_TEST_QUESTION", self.question)];
        let more = more.into_iter().filter_map(|(name, value)| Some((name, value?.to_string())));
        variables.extend(more);
        variables
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn variables(line: &str) -> String {
        let words = std::iter::once("differential").chain(line.split_whitespace());
        let args = Line::try_parse_from(words).unwrap().args;
        let named = args.variables(args.seed.unwrap_or(7));
        let named = named
            .iter()
            .map(|(name, value)| format!("{}={value}", name.trim_start_matches("TIDEGATE_TEST_")));
        named.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_asked_for_is_passed_on() {
        assert_eq!(variables(""), "SEED=7 CASES=5000 JOBS=1");
        assert_eq!(
            variables("--cases 20 --minutes 3 --seed 9 --question 4 --jobs 2"),
            "SEED=9 CASES=20 JOBS=2 MINUTES=3 QUESTION=4"
        );
        assert!(Line::try_parse_from(["differential", "--question", "20"]).is_err());
        assert!(Line::try_parse_from(["differential", "--minutes", "0"]).is_err());
    }
}
