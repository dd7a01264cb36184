//! The life of one driver: it takes over what it finds on the workers, or begins a new run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidegate_catalog::{Catalog, RestoreOrigin, Run, RunName, RunState, VersionSpec};
use tidegate_checkpoint::Directory;
use tidegate_checkpoint::finding::{RestoreFrom, find};
use tidegate_checkpoint::task::TaskEvent;
use tidegate_job_control::driver::progress::Progress;
use tidegate_job_control::driver::random;
use tidegate_job_control::{Driver, DriverSpec, Outcome, Request, Start, Surroundings};
use tidegate_plan::settings::Settings;
use tidegate_plan::{StreamGraph, encoding};
use tidegate_runtime::Clock;
use tidegate_types::{
    Attempt, CompletedCheckpoint, Error, ErrorCode, JobId, JobRecord, JobStatus, Result,
};
use tokio::sync::{mpsc, watch};

use super::binding::{self, Connections};
use super::folders::CheckpointFolders;
use super::ledger::LogLedger;
use super::traces::RunTraces;
use crate::raft::{Consistency, Metadata};
use crate::secrets::Secrets;
use crate::service::workers::WorkerPool;
use crate::service::workers::remote::{JobOnWorkers, RemoteRuns};

/// How often a new leader looks whether a run is whole.
const LOOK: Duration = Duration::from_millis(50);

/// What a driver works with.
#[derive(Clone)]
pub(super) struct Environment {
    pub(super) metadata: Metadata,
    pub(super) pool: WorkerPool,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) folders: CheckpointFolders,
    pub(super) secrets: Secrets,
}

/// A driver to be.
pub(super) struct Driving {
    pub(super) environment: Environment,
    pub(super) run: RunName,
    /// At which it is deployed; another one is for another driver.
    pub(super) parallelism: u32,
    /// Whether the tasks of the run have ended for it to begin otherwise: nothing is taken over then.
    pub(super) anew: bool,
    /// What the run waits for is told here.
    pub(super) waiting: watch::Sender<Option<String>>,
    /// When workers have had time to say what they run.
    pub(super) settled: Duration,
    pub(super) requests: mpsc::Sender<Request>,
    /// The term in which its leader leads.
    pub(super) term: u64,
}

/// What the catalog knows of a run.
struct Known {
    run: Run,
    version: VersionSpec,
    /// Tells the job from others of its name.
    uid: u64,
    /// The record of the last run that had one.
    before: Option<JobRecord>,
    /// Location of the savepoint that the run begins with.
    savepoint: Option<String>,
    latest: Option<CompletedCheckpoint>,
    /// How to reach the tables of the run.
    connections: Connections,
}

/// How a run begins or goes on.
struct Opening {
    record: JobRecord,
    folder: Directory,
    given: Vec<CompletedCheckpoint>,
}

impl Driving {
    /// Drives the run until it is over, or until this driver cannot go on. What keeps a run from starting ends it.
    pub(super) async fn run(self, requests: mpsc::Receiver<Request>) {
        let run = self.run.clone();
        let ledger = self.ledger(RunTraces::new("", 0, "", None));
        let (state, failure) = match self.drive(requests).await {
            Ok(Outcome::Finished) => (RunState::Finished, None),
            Ok(Outcome::Stopped(_)) => (RunState::Stopped, None),
            Ok(Outcome::Cancelled) => (RunState::Cancelled, None),
            Ok(Outcome::Left) => return ledger.state(RunState::Restarting, None).await,
            // Another driver was faster: what the run does is up to the one that the catalog knows.
            Ok(Outcome::Failed(ErrorCode::Fenced, message)) => {
                return tracing::warn!(message, %run, "the driver of a run cannot go on");
            }
            Ok(Outcome::Failed(code, message)) => (RunState::Failed, Some((code, message))),
            Err(error) if error.code().is_retryable() || error.code() == ErrorCode::Fenced => {
                return tracing::warn!(%error, %run, "the driver of a run cannot go on");
            }
            Err(error) => (RunState::Failed, Some((error.code(), error.summary()))),
        };
        match ledger.over(state, failure).await {
            Ok(()) => tracing::info!(%run, %state, "a run is over"),
            Err(error) => tracing::warn!(%error, %run, "the end of a run could not be told"),
        }
    }

    fn ledger(&self, traces: RunTraces) -> LogLedger {
        LogLedger {
            metadata: self.environment.metadata.clone(),
            clock: self.environment.clock.clone(),
            run: self.run.clone(),
            term: self.term,
            parallelism: self.parallelism,
            traces,
            answers: std::sync::Mutex::default(),
        }
    }

