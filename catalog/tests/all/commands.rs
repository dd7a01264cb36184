//! Commands for tests: a fixed story with one of every kind, and random ones from a seed.

use std::collections::BTreeMap;

use tidegate_catalog::{
    Action, Catalog, Command, Environment, Failure, GrantAction, JobName, OperationKind, Priority,
    RestoreOrigin, RunName, RunState, SavepointName, VersionSpec, WorkerSpec,
};
use tidegate_types::{Attempt, CompletedCheckpoint, Epoch, ErrorCode, JobId, JobRecord};

/// A small generator (SplitMix64): the same seed gives the same commands.
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    fn maybe<T>(&mut self, value: T) -> Option<T> {
        (self.below(2) == 0).then_some(value)
    }
}

pub(crate) fn spec(n: u64) -> VersionSpec {
    VersionSpec {
        sql: format!("INSERT INTO sink SELECT a + {n} FROM source"),
        plan: format!("{{\"nodes\":[{n}]}}"),
        settings: BTreeMap::from([(
            "execution.checkpointing.interval".to_owned(),
            "10 s".to_owned(),
        )]),
        parallelism: 1 + (n % 4) as u32,
        tables: Vec::new(),
        flows: Vec::new(),
    }
}

pub(crate) fn failure(n: u64) -> Failure {
    Failure {
        code: ErrorCode::Unavailable,
        message: format!("broker {n} is away"),
        at_ms: n as i64,
    }
}

/// A record that mostly follows the one that is saved.
fn record(random: &mut Seeded, catalog: &Catalog, run: &RunName) -> JobRecord {
    let mut record = JobRecord::new(JobId::from_name("job"), "lineage".to_owned());
    let saved = catalog.run(run).and_then(|run| run.record.clone());
    let (attempt, epoch) = saved.as_ref().map_or((1, 0), |r| (r.attempt.0, r.last_epoch.0));
    record.revision = saved.map_or(0, |saved| saved.revision) + u64::from(random.below(5) > 0);
    record.attempt = Attempt((attempt + random.below(3)).saturating_sub(1));
    record.last_epoch = Epoch((epoch + random.below(4)).saturating_sub(1));
    if random.below(2) == 0 {
        record.checkpoints.push(checkpoint(record.last_epoch.0));
    }
    record
}

fn checkpoint(epoch: u64) -> CompletedCheckpoint {
    CompletedCheckpoint {
        epoch: Epoch(epoch),
        attempt: Attempt(1),
        folder: "file:///checkpoints/job".to_owned(),
        manifest: format!("manifests/{epoch}.json"),
        digest: format!("{epoch:016x}"),
        savepoint: epoch.is_multiple_of(2),
        timestamp_ms: 1_000 + epoch as i64,
    }
}

/// A random command over few names, so that many succeed and many are refused; the catalog is looked at to find numbers
/// that make sense.
pub(crate) fn random_command(random: &mut Seeded, catalog: &Catalog, now_ms: i64) -> Command {
    let command = Command::new(now_ms, random_action(random, catalog));
    match random.below(4) {
        0 => command.with_request_id(format!("request-{}", random.below(20))),
        _ => command,
    }
}

fn job(random: &mut Seeded) -> JobName {
    let project = random.pick(&["default", "default", "default", "p1"]);
    JobName::new(project, random.pick(&["a", "b"])).unwrap()
}

fn savepoint(random: &mut Seeded) -> SavepointName {
    let id = random.pick(&["s1", "s2", "s3"]);
    job(random).savepoint(id).unwrap()
}

fn random_action(random: &mut Seeded, catalog: &Catalog) -> Action {
    match random.below(10) {
        0 => about_tenancy(random),
        1 => about_jobs(random),
        2..=6 => about_runs(random, catalog),
        7 => about_savepoints(random, catalog),
        8 => about_workers(random),
        _ => about_operations(random),
    }
}

fn about_tenancy(random: &mut Seeded) -> Action {
    let tenant = random.pick(&["default", "t1"]).to_owned();
    let project = random.pick(&["p1", "p2", "default", "No"]).to_owned();
    let description = String::new();
    match random.below(5) {
        0 => Action::CreateTenant { tenant, description },
        1 => Action::DeleteTenant { tenant, etag: None },
        2 | 3 => Action::CreateProject { project, tenant, description, services: None },
        _ => Action::DeleteProject { project, etag: None },
    }
}

fn about_jobs(random: &mut Seeded) -> Action {
    let job = job(random);
    let priority = random.pick(&[Priority::Critical, Priority::Normal, Priority::Low]);
    let etag = random.below(40);
    let etag = random.maybe(etag);
    match random.below(9) {
        0..=3 => Action::CreateJob {
            job,
            description: "d".to_owned(),
            labels: BTreeMap::new(),
            priority,
        },
        4 => Action::UpdateJob {
            job,
            etag: etag.filter(|_| random.below(2) == 0),
            description: None,
            labels: Some(BTreeMap::from([("team".to_owned(), "blue".to_owned())])),
            priority: random.maybe(priority),
        },
        5 => Action::DeleteJob { job, etag, force: random.below(2) == 0 },
        6 => Action::DeleteVersion { version: job.version(1 + random.below(3)) },
        _ => Action::CreateVersion { job, spec: spec(random.below(5)) },
    }
}

