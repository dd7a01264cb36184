//! The subcommands: an enum of them and the call of each. A new one is a file here and two lines below.

mod bench;
mod demo;
mod differential;
mod fix;
mod services;
mod simulate;
mod soak;
mod test;
mod tidy;
mod verify;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::project::Project;

/// The command line of `cargo xtask`.
#[derive(Parser)]
#[command(name = "cargo xtask", about = "Developer tasks of Tidegate")]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build Tidegate and show a job live: results, throughput, watermark, checkpoints
    Demo(demo::Args),
    /// Measure Tidegate
    Bench(bench::Args),
    /// Crash an exactly-once job in many ways and judge its output
    Soak(soak::Args),
    /// Ask random questions about changing tables, of the binary and of DataFusion
    Differential(differential::Args),
    /// Simulate clusters under faults that seeds choose
    Simulate(simulate::Args),
    /// Install, start and stop the real servers that tests and demos talk to
    Services(services::Args),
    /// Run every test against the real services, which are started before and stopped after
    Test(test::Args),
    /// Check format, lints, crate rules, licences and advisories; changes nothing
    Verify(verify::Args),
    /// Check the crate rules alone: arrows, headers, manifests, file lengths, paths, versions
    Tidy,
    /// Format the code: the counterpart of `verify` that does change files
    Fix,
}

impl Cli {
    /// Runs the chosen subcommand.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let project = Project::locate()?;
        match self.command {
            Command::Demo(args) => demo::run(&project, &args),
            Command::Bench(args) => bench::run(&project, &args),
            Command::Soak(args) => soak::run(&project, &args),
            Command::Differential(args) => differential::run(&project, &args),
            Command::Simulate(args) => simulate::run(&project, &args),
            Command::Services(args) => services::run(&project, args),
            Command::Test(args) => test::run(&project, args),
            Command::Verify(args) => verify::run(&project, &args),
            Command::Tidy => tidy::run(&project),
            Command::Fix => fix::run(&project),
        }
    }
}
