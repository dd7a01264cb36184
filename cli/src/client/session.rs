//! `tidegate login`, `logout`, `password`, `whoami`, `session`.

use std::io::{BufRead, IsTerminal};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use tidegate_proto::v1 as api;
use tidegate_proto::v1::sign_in_request::Secret;
use tidegate_types::{Error, ErrorCode, Result};

use super::connection::{Connection, answer};
use super::credentials::{Credentials, CredentialsFile};
use super::output::{self, json, lines, table};
use crate::args::OutputFormat;
use crate::security::read;

/// `tidegate login`
#[derive(Debug, Args)]
pub(crate) struct LoginArguments {
    /// The account: a user of the tenant `default`, or tenants/TENANT/users/USER, or
    /// tenants/TENANT/serviceAccounts/ACCOUNT.
    account: String,
    /// A file with the password or, for a service account, with its key; by default it is asked for.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// `tidegate password`
#[derive(Debug, Args)]
pub(crate) struct Passwords {
    /// A file with the old password.
    #[arg(long, value_name = "FILE")]
    old_file: Option<PathBuf>,
    /// A file with the new password.
    #[arg(long, value_name = "FILE")]
    new_file: Option<PathBuf>,
}

/// `tidegate session …`
#[derive(Debug, Subcommand)]
pub(crate) enum SessionCommand {
    /// Your sessions.
    List,
    /// End one of your sessions.
    End {
        /// Its id, or sessions/ID.
        session: String,
    },
}

/// Runs a command.
///
/// # Errors
/// What the server says.
pub(super) async fn run(connection: &mut Connection, command: SessionCommand) -> Result<()> {
    match command {
        SessionCommand::List => sessions(connection).await,
        SessionCommand::End { session } => {
            let name = match session.contains('/') {
                true => session,
                false => format!("sessions/{session}"),
            };
            let request = api::EndSessionRequest { name: name.clone() };
            answer(connection.sessions().end_session(request).await)?;
            lines(&format!("{name} has ended"))
        }
    }
}

/// Chooses another password.
///
/// # Errors
/// What the server says, or that a password cannot be read.
pub(super) async fn password(connection: &mut Connection, passwords: Passwords) -> Result<()> {
    let request = api::ChangePasswordRequest {
        old_password: secret("old password", passwords.old_file)?,
        new_password: secret("new password", passwords.new_file)?,
    };
    answer(connection.sessions().change_password(request).await)?;
    lines("the password is changed; your other sessions have ended")
}

/// Begins a session and keeps it.
///
/// # Errors
/// What the server says, or that the password cannot be read or the session kept.
pub(super) async fn login(connection: &mut Connection, login: LoginArguments) -> Result<()> {
    let LoginArguments { account, password_file: file } = login;
    let is_program = account.contains("/serviceAccounts/");
    let text = secret(if is_program { "key" } else { "password" }, file)?;
    let secret = if is_program { Secret::Key(text) } else { Secret::Password(text) };
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let client = format!("tidegate on {}", host.trim());
    let request = api::SignInRequest { account, client, secret: Some(secret) };
    let tokens = answer(connection.anonymous_sessions().sign_in(request).await)?;
    let credentials = Credentials::of(&tokens);
    let account = credentials.account.clone();
    CredentialsFile::open()?.set(&connection.cluster_key, Some(credentials))?;
    let more = match tokens.must_change_password {
        true => "; choose another password before anything else: `tidegate password`",
        false => "",
    };
    lines(&format!("signed in as {account}{more}"))
}

/// Ends the session that is kept.
///
/// # Errors
/// What the server says, but for that the session is over.
pub(super) async fn logout(connection: &mut Connection) -> Result<()> {
    let request = api::EndSessionRequest::default();
    let ended = answer(connection.sessions().end_session(request).await);
    CredentialsFile::open()?.set(&connection.cluster_key, None)?;
    match ended {
        // There is nothing left to end.
        Err(error) if error.code() == ErrorCode::Unauthenticated => {}
        ended => drop(ended?),
    }
    lines("signed out")
}

/// Says who calls.
///
/// # Errors
/// What the server says.
pub(super) async fn whoami(connection: &mut Connection) -> Result<()> {
    let caller = answer(connection.sessions().get_caller(api::GetCallerRequest {}).await)?;
    if connection.format == OutputFormat::Json {
        return json(&caller);
    }
    let rows: Vec<Vec<String>> =
        caller.roles.iter().map(|given| vec![given.role.clone(), given.scope.clone()]).collect();
    let roles = table(&["ROLE", "SCOPE"], &rows, "no roles");
    lines(&format!("{}\n\n{roles}", caller.account))
}

async fn sessions(connection: &mut Connection) -> Result<()> {
    let answered = connection.sessions().list_sessions(api::ListSessionsRequest {}).await;
    let answered = answer(answered)?;
    if connection.format == OutputFormat::Json {
        return json(&answered);
    }
    let row = |session: &api::Session| {
        vec![
            output::id(&session.name),
            session.client.clone(),
            session.address.clone(),
            output::time(session.create_time.as_ref()),
            output::time(session.refresh_time.as_ref()),
            if session.current { "this one" } else { "" }.to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = answered.sessions.iter().map(row).collect();
    let names = ["ID", "CLIENT", "ADDRESS", "BEGAN", "REFRESHED", ""];
    lines(&table(&names, &rows, "there are no sessions"))
}

/// A secret from a file, or asked for: without echo from a terminal, else a line of standard input.
fn secret(what: &str, file: Option<PathBuf>) -> Result<String> {
    let unreadable = |error: std::io::Error| {
        Error::new(ErrorCode::Unavailable, format!("read the {what}: {error}"))
    };
    let text = match file {
        Some(path) => read(&path)?,
        None if std::io::stdin().is_terminal() => {
            rpassword::prompt_password(format!("{what}: ")).map_err(unreadable)?
        }
        None => {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line).map_err(unreadable)?;
            line
        }
    };
    let text = text.trim_end_matches(['\r', '\n']).to_owned();
    match text.is_empty() {
        true => Err(Error::new(ErrorCode::InvalidOption, format!("the {what} is empty"))),
        false => Ok(text),
    }
}
