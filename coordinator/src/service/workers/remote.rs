//! Runs on workers: placing them, having them prepared and deployed, telling their tasks things, ending them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tidegate_checkpoint::task::{Control, TaskEvent};
use tidegate_job_control::Request;
use tidegate_job_control::driver::run::{AdoptedRun, Run, RunFacts, RunRequest, Runs};
use tidegate_plan::operator::Operator;
use tidegate_plan::task_graph::TaskGraph;
use tidegate_plan::{StreamGraph, encoding};
use tidegate_proto::internal::v1 as wire;
use tidegate_proto::internal::v1::task_status::State;
use tidegate_proto::internal::v1::worker_command::Command;
use tidegate_proto::tasks::{self, subtask_to_wire, to_json};
use tidegate_runtime::Task;
use tidegate_runtime::telemetry::trace;
use tidegate_types::{Attempt, Error, ErrorCode, Result, SubtaskId, TaskId};
use tokio::sync::mpsc;

use super::pool::{SessionId, WorkerInfo, WorkerPool};
use super::watch::Watch;
use crate::jobs::traces::RunTraces;
use crate::scheduler::{Candidate, Placement, Problem, Shortage, place, slots_by_worker};

/// How long workers may take to end a run.
const END_TIMEOUT: Duration = Duration::from_secs(70);
/// How long a worker may take to find out about the outside systems of a run.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(120);
/// How long workers may take to start a run's tasks (restoring state comes after that).
const DEPLOY_TIMEOUT: Duration = Duration::from_secs(120);

/// How often a run that waits for slots looks for them although no worker has come.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What all runs of a job have in common.
#[derive(Debug, Clone)]
pub(crate) struct JobOnWorkers {
    /// `projects/{project}/jobs/{job}`
    pub(crate) job: String,
    pub(crate) graph: Arc<StreamGraph>,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) parallelism: u32,
    /// Folder of its checkpoints, and of its savepoints.
    pub(crate) folder: String,
    pub(crate) savepoints: String,
    /// Labels that workers must have.
    pub(crate) labels: BTreeMap<String, String>,
}

/// What a job waits for is told here; none once it waits for nothing.
pub(crate) type OnWait = Arc<dyn Fn(Option<String>) + Send + Sync>;

/// Runs of one job on the workers of a pool.
pub(crate) struct RemoteRuns {
    pub(crate) pool: WorkerPool,
    pub(crate) job: JobOnWorkers,
    pub(crate) traces: RunTraces,
    pub(crate) drained: Arc<dyn Fn() -> BTreeSet<String> + Send + Sync>,
    pub(crate) on_wait: OnWait,
    /// By which workers of a run know each other.
    pub(crate) token: Arc<dyn Fn() -> Vec<u8> + Send + Sync>,
    /// Where the driver of the job takes requests.
    pub(crate) requests: mpsc::Sender<Request>,
}

/// Why a job could not be placed at this moment if its run was not there; none if it could.
pub(crate) fn shortage(
    pool: &WorkerPool,
    job: &str,
    drained: &BTreeSet<String>,
    problem: &Problem,
) -> Option<Shortage> {
    pool.without(job, |workers| place(&candidates(workers, drained), problem).err())
}

fn candidates(workers: &[(WorkerInfo, u32)], drained: &BTreeSet<String>) -> Vec<Candidate> {
    let candidate = |(info, used): &(WorkerInfo, u32)| Candidate {
        name: info.name.clone(),
        slots: info.slots,
        used: *used,
        labels: info.labels.clone(),
        draining: drained.contains(&info.name),
    };
    workers.iter().map(candidate).collect()
}

/// A worker with its stream.
type Party = (WorkerInfo, SessionId);

impl RemoteRuns {
    fn task_graph(&self) -> TaskGraph {
        TaskGraph::build(&self.job.graph, self.job.parallelism)
    }

