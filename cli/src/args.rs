//! The command line.

use std::path::PathBuf;

use clap::{Args as Arguments, Parser, Subcommand, ValueEnum};
use tidegate_runtime::telemetry;

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

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a script of Flink SQL in an embedded cluster until its inputs end.
    ///
    /// INSERTs run side by side unless 'table.dml-sync' is true. Ctrl-C stops with a savepoint and
    /// says where it is; a second Ctrl-C ends at once. Exit code 0 only if all ended well.
    Run(Run),
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

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("write KEY=VALUE".to_owned()),
    }
}
