//! What people and programs ask of the cluster: clients of the catalog, and the owner of the job.
//!
//! They run beside a coordinator and lose what they know with its process.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidegate_catalog::{
    Action, Catalog, Command, JobName, Priority, ResourceName, RestoreOrigin, RunState,
    VersionSpec, WorkerState,
};
use tidegate_coordinator::raft::{Consistency, Metadata};
use tidegate_runtime::Clock;
use tidegate_types::{Error, ErrorCode, Result};

use crate::history::{Answered, Asked, History};
use crate::random::Random;
use crate::trace;

/// What the owner of the job does at some moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deed {
    Rescale(u32),
    Savepoint(String),
    Stop(String),
    Cancel,
    StartAgain,
    Drain(String),
    Undrain(String),
}

/// What clients have in common.
#[derive(Clone)]
pub(crate) struct Clients {
    pub(crate) seed: u64,
    pub(crate) history: History,
    /// Names that nothing else uses.
    pub(crate) names: Arc<AtomicU64>,
    /// Whether calls are still made.
    pub(crate) calling: Arc<AtomicBool>,
    /// What the owner of the job is to do next; whoever comes first does it.
    pub(crate) deeds: Arc<Mutex<VecDeque<Deed>>>,
    /// The job, if there is one.
    pub(crate) version: Option<Arc<VersionSpec>>,
    /// Whether faults are over: workers are to be used again.
    pub(crate) calm: Arc<AtomicBool>,
}

/// The job's name.
pub(crate) fn job() -> JobName {
    JobName::new("default", "job").expect("it is a name")
}

/// Everything that runs beside one coordinator.
pub(crate) async fn run(clients: Clients, metadata: Metadata, clock: Arc<dyn Clock>) {
    let random = |purpose| {
        let now = clock.elapsed().as_millis() as u64;
        Random::of(clients.seed.wrapping_add(now << 20).wrapping_add(metadata.id()), purpose)
    };
    tokio::join!(
        catalog(&clients, &metadata, &clock, random("client a")),
        catalog(&clients, &metadata, &clock, random("client b")),
        lead(&clients, &metadata, &clock, random("leader")),
        own(&clients, &metadata, &clock),
    );
}

fn answered(result: Result<u64>) -> Answered {
    match result {
        Ok(revision) => Answered::At(revision),
        Err(error) => match error.code() {
            ErrorCode::Unavailable if error.to_string().contains("outcome unknown") => {
                Answered::Unknown(error.to_string())
            }
            ErrorCode::Unavailable | ErrorCode::Fenced => Answered::Nothing(error.to_string()),
            _ => Answered::Refused(error.to_string()),
        },
    }
}

