//! The driver of one job: asks the state machine what to do, does it, and tells it what happened.
//!
//! Where records are saved and where tasks run is up to its surroundings ([`Ledger`], [`Runs`]): a folder and this
//! process for `tidegate run`, the coordinators' log and workers in a cluster.

mod cleaning;
mod manifests;
pub mod opening;
pub mod progress;
pub mod run;
mod traces;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use futures::future::BoxFuture;
use tidegate_checkpoint::barrier::{Barrier, BarrierKind};
use tidegate_checkpoint::storage::of_checkpoint;
use tidegate_checkpoint::task::{Control, ReportKind, TaskEvent, TaskState};
use tidegate_checkpoint::{Directory, Manifest};
use tidegate_plan::StreamGraph;
use tidegate_plan::settings::Settings;
use tidegate_runtime::telemetry::trace;
use tidegate_runtime::{Clock, Task, failpoint};
use tidegate_types::{Attempt, CompletedCheckpoint, Epoch, JobId, JobRecord, Result, SubtaskId};
use tokio::sync::{mpsc, watch};

use self::opening::check_fits;
use self::progress::{CheckpointReport, CheckpointSample, Progress};
use self::run::{AdoptedRun, Ledger, Note, RestoredCheckpoint, Run, RunRequest, Runs};
use crate::machine::Job;
use crate::protocol::{Action, Adopted, CheckpointKind, ControlSettings, Event, Outcome};

/// Events that may wait for the driver.
const EVENT_CAPACITY: usize = 1024;
/// How long the end of a job waits for deletions of old checkpoints.
const BACKGROUND_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the driver sleeps if nothing is to be done.
const IDLE: Duration = Duration::from_secs(3600);

/// A job to be driven.
#[derive(Debug, Clone)]
pub struct DriverSpec {
    /// The job.
    pub job: JobId,
    /// Its plan.
    pub graph: Arc<StreamGraph>,
    /// Its settings.
    pub settings: Settings,
    /// The folder of its checkpoints.
    pub folder: Directory,
    /// The folder of its savepoints.
    pub savepoints: Directory,
}

/// What a driver works with.
#[derive(Clone)]
pub struct Surroundings {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where the record is kept.
    pub ledger: Arc<dyn Ledger>,
    /// Where tasks run.
    pub runs: Arc<dyn Runs>,
}

/// How a driver begins.
pub enum Start {
    /// With a new run, from the first of these checkpoints that is intact if any are given.
    Fresh(Vec<CompletedCheckpoint>),
    /// With a run that is under way.
    Adopted(AdoptedRun),
}

/// What may be asked of a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Take a savepoint and go on.
    Savepoint,
    /// Stop with a savepoint; a job that waits for its restart is stopped when it runs.
    Stop,
    /// Stop with a savepoint, or without one if nothing runs at the moment.
    StopOrCancel,
    /// End without one.
    Cancel,
    /// Take a checkpoint and end the tasks: another driver goes on from it. Without one where it cannot be taken.
    Leave,
    /// Go on after the connection to tasks of this run was interrupted; those that have ended in the meantime.
    Resume {
        /// The run.
        attempt: Attempt,
        /// Tasks that have processed all of their input.
        ended: BTreeSet<SubtaskId>,
    },
}

/// What comes of making a run: the run and the objects that its start needs.
type Deployment = Result<(Box<dyn Run>, BTreeSet<String>)>;

/// The driver of one job.
pub struct Driver {
    spec: DriverSpec,
    surroundings: Surroundings,
    machine: Job,
    running: Option<Box<dyn Run>>,
    /// A run that is being made.
    deploying: Option<(Attempt, BoxFuture<'static, Deployment>)>,
    acknowledged: BTreeMap<Epoch, BTreeMap<SubtaskId, TaskState>>,
    prepared: HashMap<Epoch, Manifest>,
    triggered: HashMap<Epoch, (Duration, SystemTime)>,
    /// What checkpoints that are being completed cost so far.
    costs: HashMap<Epoch, CheckpointSample>,
    events: (mpsc::Sender<TaskEvent>, mpsc::Receiver<TaskEvent>),
    background: Vec<Task<()>>,
    /// When to look for what abandoned checkpoints left.
    sweep_at: Option<Duration>,
    progress: watch::Sender<Progress>,
    report: CheckpointReport,
}

impl Driver {
    /// A driver that goes on with a record.
    pub fn new(
        spec: DriverSpec,
        surroundings: Surroundings,
        record: JobRecord,
        progress: watch::Sender<Progress>,
    ) -> Self {
        Self {
            machine: Job::new(record, ControlSettings::from_settings(&spec.settings)),
            spec,
            surroundings,
            running: None,
            deploying: None,
            acknowledged: BTreeMap::new(),
            prepared: HashMap::new(),
            triggered: HashMap::new(),
            costs: HashMap::new(),
            events: mpsc::channel(EVENT_CAPACITY),
            background: Vec::new(),
            sweep_at: None,
            progress,
            report: CheckpointReport::default(),
        }
    }

