//! The command-line client of a cluster: each command is a call of the public API.

mod apply;
mod cluster;
mod connection;
mod credentials;
mod governed;
mod job;
mod logs;
mod output;
mod resource;
mod savepoint;
mod session;
mod state;

use std::process::ExitCode;

use tidegate_types::{Error, ErrorCode, Result};

use crate::args::{CheckpointCommand, ClientOptions, ClusterCommand, JobCommand, SavepointCommand};
pub(crate) use apply::ApplyArguments;
use connection::Connection;
pub(crate) use governed::{is_of_api, with_api};
pub(crate) use output::lines;
pub(crate) use session::{LoginArguments, Passwords, SessionCommand};

/// `tidegate job …`
pub(crate) fn job(options: &ClientOptions, command: JobCommand) -> ExitCode {
    run(options, async |connection| job::run(connection, command).await)
}

/// `tidegate savepoint …`
pub(crate) fn savepoint(options: &ClientOptions, command: SavepointCommand) -> ExitCode {
    run(options, async |connection| savepoint::run(connection, command).await)
}

/// `tidegate checkpoint …`
pub(crate) fn checkpoint(options: &ClientOptions, command: CheckpointCommand) -> ExitCode {
    let CheckpointCommand::List { job } = command;
    run(options, async |connection| savepoint::checkpoints(connection, &job).await)
}

/// A command that is made from the description of the API.
pub(crate) fn api(matches: &clap::ArgMatches) -> ExitCode {
    if let Some(transfer) = resource::Transfer::of(matches) {
        return match transfer {
            Ok((options, transfer)) => block_on(transfer.run(&options)),
            Err(error) => fail(&error),
        };
    }
    let called = match governed::Call::of(matches) {
        Ok(called) => called,
        Err(error) => return fail(&error),
    };
    run(&called.options, async |connection| called.run(connection).await)
}

/// `tidegate completions …`
pub(crate) fn completions(shell: clap_complete::Shell) -> ExitCode {
    let mut command = with_api(<crate::args::Args as clap::CommandFactory>::command());
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "tidegate", &mut script);
    match lines(&String::from_utf8_lossy(&script)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// `tidegate apply`
pub(crate) fn apply(options: &ClientOptions, arguments: ApplyArguments) -> ExitCode {
    let manifest = match apply::Manifest::read(arguments) {
        Ok(manifest) => manifest,
        Err(error) => return fail(&error),
    };
    let mut ended = apply::Ended::Well;
    let code = run(options, async |connection| {
        ended = apply::run(connection, manifest).await?;
        Ok(())
    });
    match ended {
        apply::Ended::Well => code,
        apply::Ended::WithChanges => ExitCode::from(2),
    }
}

fn fail(error: &Error) -> ExitCode {
    eprintln!("error [{}]: {error}", error.code().as_str());
    ExitCode::FAILURE
}

/// `tidegate login`
pub(crate) fn login(options: &ClientOptions, login: LoginArguments) -> ExitCode {
    run_as(options, true, async |connection| session::login(connection, login).await)
}

/// `tidegate logout`
pub(crate) fn logout(options: &ClientOptions) -> ExitCode {
    run(options, async |connection| session::logout(connection).await)
}

/// `tidegate password`
pub(crate) fn password(options: &ClientOptions, passwords: Passwords) -> ExitCode {
    run(options, async |connection| session::password(connection, passwords).await)
}

/// `tidegate whoami`
pub(crate) fn whoami(options: &ClientOptions) -> ExitCode {
    run(options, async |connection| session::whoami(connection).await)
}

/// `tidegate session …`
pub(crate) fn session(options: &ClientOptions, command: SessionCommand) -> ExitCode {
    run(options, async |connection| session::run(connection, command).await)
}

/// `tidegate cluster …`
pub(crate) fn cluster(options: &ClientOptions, command: ClusterCommand) -> ExitCode {
    run(options, async |connection| cluster::run(connection, command).await)
}

fn run(
    options: &ClientOptions,
    command: impl AsyncFnOnce(&mut Connection) -> Result<()>,
) -> ExitCode {
    run_as(options, false, command)
}

fn run_as(
    options: &ClientOptions,
    signs_in: bool,
    command: impl AsyncFnOnce(&mut Connection) -> Result<()>,
) -> ExitCode {
    block_on(async {
        let mut connection = Connection::open(options, signs_in).await?;
        command(&mut connection).await
    })
}

fn block_on(work: impl Future<Output = Result<()>>) -> ExitCode {
    let result = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new(ErrorCode::ResourceExhausted, error.to_string()))
        .and_then(|runtime| runtime.block_on(work));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}
