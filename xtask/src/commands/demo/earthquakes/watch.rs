//! What another program sees in the output topic while the job runs: every row printed as it comes,
//! and counted.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use chrono::NaiveDateTime;
use serde::Deserialize;
use tempfile::NamedTempFile;

use crate::interrupt::Interrupt;
use crate::process;
use crate::tidegate::lines;

const TIME: &str = "%Y-%m-%d %H:%M:%S%.f";

/// How many lines of the consumer's log are shown when it fails.
const LOG_LINES: usize = 20;

/// The rows so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// How many.
    pub(super) rows: u64,
    /// When the first came.
    pub(super) first: Option<Instant>,
    /// The starts of their windows.
    pub(super) windows: BTreeSet<NaiveDateTime>,
    /// The events that they count.
    pub(super) events: u64,
}

/// A view of the output topic.
#[derive(Default)]
pub(super) struct Watch(Mutex<Seen>);

impl Watch {
    /// Prints the rows until `stop` is raised, by a program that prints them one a line.
    pub(super) fn follow(&self, mut consumer: Command, stop: &Interrupt) -> Result<()> {
        let log = NamedTempFile::new().context("create a temporary file")?;
        consumer.stderr(log.as_file().try_clone().context("share the temporary file")?);
        let status = lines::follow(&mut consumer, stop, |line| self.take(line))?;
        if stop.raised() {
            return Ok(());
        }
        let words = process::tail(log.path(), LOG_LINES);
        bail!("the reader of the output topic ended with {status}; it said:\n{words}")
    }

    /// The rows so far.
    pub(super) fn seen(&self) -> Seen {
        self.lock().clone()
    }

    fn take(&self, line: &str) -> Result<()> {
        self.lock().count(line, Instant::now())?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}").and_then(|()| out.flush()).context("write to standard output")
    }

    /// Counts are right after every statement, also one that a panic left.
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn count(&mut self, line: &str, now: Instant) -> Result<()> {
        #[derive(Deserialize)]
        struct Row<'a> {
            window_start: &'a str,
            events: u64,
        }
        let row: Row<'_> =
            serde_json::from_str(line).with_context(|| format!("read the row {line}"))?;
        let start = NaiveDateTime::parse_from_str(row.window_start, TIME)
            .with_context(|| format!("read the time in the row {line}"))?;
        self.windows.insert(start);
        self.events += row.events;
        self.rows += 1;
        self.first.get_or_insert(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    const ROW: &str = r#"{"window_start":"2018-01-31 06:00:00","network":"ak","events":3}"#;

    #[test]
    fn rows_windows_and_events_are_counted() {
        let mut seen = Seen::default();
        let first = Instant::now();
        seen.count(ROW, first).unwrap();
        seen.count(&ROW.replace("ak", "nc"), Instant::now()).unwrap();
        seen.count(&ROW.replace("06:00:00", "12:00:00.000"), Instant::now()).unwrap();
        assert_eq!((seen.rows, seen.windows.len(), seen.events), (3, 2, 9));
        assert_eq!(seen.first, Some(first));
        assert!(seen.count("{}", first).is_err());
    }

    #[test]
    fn a_reader_that_ends_by_itself_is_quoted_and_one_that_was_stopped_is_not() {
        let stop = Interrupt::unraised();
        let watch = Watch::default();
        let script = format!("echo '{ROW}'; echo no broker >&2; exit 3");
        let error = watch.follow(shell(&script), &stop).unwrap_err().to_string();
        assert!(error.contains("no broker") && error.contains('3'), "{error}");
        assert_eq!(watch.seen().rows, 1);
        stop.raise();
        watch.follow(shell("sleep 60"), &stop).unwrap();
    }
}
