//! An output that takes nothing, because the broker stands still: how much memory the workers use meanwhile.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::Bench;
use crate::bench::broker::PARTITIONS;
use crate::cluster::nodes::{Cluster, Node};

const JOB: &str = "stalled";

/// Workers.
const WORKERS: u8 = 2;

/// How long the broker stands still.
const STALLED: Duration = Duration::from_secs(30);

/// How long queues may take to fill.
const FILLING: Duration = Duration::from_secs(5);

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    stalled_seconds: u64,
    /// Resident memory of both workers together: before, when queues had filled, and at the most after that. Bytes.
    before_bytes: u64,
    filled_bytes: u64,
    most_bytes: u64,
    /// Rows that the source produced after queues had filled.
    rows_while_stalled: u64,
    /// Checkpoints that the job completed afterwards within some seconds: it goes on.
    checkpoints_afterwards: u64,
}

impl Figures {
    pub(super) fn text(&self) -> String {
        let mega = |bytes: u64| bytes as f64 / 1e6;
        format!(
            "output stands still for {} s: two workers use {:.0} MB before, {:.0} when queues are full, at most {:.0} after \
             that; the source went on by {} rows; {} checkpoints afterwards\n",
            self.stalled_seconds,
            mega(self.before_bytes),
            mega(self.filled_bytes),
            mega(self.most_bytes),
            self.rows_while_stalled,
            self.checkpoints_afterwards
        )
    }
}

impl Bench<'_> {
    pub(super) fn stall(&self) -> Result<Figures> {
        let topic = "stalled";
        self.broker.tools.create_topics(&[topic], PARTITIONS, &[])?;
        let cluster = self.cluster("stall", WORKERS, 1)?;
        self.submit(&cluster, JOB, 2, &self.stalled_script(topic))?;
        let before =
            self.wait(&cluster, JOB, |run| run.state == "RUNNING" && run.checkpoint > 2)?;
        let memory = || -> Result<u64> {
            (1..=WORKERS).map(|number| cluster.resident_bytes(Node::Worker(number))).sum()
        };
        let before_bytes = memory()?;
        let broker = self.broker.tools.process().context("the broker is not there")?;
        broker.signal("STOP")?;
        let figures = self.while_stalled(&cluster, &memory);
        broker.signal("CONT")?;
        let (filled_bytes, most_bytes, rows_while_stalled) = figures?;
        let run = self.wait(&cluster, JOB, |run| run.checkpoint > before.checkpoint + 3)?;
        ensure!(run.attempt == before.attempt, "the job was started again: {}", run.text);
        cluster.client.ask(&["job", "cancel", JOB])?;
        Ok(Figures {
            stalled_seconds: STALLED.as_secs(),
            before_bytes,
            filled_bytes,
            most_bytes,
            rows_while_stalled,
            checkpoints_afterwards: run.checkpoint - before.checkpoint,
        })
    }

    fn while_stalled(
        &self,
        cluster: &Cluster,
        memory: &impl Fn() -> Result<u64>,
    ) -> Result<(u64, u64, u64)> {
        let begin = Instant::now();
        self.pause(FILLING)?;
        let (filled, rows) = (memory()?, read(cluster)?);
        let mut most = filled;
        while begin.elapsed() < STALLED {
            self.pause(Duration::from_millis(200))?;
            most = most.max(memory()?);
        }
        Ok((filled, most, read(cluster)?.saturating_sub(rows)))
    }

    /// Each row is a group of its own, so that all of them cross between the workers and come out.
    fn stalled_script(&self, topic: &str) -> String {
        format!(
            "SET 'execution.checkpointing.interval' = '1 s';
SET 'execution.checkpointing.timeout' = '10 min';
CREATE TABLE numbers (id BIGINT, ts AS TO_TIMESTAMP_LTZ(id, 3), WATERMARK FOR ts AS ts)
  WITH ('connector' = 'datagen', 'rows-per-second' = '400000', 'fields.id.kind' = 'sequence', 'fields.id.start' = '1',
    'fields.id.end' = '100000000000');
CREATE TABLE results (id BIGINT, c BIGINT) WITH ('connector' = 'kafka', 'topic' = '{topic}', 'format' = 'json',
  'properties.bootstrap.servers' = '{}');
INSERT INTO results SELECT id, COUNT(*) FROM TABLE(TUMBLE(TABLE numbers, DESCRIPTOR(ts), INTERVAL '1' SECOND))
  GROUP BY window_start, window_end, id;
",
            self.broker.tools.address()
        )
    }
}

/// Rows that the source has produced.
fn read(cluster: &Cluster) -> Result<u64> {
    let metrics = cluster.client.ask(&["job", "metrics", JOB])?;
    let operators = metrics["operators"].as_array().context("no operators")?;
    let out = |one: &serde_json::Value| one["recordsOut"].as_str()?.parse::<u64>().ok();
    Ok(operators.first().and_then(out).unwrap_or(0))
}
