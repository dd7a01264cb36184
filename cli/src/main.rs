//! The tidegate binary: parses the command line and runs the command.

mod args;
mod client;
mod cluster;
mod embedded;
mod output;
mod run;
mod security;
mod signals;
mod telemetry;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let matches = client::with_api(args::Args::command()).get_matches();
    let args = match client::is_of_api(&matches) {
        true => None,
        false => match args::Args::from_arg_matches(&matches) {
            Ok(args) => Some(args),
            Err(error) => error.exit(),
        },
    };
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("error: another TLS provider is installed in this process");
        return ExitCode::FAILURE;
    }
    let Some(args) = args else { return client::api(&matches) };
    let filter = args.log_filter();
    if let Err(error) = tidegate_runtime::telemetry::start_logs(args.log_format.into(), &filter) {
        eprintln!("error: {error}");
        return ExitCode::from(2);
    }
    match args.command {
        args::Command::Run(arguments) => run::main(arguments),
        args::Command::Server(arguments) => cluster::server(&arguments),
        args::Command::Coordinator(arguments) => cluster::coordinator(&arguments),
        args::Command::Worker(arguments) => cluster::worker(&arguments),
        args::Command::Job { options, command } => client::job(&options, command),
        args::Command::Savepoint { options, command } => client::savepoint(&options, command),
        args::Command::Checkpoint { options, command } => client::checkpoint(&options, command),
        args::Command::Cluster { options, command } => client::cluster(&options, command),
        args::Command::Apply { options, apply } => client::apply(&options, apply),
        args::Command::Login { options, login } => client::login(&options, login),
        args::Command::Logout { options } => client::logout(&options),
        args::Command::Password { options, passwords } => client::password(&options, passwords),
        args::Command::Whoami { options } => client::whoami(&options),
        args::Command::Session { options, command } => client::session(&options, command),
        args::Command::Cert(command) => security::cert(command),
        args::Command::Secrets(command) => security::secrets(command),
        args::Command::Completions { shell } => client::completions(shell),
        args::Command::Token(command) => security::token(command),
    }
}