/// Mostly the last run of the job.
fn run_of(random: &mut Seeded, catalog: &Catalog, job: &JobName) -> RunName {
    let last = catalog.job(job).map_or(1, |job| job.last_run.max(1));
    job.run(last.saturating_sub(random.below(8) / 7).max(1))
}

fn about_runs(random: &mut Seeded, catalog: &Catalog) -> Action {
    let job = job(random);
    let run = run_of(random, catalog, &job);
    match random.below(13) {
        11 => Action::RequestRelease {
            version: job.version(1),
            requester: "tenants/default/users/a".to_owned(),
            reason: String::new(),
        },
        12 => Action::Grant(GrantAction::Review { run }),
        0..=2 => Action::StartRun {
            job,
            version: None,
            parallelism: random.maybe(3),
            origin: match random.below(4) {
                0 => RestoreOrigin::LatestCheckpoint,
                1 => RestoreOrigin::Savepoint(savepoint(random)),
                2 => RestoreOrigin::Path("s3://bucket/savepoint".to_owned()),
                _ => RestoreOrigin::Fresh,
            },
            environment: random.maybe(Environment::Production),
            account: None,
        },
        3 => Action::RequestStop {
            run,
            savepoint: random.pick(&["s1", "s2", "s3"]).to_owned(),
            location: None,
            drain: random.below(2) == 0,
        },
        4 => Action::RequestCancel { run },
        5 | 6 => {
            Action::SaveRecord { record: record(random, catalog, &run), run, parallelism: Some(1) }
        }
        7 => Action::RescaleRun { run, parallelism: random.below(9) as u32 },
        8 => Action::SetRunWaiting { run, waiting: random.maybe("for 2 slots".to_owned()) },
        _ => {
            let now = catalog.run(&run).map(|run| run.state);
            let follow = |state: &RunState| now.is_some_and(|now| now.may_become(*state));
            let following: Vec<_> = RunState::ALL.into_iter().filter(follow).collect();
            let sensible = random.below(4) > 0 && !following.is_empty();
            let state = random.pick(if sensible { &following } else { &RunState::ALL });
            let failure = failure(random.below(9));
            Action::SetRunState { run, state, failure: random.maybe(failure) }
        }
    }
}

fn about_savepoints(random: &mut Seeded, catalog: &Catalog) -> Action {
    let savepoint = savepoint(random);
    match random.below(6) {
        0 | 1 => {
            let run = run_of(random, catalog, savepoint.job()).number;
            Action::CreateSavepoint {
                savepoint,
                run,
                location: random.maybe("s3://b/s".to_owned()),
            }
        }
        2 => Action::CompleteSavepoint {
            savepoint,
            location: "s3://b/s/1".to_owned(),
            epoch: Epoch(random.below(5)),
            size_bytes: random.below(1_000),
        },
        3 => Action::FailSavepoint { savepoint, error: failure(1) },
        4 => Action::DeleteSavepoint { savepoint },
        _ => Action::RemoveSavepoint { savepoint },
    }
}

fn about_workers(random: &mut Seeded) -> Action {
    let worker = random.pick(&["w1", "w2"]).to_owned();
    let incarnation = random.below(4);
    match random.below(7) {
        0 | 1 => Action::RegisterWorker {
            spec: WorkerSpec {
                id: worker,
                incarnation,
                address: "10.0.0.1:7000".to_owned(),
                slots: random.below(5) as u32,
                labels: BTreeMap::from([("zone".to_owned(), "a".to_owned())]),
                version: "0.1.0".to_owned(),
            },
        },
        2 => Action::LoseWorker { worker, incarnation },
        3 => Action::DrainWorker { worker },
        4 => Action::FinishDrain { worker, incarnation },
        5 => Action::UndrainWorker { worker },
        _ => Action::RemoveWorker { worker },
    }
}

fn about_operations(random: &mut Seeded) -> Action {
    let id = format!("op-{}", random.below(5));
    match random.below(2) {
        0 => Action::CreateOperation {
            id,
            kind: random.pick(&[OperationKind::StartRun, OperationKind::DrainWorker]),
            target: job(random).into(),
        },
        _ => Action::FinishOperation { id, error: random.maybe(failure(2)) },
    }
}

