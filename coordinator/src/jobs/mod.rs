//! The jobs of the cluster, while this coordinator leads: every run that is not over has a driver.
//!
//! The supervisor compares what the catalog wants with the drivers that there are, when something has changed and from
//! time to time; what it does for a run that was just asked for and for one that was found when it became leader is the
//! same. [`driving`] is one driver's life, [`ledger`] writes what a driver saves into the log.

pub(crate) mod binding;
mod deleting;
mod driving;
mod folders;
mod ledger;
mod moving;
mod operations;
pub(crate) mod planning;
pub(crate) mod traces;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tidegate_catalog::{
    Action, Catalog, Command, DesiredState, Run, RunName, RunState, WorkerState,
};
use tidegate_job_control::Request;
use tidegate_runtime::{Clock, Refused, Task, refused, spawn};
use tidegate_types::{ErrorCode, Result};
use tokio::sync::{mpsc, watch};

pub use folders::CheckpointFolders;

use crate::raft::{Consistency, Metadata};
use crate::secrets::Secrets;
use crate::service::workers::WorkerPool;
use crate::service::workers::remote::end_unwanted;
use deleting::Deletions;
use driving::{Driving, Environment};

/// How often the supervisor looks although nothing seems to have changed.
const INTERVAL: Duration = Duration::from_millis(200);
/// How long a new leader waits for workers to say what they run: longer than they wait for a leader that is silent.
const ADOPTION: Duration = Duration::from_secs(6);
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
    secrets: Secrets,
}

/// A driver that runs.
struct Active {
    driving: Task<()>,
    requests: mpsc::Sender<Request>,
    /// What it was asked for.
    asked_end: bool,
    asked_savepoints: BTreeSet<String>,
    parallelism: u32,
    /// Since when it is to leave the run to another driver.
    leaving: Option<Duration>,
    /// What its driver waits for.
    waiting: watch::Sender<Option<String>>,
    /// Why it cannot leave yet, although it is to.
    kept: Option<String>,
}

/// The work of a leader.
struct Lead<'a> {
    supervisor: &'a Supervisor,
    active: BTreeMap<RunName, Active>,
    /// When a driver may be started again.
    resting: BTreeMap<RunName, Duration>,
    /// When workers have had time to come.
    settled: Duration,
    /// Runs whose tasks have ended so that they begin as their owners want them now.
    left: BTreeSet<RunName>,
    /// The run that moves, and until when others wait for it: two must not leave for the same slots.
    moving: Option<(RunName, Duration)>,
    deletions: Deletions,
}

impl Supervisor {
    /// A supervisor that leads nothing yet.
    pub(crate) fn new(
        metadata: Metadata,
        pool: WorkerPool,
        clock: Arc<dyn Clock>,
        folders: CheckpointFolders,
        secrets: Secrets,
    ) -> Self {
        Self { metadata, pool, clock, folders, secrets }
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
            left: BTreeSet::new(),
            moving: None,
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
                match active.leaving {
                    Some(_) => drop(self.left.insert(name.clone())),
                    None => drop(self.resting.insert(name.clone(), now + RETRY)),
                }
            }
            !over
        });
        self.left.retain(|name| names.contains(name));
        self.resting.retain(|name, until| names.contains(name) && *until > now);
        for wanted in &wanted {
            let name = &wanted.run.name;
            if !self.active.contains_key(name) && !self.resting.contains_key(name) {
                let active = self.start(&wanted.run);
                self.active.insert(name.clone(), active);
            }
            let asked_end = self.active.get_mut(name).is_some_and(|active| active.ask(wanted));
            if asked_end && wanted.run.state == RunState::Running {
                let (run, state) = (name.clone(), RunState::Stopping);
                self.supervisor.propose(Action::SetRunState { run, state, failure: None }).await?;
            }
        }
        self.move_runs(&wanted, now).await?;
        self.tell_waiting(&wanted).await?;
        self.end_unwanted(&wanted);
        self.lose_workers(now).await?;
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

    fn start(&mut self, run: &Run) -> Active {
        let (requests, receiver) = mpsc::channel(REQUESTS);
        let (waiting, _) = watch::channel(None);
        // A run that was under way goes on as it is; it is moved when there is room for what is wanted of it.
        let anew = self.left.remove(&run.name);
        let parallelism = run.deployed.filter(|_| !anew).unwrap_or(run.parallelism);
        let supervisor = self.supervisor;
        let driving = Driving {
            environment: Environment {
                metadata: supervisor.metadata.clone(),
                pool: supervisor.pool.clone(),
                clock: supervisor.clock.clone(),
                folders: supervisor.folders.clone(),
                secrets: supervisor.secrets.clone(),
            },
            run: run.name.clone(),
            parallelism,
            anew,
            waiting: waiting.clone(),
            settled: self.settled,
            requests: requests.clone(),
            term: supervisor.pool.term(),
        };
        Active {
            driving: {
                let span = tracing::info_span!("driver", job = %run.name.job);
                span.in_scope(|| spawn(format!("driver of {}", run.name), driving.run(receiver)))
            },
            requests,
            asked_end: false,
            asked_savepoints: BTreeSet::new(),
            parallelism,
            leaving: None,
            waiting,
            kept: None,
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
        // Those that were there under an earlier leader have had time to come.
        if now >= self.settled + WORKER_GRACE {
            let known = self.supervisor.pool.known();
            let missing = move |catalog: &Catalog| missing(catalog, &known);
            let missing = self.supervisor.metadata.read(Consistency::Stale, missing).await?;
            for (worker, incarnation) in missing {
                self.supervisor.propose(Action::LoseWorker { worker, incarnation }).await?;
            }
        }
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
    /// Passes on what the catalog wants, once; says whether that was the end of the run.
    fn ask(&mut self, wanted: &Wanted) -> bool {
        let end = match &wanted.run.desired {
            DesiredState::Running => None,
            DesiredState::Stopped { .. } => Some(Request::Stop),
            DesiredState::Cancelled => Some(Request::Cancel),
        };
        let mut asked_end = false;
        if let Some(end) = end.filter(|_| !self.asked_end) {
            asked_end = self.requests.try_send(end).is_ok();
            self.asked_end = asked_end;
        }
        for id in &wanted.savepoints {
            if !self.asked_savepoints.contains(id)
                && self.requests.try_send(Request::Savepoint).is_ok()
            {
                self.asked_savepoints.insert(id.clone());
            }
        }
        asked_end
    }
}

/// Workers that should be there and are not among those that are known.
fn missing(catalog: &Catalog, known: &BTreeSet<String>) -> Vec<(String, u64)> {
    let gone = catalog
        .workers()
        .filter(|worker| worker.state != WorkerState::Lost && !known.contains(&worker.spec.id));
    gone.map(|worker| (worker.spec.id.clone(), worker.spec.incarnation)).collect()
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
