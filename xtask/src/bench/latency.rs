//! End-to-end latency through a real Kafka: a producer at a fixed rate writes records with the moment of their
//! creation, a job passes them on or counts them in windows, a reader takes the moment of arrival. Producer and reader
//! are one program (`xtask/java/Latency.java`), so there is one clock.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::broker::{Broker, PARTITIONS};
use super::machine::Machine;
use super::options::{TableOption, clauses};
use crate::interrupt::Interrupt;
use crate::process;
use crate::tidegate::job::{Finished, Job};
use crate::tidegate::stats::Percentiles as Checkpoints;

const HEAP: &str = "512m";

/// What the figures do not say.
const LIMITS: &[&str] = &[
    "broker, producer, job and reader share the cores of one machine; at a high rate this is most of the latency",
    "a record's creation is the moment at which it was due by the rate, so a producer that falls behind is in the \
     latency; how far it fell behind is behind_ms_max",
    "`arrival` is when the reader had the record, committed; `append` is when the broker wrote it to the output topic, \
     in whole milliseconds of its clock, and with exactly-once before it was committed",
    "the reader asks for records all the time (fetch.min.bytes 1)",
    "processor time is that of whole processes, warm-up and start included; of the producer and reader program two parts \
     are named, the rest is its garbage collector and compiler",
];

/// What the job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Shape {
    /// Passes records on: latency is from a record's creation
    Pass,
    /// Counts per key in windows of event time: latency is from the end of the window
    Window,
}

/// One run.
pub(crate) struct Bench<'a> {
    /// The binary.
    pub(crate) program: &'a Path,
    /// Script and checkpoints.
    pub(crate) folder: &'a Path,
    /// Kafka.
    pub(crate) broker: &'a Broker<'a>,
    /// What the job does.
    pub(crate) shape: Shape,
    /// Keys of the records.
    pub(crate) keys: u64,
    /// Length of the windows, milliseconds; a divisor of a second.
    pub(crate) window_ms: u64,
    /// More options of the input table.
    pub(crate) source_options: &'a [TableOption],
    /// More options of the output table.
    pub(crate) sink_options: &'a [TableOption],
    /// Records per second.
    pub(crate) rate: u64,
    /// Seconds that are not measured.
    pub(crate) warm_up: u64,
    /// Seconds that are.
    pub(crate) seconds: u64,
    /// Time between checkpoints.
    pub(crate) interval: &'a str,
    /// Subtasks per operator.
    pub(crate) parallelism: u32,
    /// What the sink promises.
    pub(crate) exactly_once: bool,
    /// Ctrl-C ends it.
    pub(crate) interrupt: &'a Interrupt,
}

/// What the program found.
#[derive(Debug, Deserialize, Serialize)]
struct Found {
    /// Records that are measured.
    records: u64,
    /// Those that the results stand for.
    counted: u64,
    /// Results that there must be.
    sent: u64,
    arrived: u64,
    rate: f64,
    behind_ms_max: f64,
    load_wall_seconds: f64,
    /// Of the producer and reader program.
    load_cpu_seconds: f64,
    producer_cpu_seconds: f64,
    reader_cpu_seconds: f64,
    arrival_ms: Latencies,
    append_ms: Latencies,
}

/// Milliseconds.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Latencies {
    p50: f64,
    p90: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

/// What came of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    job: Shape,
    keys: u64,
    window_ms: Option<u64>,
    asked_rate: u64,
    seconds: u64,
    parallelism: u32,
    #[serde(flatten)]
    found: Found,
    cpu_seconds: Option<f64>,
    broker_cpu_seconds: Option<f64>,
    peak_rss_bytes: Option<u64>,
    checkpoints: u64,
    checkpoint_ms: Checkpoints,
}

