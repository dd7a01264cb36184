//! The driver of one job: asks the state machine what to do, does it, and tells it what happened.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tidegate_engine::checkpoint::Manifest;
use tidegate_engine::task::snapshot::of_checkpoint;
use tidegate_engine::task::{Control, ReportKind, TaskState};
use tidegate_engine::{Barrier, BarrierKind};
use tidegate_job_control::{
    Action, CheckpointKind, CompletedCheckpoint, ControlSettings, Event, Job, Outcome,
};
use tidegate_plan::StreamGraph;
use tidegate_plan::task_graph::TaskGraph;
use tidegate_runtime::{Clock, Task, failpoint};
use tidegate_types::error::ResultExt;
use tidegate_types::{Attempt, Epoch, Result, SubtaskId};
use tidegate_worker::{
    ConnectorFactory, Deployment, Restored, RunMetrics, RunningTasks, TaskEvent,
};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::metadata::MetadataStore;
use super::opening::{check_fits, open_record};
use super::report::{CheckpointSample, JobReport, Restores, inserts};
use super::resources;
use super::spec::{JobSpec, Progress, Request};
use super::storage::{Directory, RestoreFrom, find};

mod cleaning;
mod manifests;

/// Events that may wait for the driver.
const EVENT_CAPACITY: usize = 1024;
/// How long the end of a job waits for deletions of old checkpoints.
const BACKGROUND_TIMEOUT: Duration = Duration::from_secs(10);
/// Completed checkpoints whose durations are kept for the report.
const MAX_SAMPLES: usize = 100_000;

/// The surroundings of embedded jobs.
#[derive(Clone)]
pub(crate) struct Embedded {
    /// Time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Connectors.
    pub(crate) connectors: Arc<dyn ConnectorFactory>,
    /// The data plane's runtime.
    pub(crate) runtime: Handle,
}

impl Embedded {
    /// Runs a job to its end. `requests` may stop it, `progress` shows how it goes.
    ///
    /// # Errors
    /// Why the job failed for good, or could not start.
    pub(crate) async fn run(
        &self,
        spec: JobSpec,
        requests: mpsc::Receiver<Request>,
        progress: watch::Sender<Progress>,
    ) -> Result<(Outcome, JobReport)> {
        let mut driver = Driver::open(self.clone(), spec, progress).await?;
        let outcome = driver.run(requests).await;
        driver.kill().await;
        driver.finish_background().await;
        Ok((outcome?, driver.report()))
    }
}

struct Driver {
    embedded: Embedded,
    spec: JobSpec,
    tasks: Arc<TaskGraph>,
    graph: Arc<StreamGraph>,
    machine: Job,
    metadata: MetadataStore,
    folder: Directory,
    savepoints: Directory,
    /// What the job starts from, best first.
    initial: Vec<CompletedCheckpoint>,
    running: Option<RunningTasks>,
    acknowledged: BTreeMap<Epoch, BTreeMap<SubtaskId, TaskState>>,
    prepared: HashMap<Epoch, Manifest>,
    triggered: HashMap<Epoch, Duration>,
    /// What checkpoints that are being completed cost so far.
    costs: HashMap<Epoch, CheckpointSample>,
    events: (mpsc::Sender<TaskEvent>, mpsc::Receiver<TaskEvent>),
    background: Vec<Task<()>>,
    /// When to look for what abandoned checkpoints left.
    sweep_at: Option<Duration>,
    progress: watch::Sender<Progress>,
    samples: Vec<CheckpointSample>,
    restores: Restores,
    completed: u64,
    started: Duration,
    metrics: RunMetrics,
}

impl Driver {
    async fn open(
        embedded: Embedded,
        spec: JobSpec,
        progress: watch::Sender<Progress>,
    ) -> Result<Self> {
        let home = spec.directory.child(spec.job.as_str());
        let clock_id = embedded.clock.now_ms();
        home.storage()
            .probe(&format!("{clock_id}-{:x}", random()))
            .await
            .context(|| format!("open checkpoint directory {}", spec.directory.url()))?;
        let metadata = MetadataStore::new(home.storage());
        let previous = metadata.load().await?;
        let initial = match &spec.restore {
            None => Vec::new(),
            Some(path) => match find(path, &spec.job).await.context(|| "restore")? {
                RestoreFrom::Checkpoints(checkpoints) => checkpoints,
                RestoreFrom::Nothing => {
                    tracing::warn!(job = %spec.job, "no checkpoint was ever completed at {path}: the job starts from the beginning");
                    Vec::new()
                }
            },
        };
        let (record, folder) = open_record(&spec, &home, previous, initial.first());
        let savepoints = match &spec.savepoint_dir {
            Some(directory) => directory.child(spec.job.as_str()),
            None => folder.child("savepoints"),
        };
        let tasks = Arc::new(TaskGraph::build(&spec.graph, spec.parallelism));
        let started = embedded.clock.elapsed();
        Ok(Self {
            graph: Arc::new(spec.graph.clone()),
            machine: Job::new(record, ControlSettings::from_settings(&spec.settings)),
            tasks,
            metadata,
            folder,
            savepoints,
            initial,
            running: None,
            acknowledged: BTreeMap::new(),
            prepared: HashMap::new(),
            triggered: HashMap::new(),
            costs: HashMap::new(),
            events: mpsc::channel(EVENT_CAPACITY),
            background: Vec::new(),
            sweep_at: None,
            progress,
            samples: Vec::new(),
            restores: Restores::default(),
            completed: 0,
            started,
            metrics: RunMetrics::default(),
            embedded,
            spec,
        })
    }

