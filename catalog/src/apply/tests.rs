//! What commands do and refuse, one story at a time. Random sequences are in the crate's `tests`.

use std::collections::BTreeMap;

use tidegate_types::{Attempt, CompletedCheckpoint, Epoch, ErrorCode, JobId, JobRecord, JobStatus};

use crate::{
    Action, Bounds, Catalog, Command, DesiredState, Failure, JobName, OperationKind, PageRequest,
    Priority, ResourceName, RestoreOrigin, RunName, RunState, SavepointState, VersionSpec,
    WorkerSpec, WorkerState,
};

fn job() -> JobName {
    JobName::new("default", "clicks").unwrap()
}

fn spec() -> VersionSpec {
    VersionSpec {
        sql: "INSERT INTO a SELECT * FROM b".to_owned(),
        plan: "{}".to_owned(),
        settings: BTreeMap::from([("parallelism.default".to_owned(), "2".to_owned())]),
        parallelism: 2,
        tables: Vec::new(),
        flows: Vec::new(),
    }
}

fn failure() -> Failure {
    Failure { code: ErrorCode::Evaluation, message: "division by zero".to_owned(), at_ms: 7 }
}

fn create_job() -> Action {
    Action::CreateJob {
        job: job(),
        description: "counts clicks".to_owned(),
        labels: BTreeMap::new(),
        priority: Priority::High,
    }
}

fn start(origin: RestoreOrigin) -> Action {
    Action::StartRun {
        job: job(),
        version: None,
        parallelism: None,
        origin,
        environment: None,
        account: None,
    }
}

fn set(run: &RunName, state: RunState) -> Action {
    let failure = (state == RunState::Failed).then(failure);
    Action::SetRunState { run: run.clone(), state, failure }
}

fn record(revision: u64, checkpoint: Option<u64>) -> JobRecord {
    let mut record = JobRecord::new(JobId::from_name("clicks"), "lineage".to_owned());
    record.revision = revision;
    record.attempt = Attempt(1);
    record.status = JobStatus::Running;
    record.last_epoch = Epoch(checkpoint.unwrap_or(0));
    record.checkpoints.extend(checkpoint.map(|epoch| CompletedCheckpoint {
        epoch: Epoch(epoch),
        attempt: Attempt(1),
        folder: "file:///checkpoints".to_owned(),
        manifest: format!("{epoch}.json"),
        digest: "00".to_owned(),
        savepoint: false,
        timestamp_ms: 5,
    }));
    record
}

fn worker(incarnation: u64) -> Action {
    Action::RegisterWorker {
        spec: WorkerSpec {
            id: "w1".to_owned(),
            incarnation,
            address: "127.0.0.1:7000".to_owned(),
            slots: 4,
            labels: BTreeMap::new(),
            version: "0.1.0".to_owned(),
        },
    }
}

/// A catalog in which every command must succeed unless a test asks for its refusal.
struct Story(Catalog);

impl Story {
    fn new() -> Self {
        Self(Catalog::new())
    }

    /// With a job, a version and a run of it.
    fn with_run() -> (Self, RunName) {
        let mut story = Self::new();
        story.apply(create_job());
        story.apply(Action::CreateVersion { job: job(), spec: spec() });
        story.apply(start(RestoreOrigin::Fresh));
        (story, job().run(1))
    }

    fn apply(&mut self, action: Action) -> ResourceName {
        self.0.apply(Command::new(1_000, action)).unwrap().name
    }

    fn refuse(&mut self, action: Action) -> ErrorCode {
        let before = self.0.encode();
        let error = self.0.apply(Command::new(1_000, action)).unwrap_err();
        assert_eq!(self.0.encode(), before, "a refusal changed something: {error}");
        error.code()
    }

    fn walk(&mut self, run: &RunName, states: &[RunState]) {
        for state in states {
            self.apply(set(run, *state));
        }
    }
}

#[test]
fn projects_belong_to_tenants_and_are_deleted_when_empty() {
    let mut story = Story::new();
    let text = String::new;
    let project = |id: &str, tenant: &str| Action::CreateProject {
        project: id.to_owned(),
        tenant: tenant.to_owned(),
        description: text(),
        services: None,
    };
    assert_eq!(story.refuse(project("p", "acme")), ErrorCode::NotFound);
    story.apply(Action::CreateTenant { tenant: "acme".to_owned(), description: text() });
    assert_eq!(story.refuse(project("P!", "acme")), ErrorCode::InvalidOption);
    story.apply(project("p", "acme"));
    assert_eq!(story.refuse(project("p", "acme")), ErrorCode::AlreadyExists);
    let delete = || Action::DeleteTenant { tenant: "acme".to_owned(), etag: None };
    assert_eq!(story.refuse(delete()), ErrorCode::FailedPrecondition);
    let in_p = Action::CreateJob {
        job: JobName::new("p", "j").unwrap(),
        description: text(),
        labels: BTreeMap::new(),
        priority: Priority::Normal,
    };
    story.apply(in_p);
    let remove = |id: &str| Action::DeleteProject { project: id.to_owned(), etag: None };
    assert_eq!(story.refuse(remove("p")), ErrorCode::FailedPrecondition);
    story.apply(Action::DeleteJob {
        job: JobName::new("p", "j").unwrap(),
        etag: None,
        force: false,
    });
    story.apply(remove("p"));
    story.apply(delete());
    assert_eq!(story.refuse(remove("default")), ErrorCode::FailedPrecondition);
    assert!(story.0.project("default").is_some() && story.0.project("p").is_none());
}

