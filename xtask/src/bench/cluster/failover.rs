//! Pauses of the output when the leader or a worker is lost.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::Bench;
use crate::bench::broker::PARTITIONS;
use crate::cluster::nodes::{COORDINATORS, Cluster, Node};

const HEAP: &str = "192m";
const JOB: &str = "failover";

/// Rows per second of the job.
const RATE: u32 = 3_000;

/// How long the job runs before the first loss, and between a recovery and the next loss.
const CALM: Duration = Duration::from_secs(5);

/// How long a pause is looked for behind a loss.
const LOOK: Duration = Duration::from_secs(12);

/// Milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    rows_per_second: u32,
    /// Longest pause of the output while nothing was lost.
    calm_pause_ms: u64,
    /// By loss of a leader.
    leader_pause_ms: Vec<u64>,
    /// From the loss of a leader to another one, as a client sees it.
    new_leader_ms: Vec<u64>,
    /// By loss of a worker that ran tasks.
    worker_pause_ms: Vec<u64>,
    /// Of a restart of all coordinators, one after the other.
    rolling_pause_ms: u64,
    /// By change of the parallelism.
    rescale_pause_ms: Vec<u64>,
    /// By worker that was drained.
    drain_pause_ms: Vec<u64>,
    /// Whether the job had the same attempt after every loss of a leader.
    tasks_ran_on: bool,
}

impl Figures {
    pub(super) fn text(&self) -> String {
        let longest = |times: &[u64]| times.iter().max().copied().unwrap_or(0);
        format!(
            "output pauses, ms: calm {}; leader lost at most {} (another one leads after {}), {}; worker lost at most {}; \
             rolling restart of the coordinators {}; another parallelism at most {}; a worker drained at most {}\n",
            self.calm_pause_ms,
            longest(&self.leader_pause_ms),
            longest(&self.new_leader_ms),
            if self.tasks_ran_on { "tasks ran on" } else { "TASKS WERE RESTARTED" },
            longest(&self.worker_pause_ms),
            self.rolling_pause_ms,
            longest(&self.rescale_pause_ms),
            longest(&self.drain_pause_ms)
        )
    }
}

/// Reads a topic and notes when records arrive.
struct Arrivals {
    reader: Child,
    times: Arc<Mutex<Vec<Instant>>>,
}

impl Arrivals {
    fn of(bench: &Bench<'_>, topic: &str) -> Result<Self> {
        let tools = &bench.broker.tools;
        let mut command = tools.program("Records", HEAP)?;
        command.args(["consume", &tools.address(), topic]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut reader = command.spawn().context("start the reader")?;
        let output = reader.stdout.take().context("a piped output can be taken once")?;
        let times = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&times);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                if line.is_err() {
                    return;
                }
                let mut times = noted.lock().unwrap_or_else(PoisonError::into_inner);
                let now = Instant::now();
                // One of each millisecond is enough.
                if times
                    .last()
                    .is_none_or(|last: &Instant| now.duration_since(*last).as_millis() > 0)
                {
                    times.push(now);
                }
            }
        });
        Ok(Self { reader, times })
    }

    /// The longest time without an arrival between two moments.
    fn longest_pause(&self, from: Instant, to: Instant) -> u64 {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let within = times.iter().copied().filter(|time| (from..=to).contains(time));
        let ends = std::iter::once(from).chain(within).chain(std::iter::once(to));
        let ends: Vec<Instant> = ends.collect();
        let pauses = ends.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_millis());
        u64::try_from(pauses.max().unwrap_or(0)).unwrap_or(u64::MAX)
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.reader.kill();
        let _ = self.reader.wait();
    }
}