    /// Lets deletions under way end, within a bound.
    async fn finish_background(&mut self) {
        let all = futures::future::join_all(self.background.drain(..));
        let _ = tokio::time::timeout(BACKGROUND_TIMEOUT, all).await;
    }

    async fn run(&mut self, mut requests: mpsc::Receiver<Request>) -> Result<Outcome> {
        let initial = std::mem::take(&mut self.initial);
        let mut actions: VecDeque<Action> = self.step(Event::Start(initial)).into();
        loop {
            while let Some(action) = actions.pop_front() {
                if let Action::Done(outcome) = action {
                    return Ok(outcome);
                }
                for event in self.execute(action).await? {
                    actions.extend(self.step(event));
                }
            }
            let event = self.next_event(&mut requests).await;
            actions.extend(self.step(event));
        }
    }

    fn step(&mut self, event: Event) -> Vec<Action> {
        let jitter = (random() % 2_001) as f64 / 1_000.0 - 1.0;
        self.machine.handle(self.embedded.clock.now_ms(), jitter, event)
    }

    async fn next_event(&mut self, requests: &mut mpsc::Receiver<Request>) -> Event {
        let now = self.embedded.clock.now_ms();
        let tick =
            self.machine.next_tick_ms().map(|at| Duration::from_millis((at - now).max(0) as u64));
        tokio::select! {
            Some(request) = requests.recv() => match request {
                Request::Stop => Event::SavepointRequested { stop: true },
                Request::Cancel => Event::CancelRequested,
            },
            Some(event) = self.events.1.recv() => self.on_report(event),
            () = tokio::time::sleep(tick.unwrap_or(Duration::from_secs(3600))) => Event::Tick,
        }
    }

    fn on_report(&mut self, event: TaskEvent) -> Event {
        let (attempt, task) = (event.attempt, event.report.subtask);
        match event.report.kind {
            ReportKind::Ready => Event::Ready { attempt, task },
            ReportKind::Snapshot { epoch, state } => {
                if attempt == self.machine.record().attempt {
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
            Action::Save(record) => self.metadata.save(&record).await.map(|()| Vec::new()),
            Action::Deploy { attempt, restore } => Ok(self.deploy(attempt, restore).await),
            Action::StartSources => self.tell(&Control::Start),
            Action::Trigger { epoch, kind } => {
                self.triggered.insert(epoch, self.embedded.clock.elapsed());
                self.tell(&Control::Trigger(Barrier { epoch, kind: barrier_kind(kind) }))
            }
            Action::WriteManifest { attempt, epoch, kind, timestamp_ms } => {
                Ok(vec![self.write_manifest(attempt, epoch, kind, timestamp_ms).await])
            }
            Action::Complete(epoch) => {
                failpoint::hit("complete-commit");
                self.on_complete(epoch);
                self.sweep_if_due();
                self.tell(&Control::Complete(epoch))
            }
            Action::Abandon { epoch, reason } => {
                tracing::warn!(%epoch, reason, "checkpoint given up");
                self.acknowledged.remove(&epoch);
                self.triggered.remove(&epoch);
                self.costs.remove(&epoch);
                self.sweep_later();
                Ok(Vec::new())
            }
            Action::PublishSavepoint(savepoint) => {
                self.publish(&savepoint).await.map(|()| Vec::new())
            }
            Action::Discard(discarded) => {
                self.discard(discarded);
                Ok(Vec::new())
            }
            Action::StopTasks => {
                if let Some(running) = self.running.take() {
                    running.stop().await?;
                }
                Ok(Vec::new())
            }
            Action::KillTasks => {
                self.kill().await;
                Ok(Vec::new())
            }
            Action::FallBack { damaged, used, error } => {
                tracing::error!(
                    job = %self.spec.job,
                    error,
                    "checkpoint {damaged} is damaged; going back to checkpoint {used}: what files and other sinks got between the two comes again; a Kafka sink that writes exactly once refuses to start"
                );
                Ok(Vec::new())
            }
            Action::AwaitRestart { at_ms, error } => {
                // Ending the tasks may have taken longer than the pause.
                let delay = (at_ms - self.embedded.clock.now_ms()).max(0);
                tracing::error!(job = %self.spec.job, error, "run failed; restarting in {delay} ms");
                self.progress.send_modify(|progress| progress.restarts += 1);
                Ok(Vec::new())
            }
            Action::Done(_) => Ok(Vec::new()),
        }
    }

    fn tell(&self, control: &Control) -> Result<Vec<Event>> {
        if let Some(running) = &self.running {
            running.tell_all(control)?;
        }
        Ok(Vec::new())
    }

    async fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill().await;
        }
        self.acknowledged.clear();
        self.triggered.clear();
        self.costs.clear();
        self.restores.add(self.machine.record().attempt, &self.metrics);
    }