    async fn drive(self, requests: mpsc::Receiver<Request>) -> Result<Outcome> {
        let name = self.run.clone();
        let known = self
            .environment
            .metadata
            .read(Consistency::Stale, move |catalog| known(catalog, &name))
            .await??;
        if let Some(outcome) = known.run.record.as_ref().and_then(ended) {
            return Ok(outcome);
        }
        let settings = settings(&known.version)?;
        let graph = Arc::new(encoding::decode(&known.version.plan)?);
        let home = self.environment.folders.home(&self.run, known.uid, &settings)?;
        let Opening { record, folder, given } = self.open(&known, &home).await?;
        let savepoints =
            self.environment.folders.savepoints(&self.run, known.uid, &settings, &folder)?;
        let job = JobOnWorkers {
            job: self.run.job.to_string(),
            graph: self.bound(&known, &graph)?,
            settings: known.version.settings.clone(),
            parallelism: self.parallelism,
            folder: folder.url().to_owned(),
            savepoints: savepoints.url().to_owned(),
            labels: labels(&settings),
        };
        let first = known.run.record.is_none().then_some(Attempt(record.attempt.0 + 1));
        let (name, created_ms) = (self.run.to_string(), known.run.created_ms);
        let traces = RunTraces::new(&name, created_ms, &record.lineage, first);
        let runs = Arc::new(self.remote_runs(job, traces.clone()));
        let surroundings = Surroundings {
            clock: self.environment.clock.clone(),
            ledger: Arc::new(self.ledger(traces)),
            runs: runs.clone(),
        };
        let spec = DriverSpec { job: record.job.clone(), graph, settings, folder, savepoints };
        let attempt = record.attempt;
        let (progress, _) = watch::channel(Progress::default());
        let driver = Driver::new(spec, surroundings, record, progress);
        let start = match self.adopted(&runs, &known, driver.events()).await {
            Some(adopted) => {
                tracing::info!(run = %self.run, %attempt, "a run is taken over as it is");
                Start::Adopted(adopted)
            }
            None => Start::Fresh(given),
        };
        let (outcome, _) = driver.drive(start, requests).await;
        self.environment.pool.unroute(&self.run.job.to_string());
        outcome
    }

    /// The plan as workers get it.
    fn bound(&self, known: &Known, graph: &Arc<StreamGraph>) -> Result<Arc<StreamGraph>> {
        let Some(tables) = &known.run.tables else { return Ok(graph.clone()) };
        let mut bound = StreamGraph::clone(graph);
        let secrets = &self.environment.secrets;
        let environment = tables.environment;
        binding::bind(&mut bound, environment, &tables.tables, &known.connections, secrets)?;
        Ok(Arc::new(bound))
    }

    fn remote_runs(&self, job: JobOnWorkers, traces: RunTraces) -> RemoteRuns {
        let metadata = self.environment.metadata.clone();
        let waiting = self.waiting.clone();
        RemoteRuns {
            pool: self.environment.pool.clone(),
            job,
            traces,
            drained: Arc::new(move || metadata.peek(drained)),
            on_wait: Arc::new(move |why| drop(waiting.send_replace(why))),
            token: Arc::new(|| [random().to_be_bytes(), random().to_be_bytes()].concat()),
            requests: self.requests.clone(),
        }
    }

