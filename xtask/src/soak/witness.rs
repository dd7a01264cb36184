//! Reads the output topics while the rounds go on, committed records only, and hands every record to the judge.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::judge::Judge;
use crate::services::kafka_tools::Tools;

const HEAP: &str = "192m";

/// The mark of the reader's answer that it has read to the ends of the topics.
const SYNC: &str = "#sync\t";

/// The mark of its last line.
const END: &str = "#end\t";

/// How long the answer may take: longer than transactions stay open.
const ANSWER: Duration = Duration::from_secs(200);

/// A reader and the thread that listens to it.
pub(crate) struct Witness {
    judge: Arc<Mutex<Judge>>,
    reader: Mutex<Child>,
    /// A line asks for an answer; closed to say that the topics have all that they will ever have.
    orders: Mutex<Option<ChildStdin>>,
    answers: Mutex<Receiver<f64>>,
    thread: Mutex<Option<JoinHandle<Result<f64>>>>,
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
        let orders = Mutex::new(reader.stdin.take());
        let judge = Arc::new(Mutex::new(judge));
        let of_thread = Arc::clone(&judge);
        let (answer, answers) = sync_channel(1);
        let thread = std::thread::spawn(move || listen(output, &of_thread, &answer));
        let (reader, answers) = (Mutex::new(reader), Mutex::new(answers));
        Ok(Self { judge, reader, orders, answers, thread: Mutex::new(Some(thread)) })
    }

    /// What was seen so far.
    pub(crate) fn judge(&self) -> MutexGuard<'_, Judge> {
        lock(&self.judge)
    }

    /// Has everything taken that was made visible before; returns the seconds for which transactions were still open.
    pub(crate) fn sync(&self) -> Result<f64> {
        let mut orders = lock(&self.orders);
        let pipe = orders.as_mut().context("the reader has been finished")?;
        pipe.write_all(b"sync\n").and_then(|()| pipe.flush()).context("write to the reader")?;
        match lock(&self.answers).recv_timeout(ANSWER) {
            Ok(waited) => Ok(waited),
            Err(RecvTimeoutError::Timeout) => bail!("the reader does not come to the ends"),
            Err(RecvTimeoutError::Disconnected) => bail!("the reader ended; see above"),
        }
    }

    /// Reads to the ends of the topics; returns the seconds for which transactions were still open.
    pub(crate) fn finish(&self) -> Result<f64> {
        drop(lock(&self.orders).take());
        let thread = lock(&self.thread).take().context("the reader can be finished once")?;
        let waited = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        let status = lock(&self.reader).wait().context("wait for the reader")?;
        ensure!(status.success(), "the reader ended with {status}; see above");
        Ok(waited)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let mut reader = lock(&self.reader);
        // Both fail only if it has ended already.
        let _ = reader.kill();
        let _ = reader.wait();
    }
}

fn listen(output: impl Read, judge: &Mutex<Judge>, answer: &SyncSender<f64>) -> Result<f64> {
    let mut end = None;
    let seconds = |text: &str| text.parse().context("read the seconds that the reader waited");
    for line in BufReader::new(output).lines() {
        let line = line.context("read the reader's output")?;
        if let Some(waited) = line.strip_prefix(SYNC) {
            // Fails only if nobody waits any more.
            let _ = answer.try_send(seconds(waited)?);
        } else if let Some(waited) = line.strip_prefix(END) {
            end = Some(seconds(waited)?);
        } else {
            lock(judge).take(&line)?;
        }
    }
    end.context("the reader ended before the topics did")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::input::Input;
    use super::*;

    #[test]
    fn lines_are_judged_and_the_last_one_is_needed() {
        let judge = || Mutex::new(Judge::new(Input::new(1, 4, &[None])));
        let (answer, answers) = sync_channel(1);
        let unread = judge();
        assert!(listen("0\t0\t{}\n".as_bytes(), &unread, &answer).is_err());
        assert!(lock(&unread).offended());
        let text = "#sync\t0.5\n#end\t1.5\n";
        assert_eq!(listen(text.as_bytes(), &judge(), &answer).unwrap(), 1.5);
        assert_eq!(answers.try_recv().unwrap(), 0.5);
    }
}
