//! The three programs of the demo side by side: the producer, the job, and the reader of the output
//! topic; how they start, and in which order they end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::recording::{Record, Recording};
use super::replay::Producer;
use super::watch::{Seen, Watch};
use super::{IN_PARTITIONS, IN_TOPIC, LAG_HOURS, OUT_TOPIC, SCRIPT, WINDOW_HOURS, partition};
use crate::commands::demo::Show;
use crate::interrupt::Interrupt;
use crate::process::POLL;
use crate::services::kafka_tools::Tools;
use crate::tidegate::job::Finished;

/// How long the first record may take to arrive, with the start of the producer.
const FIRST_LIMIT: Duration = Duration::from_secs(60);

/// How long the job may take to end after the last record was sent.
const END_LIMIT: Duration = Duration::from_secs(60);

/// How long the last rows may take to be read after the job has ended.
const READ_LIMIT: Duration = Duration::from_secs(15);

/// What they share.
pub(super) struct Session<'a> {
    pub(super) show: &'a Show<'a>,
    pub(super) tools: &'a Tools<'a>,
    pub(super) recording: &'a Recording,
    pub(super) once: bool,
}

type Handle<'scope, T> = ScopedJoinHandle<'scope, Result<T>>;

impl Session<'_> {
    /// Runs all three; returns how the job went, what was read, and when the job was started.
    pub(super) fn run(&self) -> Result<(Finished, Seen, Instant)> {
        let watch = Watch::default();
        let end_of_watch = Interrupt::unraised();
        thread::scope(|scope| {
            let consumer = self.tools.consumer(OUT_TOPIC);
            let reader = scope.spawn(|| watch.follow(consumer, &end_of_watch));
            let outcome = self.replay_and_run(scope, &watch, &reader);
            end_of_watch.raise();
            let read = join(reader);
            let (finished, started) = outcome?;
            read?;
            Ok((finished, watch.seen(), started))
        })
    }

    fn replay_and_run<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        watch: &Watch,
        reader: &Handle<'_, ()>,
    ) -> Result<(Finished, Instant)> {
        let mut records = self.recording.rounds(self.once.then_some(1));
        let producer = self.first_record(&mut records)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let end_of_job = Interrupt::unraised();
        let ended = end_of_job.clone();
        eprintln!("running {SCRIPT}; Ctrl-C stops it with a savepoint");
        let started = Instant::now();
        let replay = scope.spawn(move || producer.replay(records, started, &stopped));
        let defines = self.defines();
        let job = scope.spawn(move || self.show.job(SCRIPT, defines, &ended));
        let outcome = self.supervise(&job, &replay, reader, &end_of_job, &stop);
        stop.store(true, Ordering::Relaxed);
        if outcome.is_err() {
            end_of_job.raise();
        }
        let (finished, replayed) = (join(job)?, join(replay));
        outcome?;
        if finished.code() == 0 {
            replayed?;
            self.wait_for_rows(&finished, watch, reader)?;
        }
        Ok((finished, started))
    }

    /// Starts the producer and waits until the broker has the first record: the job is not to wait for
    /// the start of another program.
    fn first_record(&self, records: &mut impl Iterator<Item = Record>) -> Result<Producer> {
        eprintln!("starting the producer");
        let mut producer = Producer::start(self.tools.producer(IN_TOPIC))?;
        let first = records.next().context("the recording is empty")?;
        producer.send(&first, true)?;
        let deadline = Instant::now() + FIRST_LIMIT;
        loop {
            // A partition that was just made may not have a leader yet.
            let arrived = self.tools.records(IN_TOPIC, IN_PARTITIONS);
            if arrived.as_ref().is_ok_and(|count| *count > 0) {
                return Ok(producer);
            }
            if self.show.interrupt.raised() {
                bail!("interrupted");
            }
            if Instant::now() >= deadline {
                arrived?;
                bail!("the producer delivers nothing{}", producer.words());
            }
            thread::sleep(POLL);
        }
    }

    fn defines(&self) -> Vec<(&'static str, String)> {
        let counts = partition::counts(self.recording.keys(), IN_PARTITIONS);
        let end = if self.once { "specific-offsets" } else { "unbounded" };
        vec![
            ("BOOTSTRAP", self.tools.address()),
            ("IN_TOPIC", IN_TOPIC.to_owned()),
            ("OUT_TOPIC", OUT_TOPIC.to_owned()),
            ("WINDOW_HOURS", WINDOW_HOURS.to_string()),
            ("LAG_HOURS", LAG_HOURS.to_string()),
            ("END", end.to_owned()),
            ("END_OFFSETS", offsets(&counts)),
        ]
    }

    /// Returns when the job has ended. Ctrl-C stops the replay, then the job; and neither goes on alone if
    /// one of the programs fails.
    fn supervise(
        &self,
        job: &Handle<'_, Finished>,
        replay: &Handle<'_, u64>,
        reader: &Handle<'_, ()>,
        end_of_job: &Interrupt,
        stop: &AtomicBool,
    ) -> Result<()> {
        let mut deadline = None;
        let mut passed_on = 0;
        while !job.is_finished() {
            let count = self.show.interrupt.count();
            if count > passed_on {
                stop.store(true, Ordering::Relaxed);
                end_of_job.raise();
                passed_on += 1;
            } else if passed_on == 0 {
                ensure!(!reader.is_finished(), "the output topic is not read any more");
                if replay.is_finished() {
                    ensure!(self.once, "the replay has ended");
                    let deadline = *deadline.get_or_insert_with(|| Instant::now() + END_LIMIT);
                    ensure!(Instant::now() < deadline, "the job does not end with its input");
                }
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Waits until everything that the job wrote was read.
    fn wait_for_rows(
        &self,
        finished: &Finished,
        watch: &Watch,
        reader: &Handle<'_, ()>,
    ) -> Result<()> {
        let stats = finished.stats.as_ref().context("the job left no statistics")?;
        let written: u64 = stats.inserts.iter().map(|insert| insert.records_out).sum();
        let deadline = Instant::now() + READ_LIMIT;
        while watch.seen().rows < written && !reader.is_finished() {
            let rows = watch.seen().rows;
            ensure!(Instant::now() < deadline, "the job wrote {written} rows, {rows} were read");
            thread::sleep(POLL);
        }
        Ok(())
    }
}

/// The number of records of each partition as the connector's option for the end has it.
fn offsets(counts: &[u64]) -> String {
    let one = |(partition, count)| format!("partition:{partition},offset:{count}");
    counts.iter().enumerate().map(one).collect::<Vec<String>>().join(";")
}

fn join<T>(handle: Handle<'_, T>) -> Result<T> {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_offsets_are_written_as_the_connector_reads_them() {
        assert_eq!(offsets(&[3, 0]), "partition:0,offset:3;partition:1,offset:0");
    }
}