#[test]
fn updates_need_the_etag_that_they_name() {
    let mut story = Story::new();
    story.apply(create_job());
    let seen = story.0.job(&job()).unwrap().revision;
    let update = |etag, priority| Action::UpdateJob {
        job: job(),
        etag,
        description: None,
        labels: None,
        priority: Some(priority),
    };
    story.apply(update(Some(seen), Priority::Low));
    assert_eq!(story.refuse(update(Some(seen), Priority::High)), ErrorCode::Conflict);
    let now = story.0.job(&job()).unwrap();
    assert_eq!((now.priority, now.description.as_str()), (Priority::Low, "counts clicks"));
    story.apply(update(None, Priority::Critical));
}

#[test]
fn a_job_has_one_run_at_a_time() {
    let (mut story, run) = Story::with_run();
    assert_eq!(story.refuse(start(RestoreOrigin::Fresh)), ErrorCode::FailedPrecondition);
    let delete = || Action::DeleteJob { job: job(), etag: None, force: true };
    assert_eq!(story.refuse(delete()), ErrorCode::FailedPrecondition);
    use RunState::{Deploying, Finished, Running, Scheduling};
    assert_eq!(story.refuse(set(&run, Running)), ErrorCode::FailedPrecondition);
    story.walk(&run, &[Scheduling, Deploying, Running, Running, Finished]);
    assert_eq!(story.0.live_runs().count(), 0);
    assert_eq!(story.refuse(set(&run, Running)), ErrorCode::FailedPrecondition);
    let second = story.apply(start(RestoreOrigin::Fresh));
    assert_eq!(second, ResourceName::Run(job().run(2)));
    assert_eq!(story.0.live_runs().map(|run| run.name.number).collect::<Vec<_>>(), [2]);
    story.apply(Action::RequestCancel { run: job().run(2) });
    story.apply(set(&job().run(2), RunState::Cancelled));
    story.apply(delete());
    assert!(story.0.job(&job()).is_none());
}

#[test]
fn numbers_and_uids_are_not_used_again() {
    let mut story = Story::new();
    story.apply(create_job());
    let first = story.0.job(&job()).unwrap().uid;
    let create = || Action::CreateVersion { job: job(), spec: spec() };
    story.apply(create());
    story.apply(Action::DeleteVersion { version: job().version(1) });
    assert_eq!(story.apply(create()), ResourceName::Version(job().version(2)));
    story.apply(Action::DeleteJob { job: job(), etag: None, force: false });
    story.apply(create_job());
    assert!(story.0.job(&job()).unwrap().uid > first);
}

#[test]
fn records_are_saved_in_order_and_older_drivers_are_fenced() {
    let (mut story, run) = Story::with_run();
    let save = |record| Action::SaveRecord { run: job().run(1), record, parallelism: None };
    assert_eq!(story.refuse(save(record(2, None))), ErrorCode::Fenced);
    story.apply(save(record(1, None)));
    story.apply(save(record(2, Some(3))));
    assert_eq!(story.refuse(save(record(2, Some(4)))), ErrorCode::Fenced);
    assert_eq!(story.refuse(save(record(3, Some(2)))), ErrorCode::Fenced, "epochs never go back");
    let mut older = record(3, Some(4));
    older.attempt = Attempt(0);
    assert_eq!(story.refuse(save(older)), ErrorCode::Fenced);
    let mut other = record(3, Some(4));
    other.lineage = "another".to_owned();
    assert_eq!(story.refuse(save(other)), ErrorCode::Fenced);
    let (from, checkpoint) = story.0.latest_checkpoint(&job()).unwrap();
    assert_eq!((from, checkpoint.epoch), (run.clone(), Epoch(3)));
    story.apply(set(&run, RunState::Failed));
    assert_eq!(story.refuse(save(record(3, Some(4)))), ErrorCode::Fenced);
}

