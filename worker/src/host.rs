//! Runs the tasks of a deployment on the data plane's runtime and passes their reports on.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tidegate_checkpoint::task::TaskEvent;
use tidegate_engine::connector::ReaderContext;
use tidegate_engine::exchange::gate::InputGate;
use tidegate_engine::metrics::{OperatorMetrics, SourceMetrics, TaskMetrics};
use tidegate_engine::task::commits::Commits;
use tidegate_engine::task::process::{self, TaskCore};
use tidegate_engine::task::source::{self, Projection, SourceStage, WatermarkRule};
use tidegate_engine::task::upload::SnapshotTarget;
use tidegate_engine::task::{Control, Report, ReportKind};
use tidegate_functions::eval::Evaluator;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::Operator as PlanOperator;
use tidegate_runtime::{Task, spawn_on};
use tidegate_types::{Epoch, Error, ErrorCode, Result, SubtaskId, TaskId};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tracing::Instrument;

use crate::build::{ChainBuilder, Connectors, OutputChannels};
use crate::channels::{Inputs, Links};
use crate::deployment::Deployment;
use crate::discovery;
use crate::metrics::{OperatorEntry, RunMetrics, ShuffleMetrics};
use crate::prepare::{Prepared, known_splits};
use crate::shuffle::OpenRun;
use crate::splits::KnownSplit;

/// Instructions that may wait for a task. Few are ever under way: a checkpoint is two.
const CONTROL_CAPACITY: usize = 64;
/// How long a task may take to end after it was told to.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a task that lost its neighbour waits before it reports that.
const NEIGHBOUR_DELAY: Duration = Duration::from_millis(500);
/// In continuous mode, how long a reader may wait to fill a batch.
const LINGER: Duration = Duration::from_millis(2);

/// The tasks of a run. Dropping it ends them at once.
pub struct RunningTasks {
    controls: BTreeMap<SubtaskId, mpsc::Sender<Control>>,
    tasks: Vec<Task<Result<()>>>,
    sinks: BTreeSet<SubtaskId>,
    staging: bool,
    waiting: Vec<String>,
    discovery: Vec<Task<()>>,
    /// Channels to other workers.
    open: Option<OpenRun>,
    /// Counters.
    pub metrics: RunMetrics,
}

/// Starts the tasks of a deployment. Each reports `Ready` once its state is restored and reads nothing before
/// `Control::Start`.
///
/// # Errors
/// What connectors fail with when they are made. Failures of single tasks are reported.
pub fn start(
    deployment: Deployment,
    prepared: Prepared,
    links: Links,
    runtime: &Handle,
    events: mpsc::Sender<TaskEvent>,
) -> Result<RunningTasks> {
    let connectors = Arc::new(Connectors::make(&deployment)?);
    let mut assigned = prepared.splits;
    let known = known_splits(&assigned);
    let deployment = Arc::new(deployment);
    let mut running = RunningTasks {
        controls: BTreeMap::new(),
        tasks: Vec::new(),
        sinks: sink_subtasks(&deployment),
        staging: prepared.staging,
        waiting: prepared.waiting,
        discovery: Vec::new(),
        open: None,
        metrics: RunMetrics::default(),
    };
    let own = links.own();
    let (mut channels, open) = links.channels(&deployment)?;
    running.open = open;
    for (index, task) in deployment.tasks.tasks.iter().enumerate() {
        for subtask in 0..task.parallelism {
            let id = SubtaskId { task: TaskId(index as u32), index: subtask };
            if own.as_ref().is_some_and(|own| !own.contains(&id)) {
                continue;
            }
            let (control, controls) = mpsc::channel(CONTROL_CAPACITY);
            running.controls.insert(id, control);
            let splits = assigned
                .get_mut(&task.nodes[0])
                .map(|parts| std::mem::take(&mut parts[subtask as usize]));
            let start = TaskStart {
                id,
                deployment: deployment.clone(),
                connectors: connectors.clone(),
                controls,
                events: events.clone(),
                inputs: channels.inputs.remove(&id).unwrap_or_default(),
                outputs: channels.outputs.remove(&id).unwrap_or_default(),
                splits,
                metrics: running.metrics.clone(),
            };
            let name = format!("task {id}");
            let span = tracing::info_span!("task", job = deployment.job, task = %id);
            running.tasks.push(spawn_on(runtime, name, start.run().instrument(span)));
        }
    }
    let controls = &running.controls;
    running.discovery =
        discovery::start(&deployment, &connectors, known, controls, runtime, events)?;
    Ok(running)
}