    /// The run as it is on the workers, if it was under way and is whole. A new leader gives workers time to come.
    async fn adopted(
        &self,
        runs: &RemoteRuns,
        known: &Known,
        events: mpsc::Sender<TaskEvent>,
    ) -> Option<tidegate_job_control::driver::run::AdoptedRun> {
        let attempt = known.run.record.as_ref()?.attempt;
        if self.anew {
            return None;
        }
        loop {
            if let Some(adopted) = runs.adopt(attempt, events.clone()) {
                return Some(adopted);
            }
            if self.environment.clock.elapsed() >= self.settled {
                return None;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The record to go on with, the folder of the chain of runs, and what a new run begins with.
    async fn open(&self, known: &Known, home: &Directory) -> Result<Opening> {
        if let Some(record) = &known.run.record {
            let folder = record.folder.clone().unwrap_or_else(|| home.url().to_owned());
            let given = record.origin.iter().cloned().collect();
            // What the run completed itself is newer than what it began with.
            let given = if record.checkpoints.is_empty() { given } else { Vec::new() };
            return Ok(Opening {
                record: record.clone(),
                folder: Directory::open(&folder)?,
                given,
            });
        }
        let job = JobId::from_name(&format!("{}-{}", self.run.job.project(), self.run.job.job()));
        let given = self.origin(known, &job).await?;
        let lineage = format!("{job}-{:016x}", random());
        let mut record = JobRecord::new(job, lineage);
        let mut folder = home.child(&self.run.number.to_string());
        let mut given = given;
        // Workers remember attempts by the job's name: those of a job that had it before are all below the uid.
        record.attempt = Attempt(known.uid);
        if let Some(before) = &known.before {
            record.attempt = before.attempt;
            record.last_epoch = before.last_epoch;
            let continues = known.run.origin == RestoreOrigin::LatestCheckpoint
                && given.first().is_some_and(|latest| before.latest() == Some(latest));
            if let (true, Some(chain)) = (continues, &before.folder) {
                record.lineage = before.lineage.clone();
                record.checkpoints = before.checkpoints.clone();
                record.origin = before.origin.clone();
                folder = Directory::open(chain)?;
                // The record has them all, older ones for the case that the newest is damaged.
                given = Vec::new();
            }
        }
        record.origin = given.first().cloned().or(record.origin);
        record.folder = Some(folder.url().to_owned());
        Ok(Opening { record, folder, given })
    }

    /// What a new run begins with, best first.
    async fn origin(&self, known: &Known, job: &JobId) -> Result<Vec<CompletedCheckpoint>> {
        let path = match &known.run.origin {
            RestoreOrigin::Fresh => return Ok(Vec::new()),
            RestoreOrigin::LatestCheckpoint => return Ok(known.latest.iter().cloned().collect()),
            RestoreOrigin::Savepoint(name) => known.savepoint.clone().ok_or_else(|| {
                Error::new(ErrorCode::NotFound, format!("savepoint {name} has no files"))
            })?,
            RestoreOrigin::Path(path) => path.clone(),
        };
        match find(&path, job).await? {
            RestoreFrom::Checkpoints(checkpoints) => Ok(checkpoints),
            RestoreFrom::Nothing => Ok(Vec::new()),
        }
    }
}

/// How a run ended of which only its record knows that it is over.
fn ended(record: &JobRecord) -> Option<Outcome> {
    Some(match record.status {
        JobStatus::Running => return None,
        JobStatus::Finished => Outcome::Finished,
        JobStatus::Stopped => Outcome::Stopped(record.latest()?.clone()),
        JobStatus::Cancelled => Outcome::Cancelled,
        JobStatus::Failed => {
            let message = "the run failed; why was lost with the leader of that moment";
            Outcome::Failed(ErrorCode::Unavailable, message.to_owned())
        }
    })
}

fn known(catalog: &Catalog, name: &RunName) -> Result<Known> {
    let missing = || Error::new(ErrorCode::NotFound, format!("{name} does not exist"));
    let run = catalog.run(name).ok_or_else(missing)?.clone();
    let version = catalog.version(&name.job.version(run.version)).ok_or_else(missing)?;
    let savepoint = match &run.origin {
        RestoreOrigin::Savepoint(savepoint) => catalog.savepoint(savepoint),
        _ => None,
    };
    let tables = run.tables.as_ref().map(|tables| tables.tables.as_slice()).unwrap_or_default();
    Ok(Known {
        connections: binding::connections(catalog, tables)?,
        version: version.spec.clone(),
        uid: catalog.job(&name.job).ok_or_else(missing)?.uid,
        before: catalog.last_record_before(name).cloned(),
        savepoint: savepoint.and_then(|savepoint| savepoint.location.clone()),
        latest: catalog.latest_checkpoint(&name.job).map(|(_, checkpoint)| checkpoint.clone()),
        run,
    })
}

fn drained(catalog: &Catalog) -> std::collections::BTreeSet<String> {
    use tidegate_catalog::WorkerState;
    let workers = catalog.workers();
    let not_active = workers
        .filter(|worker| matches!(worker.state, WorkerState::Draining | WorkerState::Drained));
    not_active.map(|worker| worker.spec.id.clone()).collect()
}

fn settings(version: &VersionSpec) -> Result<Settings> {
    let mut settings = Settings::new();
    for (key, value) in &version.settings {
        settings.set(key, value)?;
    }
    Ok(settings)
}

/// Labels that workers must have by the settings of a version.
///
/// # Errors
/// `INVALID_OPTION` for settings that are none.
pub(super) fn worker_labels(version: &VersionSpec) -> Result<BTreeMap<String, String>> {
    Ok(labels(&settings(version)?))
}

/// Labels that workers must have: `scheduler.worker-labels`, as `key:value,key:value`.
fn labels(settings: &Settings) -> BTreeMap<String, String> {
    let text = settings.get("scheduler.worker-labels").unwrap_or_default();
    let pairs = text.split(',').filter_map(|pair| pair.trim().split_once(':'));
    pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect()
}
