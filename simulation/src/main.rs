//! Simulations of a cluster: the shipped state machines under faults that a seed chooses.
//!
//! One process runs one seed, with one thread, so that a seed does the same every time; without a seed it runs many, each
//! as a process of its own.

mod ambient;
mod clients;
mod cluster;
mod command;
mod faults;
mod guards;
mod history;
mod invariants;
mod job;
mod kernel;
mod outside;
mod random;
mod scenario;
mod trace;
mod world;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match command::run(&command::Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}
