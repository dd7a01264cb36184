//! Waiting until all is well, and noticing when it is not.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::super::feed::Feed;
use super::super::plan::Failpoint;
use super::super::proxy::Proxy;
use super::super::witness::Witness;
use super::plan::Round;
use super::refusals::Logs;
use super::report::Tally;
use crate::cluster::client::{Client, Members, Run};
use crate::cluster::nodes::{Cluster, Node};
use crate::interrupt::Interrupt;
use crate::project::Project;

/// The job's name.
pub(super) const JOB: &str = "soak";

/// How long the cluster may take until everything works again after the end of a fault.
pub(super) const BOUND: Duration = Duration::from_secs(60);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// What rounds are carried out with.
pub(super) struct Stage<'a> {
    /// The services' project.
    pub(super) home: &'a Project,
    /// The processes.
    pub(super) cluster: Cluster,
    /// Who writes the input.
    pub(super) feed: &'a Feed,
    /// Who reads what comes out.
    pub(super) witness: &'a Witness,
    /// What stands in front of the object store.
    pub(super) proxy: &'a Proxy,
    /// Ctrl-C ends the round.
    pub(super) interrupt: &'a Interrupt,
}

/// What must have changed.
#[derive(Clone, Copy)]
pub(super) struct Progress {
    /// More checkpoints than before.
    pub(super) checkpoints: u64,
    /// Whether the attempt must be another one.
    pub(super) new_attempt: bool,
}

impl Stage<'_> {
    /// Asks the cluster.
    pub(super) fn client(&self) -> &Client {
        &self.cluster.client
    }

    /// Fails if the user wants to stop.
    pub(super) fn go_on(&self) -> Result<()> {
        if self.interrupt.raised() {
            bail!("interrupted");
        }
        Ok(())
    }

    /// Waits until the run has come further than it was; none if it did not in time, or is over, which is an offence.
    pub(super) fn further(
        &self,
        round: &Round,
        from: &Run,
        wanted: Progress,
        limit: Duration,
        tally: &mut Tally,
    ) -> Result<Option<Run>> {
        let begin = Instant::now();
        let mut last = String::new();
        while begin.elapsed() < limit {
            self.go_on()?;
            match self.client().run(JOB) {
                Ok(run) => {
                    let there = run.state == "RUNNING"
                        && run.checkpoint >= from.checkpoint + wanted.checkpoints
                        && (run.attempt > from.attempt || !wanted.new_attempt);
                    if there {
                        return Ok(Some(run));
                    }
                    if matches!(run.state.as_str(), "FAILED" | "CANCELLED" | "FINISHED") {
                        tally.offence(format!(
                            "round {}: the job is over: {}",
                            round.number, run.text
                        ));
                        return Ok(None);
                    }
                    last = run.text;
                }
                Err(error) => last = format!("{error:#}"),
            }
            std::thread::sleep(LOOK);
        }
        tally.offence(format!(
            "round {}: the job has not gone on for {} s: {last}",
            round.number,
            limit.as_secs()
        ));
        Ok(None)
    }

    /// The run at this moment.
    pub(super) fn current(&self) -> Result<Run> {
        let run = self.client().until(BOUND, |client| client.run(JOB), |_| true)?;
        run.map_err(|last| anyhow::anyhow!("the job cannot be described: {last}"))
    }

    /// Who is there at this moment.
    pub(super) fn members(&self) -> Result<Members> {
        let members =
            self.client().until(BOUND, Client::members, |members| members.leader.is_some())?;
        members.map_err(|last| anyhow::anyhow!("the cluster does not say who leads: {last}"))
    }

    /// The leader.
    pub(super) fn leader(&self) -> Result<Node> {
        Ok(Node::Coordinator(self.members()?.leader.unwrap_or(1)))
    }

    /// A worker that runs tasks.
    pub(super) fn busy(&self, dice: u64) -> Result<Node> {
        let members = self.members()?;
        let busy: Vec<u8> = members
            .workers
            .iter()
            .filter(|(_, used)| *used > 0)
            .map(|(number, _)| *number)
            .collect();
        let chosen = busy.get((dice % busy.len().max(1) as u64) as usize).copied();
        Ok(Node::Worker(chosen.unwrap_or(1)))
    }

    /// Waits until another coordinator leads than before; notes how long that took.
    pub(super) fn new_leader(
        &self,
        old: Node,
        since: Instant,
        round: &Round,
        tally: &mut Tally,
    ) -> Result<()> {
        let begin = Instant::now();
        loop {
            self.go_on()?;
            if self.cluster.other_leader(old).is_some() {
                tally.new_leader_ms.push(u64::try_from(since.elapsed().as_millis()).unwrap_or(0));
                return Ok(());
            }
            if begin.elapsed() > BOUND {
                tally.offence(format!("round {}: nobody took the place of {old}", round.number));
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Notes processes that ended by themselves, and panics.
    pub(super) fn inspect(&mut self, round: &Round, logs: &Logs, tally: &mut Tally) -> Result<()> {
        for node in self.cluster.nodes() {
            if let Some(status) = self.cluster.ended(node)? {
                tally.offence(format!(
                    "round {}: {node} ended by itself with {status}",
                    round.number
                ));
                self.cluster.run(node)?;
            }
        }
        if let Some(line) = logs.lines(&self.cluster, "panicked at")?.first() {
            tally.offence(format!("round {}: {line}", round.number));
        }
        Ok(())
    }
}

/// What is written into a node's file to make something happen at a place after passing it.
pub(super) fn armed(place: Failpoint, passed: u64, what: &str) -> String {
    let name = super::super::plan::name_of(place);
    match passed {
        0 => format!("{name}={what}"),
        passed => format!("{name}={passed}*off->{what}"),
    }
}
