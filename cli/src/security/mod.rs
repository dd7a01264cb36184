//! `tidegate cert` and `tidegate token`: what proves who is who in a cluster.

mod cert;
mod files;
mod secrets;
mod token;

use std::process::ExitCode;

use tidegate_types::Result;

pub(crate) use cert::CertCommand;
pub(crate) use files::{identity, read};
pub(crate) use secrets::SecretsCommand;
pub(crate) use token::TokenCommand;

/// `tidegate cert …`
pub(crate) fn cert(command: CertCommand) -> ExitCode {
    report(cert::run(command))
}

/// `tidegate secrets …`
pub(crate) fn secrets(command: SecretsCommand) -> ExitCode {
    report(secrets::run(command))
}

/// `tidegate token …`
pub(crate) fn token(command: TokenCommand) -> ExitCode {
    report(token::run(command))
}

fn report(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error [{}]: {error}", error.code().as_str());
            ExitCode::FAILURE
        }
    }
}