    /// Where reports of a run go that is to be adopted.
    pub fn events(&self) -> mpsc::Sender<TaskEvent> {
        self.events.0.clone()
    }

    /// Drives the job to its end. Dropping the future leaves tasks to where they run.
    ///
    /// # Errors
    /// Why the driver cannot go on, above all that the record cannot be saved. Then nothing is said to the tasks:
    /// another driver may have taken them over.
    pub async fn drive(
        mut self,
        start: Start,
        mut requests: mpsc::Receiver<Request>,
    ) -> (Result<Outcome>, CheckpointReport) {
        let outcome = self.run(start, &mut requests).await;
        if outcome.is_ok() {
            self.kill().await;
        }
        drop(self.running.take());
        // Deletions under way may end, within a bound.
        let all = futures::future::join_all(self.background.drain(..));
        let _ = tokio::time::timeout(BACKGROUND_TIMEOUT, all).await;
        (outcome, self.report)
    }

    async fn run(
        &mut self,
        start: Start,
        requests: &mut mpsc::Receiver<Request>,
    ) -> Result<Outcome> {
        let first = match start {
            Start::Fresh(given) => Event::Start(given),
            Start::Adopted(AdoptedRun { run, ended }) => {
                let facts = run.facts().clone();
                self.running = Some(run);
                let (tasks, sinks, staging) = (facts.tasks, facts.sinks, facts.staging);
                Event::Adopted(Adopted { tasks, sinks, staging, ended })
            }
        };
        let mut actions: VecDeque<Action> = self.step(first).into();
        loop {
            while let Some(action) = actions.pop_front() {
                if let Action::Done(outcome) = action {
                    return Ok(outcome);
                }
                for event in self.execute(action).await? {
                    actions.extend(self.step(event));
                }
            }
            let event = self.next_event(requests).await;
            actions.extend(self.step(event));
        }
    }

    fn step(&mut self, event: Event) -> Vec<Action> {
        let jitter = (random() % 2_001) as f64 / 1_000.0 - 1.0;
        self.machine.handle(self.surroundings.clock.now_ms(), jitter, event)
    }

