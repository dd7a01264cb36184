//! Feeds the input topic while the rounds go on: so many records are released at the start of each round and written
//! over some seconds, so that every round has something to do.

use std::io::{BufWriter, Write};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::input::{Input, PARTITIONS};
use crate::services::kafka_tools::Tools;

/// Between two portions.
const TICK: Duration = Duration::from_millis(50);

/// Portions of what a round releases.
const PORTIONS: u64 = 60;

const HEAP: &str = "192m";

/// A producer and the thread that feeds it.
pub(crate) struct Feed {
    control: Arc<Control>,
    thread: Option<JoinHandle<Result<()>>>,
    producer: Child,
    portion: u64,
}

#[derive(Default)]
struct Control {
    /// Records of each partition that may be written.
    released: AtomicU64,
    /// Write without pauses.
    hurry: AtomicBool,
    /// Give up.
    stop: AtomicBool,
}

impl Feed {
    /// Starts a producer that has nothing to write yet.
    pub(crate) fn start(tools: &Tools<'_>, topic: &str, input: Input, rounds: u32) -> Result<Self> {
        let mut command = tools.program("Records", HEAP)?;
        command.args(["produce", &tools.address(), topic]).stdin(Stdio::piped());
        // In a group of its own, so that Ctrl-C reaches only the one who cleans up.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut producer = command.spawn().context("start the producer")?;
        let pipe = producer.stdin.take().context("a piped input can be taken once")?;
        let control = Arc::new(Control::default());
        let portion = input.per_partition.div_ceil(u64::from(rounds + 1));
        let of_thread = Arc::clone(&control);
        let write = move || write(input, portion, &of_thread, BufWriter::new(pipe));
        Ok(Self { control, thread: Some(std::thread::spawn(write)), producer, portion })
    }

    /// Releases the records of one more round.
    pub(crate) fn release_round(&self) {
        self.control.released.fetch_add(self.portion, Ordering::Relaxed);
    }

    /// Writes all that is left, and the records that close the windows; returns when the broker has every record.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.control.hurry.store(true, Ordering::Relaxed);
        self.control.released.store(u64::MAX, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        let status = self.producer.wait().context("wait for the producer")?;
        ensure!(status.success(), "the producer ended with {status}; see above");
        Ok(())
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.control.stop.store(true, Ordering::Relaxed);
        // Both fail only if it has ended already.
        let _ = self.producer.kill();
        let _ = self.producer.wait();
    }
}

/// The thread: one record of each partition in turn, so that event time is about the same in all. The pipe closes at
/// its end, and with it the producer.
fn write(input: Input, portion: u64, control: &Control, mut pipe: impl Write) -> Result<()> {
    let slice = portion.div_ceil(PORTIONS);
    let mut next = 0;
    while next < input.per_partition && !control.stop.load(Ordering::Relaxed) {
        let released = control.released.load(Ordering::Relaxed).min(input.per_partition);
        let end = released.min(next + slice);
        for sequence in next..end {
            for partition in 0..PARTITIONS {
                let line = input.line(partition, sequence);
                pipe.write_all(line.as_bytes()).context("write to the producer")?;
            }
        }
        pipe.flush().context("write to the producer")?;
        next = end.max(next);
        if !control.hurry.load(Ordering::Relaxed) {
            std::thread::sleep(TICK);
        }
    }
    for partition in 0..PARTITIONS {
        let line = input.end_line(partition);
        pipe.write_all(line.as_bytes()).context("write to the producer")?;
    }
    pipe.flush().context("write to the producer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_released_records_are_written_in_turn() {
        let input = Input::new(1, 40, 1);
        let control = Control::default();
        control.hurry.store(true, Ordering::Relaxed);
        control.released.store(u64::MAX, Ordering::Relaxed);
        let mut bytes = Vec::new();
        write(input, 5, &control, &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let partitions: Vec<&str> = text.lines().map(|line| &line[..1]).collect();
        assert_eq!(partitions.len(), 44);
        assert_eq!(partitions[..5], ["0", "1", "2", "3", "0"]);
        assert!(text.lines().nth(39).unwrap().contains("\"seq\":9"));
        assert_eq!(text.matches("\"seq\":-1").count(), 4);
    }
}
