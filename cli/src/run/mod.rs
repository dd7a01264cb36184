//! `tidegate run`: a script of Flink SQL in an embedded cluster.
//!
//! The whole script is planned before anything runs, so that a mistake in its last line costs
//! nothing. [`script`] reads and plans, [`execute`] runs, [`stats`] sums up, [`live`] shows progress,
//! [`prometheus`] serves metrics, [`check`] compares with a checkpoint instead of running.

mod check;
mod execute;
mod live;
mod plan_file;
mod prometheus;
mod script;
mod stats;

use std::process::ExitCode;

use tidegate_types::Error;

use crate::args::Run;

pub(crate) use execute::{runtime, stdout_error};
pub(crate) use script::{read as read_script, substitute};

/// Runs the command; errors go to standard error.
pub(crate) fn main(arguments: Run) -> ExitCode {
    let script = match script::prepare(&arguments) {
        Ok(script) => script,
        Err(error) => return fail(&error),
    };
    if arguments.check {
        return match check::check(&arguments, script) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        };
    }
    match execute::run(&arguments, script) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail(&error),
    }
}

fn fail(error: &Error) -> ExitCode {
    eprintln!("error [{}]: {error}", error.code().as_str());
    ExitCode::FAILURE
}