impl RunningTasks {
    /// Every task.
    pub fn ids(&self) -> BTreeSet<SubtaskId> {
        self.controls.keys().copied().collect()
    }

    /// The tasks that have sinks.
    pub fn sinks(&self) -> &BTreeSet<SubtaskId> {
        &self.sinks
    }

    /// What is exchanged with other workers, where there are any.
    pub fn shuffle_metrics(&self) -> Option<Arc<ShuffleMetrics>> {
        self.open.as_ref().map(|open| open.metrics().clone())
    }

    /// Whether a sink shows its output only with a checkpoint.
    pub fn is_staging(&self) -> bool {
        self.staging
    }

    /// Tables whose rows nobody would see without checkpoints, although the job never ends.
    pub fn wait_for_checkpoints(&self) -> &[String] {
        &self.waiting
    }

    /// Tells every task something.
    ///
    /// # Errors
    /// `INTERNAL` if a task has stopped listening while instructions pile up.
    pub fn tell_all(&self, control: &Control) -> Result<()> {
        for (id, sender) in &self.controls {
            match sender.try_send(control.clone()) {
                // A task that is gone has reported why.
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
                Err(mpsc::error::TrySendError::Full(_)) => {
                    return Err(Error::internal(format!("task {id} does not take instructions")));
                }
            }
        }
        Ok(())
    }

    /// Lets every task end, closing its sinks.
    ///
    /// # Errors
    /// What a sink fails with that has still something to write; `UNAVAILABLE` if a task does not end in time.
    pub async fn stop(mut self) -> Result<()> {
        self.discovery.clear();
        self.tell_all(&Control::Stop)?;
        let all = futures::future::join_all(self.tasks.drain(..));
        let Ok(ended) = tokio::time::timeout(STOP_TIMEOUT, all).await else {
            let message = format!("tasks did not end within {} s", STOP_TIMEOUT.as_secs());
            return Err(Error::new(ErrorCode::Unavailable, message));
        };
        // A task whose neighbour was faster has nothing to complain about.
        let failed = ended.into_iter().filter_map(|ended| ended.and_then(|ended| ended).err());
        failed.into_iter().find(|error| error.code() != ErrorCode::Cancelled).map_or(Ok(()), Err)
    }

    /// Ends every task at its next await, and waits until it is gone.
    pub async fn kill(mut self) {
        self.discovery.clear();
        let tasks: Vec<_> = self.tasks.drain(..).collect();
        tasks.iter().for_each(Task::abort);
        let _ = tokio::time::timeout(STOP_TIMEOUT, futures::future::join_all(tasks)).await;
    }
}

fn sink_subtasks(deployment: &Deployment) -> BTreeSet<SubtaskId> {
    let is_sink =
        |node: &usize| matches!(deployment.graph.nodes[*node].operator, PlanOperator::Sink(_));
    let tasks = deployment.tasks.tasks.iter().enumerate();
    tasks
        .filter(|(_, task)| task.nodes.iter().any(is_sink))
        .flat_map(|(index, task)| {
            (0..task.parallelism)
                .map(move |subtask| SubtaskId { task: TaskId(index as u32), index: subtask })
        })
        .collect()
}

/// Everything that a subtask starts with.
struct TaskStart {
    id: SubtaskId,
    deployment: Arc<Deployment>,
    connectors: Arc<Connectors>,
    controls: mpsc::Receiver<Control>,
    events: mpsc::Sender<TaskEvent>,
    inputs: Inputs,
    outputs: Vec<OutputChannels>,
    splits: Option<Vec<KnownSplit>>,
    metrics: RunMetrics,
}

