//! `cargo xtask test`: services up, `cargo test`, services down, whatever happens in between.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::acceptance::{self, Results};
use crate::cargo::cargo;
use crate::interrupt::{self, Interrupt};
use crate::process;
use crate::project::Project;
use crate::services::{self, Profile, Service, control, env_file, install};
use crate::stages::{Outcome, Stages};

/// `test [--keep] [--no-soak] [-- CARGO TEST ARGUMENTS]`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave the services up
    #[arg(long)]
    keep: bool,
    /// Without the short soak (`cargo xtask soak` with few rounds and records) that follows the tests
    /// unless arguments choose some of them
    #[arg(long)]
    no_soak: bool,
    /// Arguments for `cargo test`; it tests the whole workspace unless they name packages
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Returns the tests' own exit code. Services that were up before stay up.
pub(crate) fn run(project: &Project, args: Args) -> Result<ExitCode> {
    let interrupt = Interrupt::listen()?;
    let mut stages = Stages::default();
    let mut started = Vec::new();
    let mut code = 1;
    let mut results = Results::default();
    stages.run("install", || {
        install::install(project, &services::of_profile(Profile::All))?;
        Ok(Outcome::Passed)
    });
    if !stages.failed() && !interrupt.raised() {
        stages.run("services", || {
            started = up(project)?;
            Ok(Outcome::Passed)
        });
    }
    if !stages.failed() && !interrupt.raised() {
        stages.run("build", || build(project, &args.arguments, &interrupt));
    }
    if !stages.failed() && !interrupt.raised() {
        stages.run("tests", || {
            code = cargo_test(project, &args.arguments, &interrupt, &mut results)?;
            Ok(if code == 0 {
                Outcome::Passed
            } else {
                Outcome::Failed(format!("exit code {code}"))
            })
        });
    }
    if args.arguments.is_empty() && !stages.failed() && !interrupt.raised() {
        stages.run("acceptance", || {
            acceptance::report(project, &results)?;
            Ok(Outcome::Passed)
        });
    }
    if args.arguments.is_empty() && !stages.failed() && !interrupt.raised() {
        stages.run("simulation", || simulation(project, &interrupt));
    }
    let soak = !args.no_soak && args.arguments.is_empty();
    if soak && !stages.failed() && !interrupt.raised() {
        stages.run("soak", || {
            let passed = super::soak::in_short(project, &interrupt)?;
            Ok(if passed { Outcome::Passed } else { Outcome::Failed("see above".to_owned()) })
        });
    }
    if !args.keep && !started.is_empty() {
        stages.run("stop", || {
            control::down(project, &started)?;
            Ok(Outcome::Passed)
        });
    }
    stages.print_summary();
    if interrupt.raised() {
        eprintln!("interrupted");
        code = i32::from(interrupt::EXIT_CODE);
    } else if code == 0 && stages.failed() {
        code = 1;
    }
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// Starts the core services one by one, so that a failure stops those that this call started.
fn up(project: &Project) -> Result<Vec<&'static dyn Service>> {
    let mut started = Vec::new();
    for service in services::of_profile(Profile::Core) {
        match control::up(project, &[service]) {
            Ok(more) => started.extend(more),
            Err(error) => {
                control::down(project, &started).context("stop the other services")?;
                return Err(error);
            }
        }
    }
    Ok(started)
}

/// Builds the tests together with the binaries: the integration tests run `tidegate`, which
/// `cargo test` builds only for a package's own tests. Together, so that features are the same.
fn build(project: &Project, arguments: &[String], interrupt: &Interrupt) -> Result<Outcome> {
    if names_packages(arguments) && !arguments.iter().any(|a| a.contains("integration-tests")) {
        return Ok(Outcome::Passed);
    }
    let mut command = cargo(project);
    command.args(["build", "--workspace", "--bins", "--tests"]);
    let status = process::run_interruptible(&mut command, interrupt)?;
    Ok(match status.code() {
        Some(0) => Outcome::Passed,
        code => Outcome::Failed(format!("exit code {}", code.unwrap_or(1))),
    })
}

/// The tests of the simulation, which no other build has: they need features that are in no binary.
fn simulation(project: &Project, interrupt: &Interrupt) -> Result<Outcome> {
    let mut command = cargo(project);
    command.args(["test", "--package", "tidegate-simulation", "--features", "simulation"]);
    let status = process::run_interruptible(&mut command, interrupt)?;
    Ok(match status.code() {
        Some(0) => Outcome::Passed,
        code => Outcome::Failed(format!("exit code {}", code.unwrap_or(1))),
    })
}

fn cargo_test(
    project: &Project,
    arguments: &[String],
    interrupt: &Interrupt,
    results: &mut Results,
) -> Result<i32> {
    let mut command = cargo(project);
    command.arg("test");
    if !names_packages(arguments) {
        command.arg("--workspace");
    }
    command.args(arguments).envs(env_file::variables(project)?);
    let take = |line: &str| results.take(line);
    let status = process::run_shown(&mut command, interrupt, take)?;
    Ok(status.code().unwrap_or(1))
}

fn names_packages(arguments: &[String]) -> bool {
    let own = arguments.iter().take_while(|argument| *argument != "--");
    own.into_iter().any(|argument| {
        argument == "-p" || argument.starts_with("-p=") || argument.starts_with("--package")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_looked_for_in_cargos_own_arguments_only() {
        let names = |text: &str| {
            names_packages(&text.split(' ').map(str::to_owned).collect::<Vec<String>>())
        };
        assert!(names("-p tidegate-engine"));
        assert!(names("--package=tidegate-engine window"));
        assert!(!names("window -- -p"));
    }
}