    async fn deploy(
        &mut self,
        attempt: Attempt,
        restore: Option<CompletedCheckpoint>,
    ) -> Vec<Event> {
        match self.try_deploy(attempt, restore).await {
            Ok(event) => vec![event],
            Err(error) => vec![Event::Failed { attempt, error }],
        }
    }

    async fn try_deploy(
        &mut self,
        attempt: Attempt,
        restore: Option<CompletedCheckpoint>,
    ) -> Result<Event> {
        let restored = match restore {
            Some(checkpoint) => Some(self.restore(&checkpoint).await?),
            None => None,
        };
        if let Some(restored) = &restored {
            tracing::info!(job = %self.spec.job, epoch = %restored.manifest.epoch, "restoring");
        }
        // A savepoint's staged output is in the job's folder, but in no checkpoint's manifest there.
        let manifest = restored.as_ref().map(|restored| &restored.manifest);
        let needed = manifest.iter().flat_map(|m| m.staged_objects()).map(str::to_owned).collect();
        let deployment = Deployment {
            graph: self.graph.clone(),
            tasks: self.tasks.clone(),
            attempt,
            lineage: self.machine.record().lineage.clone(),
            batch_rows: self.spec.settings.integer("execution.batch-size").unwrap_or(8192) as usize,
            mode: self.spec.settings.execution_mode(),
            restored,
            checkpoints: self.folder.storage(),
            savepoints: self.savepoints.storage(),
            staged_as: self.folder.staged_as(),
            memory: resources::memory(&self.spec.settings),
            spill: resources::spill(&self.spec.settings),
            clock: self.embedded.clock.clone(),
            connectors: self.embedded.connectors.clone(),
        };
        let running =
            tidegate_worker::start(deployment, &self.embedded.runtime, self.events.0.clone())
                .await?;
        self.warn_without_checkpoints(running.wait_for_checkpoints());
        self.metrics = running.metrics.clone();
        let metrics = running.metrics.clone();
        self.progress.send_modify(|progress| progress.metrics = metrics);
        let event = Event::Deployed {
            attempt,
            tasks: running.ids(),
            sinks: running.sinks().clone(),
            staging: running.is_staging(),
        };
        self.running = Some(running);
        self.sweep(needed);
        Ok(event)
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

    async fn restore(&self, checkpoint: &CompletedCheckpoint) -> Result<Restored> {
        let directory = Directory::open(&checkpoint.folder)?;
        let storage = directory.storage();
        let manifest = storage.read_manifest(&checkpoint.manifest).await.map_err(of_checkpoint)?;
        check_fits(&manifest, &self.graph, &self.spec.settings)?;
        let reusable = checkpoint.folder == self.folder.url() && !checkpoint.savepoint;
        let staging = match &manifest.staging {
            Some(folder) => Directory::open(folder)?.storage(),
            None => storage.clone(),
        };
        Ok(Restored { storage, staging, manifest, reusable })
    }

    fn on_complete(&mut self, epoch: Epoch) {
        let Some(triggered) = self.triggered.remove(&epoch) else { return };
        let took = (self.embedded.clock.elapsed() - triggered).as_secs_f64() * 1e3;
        self.completed += 1;
        let cost = self.costs.remove(&epoch).unwrap_or_default();
        let sample = CheckpointSample { duration_ms: took, ..cost };
        if self.samples.len() < MAX_SAMPLES {
            self.samples.push(sample);
        }
        let CheckpointSample { pause_ms, uploaded_bytes, .. } = sample;
        tracing::debug!(%epoch, took_ms = took, pause_ms, uploaded_bytes, "checkpoint complete");
        let completed = self.completed;
        self.progress.send_modify(|progress| {
            progress.checkpoints = completed;
            progress.last_checkpoint_ms = took;
        });
    }

    fn report(&self) -> JobReport {
        let wall = (self.embedded.clock.elapsed() - self.started).as_secs_f64();
        JobReport {
            inserts: inserts(&self.graph, &self.metrics, wall),
            checkpoints_completed: self.completed,
            checkpoints: self.samples.clone(),
            restored_bytes: self.restores.bytes,
            restore_seconds: self.restores.seconds,
            state_bytes: self.restores.state_bytes,
            spilled_bytes: self.restores.spilled_bytes,
            spill_written_bytes: self.restores.spill_written_bytes,
        }
    }
}

fn barrier_kind(kind: CheckpointKind) -> BarrierKind {
    match kind {
        CheckpointKind::Periodic => BarrierKind::Checkpoint,
        CheckpointKind::Savepoint => BarrierKind::Savepoint,
        CheckpointKind::StopWithSavepoint => BarrierKind::StopWithSavepoint,
    }
}

/// A random number from the operating system, by way of the standard library's hash seeds.
pub(crate) fn random() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}