impl Bench<'_> {
    /// Runs the job beside the producer, and stops it when the last record has come.
    pub(crate) fn run(&self) -> Result<Measured> {
        let tools = &self.broker.tools;
        tools.create_topics(&["in"], PARTITIONS, &[])?;
        tools.create_topics(&["out"], PARTITIONS, &["message.timestamp.type=LogAppendTime"])?;
        let script = self.folder.join("latency.sql");
        fs::write(&script, self.script()).with_context(|| format!("write {}", script.display()))?;
        let broker_before = self.broker.cpu_seconds();
        // One stops the job, the other the producer and reader, which a job that failed leaves waiting.
        let (stop, give_up) = (Interrupt::unraised(), Interrupt::unraised());
        let (found, finished) = std::thread::scope(|scope| {
            let job = scope.spawn(|| {
                let finished = self.job(&script, &stop);
                give_up.raise();
                finished
            });
            scope.spawn(|| {
                while !give_up.raised() && !self.interrupt.raised() {
                    std::thread::sleep(process::POLL);
                }
                give_up.raise();
            });
            let found = self.load(&give_up);
            stop.raise();
            let job = job.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (found, job)
        });
        if self.interrupt.raised() {
            bail!("interrupted");
        }
        let finished = finished?;
        ensure!(finished.status.success(), "tidegate ended with {}; see above", finished.status);
        let found = found?;
        let stats = finished.stats.context("tidegate printed no statistics")?;
        Ok(Measured {
            job: self.shape,
            keys: self.keys,
            window_ms: (self.shape == Shape::Window).then_some(self.window_ms),
            asked_rate: self.rate,
            seconds: self.seconds,
            parallelism: self.parallelism,
            found,
            cpu_seconds: stats.cpu_seconds,
            broker_cpu_seconds: self
                .broker
                .cpu_seconds()
                .zip(broker_before)
                .map(|(after, before)| after - before),
            peak_rss_bytes: stats.peak_rss_bytes,
            checkpoints: stats.checkpoints_completed,
            checkpoint_ms: stats.checkpoint_ms,
        })
    }

    fn job(&self, script: &Path, stop: &Interrupt) -> Result<Finished> {
        let job = Job {
            program: self.program,
            folder: self.folder,
            script,
            defines: Vec::new(),
            settings: &[
                ("execution.checkpointing.interval", self.interval),
                ("restart-strategy.type", "none"),
            ],
            parallelism: Some(self.parallelism),
            checkpoints: &self.folder.join("checkpoints"),
            shown: false,
        };
        job.run(stop)
    }

    /// The producer and reader; it ends when every record that is measured has come, or does not come.
    fn load(&self, give_up: &Interrupt) -> Result<Found> {
        let mut command = self.broker.tools.program("Latency", HEAP)?;
        let shape = match self.shape {
            Shape::Pass => "pass",
            Shape::Window => "window",
        };
        command.args([self.broker.tools.address().as_str(), "in", "out", shape]);
        let numbers = [self.rate, self.warm_up, self.seconds, self.keys, self.window_ms];
        command.args(numbers.map(|number| number.to_string()));
        let output = self.folder.join("latency.json");
        let file = fs::File::create(&output).context("create a file for the result")?;
        command.stdout(Stdio::from(file));
        let status = process::run_interruptible(&mut command, give_up)?;
        ensure!(status.success(), "producer and reader ended with {status}; see above");
        let text = fs::read_to_string(&output).context("read the result")?;
        serde_json::from_str(&text).with_context(|| format!("understand the result {text}"))
    }

    fn script(&self) -> String {
        let kafka = format!(
            "'connector' = 'kafka', 'properties.bootstrap.servers' = '{}', 'format' = 'json'",
            self.broker.tools.address()
        );
        let guarantee = if self.exactly_once {
            ", 'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = 'latency'"
        } else {
            ""
        };
        let (from, to) = (clauses(self.source_options), clauses(self.sink_options));
        let source = format!(
            "WITH ({kafka}, 'topic' = 'in', 'scan.startup.mode' = 'earliest-offset'{from})"
        );
        let sink = format!("WITH ({kafka}, 'topic' = 'out'{guarantee}{to})");
        match self.shape {
            Shape::Pass => format!(
                "CREATE TABLE created (id BIGINT, k BIGINT, t BIGINT, pad STRING) {source};
CREATE TABLE arrived (t BIGINT, id BIGINT) {sink};
INSERT INTO arrived SELECT t, id FROM created WHERE id >= 0;
"
            ),
            Shape::Window => format!(
                "SET 'table.local-time-zone' = 'UTC';
CREATE TABLE created (id BIGINT, k BIGINT, t BIGINT, pad STRING,
  ts AS TO_TIMESTAMP_LTZ(t / 1000, 3), WATERMARK FOR ts AS ts - INTERVAL '0.001' SECOND) {source};
CREATE TABLE counted (e TIMESTAMP(3), k BIGINT, c BIGINT) {sink};
INSERT INTO counted SELECT window_end, k, COUNT(*)
  FROM TABLE(TUMBLE(TABLE created, DESCRIPTOR(ts), INTERVAL '0.{:03}' SECOND))
  GROUP BY window_start, window_end, k;
",
                self.window_ms
            ),
        }
    }
}

