//! `cargo xtask simulate`: builds the simulation and runs seeds. What it does and prints is in `docs/simulation.md`.

use std::process::ExitCode;

use anyhow::Result;

use crate::cargo::cargo;
use crate::interrupt::Interrupt;
use crate::process;
use crate::project::Project;
use crate::tidegate::binary::Profile;

/// `simulate [--seeds N] [--first-seed S] [--without GUARD] [--json]`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run so many seeds
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first of them
    #[arg(long, value_name = "S", default_value_t = 1)]
    first_seed: u64,
    /// What runs every night: 4 000 seeds, and then every guard removed
    #[arg(long, conflicts_with_all = ["seeds", "seed", "without", "world_of"])]
    nightly: bool,
    /// Run this seed alone
    #[arg(long, value_name = "S", conflicts_with_all = ["seeds", "first_seed"])]
    seed: Option<u64>,
    /// Print everything that happens in it
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Remove this guard and go on until that is noticed, 1 000 seeds at most; `all` removes one after the other
    #[arg(long, value_name = "GUARD")]
    without: Option<String>,
    /// Run seeds in the worlds of this guard, with the guard in place
    #[arg(long, value_name = "GUARD", conflicts_with = "without")]
    world_of: Option<String>,
    /// List the guards
    #[arg(long)]
    guards: bool,
    /// Seeds at a time; without, one for each core
    #[arg(long, value_name = "N")]
    jobs: Option<u64>,
    /// Print a summary as JSON in the last line
    #[arg(long)]
    json: bool,
    /// How it is built: with optimisation a seed takes a fraction of the time
    #[arg(long, value_enum, default_value = "dev")]
    profile: Profile,
}

/// Seeds of a night.
const NIGHT: u64 = 4_000;

/// Returns 1 if an invariant was violated, or if the removal of a guard was not noticed.
pub(crate) fn run(project: &Project, args: &Args) -> Result<ExitCode> {
    let interrupt = Interrupt::listen()?;
    let mut good = true;
    for arguments in args.runs() {
        good &= simulate(project, args.profile, &arguments, &interrupt)?;
        if interrupt.raised() {
            break;
        }
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn simulate(
    project: &Project,
    profile: Profile,
    arguments: &[String],
    interrupt: &Interrupt,
) -> Result<bool> {
    let mut command = cargo(project);
    command
        .args(["run", "--quiet", "--locked", "--package", "tidegate-simulation"])
        .args(["--features", "simulation", "--profile", profile.name(), "--"])
        .args(arguments);
    Ok(process::run_interruptible(&mut command, interrupt)?.success())
}

impl Args {
    /// The arguments of each run of the simulation.
    fn runs(&self) -> Vec<Vec<String>> {
        let mut common = Vec::new();
        if let Some(jobs) = self.jobs {
            common.extend(["--jobs".to_owned(), jobs.to_string()]);
        }
        if self.json {
            common.push("--json".to_owned());
        }
        let with = |arguments: &[&str]| -> Vec<String> {
            arguments.iter().map(|one| (*one).to_owned()).chain(common.iter().cloned()).collect()
        };
        let first = self.first_seed.to_string();
        if self.nightly {
            let night = NIGHT.to_string();
            let seeds = with(&["--seeds", &night, "--first-seed", &first]);
            return vec![seeds, with(&["--without", "all", "--first-seed", &first])];
        }
        let mut arguments = match self.seed {
            Some(seed) => with(&["--seed", &seed.to_string()]),
            None => with(&["--seeds", &self.seeds.to_string(), "--first-seed", &first]),
        };
        let named = [("--without", &self.without), ("--world-of", &self.world_of)];
        for (name, value) in named {
            if let Some(value) = value {
                arguments.extend([name.to_owned(), value.clone()]);
            }
        }
        for (name, on) in [("--trace", self.trace), ("--guards", self.guards)] {
            if on {
                arguments.push(name.to_owned());
            }
        }
        vec![arguments]
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

    fn runs(line: &str) -> Vec<String> {
        let words = std::iter::once("simulate").chain(line.split_whitespace());
        let line = Line::try_parse_from(words).unwrap();
        line.args.runs().into_iter().map(|run| run.join(" ")).collect()
    }

    #[test]
    fn what_is_asked_for_is_passed_on() {
        assert_eq!(runs(""), ["--seeds 300 --first-seed 1"]);
        assert_eq!(
            runs("--seed 7 --without skip-term-check --trace"),
            ["--seed 7 --without skip-term-check --trace"]
        );
        assert_eq!(
            runs("--nightly --json --first-seed 9"),
            ["--seeds 4000 --first-seed 9 --json", "--without all --first-seed 9 --json"]
        );
        assert!(Line::try_parse_from(["simulate", "--trace"]).is_err());
    }
}
