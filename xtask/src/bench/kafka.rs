//! JSON through a real Kafka, step by step: generated into a topic, read and thrown away, passed on to another topic,
//! summed up in windows into another topic. Each step is one bounded job.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use super::broker::{Broker, PARTITIONS};
use super::machine::Machine;
use super::nexmark::CHECKPOINT_INTERVAL;
use super::options::{TableOption, clauses};
use crate::interrupt::Interrupt;
use crate::tidegate::job::Job;
use crate::tidegate::stats::{Percentiles, Stats};

/// Of 50 events 46 are bids.
const EVENTS: u64 = 50;
const BIDS: u64 = 46;

/// A benchmark that fails should say so, not start again.
const SETTINGS: &[(&str, &str)] =
    &[("execution.checkpointing.interval", CHECKPOINT_INTERVAL), ("restart-strategy.type", "none")];

/// What the figures do not say.
const LIMITS: &[&str] = &[
    "the broker runs on the same cores: its processor time is in broker_cpu_seconds, and what it uses the job does not \
     have",
    "records_per_second counts records read (generated, in `generate`), per second of the job's wall time from its \
     start to its end",
    "bytes_per_second counts the topic's bytes on disk, which has Kafka's framing and no compression",
    "the topic was written just before, so the broker reads it from memory",
    "cpu_seconds and peak_rss_bytes are those of the whole process, start and end included",
    "one run per step: differences of a few per cent are noise",
];

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Step {
    /// Generator → topic.
    Generate,
    /// Topic → nothing.
    Read,
    /// Topic → topic.
    Pass,
    /// Topic → counts and sums per key in tumbling windows → topic.
    Window,
}

const STEPS: [Step; 4] = [Step::Generate, Step::Read, Step::Pass, Step::Window];

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Read => "read",
            Self::Pass => "pass",
            Self::Window => "window",
        }
    }
}

/// What all steps have in common.
pub(crate) struct Bench<'a> {
    /// The binary.
    pub(crate) program: &'a Path,
    /// Scripts and checkpoints.
    pub(crate) folder: &'a Path,
    /// Kafka.
    pub(crate) broker: &'a Broker<'a>,
    /// Records in the topic at least.
    pub(crate) records: u64,
    /// Subtasks per operator.
    pub(crate) parallelism: u32,
    /// What the sinks promise.
    pub(crate) exactly_once: bool,
    /// More options of the tables that are read.
    pub(crate) source_options: &'a [TableOption],
    /// More options of the tables that are written.
    pub(crate) sink_options: &'a [TableOption],
    /// Ctrl-C ends it.
    pub(crate) interrupt: &'a Interrupt,
}

impl Bench<'_> {
    /// All steps.
    pub(crate) fn run(&self) -> Result<Vec<Measured>> {
        self.broker.tools.create_topics(&["bids", "passed", "sums"], PARTITIONS, &[])?;
        STEPS.into_iter().map(|step| self.step(step)).collect()
    }

    fn step(&self, step: Step) -> Result<Measured> {
        eprintln!("── {}", step.name());
        let script = self.folder.join(format!("{}.sql", step.name()));
        fs::write(&script, self.script(step))
            .with_context(|| format!("write {}", script.display()))?;
        let checkpoints = self.folder.join(step.name());
        let job = Job {
            program: self.program,
            folder: self.folder,
            script: &script,
            defines: Vec::new(),
            settings: SETTINGS,
            parallelism: Some(self.parallelism),
            checkpoints: &checkpoints,
            shown: false,
        };
        let broker_before = self.broker.cpu_seconds();
        let finished = job.run(self.interrupt)?;
        if self.interrupt.raised() {
            bail!("interrupted");
        }
        ensure!(finished.status.success(), "tidegate ended with {}; see above", finished.status);
        let stats = finished.stats.context("tidegate printed no statistics")?;
        let broker =
            self.broker.cpu_seconds().zip(broker_before).map(|(after, before)| after - before);
        let measured =
            measured(step, self.bids(), self.broker.topic_bytes("bids")?, &stats, broker)?;
        eprintln!("── {}: {:.0} records/s", step.name(), measured.records_per_second);
        Ok(measured)
    }

    fn bids(&self) -> u64 {
        self.records.div_ceil(BIDS) * BIDS
    }

    fn script(&self, step: Step) -> String {
        let kafka = format!(
            "'connector' = 'kafka', 'properties.bootstrap.servers' = '{}', 'format' = 'json'",
            self.broker.tools.address()
        );
        let sink = |topic: &str| {
            let guarantee = if self.exactly_once {
                format!(
                    ", 'sink.delivery-guarantee' = 'exactly-once', \
                     'sink.transactional-id-prefix' = '{topic}'"
                )
            } else {
                String::new()
            };
            let more = clauses(self.sink_options);
            format!("WITH ({kafka}, 'topic' = '{topic}'{guarantee}{more})")
        };
        let columns =
            "auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, `dateTime` TIMESTAMP(3)";
        let more = clauses(self.source_options);
        let source = format!(
            "CREATE TABLE bids ({columns}, WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND)
WITH ({kafka}, 'topic' = 'bids', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset'{more});"
        );
        let fields = "auction, bidder, price, channel, `dateTime`";
        match step {
            Step::Generate => format!(
                "CREATE TABLE events (event_type INT, bid ROW<auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, `dateTime` TIMESTAMP(3)>)
WITH ('connector' = 'nexmark', 'events.num' = '{}', 'first-event.rate' = '100000', 'next-event.rate' = '100000');
CREATE TABLE bids ({columns}) {};
INSERT INTO bids SELECT bid.auction, bid.bidder, bid.price, bid.channel, bid.`dateTime` FROM events WHERE event_type = 2;
",
                self.bids() / BIDS * EVENTS,
                sink("bids")
            ),
            Step::Read => format!(
                "{source}
CREATE TABLE nothing ({columns}) WITH ('connector' = 'blackhole');
INSERT INTO nothing SELECT {fields} FROM bids;
"
            ),
            Step::Pass => format!(
                "{source}
CREATE TABLE passed ({columns}) {};
INSERT INTO passed SELECT {fields} FROM bids;
",
                sink("passed")
            ),
            Step::Window => format!(
                "{source}
CREATE TABLE sums (ws TIMESTAMP(3), auction BIGINT, bids BIGINT, total BIGINT) {};
INSERT INTO sums SELECT window_start, auction, COUNT(*), SUM(price)
FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, auction;
",
                sink("sums")
            ),
        }
    }
}

