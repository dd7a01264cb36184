//! The jobs of the cluster, while this coordinator leads: every run that is not over has a driver.
//!
//! The supervisor compares what the catalog wants with the drivers that there are, when something has changed and from
//! time to time; what it does for a run that was just asked for and for one that was found when it became leader is the
//! same. [`driving`] is one driver's life, [`ledger`] writes what a driver saves into the log.

mod deleting;
mod driving;
mod folders;
mod ledger;
mod operations;
pub(crate) mod planning;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tidegate_catalog::{Action, Catalog, Command, DesiredState, Run, RunName, WorkerState};
use tidegate_job_control::Request;
use tidegate_runtime::{Clock, Refused, Task, refused, spawn};
use tidegate_types::{ErrorCode, Result};
use tokio::sync::mpsc;

pub use folders::CheckpointFolders;

use crate::raft::{Consistency, Metadata};
use crate::service::workers::WorkerPool;
use crate::service::workers::remote::end_unwanted;
use deleting::Deletions;
use driving::{Driving, Environment};

/// How often the supervisor looks although nothing seems to have changed.
const INTERVAL: Duration = Duration::from_millis(200);
/// How long a new leader waits for workers to say what they run.
const ADOPTION: Duration = Duration::from_secs(5);
/// How long a worker without a stream is remembered as being there.
const WORKER_GRACE: Duration = Duration::from_secs(10);
/// Requests that may wait for a driver.
const REQUESTS: usize = 16;
/// Pause before a driver that could not go on is started again.
const RETRY: Duration = Duration::from_secs(1);

/// Drives the jobs of the cluster.
pub(crate) struct Supervisor {
    metadata: Metadata,
    pool: WorkerPool,
    clock: Arc<dyn Clock>,
    folders: CheckpointFolders,
}

/// A driver that runs.
struct Active {
    driving: Task<()>,
    requests: mpsc::Sender<Request>,
    /// What it was asked for.
    asked_end: bool,
    asked_savepoints: BTreeSet<String>,
    parallelism: u32,
}

/// The work of a leader.
struct Lead<'a> {
    supervisor: &'a Supervisor,
    active: BTreeMap<RunName, Active>,
    /// When a driver may be started again.
    resting: BTreeMap<RunName, Duration>,
    /// When workers have had time to come.
    settled: Duration,
    /// Runs that were told to leave a worker: job and attempt.
    moved: BTreeSet<(String, u64)>,
    deletions: Deletions,
}

impl Supervisor {
    /// A supervisor that leads nothing yet.
    pub(crate) fn new(
        metadata: Metadata,
        pool: WorkerPool,
        clock: Arc<dyn Clock>,
        folders: CheckpointFolders,
    ) -> Self {
        Self { metadata, pool, clock, folders }
    }

    /// Leads whenever this coordinator is the leader, until it is dropped.
    pub(crate) async fn run(self) {
        let mut leadership = self.metadata.leadership();
        loop {
            let (is_self, term) = {
                let now = leadership.borrow_and_update();
                (now.is_self, now.term)
            };
            if is_self {
                self.pool.lead(term);
                let lost = async {
                    let other = |now: &crate::raft::Leadership| !now.is_self || now.term != term;
                    let _ = leadership.wait_for(other).await;
                };
                tokio::select! {
                    () = lost => tracing::info!(term, "this coordinator leads no longer"),
                    () = self.lead(term) => {}
                }
                self.pool.resign();
            } else if leadership.changed().await.is_err() {
                return;
            }
        }
    }

