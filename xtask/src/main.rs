//! `cargo xtask`: the developer's tasks (demo, benchmarks, real services, tests, checks). One file per subcommand in
//! `commands/`; what they share is beside this file. Nothing here is part of the product.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a command-line tool prints its results, measures wall time and waits for processes"
)]

mod acceptance;
mod bench;
mod cargo;
mod cluster;
mod commands;
mod interrupt;
mod process;
mod project;
mod services;
mod soak;
mod stages;
mod tidegate;
mod tidy;
mod tools;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match commands::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