impl Clients {
    fn name(&self) -> String {
        format!("t{}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    fn is_calling(&self) -> bool {
        self.calling.load(Ordering::Relaxed)
    }
}

fn create(clock: &Arc<dyn Clock>, tenant: &str) -> Command {
    let (tenant, description) = (tenant.to_owned(), String::new());
    Command::new(clock.now_ms(), Action::CreateTenant { tenant, description })
}

/// Writes and reads, one call after the other.
async fn catalog(
    clients: &Clients,
    metadata: &Metadata,
    clock: &Arc<dyn Clock>,
    mut random: Random,
) {
    while clients.is_calling() {
        tokio::time::sleep(random.millis(50..900)).await;
        if random.percent(45) {
            let call = clients.history.began(Asked::Revision);
            let read = metadata.read(Consistency::Linearizable, Catalog::revision).await;
            clients.history.ended(call, answered(read));
            continue;
        }
        let name = clients.name();
        let call = clients.history.began(Asked::Create(name.clone()));
        let mut command = create(clock, &name);
        if random.percent(40) {
            command = command.with_request_id(format!("r-{name}"));
        }
        let created = metadata.propose(command).await.map(|response| response.revision);
        clients.history.ended(call, answered(created));
    }
}

/// Decides things as the leader, as drivers of jobs do: a decision takes its time.
async fn lead(clients: &Clients, metadata: &Metadata, clock: &Arc<dyn Clock>, mut random: Random) {
    let leadership = metadata.leadership();
    while clients.is_calling() {
        tokio::time::sleep(random.millis(100..700)).await;
        let (leads, term) = {
            let now = leadership.borrow();
            (now.is_self, now.term)
        };
        if !leads {
            continue;
        }
        if random.percent(50) {
            tokio::time::sleep(random.millis(200..6_000)).await;
        }
        let name = clients.name();
        let call = clients.history.began(Asked::Lead(term, name.clone()));
        let led = metadata.propose_as_leader(term, create(clock, &name)).await;
        clients.history.ended(call, answered(led.map(|response| response.revision)));
    }
}

/// The owner of the job: it is there, and it runs until it has finished; in between it is done what is asked for.
async fn own(clients: &Clients, metadata: &Metadata, clock: &Arc<dyn Clock>) {
    let Some(version) = clients.version.clone() else { return };
    let mut pause = Duration::from_millis(100 + 37 * metadata.id());
    loop {
        tokio::time::sleep(pause).await;
        pause = Duration::from_millis(700 + 90 * metadata.id());
        let deed = clients.deeds.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let done = match deed {
            Some(deed) => do_it(metadata, clock, deed).await,
            None => look_after(clients, metadata, clock, &version).await,
        };
        if let Err(error) = done {
            trace::line(format!("the owner was told: {error}"));
        }
    }
}

async fn propose(metadata: &Metadata, clock: &Arc<dyn Clock>, action: Action) -> Result<()> {
    metadata.propose(Command::new(clock.now_ms(), action)).await.map(drop)
}

async fn do_it(metadata: &Metadata, clock: &Arc<dyn Clock>, deed: Deed) -> Result<()> {
    trace::line(format!("the owner does {deed:?}"));
    let live = metadata.peek(|catalog| catalog.last_run(&job()).map(|run| run.name.clone()));
    let gone = || Error::new(ErrorCode::NotFound, "no run yet");
    let action = match deed {
        Deed::Rescale(parallelism) => {
            Action::RescaleRun { run: live.ok_or_else(gone)?, parallelism }
        }
        Deed::Savepoint(id) => {
            let savepoint = job().savepoint(id)?;
            let run = live.ok_or_else(gone)?.number;
            Action::CreateSavepoint { savepoint, run, location: None }
        }
        Deed::Stop(savepoint) => {
            let run = live.ok_or_else(gone)?;
            Action::RequestStop { run, savepoint, location: None, drain: false }
        }
        Deed::Cancel => Action::RequestCancel { run: live.ok_or_else(gone)? },
        Deed::StartAgain => Action::StartRun {
            job: job(),
            version: None,
            parallelism: None,
            origin: RestoreOrigin::LatestCheckpoint,
            environment: None,
            account: None,
        },
        Deed::Drain(worker) => Action::DrainWorker { worker },
        Deed::Undrain(worker) => Action::UndrainWorker { worker },
    };
    propose(metadata, clock, action).await
}

/// Makes the job, starts it where it does not run and has not finished, and in the end takes drains back.
async fn look_after(
    clients: &Clients,
    metadata: &Metadata,
    clock: &Arc<dyn Clock>,
    version: &VersionSpec,
) -> Result<()> {
    let next = metadata.read(Consistency::Linearizable, |catalog| next(catalog, version)).await?;
    if clients.calm.load(Ordering::Relaxed) {
        let drained = metadata.peek(|catalog| {
            let not_active = |state| matches!(state, WorkerState::Draining | WorkerState::Drained);
            let workers = catalog.workers().filter(|worker| not_active(worker.state));
            workers.map(|worker| worker.spec.id.clone()).collect::<Vec<_>>()
        });
        for worker in drained {
            propose(metadata, clock, Action::UndrainWorker { worker }).await?;
        }
    }
    let Some((id, action)) = next else { return Ok(()) };
    // Several owners may come to the same conclusion: the id makes it one.
    let command = Command::new(clock.now_ms(), action).with_request_id(id);
    metadata.propose(command).await.map(drop)
}

fn next(catalog: &Catalog, version: &VersionSpec) -> Option<(String, Action)> {
    let Some(known) = catalog.job(&job()) else {
        let create = Action::CreateJob {
            job: job(),
            description: String::new(),
            labels: Default::default(),
            priority: Priority::Normal,
        };
        return Some(("job".to_owned(), create));
    };
    if known.last_version == 0 {
        let create = Action::CreateVersion { job: job(), spec: version.clone() };
        return Some(("version".to_owned(), create));
    }
    let last = catalog.last_run(&job());
    if last.is_some_and(|run| !run.state.is_terminal() || run.state == RunState::Finished) {
        return None;
    }
    let origin = match catalog.latest_checkpoint(&job()) {
        Some(_) => RestoreOrigin::LatestCheckpoint,
        None => RestoreOrigin::Fresh,
    };
    let start = Action::StartRun {
        job: job(),
        version: None,
        parallelism: None,
        origin,
        environment: None,
        account: None,
    };
    Some((format!("start-{}", known.last_run), start))
}

/// Whether the catalog says that the job has finished.
pub(crate) fn has_finished(catalog: &Catalog) -> bool {
    catalog.last_run(&job()).is_some_and(|run| run.state == RunState::Finished)
}

/// The name of a tenant that a response is about.
pub(crate) fn tenant(name: &ResourceName) -> Option<&str> {
    match name {
        ResourceName::Tenant(tenant) => Some(tenant),
        _ => None,
    }
}