    /// Waits until there are slots for the run, and takes them.
    async fn place(&self, tasks: &TaskGraph) -> Placement {
        let problem = Problem {
            parallelism: tasks.tasks.iter().map(|task| task.parallelism).collect(),
            labels: self.job.labels.clone(),
        };
        let mut changes = self.pool.changes();
        loop {
            changes.mark_unchanged();
            let drained = (self.drained)();
            let placed = self.pool.reserve(&self.job.job, |workers| {
                let placement = place(&candidates(workers, &drained), &problem)?;
                let slots = slots_by_worker(&placement);
                Ok::<_, Shortage>((placement, slots))
            });
            match placed {
                Ok(placement) => {
                    (self.on_wait)(None);
                    return placement;
                }
                Err(shortage) => {
                    (self.on_wait)(Some(shortage.to_string()));
                    // A worker may be taken back from a drain, which is no change of the pool.
                    let _ = tokio::time::timeout(LOOK_AGAIN, changes.changed()).await;
                }
            }
        }
    }

    fn spec(&self, request: &RunRequest) -> Result<wire::RunSpec> {
        let restored = request.restored.as_ref();
        let bytes = restored.map(|restored| to_json(&restored.checkpoint)).transpose()?;
        Ok(wire::RunSpec {
            job: self.job.job.clone(),
            attempt: request.attempt.0,
            lineage: request.lineage.clone(),
            plan: encoding::encode(&self.job.graph)?.into_bytes(),
            parallelism: self.job.parallelism,
            settings: self.job.settings.clone().into_iter().collect(),
            folder: self.job.folder.clone(),
            savepoints: self.job.savepoints.clone(),
            restored: bytes.unwrap_or_default(),
            reusable: restored.is_some_and(|restored| restored.reusable),
            traceparent: self.traces.traceparent(request.attempt),
        })
    }

    /// The workers of a placement, all of which must be there.
    fn parties(&self, placement: &Placement) -> Result<BTreeMap<String, Party>> {
        let names: BTreeSet<&String> = placement.values().collect();
        let party = |name: &String| {
            let there = self.pool.session(name).ok_or_else(|| {
                Error::new(ErrorCode::Unavailable, format!("worker {name} has gone away"))
            })?;
            Ok((name.clone(), there))
        };
        names.into_iter().map(party).collect()
    }
}

#[async_trait]
impl Runs for RemoteRuns {
    async fn deploy(
        &self,
        request: RunRequest,
        events: mpsc::Sender<TaskEvent>,
    ) -> Result<Box<dyn Run>> {
        let task_graph = self.task_graph();
        let begin = trace::now();
        let placement = self.place(&task_graph).await;
        self.traces.step("schedule", request.attempt, begin, None);
        let parties = self.parties(&placement)?;
        let spec = self.spec(&request)?;
        let attempt = request.attempt;
        // Whatever was begun ends if this is given up.
        let mut begun = Begun {
            pool: self.pool.clone(),
            job: self.job.job.clone(),
            attempt,
            parties: BTreeMap::new(),
        };
        let (leader, session) = parties
            .first_key_value()
            .map(|(name, (_, session))| (name.clone(), *session))
            .ok_or_else(|| Error::internal("a run without tasks"))?;
        let prepare =
            |request| Command::Prepare(wire::Prepare { request, run: Some(spec.clone()) });
        let begin = trace::now();
        let asked = self.pool.ask(&leader, session, prepare);
        let prepared = tokio::time::timeout(PREPARE_TIMEOUT, asked).await.unwrap_or_else(|_| {
            let message = format!(
                "worker {leader} has not reached the systems of the job's tables within {} s",
                PREPARE_TIMEOUT.as_secs()
            );
            Err(Error::new(ErrorCode::Unavailable, message))
        });
        let failed = prepared.as_ref().err().map(Error::to_string);
        self.traces.step("prepare", attempt, begin, failed);
        let prepared = match prepared? {
            wire::answer::Result::Prepared(prepared) => prepared,
            _ => return Err(tasks::malformed("an answer to something else")),
        };
        self.pool.route(&self.job.job, attempt, events.clone());
        let facts = facts(&self.job.graph, &task_graph, &prepared);
        let wire_facts = facts_to_wire(&facts);
        let deploy = wire::Deploy {
            request: 0,
            run: Some(spec),
            placement: placed(&placement, &parties),
            sources: prepared.sources,
            facts: Some(wire_facts.clone()),
            token: (self.token)(),
        };
        let mut answers = Vec::new();
        let begin = trace::now();
        for (name, (_, session)) in &parties {
            let of_it =
                |(subtask, worker): (&SubtaskId, &String)| (worker == name).then_some(*subtask);
            let own: BTreeSet<SubtaskId> = placement.iter().filter_map(of_it).collect();
            self.pool.hosts(name, &self.job.job, attempt, &wire_facts, &own);
            begun.parties.insert(name.clone(), *session);
            let deploy = deploy.clone();
            answers.push(self.pool.ask(name, *session, move |request| {
                Command::Deploy(wire::Deploy { request, ..deploy })
            }));
        }
        let all = futures::future::try_join_all(answers);
        let answered = tokio::time::timeout(DEPLOY_TIMEOUT, all).await;
        let answered = answered.unwrap_or_else(|_| {
            let message =
                format!("workers did not start the tasks within {} s", DEPLOY_TIMEOUT.as_secs());
            Err(Error::new(ErrorCode::Unavailable, message))
        });
        let failed = answered.as_ref().err().map(Error::to_string);
        self.traces.step("deploy", attempt, begin, failed);
        answered?;
        let parties = std::mem::take(&mut begun.parties);
        Ok(Box::new(self.watched(attempt, facts, parties, events)))
    }
}