    async fn next_event(&mut self, requests: &mut mpsc::Receiver<Request>) -> Event {
        let now = self.surroundings.clock.now_ms();
        let tick =
            self.machine.next_tick_ms().map(|at| Duration::from_millis((at - now).max(0) as u64));
        let deploying = async {
            match &mut self.deploying {
                Some((attempt, deployment)) => (*attempt, deployment.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(request) = requests.recv() => match request {
                Request::Savepoint => {
                    Event::SavepointRequested { stop: false, or_cancel: false }
                }
                Request::Stop => Event::SavepointRequested { stop: true, or_cancel: false },
                Request::StopOrCancel => Event::SavepointRequested { stop: true, or_cancel: true },
                Request::Cancel => Event::CancelRequested,
                Request::Leave => Event::LeaveRequested,
                Request::Resume { attempt, ended } => Event::Resumed { attempt, ended },
            },
            (attempt, deployment) = deploying => self.on_deployed(attempt, deployment),
            Some(event) = self.events.1.recv() => self.on_report(event),
            () = tokio::time::sleep(tick.unwrap_or(IDLE)) => Event::Tick,
        }
    }

    fn on_deployed(&mut self, attempt: Attempt, deployment: Deployment) -> Event {
        self.deploying = None;
        match deployment {
            Ok((run, needed)) => {
                let facts = run.facts().clone();
                self.warn_without_checkpoints(&facts.waiting);
                self.running = Some(run);
                self.sweep(needed);
                let (tasks, sinks, staging) = (facts.tasks, facts.sinks, facts.staging);
                Event::Deployed { attempt, tasks, sinks, staging }
            }
            Err(error) => Event::Failed { attempt, error },
        }
    }

    fn on_report(&mut self, event: TaskEvent) -> Event {
        let (attempt, task) = (event.attempt, event.report.subtask);
        match event.report.kind {
            ReportKind::Ready => Event::Ready { attempt, task },
            ReportKind::Snapshot { epoch, state } => {
                // One that was given up needs nothing any more.
                let wanted = self.triggered.contains_key(&epoch);
                if wanted && attempt == self.machine.record().attempt {
                    self.acknowledged.entry(epoch).or_default().insert(task, state);
                }
                Event::Acknowledged { attempt, epoch, task }
            }
            ReportKind::Declined { epoch, error } => Event::Declined { attempt, epoch, error },
            ReportKind::Ended => Event::Ended { attempt, task },
            ReportKind::Committed(epoch) => Event::Committed { attempt, epoch, task },
            ReportKind::Failed(error) => Event::Failed { attempt, error },
        }
    }

    /// Does one thing; what came of it goes back to the machine.
    async fn execute(&mut self, action: Action) -> Result<Vec<Event>> {
        match action {
            Action::Save(record) => self.surroundings.ledger.save(&record).await?,
            Action::Deploy { attempt, restore } => self.deploy(attempt, restore).await,
            Action::StartSources => {
                self.tell(&Control::Start)?;
                self.note(Note::Running(self.machine.record().attempt)).await;
            }
            Action::Trigger { epoch, kind } => {
                let now = (self.surroundings.clock.elapsed(), trace::now());
                self.triggered.insert(epoch, now);
                if kind != CheckpointKind::Periodic {
                    let stop = kind == CheckpointKind::StopWithSavepoint;
                    self.note(Note::SavepointTriggered { epoch, stop }).await;
                }
                self.tell(&Control::Trigger(Barrier { epoch, kind: barrier_kind(kind) }))?;
            }
            Action::WriteManifest { attempt, epoch, kind, timestamp_ms } => {
                let begin = trace::now();
                let event = self.write_manifest(attempt, epoch, kind, timestamp_ms).await;
                let failed = match &event {
                    Event::ManifestRefused { error, .. } => Some(error.to_string()),
                    _ => None,
                };
                self.trace_part("write manifest", epoch, begin, failed);
                return Ok(vec![event]);
            }
            Action::Complete(epoch) => {
                failpoint::hit("complete-commit");
                self.on_complete(epoch);
                self.sweep_if_due();
                self.tell(&Control::Complete(epoch))?;
            }
            Action::Abort(epoch) => self.tell(&Control::Aborted(epoch))?,
            Action::Abandon { epoch, reason } => {
                self.abandon(epoch, &reason);
                self.tell(&Control::Aborted(epoch))?;
            }
            Action::SavepointFailed { epoch, error } => {
                self.note(Note::SavepointFailed { epoch, error }).await;
            }
            Action::PublishSavepoint(savepoint) => {
                self.publish(&savepoint).await?;
                self.note(Note::SavepointPublished(savepoint)).await;
            }
            Action::Discard(discarded) => self.discard(discarded),
            Action::StopTasks { safe } => {
                let stopped = match self.running.take() {
                    Some(running) => running.stop().await,
                    None => Ok(()),
                };
                match stopped {
                    Err(error) if safe => {
                        tracing::warn!(job = %self.spec.job, %error, "tasks did not end in order; nothing is lost");
                    }
                    stopped => stopped?,
                }
            }
            Action::KillTasks => self.kill().await,
            Action::FallBack { damaged, used, error } => tracing::error!(
                job = %self.spec.job,
                error,
                "checkpoint {damaged} is damaged; going back to checkpoint {used}: what files and other sinks got between the two comes again; a Kafka sink that writes exactly once refuses to start"
            ),
            Action::AwaitRestart { at_ms, code, error } => {
                // Ending the tasks may have taken longer than the pause.
                let delay = (at_ms - self.surroundings.clock.now_ms()).max(0);
                tracing::error!(job = %self.spec.job, error, "run failed; restarting in {delay} ms");
                self.progress.send_modify(|progress| progress.restarts += 1);
                self.note(Note::Restarting { at_ms, code, error }).await;
            }
            Action::Done(_) => {}
        }
        Ok(Vec::new())
    }

    async fn note(&mut self, note: Note) {
        self.surroundings.ledger.note(note).await;
    }

    fn tell(&self, control: &Control) -> Result<()> {
        self.running.as_ref().map_or(Ok(()), |running| running.tell_all(control))
    }

    fn abandon(&mut self, epoch: Epoch, reason: &str) {
        tracing::warn!(job = %self.spec.job, %epoch, reason, "checkpoint given up");
        self.acknowledged.remove(&epoch);
        if let Some((_, begin)) = self.triggered.remove(&epoch) {
            self.trace_checkpoint(epoch, begin, Some(reason.to_owned()));
        }
        self.costs.remove(&epoch);
        self.sweep_later();
    }

    async fn kill(&mut self) {
        self.deploying = None;
        if let Some(running) = self.running.take() {
            running.kill().await;
        }
        self.acknowledged.clear();
        self.triggered.clear();
        self.costs.clear();
    }

    /// Begins to make the tasks of a run; how it went is an event.
    async fn deploy(&mut self, attempt: Attempt, restore: Option<CompletedCheckpoint>) {
        self.note(Note::Deploying(attempt)).await;
        let (spec, lineage) = (self.spec.clone(), self.machine.record().lineage.clone());
        let (runs, events) = (self.surroundings.runs.clone(), self.events.0.clone());
        let deployment = async move {
            let restored = match restore {
                Some(checkpoint) => Some(restored(&spec, checkpoint).await?),
                None => None,
            };
            // A savepoint's staged output is in the job's folder, but in no checkpoint's manifest there.
            let manifest = restored.as_ref().map(|restored| restored.manifest.clone());
            let needed = manifest.iter().flat_map(|manifest| manifest.staged_objects());
            let needed = needed.map(str::to_owned).collect();
            let run = runs.deploy(RunRequest { attempt, lineage, restored }, events).await?;
            Ok((run, needed))
        };
        self.deploying = Some((attempt, deployment.boxed()));
    }

    /// Says once that rows will not be seen.
    fn warn_without_checkpoints(&self, tables: &[String]) {
        let settings = ControlSettings::from_settings(&self.spec.settings);
        if !tables.is_empty() && settings.interval.is_none() && self.progress.borrow().restarts == 0
        {
            tracing::warn!(
                job = %self.spec.job,
                "rows of {} become visible with a checkpoint only, the job does not end by itself, and no checkpoints are \
                 taken: set 'execution.checkpointing.interval', for example to '1 s'",
                tables.join(", ")
            );
        }
    }

    fn on_complete(&mut self, epoch: Epoch) {
        let Some((triggered, begin)) = self.triggered.remove(&epoch) else { return };
        self.trace_checkpoint(epoch, begin, None);
        let took = (self.surroundings.clock.elapsed() - triggered).as_secs_f64() * 1e3;
        let cost = self.costs.remove(&epoch).unwrap_or_default();
        let sample = CheckpointSample { duration_ms: took, ..cost };
        self.report.add(sample);
        let CheckpointSample { pause_ms, uploaded_bytes, .. } = sample;
        tracing::debug!(%epoch, took_ms = took, pause_ms, uploaded_bytes, "checkpoint complete");
        let completed = self.report.completed;
        self.progress.send_modify(|progress| {
            progress.checkpoints = completed;
            progress.last_checkpoint_ms = took;
        });
    }
}

/// Reads the manifest of a checkpoint and sees whether it fits the job.
async fn restored(
    spec: &DriverSpec,
    checkpoint: CompletedCheckpoint,
) -> Result<RestoredCheckpoint> {
    let storage = Directory::open(&checkpoint.folder)?.storage();
    let manifest = storage.read_manifest(&checkpoint.manifest).await.map_err(of_checkpoint)?;
    check_fits(&manifest, &spec.graph, &spec.settings)?;
    tracing::info!(job = %spec.job, epoch = %manifest.epoch, "restoring");
    let reusable = checkpoint.folder == spec.folder.url() && !checkpoint.savepoint;
    Ok(RestoredCheckpoint { checkpoint, manifest: Arc::new(manifest), reusable })
}

fn barrier_kind(kind: CheckpointKind) -> BarrierKind {
    match kind {
        CheckpointKind::Periodic => BarrierKind::Checkpoint,
        CheckpointKind::Savepoint => BarrierKind::Savepoint,
        CheckpointKind::StopWithSavepoint => BarrierKind::StopWithSavepoint,
    }
}

/// A random number from the operating system, by way of the standard library's hash seeds.
pub fn random() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}