/// Commands that all succeed, one after the other, with at least one of every kind.
pub(crate) fn story() -> Vec<Command> {
    let job = JobName::new("sales", "orders").unwrap();
    let (one, two) = (job.run(1), job.run(2));
    let point = |id: &str| JobName::new("sales", "orders").unwrap().savepoint(id).unwrap();
    let text = str::to_owned;
    let state = |run: u64, state: RunState| {
        let run = JobName::new("sales", "orders").unwrap().run(run);
        let failure = (state == RunState::Restarting).then(|| failure(3));
        Action::SetRunState { run, state, failure }
    };
    let mut record = JobRecord::new(JobId::from_name("orders"), "f00d".to_owned());
    record.revision = 1;
    record.attempt = Attempt(1);
    record.last_epoch = Epoch(4);
    record.checkpoints = vec![checkpoint(3), checkpoint(4)];
    record.origin = Some(checkpoint(2));
    let worker = WorkerSpec {
        id: text("w1"),
        incarnation: 77,
        address: text("10.0.0.1:7000"),
        slots: 8,
        labels: BTreeMap::from([(text("zone"), text("a"))]),
        version: text("0.1.0"),
    };
    use RunState::{Cancelled, Deploying, Restarting, Running, Scheduling};
    let mut actions = vec![
        Action::CreateTenant { tenant: text("acme"), description: text("Acme Ltd") },
        Action::CreateTenant { tenant: text("gone"), description: String::new() },
        Action::DeleteTenant { tenant: text("gone"), etag: None },
        Action::CreateProject {
            project: text("sales"),
            tenant: text("acme"),
            description: text("\"sales\" – Überblick"),
            services: None,
        },
        Action::CreateProject {
            project: text("gone"),
            tenant: text("acme"),
            description: String::new(),
            services: None,
        },
        Action::DeleteProject { project: text("gone"), etag: None },
        Action::CreateJob {
            job: job.clone(),
            description: text("orders per minute"),
            labels: BTreeMap::from([(text("team"), text("blue"))]),
            priority: Priority::High,
        },
        Action::CreateJob {
            job: JobName::new("default", "gone").unwrap(),
            description: String::new(),
            labels: BTreeMap::new(),
            priority: Priority::Low,
        },
        Action::DeleteJob {
            job: JobName::new("default", "gone").unwrap(),
            etag: None,
            force: true,
        },
        Action::UpdateJob {
            job: job.clone(),
            etag: Some(7),
            description: None,
            labels: None,
            priority: Some(Priority::Critical),
        },
        Action::CreateVersion { job: job.clone(), spec: spec(1) },
        Action::CreateVersion { job: job.clone(), spec: spec(2) },
        Action::DeleteVersion { version: job.version(2) },
        Action::RegisterWorker { spec: worker },
        Action::DrainWorker { worker: text("w1") },
        Action::UndrainWorker { worker: text("w1") },
        Action::DrainWorker { worker: text("w1") },
        Action::FinishDrain { worker: text("w1"), incarnation: 77 },
        Action::StartRun {
            job: job.clone(),
            version: Some(1),
            parallelism: Some(3),
            origin: RestoreOrigin::Path(text("s3://old/savepoint-1")),
            environment: None,
            account: None,
        },
    ];
    actions.extend([Scheduling, Deploying, Running, Restarting].map(|next| state(1, next)));
    actions.extend([
        Action::SaveRecord { run: one.clone(), record, parallelism: None },
        Action::RescaleRun { run: one.clone(), parallelism: 5 },
        Action::CreateSavepoint { savepoint: point("keep"), run: 1, location: None },
        Action::CompleteSavepoint {
            savepoint: point("keep"),
            location: text("s3://bucket/savepoints/keep"),
            epoch: Epoch(4),
            size_bytes: 12_345,
        },
        Action::CreateSavepoint { savepoint: point("bad"), run: 1, location: Some(text("s3://x")) },
        Action::FailSavepoint { savepoint: point("bad"), error: failure(9) },
        Action::RemoveSavepoint { savepoint: point("bad") },
        Action::RequestStop { run: one, savepoint: text("last"), location: None, drain: true },
        state(1, Cancelled),
        Action::DeleteSavepoint { savepoint: point("last") },
        Action::StartRun {
            job: job.clone(),
            version: None,
            parallelism: None,
            origin: RestoreOrigin::Savepoint(point("keep")),
            environment: None,
            account: None,
        },
        Action::RequestCancel { run: two },
        Action::CreateOperation {
            id: text("0a1b2c"),
            kind: OperationKind::CancelRun,
            target: job.run(2).into(),
        },
        Action::CreateOperation {
            id: text("3d4e5f"),
            kind: OperationKind::DeleteSavepoint,
            target: point("last").into(),
        },
        Action::FinishOperation { id: text("3d4e5f"), error: Some(failure(4)) },
        Action::RegisterWorker {
            spec: WorkerSpec {
                id: text("w2"),
                incarnation: 1,
                address: text("10.0.0.2:7000"),
                slots: 1,
                labels: BTreeMap::new(),
                version: text("0.1.0"),
            },
        },
        Action::LoseWorker { worker: text("w2"), incarnation: 1 },
        Action::RemoveWorker { worker: text("w2") },
    ]);
    // Run 2 names no version and takes the last, so that one must be there.
    actions.insert(13, Action::CreateVersion { job, spec: spec(3) });
    let stamped = actions.into_iter().enumerate().map(|(n, action)| {
        let command = Command::new(1_700_000_000_000 + n as i64 * 1_000, action);
        if n % 3 == 0 { command.with_request_id(format!("story-{n}")) } else { command }
    });
    stamped.collect()
}
