//! Reads the output topics while the rounds go on, committed records only, and hands every record to the judge.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, Result, ensure};

use super::judge::Judge;
use crate::services::kafka_tools::Tools;

const HEAP: &str = "192m";

/// The mark of the reader's last line.
const END: &str = "#end\t";

/// A reader and the thread that listens to it.
pub(crate) struct Witness {
    judge: Arc<Mutex<Judge>>,
    reader: Child,
    /// Closed to say that the topics have all that they will ever have.
    stop: Option<ChildStdin>,
    thread: Option<JoinHandle<Result<f64>>>,
}

impl Witness {
    /// Starts to read topics from their beginnings.
    pub(crate) fn start(tools: &Tools<'_>, topics: &[&str], judge: Judge) -> Result<Self> {
        let mut command = tools.program("Records", HEAP)?;
        command.args(["consume", &tools.address()]).args(topics);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut reader = command.spawn().context("start the reader")?;
        let output = reader.stdout.take().context("a piped output can be taken once")?;
        let stop = reader.stdin.take();
        let judge = Arc::new(Mutex::new(judge));
        let of_thread = Arc::clone(&judge);
        let thread = std::thread::spawn(move || listen(output, &of_thread));
        Ok(Self { judge, reader, stop, thread: Some(thread) })
    }

    /// What was seen so far.
    pub(crate) fn judge(&self) -> MutexGuard<'_, Judge> {
        lock(&self.judge)
    }

    /// Reads to the ends of the topics; returns the seconds for which transactions were still open.
    pub(crate) fn finish(&mut self) -> Result<f64> {
        drop(self.stop.take());
        let thread = self.thread.take().context("the reader can be finished once")?;
        let waited = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        let status = self.reader.wait().context("wait for the reader")?;
        ensure!(status.success(), "the reader ended with {status}; see above");
        Ok(waited)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.reader.kill();
        let _ = self.reader.wait();
    }
}

fn listen(output: impl Read, judge: &Mutex<Judge>) -> Result<f64> {
    let mut end = None;
    for line in BufReader::new(output).lines() {
        let line = line.context("read the reader's output")?;
        match line.strip_prefix(END) {
            Some(seconds) => end = Some(seconds.parse().context("read the reader's last line")?),
            None => lock(judge).take(&line)?,
        }
    }
    end.context("the reader ended before the topics did")
}

fn lock(judge: &Mutex<Judge>) -> MutexGuard<'_, Judge> {
    judge.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::input::Input;
    use super::*;

    #[test]
    fn lines_are_judged_and_the_last_one_is_needed() {
        let judge = || Mutex::new(Judge::new(Input::new(1, 4, 1)));
        let unread = judge();
        assert!(listen("0\t0\t{}\n".as_bytes(), &unread).is_err());
        assert!(lock(&unread).offended());
        assert_eq!(listen("#end\t1.5\n".as_bytes(), &judge()).unwrap(), 1.5);
    }
}