impl RemoteRuns {
    /// A run with a watch over its workers.
    fn watched(
        &self,
        attempt: Attempt,
        facts: RunFacts,
        workers: BTreeMap<String, SessionId>,
        events: mpsc::Sender<TaskEvent>,
    ) -> RemoteRun {
        let (pool, job) = (self.pool.clone(), self.job.job.clone());
        let names = workers.keys().cloned().collect();
        let watch = facts.tasks.first().map(|task| {
            let (pool, job, requests) = (pool.clone(), job.clone(), self.requests.clone());
            Watch { pool, job, attempt, workers, task: *task, events, requests }.start()
        });
        RemoteRun { pool, job, attempt, facts, workers: names, _watch: watch }
    }

    /// The run as it is on the workers, whose reports go to `events` from now on; `None` if a part of it is missing or
    /// has no state yet.
    pub(crate) fn adopt(
        &self,
        attempt: Attempt,
        events: mpsc::Sender<TaskEvent>,
    ) -> Option<AdoptedRun> {
        let found = self.pool.route(&self.job.job, attempt, events.clone());
        let facts = facts_from_wire(&found.facts);
        let usable = |subtask: &SubtaskId| {
            matches!(found.states.get(subtask), Some(State::Ready | State::Ended))
        };
        // On a worker that is to be emptied it stays until there is room elsewhere.
        let expected: usize =
            self.task_graph().tasks.iter().map(|task| task.parallelism as usize).sum();
        if facts.tasks.len() != expected || !facts.tasks.iter().all(usable) {
            return None;
        }
        let ended = found.states.iter().filter(|(_, state)| **state == State::Ended);
        let ended = ended.map(|(subtask, _)| *subtask).collect();
        self.pool.hold(&self.job.job, found.slots());
        let run = Box::new(self.watched(attempt, facts, found.workers, events));
        Some(AdoptedRun { run, ended })
    }
}

/// A deployment that may be given up.
struct Begun {
    pool: WorkerPool,
    job: String,
    attempt: Attempt,
    parties: BTreeMap<String, SessionId>,
}

impl Drop for Begun {
    fn drop(&mut self) {
        for (worker, session) in &self.parties {
            // A worker that is gone has nothing to end; one that comes back with the run is told again.
            let _ = self.pool.tell(worker, *session, end(0, &self.job, self.attempt, false));
        }
    }
}

fn end(request: u64, job: &str, attempt: Attempt, orderly: bool) -> Command {
    Command::EndRun(wire::EndRun { request, job: job.to_owned(), attempt: attempt.0, orderly })
}

/// A run on workers.
pub(crate) struct RemoteRun {
    pool: WorkerPool,
    job: String,
    attempt: Attempt,
    facts: RunFacts,
    workers: Vec<String>,
    _watch: Option<Task<()>>,
}

