//! Sends the records of the recording when they are due, through Kafka's console producer.

use std::io::{BufWriter, Write};
use std::process::{Child, ChildStdin, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::NamedTempFile;

use super::recording::Record;
use crate::process::{self, POLL};

/// Records that are due within this time are sent together.
const TICK: Duration = Duration::from_millis(20);

/// How long the producer may take to deliver what it has once its input has ended.
const END_LIMIT: Duration = Duration::from_secs(15);

/// How many lines of its log are shown when it fails.
const LOG_LINES: usize = 20;

/// A running producer; ends with this value at the latest.
pub(super) struct Producer {
    child: Child,
    group: String,
    /// None once it was closed.
    input: Option<BufWriter<ChildStdin>>,
    log: NamedTempFile,
}

impl Producer {
    /// Starts the program.
    pub(super) fn start(mut command: Command) -> Result<Self> {
        let log = NamedTempFile::new().context("create a temporary file")?;
        let file = || log.as_file().try_clone().context("share the temporary file");
        command.stdout(file()?).stderr(file()?);
        let (child, group, input) = process::spawn_fed(&mut command)?;
        Ok(Self { child, group, input: Some(BufWriter::new(input)), log })
    }

    /// Hands a record over; `flush` says whether to keep it no longer.
    pub(super) fn send(&mut self, record: &Record, flush: bool) -> Result<()> {
        let input = self.input.as_mut().context("the producer has ended")?;
        let mut outcome = writeln!(input, "{}\t{}", record.key, record.value);
        if flush {
            outcome = outcome.and_then(|()| input.flush());
        }
        outcome.with_context(|| format!("send a record{}", self.words()))
    }

    /// Sends records, each when it is due counted from `start`, until there are no more or `stop` is set;
    /// then lets the producer deliver them. Returns how many were sent.
    pub(super) fn replay(
        mut self,
        records: impl Iterator<Item = Record>,
        start: Instant,
        stop: &AtomicBool,
    ) -> Result<u64> {
        let mut sent = 0;
        let mut records = records.peekable();
        while let Some(record) = records.next() {
            if !sleep_until(start + record.due, stop) {
                break;
            }
            let elapsed = start.elapsed();
            let last = records.peek().is_none_or(|next| next.due > elapsed);
            self.send(&record, last)?;
            sent += 1;
        }
        self.finish().map(|()| sent)
    }

    /// Closes its input and waits for its end.
    fn finish(&mut self) -> Result<()> {
        let Some(input) = self.input.take() else {
            return Ok(());
        };
        // Dropping the pipe closes it.
        input.into_inner().map_err(std::io::IntoInnerError::into_error).context("send a record")?;
        let deadline = Instant::now() + END_LIMIT;
        while Instant::now() < deadline {
            match self.child.try_wait().context("wait for the producer")? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("the producer ended with {status}{}", self.words()),
                None => thread::sleep(POLL),
            }
        }
        bail!("the producer does not end{}", self.words())
    }

    /// What it has said so far, to end a message with.
    pub(super) fn words(&self) -> String {
        match process::tail(self.log.path(), LOG_LINES) {
            text if text.is_empty() => String::new(),
            text => format!("; it said:\n{text}\n"),
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ended = process::end_group(&mut self.child, &self.group);
        }
    }
}

/// Waits in short steps; says whether the moment came before `stop` was set.
fn sleep_until(moment: Instant, stop: &AtomicBool) -> bool {
    loop {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        let left = moment.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        thread::sleep(left.min(TICK));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(due: u64, key: &str) -> Record {
        Record { due: Duration::from_millis(due), key: key.to_owned(), value: "{}".to_owned() }
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn records_come_when_they_are_due_and_all_are_delivered() {
        let file = NamedTempFile::new().unwrap();
        let script = format!("cat > {}", file.path().display());
        let producer = Producer::start(shell(&script)).unwrap();
        let start = Instant::now();
        let records = [record(0, "a"), record(0, "b"), record(150, "c")];
        let sent = producer.replay(records.into_iter(), start, &AtomicBool::new(false)).unwrap();
        assert_eq!(sent, 3);
        assert!(start.elapsed() >= Duration::from_millis(150));
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "a\t{}\nb\t{}\nc\t{}\n");
    }

    #[test]
    fn a_stop_ends_it_between_two_records() {
        let producer = Producer::start(shell("cat > /dev/null")).unwrap();
        let stop = AtomicBool::new(false);
        let start = Instant::now();
        let records = [record(0, "a"), record(3_600_000, "b")].into_iter().inspect(|record| {
            stop.store(record.key == "b", Ordering::Relaxed);
        });
        assert_eq!(producer.replay(records, start, &stop).unwrap(), 1);
        assert!(start.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn a_producer_that_fails_is_quoted() {
        let producer =
            Producer::start(shell("cat > /dev/null; echo no broker >&2; exit 3")).unwrap();
        let outcome =
            producer.replay([record(0, "a")].into_iter(), Instant::now(), &AtomicBool::new(false));
        let error = format!("{:#}", outcome.unwrap_err());
        assert!(error.contains("no broker") && error.contains('3'), "{error}");
    }
}