impl TaskStart {
    async fn run(self) -> Result<()> {
        let (id, events, attempt) = (self.id, self.events.clone(), self.deployment.attempt);
        let result = match AssertUnwindSafe(self.run_task()).catch_unwind().await {
            Ok(result) => result,
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text =
                    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                Err(Error::internal(format!("task {id} panicked: {}", text.unwrap_or_default())))
            }
        };
        if let Err(error) = &result {
            let mut error = error.clone();
            if error.code() == ErrorCode::Cancelled {
                // Most likely a neighbour failed: let it say why first. One that was lost with its worker says nothing,
                // and a restart may help.
                tokio::time::sleep(NEIGHBOUR_DELAY).await;
                error = error.with_code(ErrorCode::Unavailable);
            }
            let report = Report { subtask: id, kind: ReportKind::Failed(error) };
            let _ = events.send(TaskEvent { attempt, report }).await;
        }
        result
    }

    async fn run_task(self) -> Result<()> {
        let task = &self.deployment.tasks.tasks[self.id.task.0 as usize];
        let task_metrics = Arc::new(TaskMetrics::default());
        let (reports, mut forwarded) = mpsc::channel::<Report>(CONTROL_CAPACITY);
        let (events, attempt) = (self.events.clone(), self.deployment.attempt);
        let _forwarder = tidegate_runtime::spawn(format!("reports of {}", self.id), async move {
            while let Some(report) = forwarded.recv().await {
                if events.send(TaskEvent { attempt, report }).await.is_err() {
                    return;
                }
            }
        });
        let builder = ChainBuilder {
            deployment: &self.deployment,
            connectors: &self.connectors,
            task,
            subtask: self.id,
            outputs: self.outputs,
            task_metrics: task_metrics.clone(),
            run_metrics: &self.metrics,
        };
        let before = self.deployment.clock.elapsed();
        let chain = builder.build().await?;
        let restored = self.deployment.clock.elapsed() - before;
        task_metrics.restored.add(restored.as_nanos() as u64);
        let watermark = chain.watermark();
        let mut core = TaskCore {
            subtask: self.id,
            chain,
            target: SnapshotTarget {
                checkpoints: self.deployment.checkpoints.clone(),
                savepoints: self.deployment.savepoints.clone(),
                attempt,
                subtask: self.id,
            },
            controls: self.controls,
            reports,
            clock: self.deployment.clock.clone(),
            metrics: task_metrics.clone(),
            copying: None,
            upload: None,
            commits: Commits::default(),
            taken: Epoch(0),
        };
        core.report(ReportKind::Ready).await;
        match self.splits {
            Some(splits) => {
                let stage = source_stage(
                    &self.deployment,
                    &self.connectors,
                    self.id,
                    task_metrics,
                    &self.metrics,
                )?;
                source::run(core, stage, splits).await
            }
            None => process::run(core, InputGate::new(self.inputs, watermark)).await,
        }
    }
}

fn source_stage(
    deployment: &Deployment,
    connectors: &Connectors,
    id: SubtaskId,
    task_metrics: Arc<TaskMetrics>,
    run_metrics: &RunMetrics,
) -> Result<SourceStage> {
    let task = &deployment.tasks.tasks[id.task.0 as usize];
    let root = task.nodes[0];
    let node = &deployment.graph.nodes[root];
    let source = connectors.source(root)?;
    let counters = Arc::new(SourceMetrics::default());
    let metrics = Arc::new(OperatorMetrics::default());
    let reader = source.reader(ReaderContext {
        subtask: id.index,
        parallelism: task.parallelism,
        batch_rows: deployment.batch_rows,
        linger: LINGER,
        metrics: counters.clone(),
    })?;
    run_metrics.register(OperatorEntry {
        node: root,
        id: node.id,
        name: node.name.clone(),
        subtask: id.index,
        metrics: metrics.clone(),
        source: Some(counters),
        sink: None,
        task: task_metrics,
    });
    let settings = &deployment.graph.settings;
    let schema = arrow_schema(&node.schema);
    let (columns, watermark) = match &node.operator {
        PlanOperator::Source(plan) => {
            let columns =
                plan.projection.iter().map(|column| Evaluator::compile(&column.expr, settings));
            let rule = plan.watermark.as_ref().map(|spec| {
                Ok::<_, Error>(WatermarkRule {
                    column: spec.column,
                    name: node.schema[spec.column].name.clone(),
                    expr: Evaluator::compile(&spec.expr, settings)?,
                    idle_timeout: Duration::from_millis(spec.idle_timeout_ms),
                })
            });
            (Some(columns.collect::<Result<Vec<_>>>()?), rule.transpose()?)
        }
        _ => (None, None),
    };
    Ok(SourceStage {
        id: node.id,
        name: node.name.clone(),
        reader,
        projection: Projection { columns, schema },
        watermark,
        mode: deployment.mode,
        bounded: source.is_bounded(),
        metrics,
    })
}