#[test]
fn runs_begin_with_state_that_is_there() {
    let (mut story, run) = Story::with_run();
    story.apply(set(&run, RunState::Failed));
    let latest = || start(RestoreOrigin::LatestCheckpoint);
    assert_eq!(story.refuse(latest()), ErrorCode::FailedPrecondition);
    let savepoint = job().savepoint("s1").unwrap();
    let from = || start(RestoreOrigin::Savepoint(job().savepoint("s1").unwrap()));
    assert_eq!(story.refuse(from()), ErrorCode::NotFound);
    assert_eq!(story.refuse(start(RestoreOrigin::Path(String::new()))), ErrorCode::InvalidOption);
    story.apply(start(RestoreOrigin::Path("file:///s".to_owned())));
    let second = job().run(2);
    story.apply(Action::SaveRecord {
        run: second.clone(),
        record: record(1, Some(1)),
        parallelism: None,
    });
    story.apply(Action::CreateSavepoint { savepoint: savepoint.clone(), run: 2, location: None });
    story.apply(Action::CompleteSavepoint {
        savepoint: savepoint.clone(),
        location: "file:///savepoints/s1".to_owned(),
        epoch: Epoch(2),
        size_bytes: 10,
    });
    story.apply(set(&second, RunState::Cancelled));
    story.apply(latest());
    story.apply(set(&job().run(3), RunState::Cancelled));
    story.apply(from());
    let delete = || Action::DeleteSavepoint { savepoint: job().savepoint("s1").unwrap() };
    assert_eq!(story.refuse(delete()), ErrorCode::FailedPrecondition, "run 4 needs it");
    story.apply(Action::SaveRecord {
        run: job().run(4),
        record: record(1, Some(5)),
        parallelism: None,
    });
    story.apply(delete());
    assert_eq!(story.0.deleting_savepoints().map(|s| s.name.id()).collect::<Vec<_>>(), ["s1"]);
    story.apply(Action::RemoveSavepoint { savepoint });
    assert_eq!(story.0.deleting_savepoints().count(), 0);
    assert!(story.0.list_savepoints(&job(), &PageRequest::default()).unwrap().items.is_empty());
}

#[test]
fn a_stop_takes_a_savepoint_and_the_end_fails_what_is_pending() {
    let (mut story, run) = Story::with_run();
    use RunState::{Deploying, Running, Scheduling, Stopped, Stopping};
    story.walk(&run, &[Scheduling, Deploying, Running]);
    let stop = |id: &str| Action::RequestStop {
        run: job().run(1),
        savepoint: id.to_owned(),
        location: Some("s3://bucket/savepoints".to_owned()),
        drain: true,
    };
    story.apply(stop("last"));
    assert_eq!(story.refuse(stop("again")), ErrorCode::FailedPrecondition);
    let rescale = Action::RescaleRun { run: run.clone(), parallelism: 4 };
    assert_eq!(story.refuse(rescale), ErrorCode::FailedPrecondition);
    let name = job().savepoint("last").unwrap();
    assert_eq!(story.0.pending_savepoints(&run).map(|s| s.name.id()).collect::<Vec<_>>(), ["last"]);
    let wanted = DesiredState::Stopped { savepoint: name.clone(), drain: true };
    assert_eq!(story.0.run(&run).unwrap().desired, wanted);
    story.walk(&run, &[Stopping, Stopped]);
    assert_eq!(story.0.pending_savepoints(&run).count(), 0);
    let savepoint = story.0.savepoint(&name).unwrap();
    assert_eq!(savepoint.state, SavepointState::Failed);
    assert_eq!(savepoint.error.as_ref().unwrap().code, ErrorCode::Cancelled);
    let cancel = Action::RequestCancel { run };
    assert_eq!(story.refuse(cancel), ErrorCode::FailedPrecondition);
}

#[test]
fn failures_are_kept_and_restarts_counted() {
    let (mut story, run) = Story::with_run();
    use RunState::{Deploying, Restarting, Running, Scheduling};
    story.walk(&run, &[Scheduling, Deploying, Running]);
    story.apply(Action::SetRunState {
        run: run.clone(),
        state: Restarting,
        failure: Some(Failure { message: "x".repeat(20_000), ..failure() }),
    });
    let stored = story.0.run(&run).unwrap();
    assert_eq!((stored.restarts, stored.state), (1, Restarting));
    let message = &stored.last_failure.as_ref().unwrap().message;
    assert!(message.len() < 20_000 && message.ends_with('…'));
    let bare = Action::SetRunState { run, state: RunState::Failed, failure: None };
    assert_eq!(story.refuse(bare), ErrorCode::InvalidOption);
}

