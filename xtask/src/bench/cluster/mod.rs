//! A cluster on one machine, measured: how long output pauses when a worker or the leader is lost ([`failover`]), the same
//! query within one worker process and across two ([`exchange`]), many tasks and many jobs ([`crowd`]), a consumer that
//! takes nothing ([`stall`]).

mod crowd;
mod exchange;
mod failover;
mod stall;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::broker::Broker;
use super::machine::Machine;
use crate::cluster::client::Run;
use crate::cluster::nodes::{Cluster, Settings};
use crate::interrupt::Interrupt;
use crate::project::Project;
use crate::tidegate::binary::Profile;

/// What the figures do not say.
const LIMITS: &[&str] = &[
    "all processes share the cores of one machine: coordinators, workers, broker, reader",
    "a pause is the longest time between two arrivals at a reader of the output topic, from the loss to the next loss; \
     output is written at least once, so that it does not wait for checkpoints",
    "the time to a new leader is that of a client that asks the others every 20 ms by new connections",
    "exchange: the query runs in one worker with two slots, and in two workers with one slot each; half of its rows \
     cross between the processes",
];

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(180);

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Pauses of the output when a worker or the leader is lost
    Failover,
    /// A query within one worker and across two
    Exchange,
    /// Many tasks, many running jobs, many jobs in the catalog
    Crowd,
    /// An output that takes nothing
    Stall,
}

/// What is measured.
pub(crate) struct Bench<'a> {
    /// The checkout.
    pub(crate) project: &'a Project,
    /// The binary.
    pub(crate) program: &'a Path,
    /// Configurations, data and logs.
    pub(crate) folder: &'a Path,
    /// Kafka.
    pub(crate) broker: &'a Broker<'a>,
    /// How other programs of the benchmark are built.
    pub(crate) profile: Profile,
    /// Losses of each kind.
    pub(crate) losses: u32,
    /// Events of the queries that run across workers.
    pub(crate) events: u64,
    /// Jobs in the catalog, at least.
    pub(crate) jobs: u32,
    /// Ctrl-C ends it.
    pub(crate) interrupt: &'a Interrupt,
}

/// A whole benchmark.
#[derive(Serialize)]
pub(crate) struct Report {
    benchmark: &'static str,
    machine: Machine,
    profile: &'static str,
    failover: Option<failover::Figures>,
    exchange: Vec<exchange::Figures>,
    crowd: Option<crowd::Figures>,
    stall: Option<stall::Figures>,
    limits: &'static [&'static str],
}

impl Bench<'_> {
    /// Measures everything.
    pub(crate) fn run(
        &self,
        machine: Machine,
        profile: &'static str,
        parts: &[Part],
    ) -> Result<Report> {
        let has = |part| parts.is_empty() || parts.contains(&part);
        let failover = has(Part::Failover).then(|| self.failover()).transpose();
        let failover = failover.context("loss of workers and leaders")?;
        let exchange = has(Part::Exchange).then(|| self.exchange()).transpose();
        let exchange = exchange.context("a query across workers")?.unwrap_or_default();
        let crowd = has(Part::Crowd).then(|| self.crowd()).transpose();
        let crowd = crowd.context("many tasks and jobs")?;
        let stall = has(Part::Stall).then(|| self.stall()).transpose();
        let stall = stall.context("an output that stands still")?;
        Ok(Report {
            benchmark: "cluster",
            machine,
            profile,
            failover,
            exchange,
            crowd,
            stall,
            limits: LIMITS,
        })
    }

    /// Starts a cluster of this machine.
    fn cluster(&self, name: &str, workers: u8, slots: u32) -> Result<Cluster> {
        let folder = self.folder.join(name);
        Cluster::start(Settings {
            program: self.program.to_owned(),
            checkpoints: folder.join("checkpoints").display().to_string(),
            folder,
            workers,
            slots,
            environment: Vec::new(),
            services: Vec::new(),
            hosts: false,
        })
    }

    /// Submits a script.
    fn submit(&self, cluster: &Cluster, job: &str, parallelism: u32, script: &str) -> Result<()> {
        let path: PathBuf = self.folder.join(format!("{job}.sql"));
        std::fs::write(&path, script).with_context(|| format!("write {}", path.display()))?;
        let (path, parallelism) = (path.display().to_string(), parallelism.to_string());
        let arguments = ["job", "submit", &path, "--name", job, "--parallelism", &parallelism];
        cluster.client.ask(&arguments).map(drop)
    }

    /// Waits until the last run of a job is as wanted.
    fn wait(&self, cluster: &Cluster, job: &str, wanted: impl Fn(&Run) -> bool) -> Result<Run> {
        let begin = Instant::now();
        loop {
            if self.interrupt.raised() {
                bail!("interrupted");
            }
            let last = match cluster.client.run(job) {
                Ok(run) if wanted(&run) => return Ok(run),
                Ok(run) if run.state == "FAILED" => bail!("job {job} failed: {}", run.text),
                Ok(run) => run.text,
                Err(error) => format!("{error:#}"),
            };
            if begin.elapsed() > LIMIT {
                bail!("job {job} is not as it should be after {LIMIT:?}: {last}");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn pause(&self, time: Duration) -> Result<()> {
        let begin = Instant::now();
        while begin.elapsed() < time {
            if self.interrupt.raised() {
                bail!("interrupted");
            }
            std::thread::sleep(Duration::from_millis(50).min(time));
        }
        Ok(())
    }
}

impl Report {
    /// For people.
    pub(crate) fn table(&self) -> String {
        format!(
            "{}{}{}{}\n{}\nprofile {}\n",
            self.failover.as_ref().map(failover::Figures::text).unwrap_or_default(),
            exchange::text(&self.exchange),
            self.crowd.as_ref().map(crowd::Figures::text).unwrap_or_default(),
            self.stall.as_ref().map(stall::Figures::text).unwrap_or_default(),
            self.machine.summary(),
            self.profile
        )
    }
}