/// The whole result.
#[derive(Serialize)]
pub(crate) struct Report {
    benchmark: &'static str,
    machine: Machine,
    profile: &'static str,
    guarantee: &'static str,
    checkpoint_interval: String,
    #[serde(flatten)]
    measured: Measured,
    limits: &'static [&'static str],
}

impl Report {
    /// From a run.
    pub(crate) fn new(
        machine: Machine,
        profile: &'static str,
        exactly_once: bool,
        interval: &str,
        measured: Measured,
    ) -> Self {
        let guarantee = if exactly_once { "exactly-once" } else { "at-least-once" };
        let (benchmark, limits) = ("latency", LIMITS);
        let checkpoint_interval = interval.to_owned();
        Self { benchmark, machine, profile, guarantee, checkpoint_interval, measured, limits }
    }

    /// Whether results did not arrive, or do not stand for every record.
    pub(crate) fn failed(&self) -> bool {
        let found = &self.measured.found;
        found.arrived != found.sent || found.counted != found.records
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let Measured { asked_rate, seconds, parallelism, found, checkpoint_ms, .. } =
            &self.measured;
        let mut text = format!(
            "{:<9}{:>10}{:>10}{:>10}{:>10}{:>10}\n",
            "MS", "P50", "P90", "P99", "P99.9", "MAX"
        );
        for (name, ms) in [("arrival", found.arrival_ms), ("append", found.append_ms)] {
            let Latencies { p50, p90, p99, p999, max } = ms;
            writeln!(text, "{name:<9}{p50:>10.1}{p90:>10.1}{p99:>10.1}{p999:>10.1}{max:>10.1}")
                .expect("writing to a string cannot fail");
        }
        writeln!(
            text,
            "\n{} of {} results ({} of {} records) arrived in {seconds} s at {:.0} of {asked_rate} records/s; the producer was at most {:.1} ms behind\n{}\nprofile {}, parallelism {parallelism}, {}, a checkpoint every {} (p50 {:.0} ms, max {:.0} ms); broker, producer, reader and job share the cores",
            found.arrived,
            found.sent,
            found.counted,
            found.records,
            found.rate,
            found.behind_ms_max,
            self.machine.summary(),
            self.profile,
            self.guarantee,
            self.checkpoint_interval,
            checkpoint_ms.p50,
            checkpoint_ms.max,
        )
        .expect("writing to a string cannot fail");
        let seconds = |seconds: Option<f64>| seconds.map_or("?".to_owned(), |s| format!("{s:.1}"));
        writeln!(
            text,
            "processor seconds in {:.0} s: job {}, broker {}, producer {:.1}, reader {:.1}, producer and reader with their JVM {:.1}",
            found.load_wall_seconds,
            seconds(self.measured.cpu_seconds),
            seconds(self.measured.broker_cpu_seconds),
            found.producer_cpu_seconds,
            found.reader_cpu_seconds,
            found.load_cpu_seconds,
        )
        .expect("writing to a string cannot fail");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_of_the_program_is_read() {
        let ms = r#"{"p50":1.5,"p90":2.0,"p99":3.25,"p999":4.0,"max":9.0}"#;
        let text = format!(
            r#"{{"records":10,"counted":10,"sent":10,"arrived":10,"rate":5.0,"behind_ms_max":0.1,
            "load_wall_seconds":1,"load_cpu_seconds":1.5,"producer_cpu_seconds":0.5,"reader_cpu_seconds":0.25,"arrival_ms":{ms},"append_ms":{ms}}}"#
        );
        let found: Found = serde_json::from_str(&text).unwrap();
        assert_eq!((found.sent, found.arrival_ms.p99), (10, 3.25));
    }
}