/// The figures of one step.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    step: Step,
    records: u64,
    sink_rows: u64,
    late_rows: u64,
    seconds: f64,
    records_per_second: f64,
    bytes_per_second: f64,
    cpu_seconds: Option<f64>,
    broker_cpu_seconds: Option<f64>,
    peak_rss_bytes: Option<u64>,
    checkpoints: u64,
    checkpoint_ms: Percentiles,
}

/// Figures of a step, once it is clear that it did all of the work.
fn measured(
    step: Step,
    records: u64,
    bytes: u64,
    stats: &Stats,
    broker_cpu_seconds: Option<f64>,
) -> Result<Measured> {
    let [insert] = stats.inserts.as_slice() else {
        bail!("the script should have one INSERT, it has {}", stats.inserts.len());
    };
    let read = insert.records_in;
    ensure!(read == records, "{}: {read} records were read of {records}", step.name());
    ensure!(insert.records_out > 0, "{}: nothing came out", step.name());
    let whole = step == Step::Window || insert.records_out == records;
    ensure!(whole, "{}: {} records came out of {records}", step.name(), insert.records_out);
    let seconds = insert.wall_seconds.max(1e-3);
    Ok(Measured {
        step,
        records,
        sink_rows: insert.records_out,
        late_rows: insert.late_records,
        seconds,
        records_per_second: records as f64 / seconds,
        bytes_per_second: bytes as f64 / seconds,
        cpu_seconds: stats.cpu_seconds,
        broker_cpu_seconds,
        peak_rss_bytes: stats.peak_rss_bytes,
        checkpoints: stats.checkpoints_completed,
        checkpoint_ms: stats.checkpoint_ms,
    })
}

/// A whole benchmark.
#[derive(Serialize)]
pub(crate) struct Report {
    benchmark: &'static str,
    machine: Machine,
    profile: &'static str,
    parallelism: u32,
    exactly_once: bool,
    checkpoint_interval: &'static str,
    steps: Vec<Measured>,
    limits: &'static [&'static str],
}

impl Report {
    /// From the steps.
    pub(crate) fn new(
        machine: Machine,
        profile: &'static str,
        parallelism: u32,
        exactly_once: bool,
        steps: Vec<Measured>,
    ) -> Self {
        let checkpoint_interval = CHECKPOINT_INTERVAL;
        let (benchmark, limits) = ("kafka", LIMITS);
        Self {
            benchmark,
            machine,
            profile,
            parallelism,
            exactly_once,
            checkpoint_interval,
            steps,
            limits,
        }
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "{:<9}{:>12}{:>9}{:>12}{:>8}{:>8}{:>10}{:>9}{:>6}{:>19}\n",
            "STEP",
            "RECORDS",
            "SECONDS",
            "RECORDS/S",
            "MB/S",
            "CPU S",
            "BROKER S",
            "PEAK MB",
            "CHKP",
            "CHKP MS 50/99/MAX"
        );
        for step in &self.steps {
            let known =
                |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
            let Percentiles { p50, p99, max } = step.checkpoint_ms;
            writeln!(
                text,
                "{:<9}{:>12}{:>9.1}{:>12.0}{:>8.1}{:>8}{:>10}{:>9}{:>6}{:>19}",
                step.step.name(),
                step.records,
                step.seconds,
                step.records_per_second,
                step.bytes_per_second / 1e6,
                known(step.cpu_seconds),
                known(step.broker_cpu_seconds),
                step.peak_rss_bytes.map_or("-".to_owned(), |bytes| (bytes / 1_000_000).to_string()),
                step.checkpoints,
                format!("{p50:.0}/{p99:.0}/{max:.0}"),
            )
            .expect("writing to a string cannot fail");
        }
        let guarantee = if self.exactly_once { "exactly-once" } else { "at-least-once" };
        writeln!(
            text,
            "\n{}\nprofile {}, parallelism {}, {guarantee}, a checkpoint every {CHECKPOINT_INTERVAL}; the broker shares the cores",
            self.machine.summary(),
            self.profile,
            self.parallelism
        )
        .expect("writing to a string cannot fail");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidegate::stats::SAMPLE;

    #[test]
    fn a_step_that_lost_records_is_not_reported() {
        let stats = Stats::parse(SAMPLE).unwrap();
        let good = measured(Step::Window, 60_000, 6_000_000, &stats, Some(1.0)).unwrap();
        assert!((good.records_per_second - 20_000.0).abs() < 1e-6);
        assert!((good.bytes_per_second - 2_000_000.0).abs() < 1e-6);
        assert!(measured(Step::Window, 60_001, 1, &stats, None).is_err());
        let error = measured(Step::Pass, 60_000, 1, &stats, None).unwrap_err().to_string();
        assert!(error.contains("pass: 24 records came out of 60000"), "{error}");
    }
}
