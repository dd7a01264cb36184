//! Feeds the input topic while the rounds go on: so many records are released at the start of each round and written
//! over some seconds, so that every round has something to do.

use std::io::{BufWriter, Write};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::input::{Input, PARTITIONS};
use crate::services::kafka_tools::Tools;

/// Between two portions.
const TICK: Duration = Duration::from_millis(50);

/// Portions of a slice, which is what a round releases.
const PORTIONS: u64 = 60;

const HEAP: &str = "192m";

/// A producer and the thread that feeds it.
pub(crate) struct Feed {
    control: Arc<Control>,
    thread: Mutex<Option<JoinHandle<Result<()>>>>,
    producer: Mutex<Child>,
}

#[derive(Default)]
struct Control {
    /// Portions that may be written.
    released: AtomicU64,
    /// Write without pauses.
    hurry: AtomicBool,
    /// Give up.
    stop: AtomicBool,
}

impl Feed {
    /// Starts a producer that has nothing to write yet.
    pub(crate) fn start(tools: &Tools<'_>, topic: &str, input: Input) -> Result<Self> {
        let mut command = tools.program("Records", HEAP)?;
        command.args(["produce", &tools.address(), topic]).stdin(Stdio::piped());
        // In a group of its own, so that Ctrl-C reaches only the one who cleans up.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut producer = command.spawn().context("start the producer")?;
        let pipe = producer.stdin.take().context("a piped input can be taken once")?;
        let control = Arc::new(Control::default());
        let of_thread = Arc::clone(&control);
        let write = move || write(&input, &of_thread, BufWriter::new(pipe));
        let thread = Mutex::new(Some(std::thread::spawn(write)));
        Ok(Self { control, thread, producer: Mutex::new(producer) })
    }

    /// Releases half of the records of a round. Each round releases both halves, some the second one only when they have
    /// come to a certain point.
    pub(crate) fn release_half(&self) {
        self.control.released.fetch_add(PORTIONS / 2, Ordering::Relaxed);
    }

    /// Writes all that is left, and the records that close the windows; returns when the broker has every record.
    pub(crate) fn finish(&self) -> Result<()> {
        self.control.hurry.store(true, Ordering::Relaxed);
        self.control.released.store(u64::MAX, Ordering::Relaxed);
        if let Some(thread) = lock(&self.thread).take() {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        let status = lock(&self.producer).wait().context("wait for the producer")?;
        ensure!(status.success(), "the producer ended with {status}; see above");
        Ok(())
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.control.stop.store(true, Ordering::Relaxed);
        let mut producer = lock(&self.producer);
        // Both fail only if it has ended already.
        let _ = producer.kill();
        let _ = producer.wait();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread: one record of each partition in turn, so that event time is about the same in all. The pipe closes at
/// its end, and with it the producer.
fn write(input: &Input, control: &Control, mut pipe: impl Write) -> Result<()> {
    let mut next = 0;
    while next < input.slices * PORTIONS && !control.stop.load(Ordering::Relaxed) {
        if next < control.released.load(Ordering::Relaxed) {
            write_portion(input, next, &mut pipe)?;
            next += 1;
        }
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

fn write_portion(input: &Input, number: u64, pipe: &mut impl Write) -> Result<()> {
    let (slice, portion) = (number / PORTIONS, number % PORTIONS);
    let of_partition = |partition| {
        let all = input.of_slice(partition, slice);
        let begin = |portion| all.start + (all.end - all.start) * portion / PORTIONS;
        (partition, begin(portion)..begin(portion + 1))
    };
    let mut parts: Vec<_> = (0..PARTITIONS).map(of_partition).collect();
    let mut wrote = true;
    while wrote {
        wrote = false;
        for (partition, sequences) in &mut parts {
            if let Some(sequence) = sequences.next() {
                let line = input.line(*partition, sequence);
                pipe.write_all(line.as_bytes()).context("write to the producer")?;
                wrote = true;
            }
        }
    }
    pipe.flush().context("write to the producer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_released_records_are_written_in_turn() {
        let input = Input::new(1, 480, &[None]);
        let control = Control::default();
        control.hurry.store(true, Ordering::Relaxed);
        control.released.store(u64::MAX, Ordering::Relaxed);
        let mut bytes = Vec::new();
        write(&input, &control, &mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let partitions: Vec<&str> = text.lines().map(|line| &line[..1]).collect();
        assert_eq!(partitions.len(), 484);
        assert_eq!(partitions[..5], ["0", "1", "2", "3", "0"]);
        assert!(text.lines().nth(479).unwrap().contains("\"seq\":119"));
        assert_eq!(text.matches("\"seq\":-1").count(), 4);
    }
}