#[test]
fn old_runs_are_dropped_and_the_last_ones_kept() {
    let (mut story, _) = Story::with_run();
    for number in 1..=Bounds::FINISHED_RUNS as u64 + 3 {
        story.apply(set(&job().run(number), RunState::Cancelled));
        story.apply(start(RestoreOrigin::Fresh));
    }
    let runs = story.0.list_runs(&job(), &PageRequest::first(1_000)).unwrap().items;
    assert_eq!(runs.len(), Bounds::FINISHED_RUNS + 1);
    assert_eq!(runs[0].name.number, 4);
}

#[test]
fn workers_come_and_go_by_incarnation() {
    let mut story = Story::new();
    let state = |story: &Story| story.0.worker("w1").unwrap().state;
    let by = |incarnation| Action::LoseWorker { worker: "w1".to_owned(), incarnation };
    let id = || "w1".to_owned();
    story.apply(worker(5));
    assert_eq!(story.refuse(worker(4)), ErrorCode::Fenced);
    story.apply(Action::DrainWorker { worker: id() });
    story.apply(worker(5));
    assert_eq!(state(&story), WorkerState::Draining, "the same process is still draining");
    let remove = || Action::RemoveWorker { worker: id() };
    assert_eq!(story.refuse(remove()), ErrorCode::FailedPrecondition);
    let empty = |incarnation| Action::FinishDrain { worker: id(), incarnation };
    assert_eq!(story.refuse(empty(4)), ErrorCode::Fenced);
    story.apply(empty(5));
    story.apply(worker(6));
    assert_eq!(state(&story), WorkerState::Active);
    assert_eq!(story.refuse(by(5)), ErrorCode::Fenced);
    story.apply(by(6));
    assert_eq!(state(&story), WorkerState::Lost);
    story.apply(remove());
    assert_eq!(story.refuse(remove()), ErrorCode::NotFound);
}

#[test]
fn operations_that_are_done_age_out() {
    let mut story = Story::new();
    let create = |id: &str| Action::CreateOperation {
        id: id.to_owned(),
        kind: OperationKind::StartRun,
        target: job().into(),
    };
    let finish = |id: &str| Action::FinishOperation { id: id.to_owned(), error: None };
    for n in 0..Bounds::DONE_OPERATIONS + 2 {
        story.apply(create(&format!("o{n}")));
        assert_eq!(story.0.pending_operations().count(), 1);
        story.apply(finish(&format!("o{n}")));
    }
    assert!(story.0.operation("o1").is_none() && story.0.operation("o2").is_some());
    assert_eq!(story.refuse(finish("o2")), ErrorCode::FailedPrecondition);
    let late = 2_000 + Bounds::DONE_OPERATION_AGE_MS;
    story.0.apply(Command::new(late, create("last"))).unwrap();
    let left = story.0.list_operations(&PageRequest::default()).unwrap().items;
    assert_eq!(left.iter().map(|o| o.id.as_str()).collect::<Vec<_>>(), ["last"]);
}

#[test]
fn a_repeated_request_changes_nothing_and_gets_the_first_answer() {
    let mut catalog = Catalog::new();
    let create = || Command::new(1_000, create_job()).with_request_id("r1");
    let first = catalog.apply(create()).unwrap();
    let before = catalog.encode();
    assert_eq!(catalog.apply(create()).unwrap(), first);
    assert_eq!(catalog.encode(), before);
    let other = Command::new(1_000, Action::DeleteJob { job: job(), etag: None, force: false });
    let error = catalog.apply(other.clone().with_request_id("r1")).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidOption);
    let restored = Catalog::decode(&before).unwrap();
    assert_eq!(restored, catalog);
    let mut restored = restored;
    assert_eq!(restored.apply(create()).unwrap(), first, "snapshots keep the memory");
    catalog.apply(other).unwrap();
    let late = Command { now_ms: 1_001 + Bounds::REQUEST_AGE_MS, ..create() };
    assert_ne!(catalog.apply(late).unwrap(), first, "what is too old is forgotten");
}

#[test]
fn sizes_are_bounded() {
    let (mut story, run) = Story::with_run();
    let version = |spec| Action::CreateVersion { job: job(), spec };
    let large = VersionSpec { sql: "x".repeat(Bounds::SQL_BYTES + 1), ..spec() };
    assert_eq!(story.refuse(version(large)), ErrorCode::InvalidOption);
    let wide = VersionSpec { parallelism: 0, ..spec() };
    assert_eq!(story.refuse(version(wide)), ErrorCode::InvalidOption);
    let mut long = record(1, None);
    let one = record(1, Some(1)).checkpoints;
    long.checkpoints = one.iter().cycle().take(Bounds::CHECKPOINTS + 1).cloned().collect();
    let save = Action::SaveRecord { run, record: long, parallelism: None };
    assert_eq!(story.refuse(save), ErrorCode::ResourceExhausted);
}