    async fn lead(&self, term: u64) {
        tracing::info!(term, "this coordinator leads");
        // What earlier leaders have acknowledged is applied before anything is decided.
        while let Err(error) = self.metadata.read(Consistency::Linearizable, |_| ()).await {
            tracing::warn!(%error, "waiting until everything that was decided is known here");
            tokio::time::sleep(INTERVAL).await;
        }
        let settled = self.clock.elapsed() + ADOPTION;
        let mut lead = Lead {
            supervisor: self,
            active: BTreeMap::new(),
            resting: BTreeMap::new(),
            settled,
            moved: BTreeSet::new(),
            deletions: Deletions::default(),
        };
        loop {
            if let Err(error) = lead.reconcile().await {
                tracing::warn!(%error, "jobs could not be looked after; trying again");
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Decides something as the leader of the term in which the pool is led.
    async fn propose(&self, action: Action) -> Result<()> {
        let command = Command::new(self.clock.now_ms(), action);
        self.metadata.propose_as_leader(self.pool.term(), command).await.map(drop)
    }
}

/// A run that is not over, as far as the supervisor must know it.
struct Wanted {
    run: Run,
    /// Ids of savepoints that were asked for, the one to stop with not among them.
    savepoints: Vec<String>,
}

impl Lead<'_> {
    async fn reconcile(&mut self) -> Result<()> {
        let wanted = self.supervisor.metadata.read(Consistency::Stale, wanted).await?;
        let names: BTreeSet<&RunName> = wanted.iter().map(|wanted| &wanted.run.name).collect();
        let now = self.supervisor.clock.elapsed();
        self.active.retain(|name, active| {
            let over = active.driving.is_finished();
            if over && names.contains(name) {
                self.resting.insert(name.clone(), now + RETRY);
            }
            !over
        });
        self.resting.retain(|name, until| names.contains(name) && *until > now);
        for wanted in &wanted {
            let name = &wanted.run.name;
            if !self.active.contains_key(name) && !self.resting.contains_key(name) {
                let active = self.start(&wanted.run);
                self.active.insert(name.clone(), active);
            }
            if let Some(active) = self.active.get_mut(name) {
                active.ask(wanted);
            }
        }
        self.end_unwanted(&wanted);
        self.lose_workers(now).await?;
        self.finish_drains().await?;
        self.deletions.look(self.supervisor).await?;
        self.finish_operations().await
    }

    async fn finish_operations(&self) -> Result<()> {
        let now_ms = self.supervisor.clock.now_ms();
        let done = |catalog: &Catalog| operations::finished(catalog, now_ms);
        for action in self.supervisor.metadata.read(Consistency::Stale, done).await? {
            self.supervisor.propose(action).await?;
        }
        Ok(())
    }

    /// Moves runs off workers that are draining, and says when nothing is left there.
    async fn finish_drains(&mut self) -> Result<()> {
        let draining = |catalog: &Catalog| -> Vec<(String, u64)> {
            let workers = catalog.workers();
            let draining = workers.filter(|worker| worker.state == WorkerState::Draining);
            draining.map(|worker| (worker.spec.id.clone(), worker.spec.incarnation)).collect()
        };
        let draining = self.supervisor.metadata.read(Consistency::Stale, draining).await?;
        // What workers run is known once they have had time to say so.
        if self.supervisor.clock.elapsed() < self.settled {
            return Ok(());
        }
        let hosted = self.supervisor.pool.hosted();
        self.moved
            .retain(|(job, attempt)| hosted.iter().any(|run| run.0 == *job && run.1.0 == *attempt));
        for (worker, incarnation) in draining {
            let there: BTreeSet<(String, u64)> = hosted
                .iter()
                .filter(|run| run.2 == worker)
                .map(|run| (run.0.clone(), run.1.0))
                .collect();
            if there.is_empty() {
                let action = Action::FinishDrain { worker, incarnation };
                self.supervisor.propose(action).await?;
                continue;
            }
            // The next driver does not take over what is on such a worker: it places the run anew.
            let begun: Vec<_> = there.difference(&self.moved).cloned().collect();
            for (name, active) in &self.active {
                if begun.iter().any(|(job, _)| *job == name.job.to_string()) {
                    active.driving.abort();
                }
            }
            self.moved.extend(begun);
        }
        Ok(())
    }

    fn start(&self, run: &Run) -> Active {
        let (requests, receiver) = mpsc::channel(REQUESTS);
        let supervisor = self.supervisor;
        let driving = Driving {
            environment: Environment {
                metadata: supervisor.metadata.clone(),
                pool: supervisor.pool.clone(),
                clock: supervisor.clock.clone(),
                folders: supervisor.folders.clone(),
            },
            run: run.name.clone(),
            settled: self.settled,
            requests: requests.clone(),
            term: supervisor.pool.term(),
        };
        Active {
            driving: spawn(format!("driver of {}", run.name), driving.run(receiver)),
            requests,
            asked_end: false,
            asked_savepoints: BTreeSet::new(),
            parallelism: run.parallelism,
        }
    }

    /// Ends runs on workers that no run of the catalog accounts for.
    fn end_unwanted(&self, wanted: &[Wanted]) {
        let current: BTreeMap<String, u64> = wanted
            .iter()
            .map(|wanted| {
                let attempt = wanted.run.record.as_ref().map_or(0, |record| record.attempt.0);
                (wanted.run.name.job.to_string(), attempt)
            })
            .collect();
        for (job, attempt, worker, session) in self.supervisor.pool.hosted() {
            let keep = current.get(&job).is_some_and(|newest| attempt.0 >= *newest);
            if !keep {
                let why =
                    format!("{job}: attempt {attempt} on worker {worker} was replaced or is over");
                refused(Refused::Attempt, why);
                end_unwanted(&self.supervisor.pool, job, attempt, worker, session);
            }
        }
    }

    async fn lose_workers(&self, now: Duration) -> Result<()> {
        for (worker, since) in self.supervisor.pool.gone() {
            if now.saturating_sub(since) < WORKER_GRACE {
                continue;
            }
            let (id, incarnation) = (worker.name.clone(), worker.incarnation);
            let lost = Action::LoseWorker { worker: id, incarnation };
            match self.supervisor.propose(lost).await {
                // A newer process has its name: then there is nothing to say.
                Ok(()) => {}
                Err(error) if error.code() == ErrorCode::Fenced => {}
                Err(error) => return Err(error),
            }
            self.supervisor.pool.forget(&worker.name);
        }
        Ok(())
    }
}

impl Active {
    /// Passes on what the catalog wants, once.
    fn ask(&mut self, wanted: &Wanted) {
        let end = match &wanted.run.desired {
            DesiredState::Running => None,
            DesiredState::Stopped { .. } => Some(Request::Stop),
            DesiredState::Cancelled => Some(Request::Cancel),
        };
        if let Some(end) = end.filter(|_| !self.asked_end) {
            self.asked_end = self.requests.try_send(end).is_ok();
        }
        for id in &wanted.savepoints {
            if !self.asked_savepoints.contains(id)
                && self.requests.try_send(Request::Savepoint).is_ok()
            {
                self.asked_savepoints.insert(id.clone());
            }
        }
        if wanted.run.parallelism != self.parallelism {
            // The next driver finds the run at its new parallelism and starts it again from its last checkpoint.
            self.driving.abort();
        }
    }
}

fn wanted(catalog: &Catalog) -> Vec<Wanted> {
    let of = |run: &Run| {
        let stop = match &run.desired {
            DesiredState::Stopped { savepoint, .. } => Some(savepoint.id().to_owned()),
            _ => None,
        };
        let ids =
            catalog.pending_savepoints(&run.name).map(|savepoint| savepoint.name.id().to_owned());
        Wanted {
            run: run.clone(),
            savepoints: ids.filter(|id| Some(id) != stop.as_ref()).collect(),
        }
    };
    catalog.live_runs().map(of).collect()
}
