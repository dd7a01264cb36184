//! Logs: to standard error, as text or JSON, filtered by level or target.

use std::io::{self, IsTerminal};

use tidegate_types::{Error, ErrorCode, Result};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use super::job_logs::KeepJobLines;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Starts logging for this process; a second call changes nothing. `filter` is a level (`info`) or
/// directives (`info,tidegate_engine=debug`).
///
/// # Errors
/// `INVALID_OPTION` if the filter does not parse.
pub fn start_logs(format: LogFormat, filter: &str) -> Result<()> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        Error::new(ErrorCode::InvalidOption, format!("'{filter}' is not a log filter: {error}"))
    })?;
    let shown = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let shown = match format {
        LogFormat::Text => shown.boxed(),
        LogFormat::Json => shown.json().boxed(),
    };
    let kept = KeepJobLines.with_filter(LevelFilter::INFO);
    let all = tracing_subscriber::registry().with(shown.with_filter(filter)).with(kept);
    // A subscriber that is set already stays: tests start several.
    let _ = all.try_init();
    Ok(())
}