impl Bench<'_> {
    pub(super) fn failover(&self) -> Result<Figures> {
        let topic = "failover";
        self.broker.tools.create_topics(&[topic], PARTITIONS, &[])?;
        let mut cluster = self.cluster("failover", 3, 2)?;
        self.submit(&cluster, JOB, 3, &self.script(topic))?;
        let arrivals = Arrivals::of(self, topic)?;
        self.wait(&cluster, JOB, |run| run.state == "RUNNING" && run.checkpoint > 2)?;
        self.pause(CALM)?;
        let calm = Instant::now();
        self.pause(CALM)?;
        let mut figures = Figures {
            rows_per_second: RATE,
            calm_pause_ms: arrivals.longest_pause(calm, Instant::now()),
            leader_pause_ms: Vec::new(),
            new_leader_ms: Vec::new(),
            worker_pause_ms: Vec::new(),
            rolling_pause_ms: 0,
            rescale_pause_ms: Vec::new(),
            drain_pause_ms: Vec::new(),
            tasks_ran_on: true,
        };
        for _ in 0..self.losses {
            self.lose_leader(&mut cluster, &arrivals, &mut figures)?;
            self.lose_worker(&mut cluster, &arrivals, &mut figures)?;
        }
        let (before, begin) = (cluster.client.run(JOB)?, Instant::now());
        for id in 1..=COORDINATORS {
            cluster.restart(Node::Coordinator(id))?;
            self.whole(&cluster)?;
        }
        self.pause(CALM)?;
        figures.rolling_pause_ms = arrivals.longest_pause(begin, Instant::now());
        figures.tasks_ran_on &= cluster.client.run(JOB)?.attempt == before.attempt;
        for parallelism in ["2", "4", "3"] {
            let rescale = ["job", "rescale", JOB, "--parallelism", parallelism];
            let pause = self.while_asked(&cluster, &arrivals, &rescale)?;
            figures.rescale_pause_ms.push(pause);
        }
        for _ in 0..2 {
            let busy = cluster.client.members()?.workers.into_iter().find(|(_, used)| *used > 0);
            let worker = Node::Worker(busy.context("no worker runs anything")?.0).to_string();
            let drain = ["cluster", "drain-worker", worker.as_str()];
            figures.drain_pause_ms.push(self.while_asked(&cluster, &arrivals, &drain)?);
            cluster.client.ask(&["cluster", "undrain-worker", worker.as_str()])?;
        }
        Ok(figures)
    }

    /// The longest pause while a command is carried out, and for a while after that.
    fn while_asked(&self, cluster: &Cluster, arrivals: &Arrivals, command: &[&str]) -> Result<u64> {
        let begin = Instant::now();
        cluster.client.ask(command)?;
        self.pause(CALM)?;
        Ok(arrivals.longest_pause(begin, Instant::now()))
    }

    fn whole(&self, cluster: &Cluster) -> Result<()> {
        let whole = cluster.whole(super::LIMIT)?;
        whole.map(drop).map_err(|last| anyhow::anyhow!("not everybody is back: {last}"))
    }

    fn lose_leader(
        &self,
        cluster: &mut Cluster,
        arrivals: &Arrivals,
        figures: &mut Figures,
    ) -> Result<()> {
        let before = cluster.client.run(JOB)?;
        let leader = cluster.client.members()?.leader.context("nobody leads")?;
        let node = Node::Coordinator(leader);
        let begin = Instant::now();
        cluster.kill(node)?;
        while cluster.other_leader(node).is_none() {
            if begin.elapsed() > super::LIMIT {
                bail!("nobody took the place of the leader");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        figures.new_leader_ms.push(u64::try_from(begin.elapsed().as_millis())?);
        self.pause(LOOK)?;
        figures.leader_pause_ms.push(arrivals.longest_pause(begin, begin + LOOK));
        cluster.run(node)?;
        self.whole(cluster)?;
        let after = self.wait(cluster, JOB, |run| run.checkpoint > before.checkpoint + 2)?;
        figures.tasks_ran_on &= after.attempt == before.attempt;
        self.pause(CALM)
    }

    fn lose_worker(
        &self,
        cluster: &mut Cluster,
        arrivals: &Arrivals,
        figures: &mut Figures,
    ) -> Result<()> {
        let before = cluster.client.run(JOB)?;
        let busy = cluster.client.members()?.workers.into_iter().find(|(_, used)| *used > 0);
        let node = Node::Worker(busy.context("no worker runs anything")?.0);
        let begin = Instant::now();
        cluster.kill(node)?;
        self.wait(cluster, JOB, |run| run.state == "RUNNING" && run.attempt > before.attempt)?;
        while begin.elapsed() < LOOK {
            self.pause(Duration::from_millis(100))?;
        }
        figures.worker_pause_ms.push(arrivals.longest_pause(begin, Instant::now()));
        cluster.run(node)?;
        self.whole(cluster)?;
        self.pause(CALM)
    }

    fn script(&self, topic: &str) -> String {
        format!(
            "SET 'execution.checkpointing.interval' = '1 s';
SET 'restart-strategy.type' = 'fixed-delay';
SET 'restart-strategy.fixed-delay.attempts' = '1000';
SET 'restart-strategy.fixed-delay.delay' = '100 ms';
CREATE TABLE numbers (id BIGINT, k AS id % 97) WITH ('connector' = 'datagen', 'rows-per-second' = '{RATE}',
  'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '1000000000');
CREATE TABLE out_topic (id BIGINT, k BIGINT) WITH ('connector' = 'kafka', 'topic' = '{topic}', 'format' = 'json',
  'properties.bootstrap.servers' = '{}');
INSERT INTO out_topic SELECT id, k FROM numbers;
",
            self.broker.tools.address()
        )
    }
}