impl RemoteRun {
    async fn end(self: Box<Self>, orderly: bool) -> Result<()> {
        let mut answers = Vec::new();
        for worker in &self.workers {
            // A worker that is gone ends the run when it comes back and finds that nobody wants it.
            let Some((_, session)) = self.pool.session(worker) else { continue };
            let (job, attempt) = (self.job.clone(), self.attempt);
            let pool = self.pool.clone();
            answers.push(async move {
                let name = job.clone();
                let ask =
                    pool.ask(worker, session, move |request| end(request, &name, attempt, orderly));
                ask.await?;
                pool.ended(worker, &job, attempt);
                Ok::<_, Error>(())
            });
        }
        let all = futures::future::join_all(answers);
        let answered = tokio::time::timeout(END_TIMEOUT, all).await;
        let answered = answered.map_err(|_| {
            let message =
                format!("workers did not end the tasks within {} s", END_TIMEOUT.as_secs());
            Error::new(ErrorCode::Unavailable, message)
        })?;
        answered.into_iter().collect::<Result<Vec<_>>>().map(drop)
    }
}

#[async_trait]
impl Run for RemoteRun {
    fn facts(&self) -> &RunFacts {
        &self.facts
    }

    fn tell_all(&self, control: &Control) -> Result<()> {
        let tell = tasks::tell(&self.job, self.attempt, control)?;
        for worker in &self.workers {
            let Some((_, session)) = self.pool.session(worker) else { continue };
            match self.pool.tell(worker, session, Command::Tell(tell.clone())) {
                // A worker that is gone fails the run, or comes back and is told everything again.
                Err(error) if error.code() == ErrorCode::Unavailable => {}
                told => told?,
            }
        }
        Ok(())
    }

    async fn stop(self: Box<Self>) -> Result<()> {
        self.end(true).await
    }

    async fn kill(self: Box<Self>) {
        let job = self.job.clone();
        if let Err(error) = self.end(false).await {
            tracing::warn!(%error, job, "a run may not be gone yet; what it still does is refused");
        }
    }
}

/// Ends a run on a worker where nobody wants it any more, in the background.
pub(crate) fn end_unwanted(
    pool: &WorkerPool,
    job: String,
    attempt: Attempt,
    worker: String,
    session: SessionId,
) {
    tracing::info!(job, %attempt, worker, "ending a run that nobody wants");
    if pool.tell(&worker, session, end(0, &job, attempt, false)).is_ok() {
        pool.ended(&worker, &job, attempt);
    }
}

fn facts(graph: &StreamGraph, tasks: &TaskGraph, prepared: &wire::Prepared) -> RunFacts {
    let mut facts = RunFacts {
        staging: prepared.staging,
        waiting: prepared.waiting.clone(),
        ..RunFacts::default()
    };
    for (index, task) in tasks.tasks.iter().enumerate() {
        let is_sink = |node: &usize| matches!(graph.nodes[*node].operator, Operator::Sink(_));
        let sink = task.nodes.iter().any(is_sink);
        for subtask in 0..task.parallelism {
            let id = SubtaskId { task: TaskId(index as u32), index: subtask };
            facts.tasks.insert(id);
            if sink {
                facts.sinks.insert(id);
            }
        }
    }
    facts
}

fn facts_to_wire(facts: &RunFacts) -> wire::RunFacts {
    let all = |ids: &BTreeSet<SubtaskId>| ids.iter().copied().map(subtask_to_wire).collect();
    wire::RunFacts {
        tasks: all(&facts.tasks),
        sinks: all(&facts.sinks),
        staging: facts.staging,
        waiting: facts.waiting.clone(),
    }
}

fn facts_from_wire(facts: &wire::RunFacts) -> RunFacts {
    RunFacts {
        tasks: facts.tasks.iter().map(tasks::subtask).collect(),
        sinks: facts.sinks.iter().map(tasks::subtask).collect(),
        staging: facts.staging,
        waiting: facts.waiting.clone(),
    }
}

fn placed(placement: &Placement, parties: &BTreeMap<String, Party>) -> Vec<wire::Placed> {
    let one = |(subtask, worker): (&SubtaskId, &String)| wire::Placed {
        subtask: Some(subtask_to_wire(*subtask)),
        worker: worker.clone(),
        shuffle_address: parties
            .get(worker)
            .map(|(info, _)| info.shuffle_address.clone())
            .unwrap_or_default(),
    };
    placement.iter().map(one).collect()
}
