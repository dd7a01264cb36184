//! Many tasks on one worker, many jobs on one cluster, many jobs in the catalog.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::Bench;
use crate::cargo::cargo;
use crate::cluster::nodes::{COORDINATORS, Node, lines_with};
use crate::tidegate::lines;

/// Jobs that run at once.
const RUNNING: u32 = 50;

/// Parallelism of the job of many tasks: a source and three windows, each a task.
const WIDE: u32 = 50;

/// Figures of the catalog, as the program prints them.
#[derive(Debug, Deserialize, Serialize)]
struct Catalog {
    jobs: u64,
    page_size: u64,
    lists: u64,
    list_ms_p50: f64,
    list_ms_p99: f64,
    list_ms_max: f64,
    creations_per_second: f64,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    /// Jobs that ran at once, and seconds from the first submission until all had completed checkpoints.
    running_jobs: u32,
    running_jobs_seconds: f64,
    /// Tasks of one job on one worker, and seconds until its third checkpoint.
    tasks_on_a_worker: u32,
    tasks_seconds: f64,
    catalog: Catalog,
}

impl Figures {
    pub(super) fn text(&self) -> String {
        let catalog = &self.catalog;
        format!(
            "{} jobs run at once after {:.1} s; {} tasks on one worker take checkpoints after {:.1} s\n{} jobs in the \
             catalog: a page of {} takes {:.1} ms (p50), {:.1} (p99), {:.1} (max) over the API\n",
            self.running_jobs,
            self.running_jobs_seconds,
            self.tasks_on_a_worker,
            self.tasks_seconds,
            catalog.jobs,
            catalog.page_size,
            catalog.list_ms_p50,
            catalog.list_ms_p99,
            catalog.list_ms_max,
        )
    }
}

impl Bench<'_> {
    pub(super) fn crowd(&self) -> Result<Figures> {
        let cluster = self.cluster("crowd", 1, 2 * RUNNING)?;
        let begin = Instant::now();
        let name = |number: u32| format!("small-{number}");
        for number in 1..=RUNNING {
            self.submit(&cluster, &name(number), 1, SMALL)?;
        }
        for number in 1..=RUNNING {
            self.wait(&cluster, &name(number), |run| run.state == "RUNNING" && run.checkpoint > 1)?;
        }
        let running_jobs_seconds = begin.elapsed().as_secs_f64();
        self.pause(Duration::from_secs(5))?;
        for number in 1..=RUNNING {
            let run = cluster.client.run(&name(number))?;
            ensure!(run.state == "RUNNING", "job {number} does not run any more: {}", run.text);
            cluster.client.ask(&["job", "cancel", &name(number)])?;
        }
        let begin = Instant::now();
        self.submit(&cluster, "wide", WIDE, WIDE_JOB)?;
        self.wait(&cluster, "wide", |run| run.state == "RUNNING" && run.checkpoint > 2)?;
        let tasks_seconds = begin.elapsed().as_secs_f64();
        let tasks_on_a_worker = tasks(&cluster.log(Node::Worker(1)))?;
        cluster.client.ask(&["job", "cancel", "wide"])?;
        let addresses: Vec<&str> =
            (1..=COORDINATORS).map(|id| cluster.address(Node::Coordinator(id))).collect();
        let catalog = self.catalog(&addresses.join(","))?;
        Ok(Figures {
            running_jobs: RUNNING,
            running_jobs_seconds,
            tasks_on_a_worker,
            tasks_seconds,
            catalog,
        })
    }

    fn catalog(&self, addresses: &str) -> Result<Catalog> {
        let mut command = cargo(self.project);
        command
            .args(["run", "--locked", "--package", "tidegate-proto", "--example", "catalog"])
            .args(["--profile", self.profile.name(), "--", addresses])
            .arg(self.jobs.to_string());
        let mut figures = None;
        let status = lines::follow(&mut command, self.interrupt, |line| {
            figures = Some(serde_json::from_str(line).context("read the figures")?);
            Ok(())
        })?;
        if !status.success() {
            bail!("the measurement of the catalog ended with {status}");
        }
        figures.context("the measurement of the catalog printed no figures")
    }
}

/// How many tasks of the last job were started, as the worker's log says.
fn tasks(log: &Path) -> Result<u32> {
    let (lines, _) = lines_with(log, 0, &["starting tasks"])?;
    let last = lines.last().context("the worker has started no tasks")?;
    let number = last
        .split("tasks=")
        .nth(1)
        .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
    let number = number.and_then(|digits| digits.parse().ok());
    number.with_context(|| format!("no number of tasks in: {last}"))
}

/// A job that goes on for ever and costs little.
const SMALL: &str = "SET 'execution.checkpointing.interval' = '2 s';
CREATE TABLE numbers (id BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '10');
CREATE TABLE nowhere (id BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO nowhere SELECT id FROM numbers;
";

/// Source, window of each of two keys, and what is behind: four tasks that are connected by shuffles.
const WIDE_JOB: &str = "SET 'execution.checkpointing.interval' = '1 s';
CREATE TABLE numbers (id BIGINT, k AS id % 1000, ts AS TO_TIMESTAMP_LTZ(id, 3), WATERMARK FOR ts AS ts)
  WITH ('connector' = 'datagen', 'rows-per-second' = '1000', 'fields.id.kind' = 'sequence', 'fields.id.start' = '1',
    'fields.id.end' = '1000000000');
CREATE TABLE counts (k BIGINT, c BIGINT) WITH ('connector' = 'blackhole');
CREATE TABLE sums (s BIGINT, c BIGINT) WITH ('connector' = 'blackhole');
CREATE TABLE sessions (k BIGINT, c BIGINT) WITH ('connector' = 'blackhole');
EXECUTE STATEMENT SET BEGIN
INSERT INTO counts SELECT k, COUNT(*) FROM TABLE(TUMBLE(TABLE numbers, DESCRIPTOR(ts), INTERVAL '1' SECOND))
  GROUP BY window_start, window_end, k;
INSERT INTO sums SELECT k % 10, COUNT(*) FROM TABLE(TUMBLE(TABLE numbers, DESCRIPTOR(ts), INTERVAL '2' SECOND))
  GROUP BY window_start, window_end, k % 10;
INSERT INTO sessions SELECT k, COUNT(*) FROM TABLE(SESSION(TABLE numbers PARTITION BY k, DESCRIPTOR(ts), INTERVAL '1' SECOND))
  GROUP BY window_start, window_end, k;
END;
";
