//! The command line.

mod client;

use std::path::PathBuf;

use clap::{Args as Arguments, Parser, Subcommand, ValueEnum};
use tidegate_runtime::telemetry;

pub(crate) use client::{
    Check, CheckpointCommand, ClientOptions, ClusterCommand, JobCommand, OutputFormat,
    SavepointCommand, Start, Submit,
};

use crate::client::{ApplyArguments, LoginArguments, Passwords, SessionCommand};
use crate::security::{CertCommand, SecretsCommand, TokenCommand};

/// Stream processing with Flink SQL, in one binary.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, about)]
pub(crate) struct Args {
    /// How logs are written to standard error.
    #[arg(long, global = true, value_enum, default_value = "text", env = "TIDEGATE_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
    /// Log level, or directives such as `info,tidegate_engine=debug`.
    #[arg(long, global = true, default_value = "warn", env = "TIDEGATE_LOG")]
    pub(crate) log_level: String,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Args {
    /// What is logged. Audit records of a coordinator are, unless the directives speak of them.
    pub(crate) fn log_filter(&self) -> String {
        match &self.command {
            Command::Coordinator(_) | Command::Server(_) if !self.log_level.contains("audit") => {
                format!("{},audit=info", self.log_level)
            }
            _ => self.log_level.clone(),
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a script of Flink SQL in an embedded cluster until its inputs end.
    ///
    /// INSERTs run side by side unless 'table.dml-sync' is true. Ctrl-C stops with a savepoint and
    /// says where it is; a second Ctrl-C ends at once. Exit code 0 only if all ended well.
    Run(Run),
    /// Run a coordinator and a worker in one process: a cluster for one machine.
    Server(Server),
    /// Run a coordinator: catalog, scheduling, API.
    Coordinator(ConfigFile),
    /// Run a worker: it runs the tasks of jobs.
    Worker(ConfigFile),
    /// Submit, watch and stop the jobs of a cluster.
    Job {
        #[command(flatten)]
        options: ClientOptions,
        #[command(subcommand)]
        command: JobCommand,
    },
    /// Take, list and delete savepoints.
    Savepoint {
        #[command(flatten)]
        options: ClientOptions,
        #[command(subcommand)]
        command: SavepointCommand,
    },
    /// Show the checkpoints of a job.
    Checkpoint {
        #[command(flatten)]
        options: ClientOptions,
        #[command(subcommand)]
        command: CheckpointCommand,
    },
    /// Bring projects to what files say: services, roles, data sources, tables, publications, grants, jobs.
    ///
    /// What differs is printed, then done step by step. What a file does not say is left alone, and nothing is deleted.
    Apply {
        #[command(flatten)]
        options: ClientOptions,
        #[command(flatten)]
        apply: ApplyArguments,
    },
    /// Show and change who is in a cluster.
    Cluster {
        #[command(flatten)]
        options: ClientOptions,
        #[command(subcommand)]
        command: ClusterCommand,
    },
    /// Sign in to a cluster; the session is kept for later commands.
    Login {
        #[command(flatten)]
        options: ClientOptions,
        #[command(flatten)]
        login: LoginArguments,
    },
    /// End the session that is kept.
    Logout {
        #[command(flatten)]
        options: ClientOptions,
    },
    /// Choose another password; the old one and the new one are asked for.
    Password {
        #[command(flatten)]
        options: ClientOptions,
        #[command(flatten)]
        passwords: Passwords,
    },
    /// Say who you are, and which roles you have.
    Whoami {
        #[command(flatten)]
        options: ClientOptions,
    },
    /// See and end your sessions.
    Session {
        #[command(flatten)]
        options: ClientOptions,
        #[command(subcommand)]
        command: SessionCommand,
    },
    /// Make the certificates with which nodes prove who they are.
    #[command(subcommand)]
    Cert(CertCommand),
    /// Make the keys with which secrets of data sources are encrypted.
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// Print the script with which a shell completes commands.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Make the tokens with which clients prove who they are.
    #[command(subcommand)]
    Token(TokenCommand),
}

/// Arguments of `tidegate server`.
#[derive(Debug, Arguments)]
pub(crate) struct Server {
    /// A configuration with the sections of a coordinator and a worker, for all that follows and more.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["listen", "data", "checkpoints", "slots", "no_auth"]
    )]
    pub(crate) config: Option<PathBuf>,
    /// Where the API listens.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7411")]
    pub(crate) listen: std::net::SocketAddr,
    /// Folder of the catalog's log; by default below the user's state directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Where checkpoints go: a directory or URL (file:, s3:); by default below the data folder.
    #[arg(long, value_name = "URL")]
    pub(crate) checkpoints: Option<String>,
    /// Serve metrics for Prometheus at http://ADDRESS/metrics.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics_listen: Option<std::net::SocketAddr>,
    /// How many slots the worker has; by default as many as cores.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) slots: Option<u32>,
    /// Ask nobody who they are: everybody who reaches the address may do everything.
    #[arg(long)]
    pub(crate) no_auth: bool,
}

/// Arguments of a server role.
#[derive(Debug, Arguments)]
pub(crate) struct ConfigFile {
    /// The configuration, a TOML file.
    #[arg(long, value_name = "FILE", env = "TIDEGATE_CONFIG")]
    pub(crate) config: PathBuf,
}

/// Arguments of `tidegate run`.
#[derive(Debug, Arguments)]
pub(crate) struct Run {
    /// The script; `-` reads standard input.
    pub(crate) file: PathBuf,
    /// Subtasks per operator (parallelism.default); the number of cores if neither is given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) parallelism: Option<u32>,
    /// A setting, as by a SET at the start of the script: --set execution.checkpointing.interval=10s
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) settings: Vec<(String, String)>,
    /// The value of ${VAR} in the script.
    #[arg(long = "define", value_name = "VAR=VALUE", value_parser = key_value)]
    pub(crate) variables: Vec<(String, String)>,
    /// Where checkpoints go: a directory or URL (file:, s3:). Also execution.checkpointing.dir.
    #[arg(long, value_name = "URL")]
    pub(crate) checkpoint_dir: Option<String>,
    /// Continue from a checkpoint or savepoint: a checkpoint directory (its newest), a chk-<n> folder, a savepoint.
    #[arg(long, value_name = "PATH")]
    pub(crate) restore: Option<String>,
    /// Do not run: plan the script and say what would become of the state of each operator in the checkpoint that
    /// --restore names (kept, new, dropped, incompatible). Exit code 1 if the script could not go on from it.
    #[arg(long)]
    pub(crate) check: bool,
    /// Print what was done as the last line of standard output.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) stats: Option<StatsFormat>,
    /// How the rows of a SELECT are printed.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: RowFormat,
    /// Show throughput, watermark and checkpoints on standard error while running.
    #[arg(long)]
    pub(crate) live: bool,
    /// Serve Prometheus metrics at http://ADDRESS/metrics while running, such as 127.0.0.1:9464.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics_listen: Option<std::net::SocketAddr>,
}

/// Forms of `--stats`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatsFormat {
    /// One JSON object.
    Json,
}

/// Forms of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RowFormat {
    /// A table for people.
    Table,
    /// One JSON object per row.
    Json,
    /// Comma-separated, with a header.
    Csv,
}

/// Forms of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

impl From<LogFormat> for telemetry::LogFormat {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

pub(crate) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("write KEY=VALUE".to_owned()),
    }
}
