//! The stream to the leader: found, kept, found again; commands are carried out, reports sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use tidegate_checkpoint::task::{Control, Report, ReportKind, TaskEvent};
use tidegate_proto::internal::v1 as wire;
use tidegate_proto::internal::v1::worker_command::Command;
use tidegate_proto::internal::v1::worker_message::Message;
use tidegate_proto::tasks;
use tidegate_runtime::{Refused, Task, refused, spawn};
use tidegate_types::{Attempt, Error, JobId, Result, SubtaskId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Interval, MissedTickBehavior};

use super::answers::{answer, log};
use super::counters;
use super::deploying::{self, Host};
use super::metrics::WorkerMetrics;
use super::opening::{Connect, Session, open, unavailable};
use super::reports::Unacknowledged;
use super::runs::{Hosted, Runs};
use super::traces::RunTraces;
use crate::channels::{Links, Placement};
use crate::host::{self, RunningTasks};
use crate::prepare::Prepared;
use crate::shuffle::{RunKey, Shuffle, Token, WorkerName};

/// Reports of tasks that may wait for the agent.
const EVENTS: usize = 1024;
/// Pause before the next coordinator is tried; doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(2);
/// A leader from which nothing was heard for this long is looked for again.
const SILENCE: Duration = Duration::from_millis(3_500);

/// Who a worker is and whom it looks for.
#[derive(Debug, Clone)]
pub struct AgentOptions {
    /// Its name.
    pub name: String,
    /// Made by this process; larger than those before.
    pub incarnation: u64,
    /// Where other workers reach its shuffle.
    pub shuffle_address: String,
    /// Slots.
    pub slots: u32,
    /// For placement.
    pub labels: BTreeMap<String, String>,
    /// Addresses of coordinators as far as they are known now; whoever looks for them may not have found any yet.
    pub coordinators: watch::Receiver<Vec<String>>,
}

/// What a background piece of work has done.
enum Finished {
    /// Something that is answered.
    Answer(wire::Answer),
    /// A run whose tasks are there, or not.
    Deployed { request: u64, job: String, attempt: Attempt, result: Result<Box<RunningTasks>> },
}

/// A report with the job that it is about.
type JobEvent = (String, TaskEvent);

/// A worker's stream to the leader and what it runs.
pub struct Agent {
    options: AgentOptions,
    connect: Arc<dyn Connect>,
    host: Host,
    shuffle: Shuffle,
    runs: Runs,
    reports: Unacknowledged,
    /// The largest term of a leader so far.
    term: u64,
    events: (mpsc::Sender<JobEvent>, mpsc::Receiver<JobEvent>),
    finished: (mpsc::Sender<Finished>, mpsc::Receiver<Finished>),
    background: Vec<Task<()>>,
    /// What the last coordinator that refused said of the leader.
    hint: Option<String>,
    /// Whether the last stream got as far as that.
    registered: bool,
}

/// Why a session is over.
enum Over {
    /// Another one is looked for.
    Lost(Error),
    /// There must not be another one.
    Final(Error),
}

impl Agent {
    /// A worker that runs nothing yet.
    pub fn new(
        options: AgentOptions,
        connect: Arc<dyn Connect>,
        host: Host,
        shuffle: Shuffle,
    ) -> Self {
        Self {
            options,
            connect,
            host,
            shuffle,
            runs: Runs::default(),
            reports: Unacknowledged::default(),
            term: 0,
            events: mpsc::channel(EVENTS),
            finished: mpsc::channel(EVENTS),
            background: Vec::new(),
            hint: None,
            registered: false,
        }
    }

    /// The agent, with its runs shown among these metrics.
    pub fn shown_by(mut self, metrics: WorkerMetrics) -> Self {
        self.runs.shown = metrics;
        self
    }

    /// Works until `shutdown`, or until a newer process has this worker's name.
    ///
    /// # Errors
    /// `FENCED` if there is a newer process.
    pub async fn run(mut self, mut shutdown: oneshot::Receiver<()>) -> Result<()> {
        let mut pause = FIRST_PAUSE;
        let mut next = 0;
        let outcome = loop {
            let address = self.hint.take().or_else(|| self.next_address(&mut next));
            let Some(address) = address else {
                // Nobody has found one yet.
                let wait = tokio::time::sleep(MAX_PAUSE).boxed();
                let mut known = self.options.coordinators.clone();
                tokio::select! {
                    _ = &mut shutdown => break Ok(()),
                    _ = known.changed() => {}
                    () = self.beside(wait) => {}
                }
                continue;
            };
            let opening = open(self.connect.clone(), address.clone(), self.register());
            let opened = tokio::select! {
                _ = &mut shutdown => break Ok(()),
                opened = self.beside(opening) => opened,
            };
            let over = match opened {
                Ok(session) => tokio::select! {
                    _ = &mut shutdown => break Ok(()),
                    over = self.session(session, &address) => over,
                },
                Err(error) => Over::Lost(error),
            };
            match over {
                Over::Final(error) => break Err(error),
                Over::Lost(error) => tracing::info!(%error, "no leader at {address}; looking on"),
            }
            if self.hint.is_some() || std::mem::take(&mut self.registered) {
                pause = FIRST_PAUSE;
            }
            if self.hint.is_some() {
                continue;
            }
            let _ = self.beside(tokio::time::sleep(pause).boxed()).await;
            pause = (pause * 2).min(MAX_PAUSE);
        };
        let running = self.runs.take_all().into_iter().filter_map(|hosted| hosted.tasks);
        futures::future::join_all(running.map(RunningTasks::kill)).await;
        outcome
    }

    /// One after the other; from the start when others became known, because the leader is the first of them.
    fn next_address(&mut self, next: &mut usize) -> Option<String> {
        if self.options.coordinators.has_changed().unwrap_or(false) {
            *next = 0;
        }
        let known = self.options.coordinators.borrow_and_update();
        let address = known.get(next.checked_rem(known.len())?).cloned();
        *next = next.wrapping_add(1);
        address
    }

    fn register(&self) -> wire::Register {
        let options = &self.options;
        wire::Register {
            worker: options.name.clone(),
            incarnation: options.incarnation,
            shuffle_address: options.shuffle_address.clone(),
            slots: options.slots,
            labels: options.labels.clone().into_iter().collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            term: self.term,
            runs: self.runs.statuses(),
        }
    }

    /// Waits for something while reports and results are taken in, so that tasks never wait for a leader, as long as
    /// there is room.
    async fn beside<T>(&mut self, mut wait: BoxFuture<'_, T>) -> T {
        loop {
            let full = self.reports.is_full();
            tokio::select! {
                done = &mut wait => return done,
                Some((job, event)) = self.events.1.recv(), if !full => {
                    self.keep(&job, &event);
                }
                Some(finished) = self.finished.1.recv() => {
                    // Whoever asked is gone; the run itself counts.
                    self.on_finished(finished);
                }
            }
        }
    }

    /// Numbers a report and keeps it until it is acknowledged.
    fn keep(&mut self, job: &str, event: &TaskEvent) -> Option<wire::Report> {
        self.runs.note(job, event);
        match tasks::report_to_wire(job, event) {
            Ok(report) => Some(self.reports.push(report)),
            Err(error) => {
                tracing::error!(%error, job, "a report cannot be sent");
                None
            }
        }
    }

    /// Serves a leader until the stream ends.
    async fn session(&mut self, session: Session, address: &str) -> Over {
        let Session { outgoing, mut incoming } = session;
        let mut heartbeat = tokio::time::interval(Duration::from_secs(1));
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut registered = false;
        let silence = tokio::time::sleep(SILENCE);
        tokio::pin!(silence);
        loop {
            let full = self.reports.is_full();
            let step = tokio::select! {
                () = &mut silence => return Over::Lost(unavailable(address, "it is silent")),
                command = incoming.next() => match command {
                    None => return Over::Lost(unavailable(address, "it closed the stream")),
                    Some(Err(status)) => {
                        return Over::Lost(unavailable(address, status.message()));
                    }
                    Some(Ok(command)) => {
                        silence.set(tokio::time::sleep(SILENCE));
                        match self.command(command, address, &mut registered, &mut heartbeat) {
                            Ok(messages) => messages,
                            Err(over) => return over,
                        }
                    }
                },
                Some((job, event)) = self.events.1.recv(), if registered && !full => {
                    self.keep(&job, &event).map(Message::Report).into_iter().collect()
                }
                Some(finished) = self.finished.1.recv() => {
                    self.on_finished(finished).map(Message::Answer).into_iter().collect()
                }
                _ = heartbeat.tick(), if registered => {
                    vec![Message::Heartbeat(counters::heartbeat(&self.runs))]
                }
            };
            for message in step {
                let message = wire::WorkerMessage { message: Some(message) };
                match tokio::time::timeout(SILENCE, outgoing.send(message)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => {
                        return Over::Lost(unavailable(address, "it closed the stream"));
                    }
                    Err(_) => return Over::Lost(unavailable(address, "it takes nothing")),
                }
            }
        }
    }

    /// Carries a command out, or begins to; returns what is to be sent.
    fn command(
        &mut self,
        command: wire::WorkerCommand,
        address: &str,
        registered: &mut bool,
        heartbeat: &mut Interval,
    ) -> Result<Vec<Message>, Over> {
        if let Some(Command::Refused(refused)) = command.command {
            let error = refused.failure.as_ref().map(tasks::failure);
            let error = error.unwrap_or_else(|| unavailable(address, "it refused"));
            if refused.r#final {
                return Err(Over::Final(error));
            }
            self.hint = Some(refused.leader).filter(|leader| !leader.is_empty());
            return Err(Over::Lost(error));
        }
        // The term check: a leader that was deposed has nothing to say any more.
        if command.term < self.term {
            let what = format!("its term {} is over, {} is known", command.term, self.term);
            refused(Refused::Command, &what);
            return Err(Over::Lost(unavailable(address, &what)));
        }
        self.term = command.term;
        match command.command {
            Some(Command::Registered(welcome)) => {
                *registered = true;
                self.registered = true;
                let interval = Duration::from_millis(welcome.heartbeat_interval_ms.max(50).into());
                *heartbeat = tokio::time::interval(interval);
                heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
                tracing::info!(leader = address, term = self.term, "registered");
                return Ok(self.reports.iter().cloned().map(Message::Report).collect());
            }
            Some(Command::Acknowledge(acknowledge)) => {
                self.reports.acknowledge(acknowledge.sequence);
            }
            Some(Command::Prepare(prepare)) => self.prepare(prepare),
            Some(Command::Deploy(deploy)) => self.deploy(deploy),
            Some(Command::Tell(tell)) => self.tell(&tell),
            Some(Command::EndRun(end)) => self.end_run(end),
            Some(Command::FetchLogs(fetch)) => return Ok(vec![Message::Answer(log(&fetch))]),
            Some(Command::Probe(probe)) => self.probe(probe),
            Some(Command::Refused(_)) => {}
            None => tracing::warn!("a command that this release does not know; it is ignored"),
        }
        Ok(Vec::new())
    }

    fn tell(&mut self, tell: &wire::Tell) {
        let told = tasks::from_json::<Control>("an instruction", &tell.control)
            .and_then(|control| self.runs.tell(&tell.job, Attempt(tell.attempt), &control));
        let Err(error) = told else { return };
        tracing::error!(%error, job = tell.job, "tasks could not be told something");
        // Some may have missed it: the run cannot go on as if all had heard.
        let attempt = Attempt(tell.attempt);
        let Some(subtask) = self.runs.first_task(&tell.job, attempt) else { return };
        let report = Report { subtask, kind: ReportKind::Failed(error) };
        let event = (tell.job.clone(), TaskEvent { attempt, report });
        let events = self.events.0.clone();
        self.background.retain(|task| !task.is_finished());
        self.background.push(spawn(format!("failure of {}", tell.job), async move {
            // Nobody is there to be told only when the process ends.
            let _ = events.send(event).await;
        }));
    }

    fn spawn(&mut self, name: String, work: impl Future<Output = Finished> + Send + 'static) {
        self.background.retain(|task| !task.is_finished());
        let finished = self.finished.0.clone();
        self.background.push(spawn(name, async move {
            let _ = finished.send(work.await).await;
        }));
    }

    fn prepare(&mut self, prepare: wire::Prepare) {
        let wire::Prepare { request, run } = prepare;
        let (host, run) = (self.host.clone(), run.unwrap_or_default());
        self.spawn(format!("preparation of {}", run.job), async move {
            let result = host.prepare(&run).await;
            Finished::Answer(answer(request, result.map(wire::answer::Result::Prepared)))
        });
    }

    fn probe(&mut self, probe: wire::Probe) {
        let (request, prober) = (probe.request, self.host.prober.clone());
        self.spawn(format!("visit of a {}", probe.r#type), async move {
            let found = match prober {
                Some(prober) => prober.visit(probe).await,
                None => Err(Error::unsupported("this worker visits no outside systems")),
            };
            Finished::Answer(answer(request, found))
        });
    }

    fn deploy(&mut self, deploy: wire::Deploy) {
        let wire::Deploy { request, run, placement, sources, facts, token } = deploy;
        let (run, facts) = (run.unwrap_or_default(), facts.unwrap_or_default());
        let (job, attempt) = (run.job.clone(), Attempt(run.attempt));
        let own: Vec<SubtaskId> = placement
            .iter()
            .filter(|placed| placed.worker == self.options.name)
            .filter_map(|placed| placed.subtask.as_ref().map(tasks::subtask))
            .collect();
        let prepared = Prepared {
            splits: match deploying::splits(&sources) {
                Ok(splits) => splits,
                Err(error) => return self.refuse(request, &job, attempt, error),
            },
            staging: facts.staging,
            waiting: facts.waiting.clone(),
        };
        let slots =
            own.iter().map(|subtask| subtask.index).collect::<std::collections::BTreeSet<_>>();
        let traces = RunTraces::new(&self.options.name, &run);
        let tasks = own.len();
        let old = match self.runs.begin(&job, attempt, facts, own.into_iter(), traces) {
            Ok(old) => old.and_then(|hosted| hosted.tasks),
            Err(error) => return self.refuse(request, &job, attempt, error),
        };
        tracing::info!(job, %attempt, slots = slots.len(), tasks, "starting tasks");
        let key = run_key(&job, attempt, &token);
        let (placement, shuffle) = (self.placement(&placement), self.shuffle.clone());
        let (to, forwarding) = forward(job.clone(), self.events.0.clone());
        self.background.push(forwarding);
        let host = self.host.clone();
        self.spawn(format!("deployment of {job}"), async move {
            if let Some(old) = old {
                old.kill().await;
            }
            let deployment = host.deployment(&run, slots.len() as u32).await;
            let result = deployment.and_then(|deployment| {
                let links = Links::Placed { placement, shuffle, key };
                host::start(deployment, prepared, links, &host.runtime, to)
            });
            let result = result.map(Box::new);
            Finished::Deployed { request, job, attempt, result }
        });
    }

    fn placement(&self, placed: &[wire::Placed]) -> Placement {
        let mut placement = Placement {
            me: WorkerName::new(self.options.name.clone()),
            subtasks: BTreeMap::new(),
            addresses: BTreeMap::new(),
        };
        for one in placed {
            let worker = WorkerName::new(one.worker.clone());
            placement.addresses.insert(worker.clone(), one.shuffle_address.clone());
            if let Some(subtask) = &one.subtask {
                placement.subtasks.insert(tasks::subtask(subtask), worker);
            }
        }
        placement
    }

    fn refuse(&mut self, request: u64, job: &str, attempt: Attempt, error: Error) {
        tracing::warn!(%error, job, %attempt, "a deployment was refused");
        self.spawn(format!("answer about {job}"), async move {
            Finished::Answer(answer(request, Err(error)))
        });
    }

    fn end_run(&mut self, end: wire::EndRun) {
        let wire::EndRun { request, job, attempt, orderly } = end;
        let hosted = self.runs.end(&job, Attempt(attempt));
        self.spawn(format!("end of {job}"), async move {
            let result = match hosted {
                Some(Hosted { tasks: Some(tasks), .. }) if orderly => tasks.stop().await,
                Some(Hosted { tasks: Some(tasks), .. }) => {
                    tasks.kill().await;
                    Ok(())
                }
                _ => Ok(()),
            };
            let done = |()| wire::answer::Result::Done(wire::answer::Done {});
            Finished::Answer(answer(request, result.map(done)))
        });
    }

    fn on_finished(&mut self, finished: Finished) -> Option<wire::Answer> {
        match finished {
            Finished::Answer(answer) => Some(answer),
            Finished::Deployed { request, job, attempt, result } => {
                let result = match result {
                    Ok(tasks) => {
                        // Dropping tasks of a run that was ended in the meantime ends them.
                        drop(self.runs.begun(&job, attempt, *tasks));
                        Ok(wire::answer::Result::Done(wire::answer::Done {}))
                    }
                    Err(error) => {
                        self.runs.failed(&job, attempt, &error);
                        Err(error)
                    }
                };
                Some(answer(request, result))
            }
        }
    }
}

/// What the workers of a run know it by. Ids have no `_`, so different jobs stay different.
fn run_key(job: &str, attempt: Attempt, token: &[u8]) -> RunKey {
    let secret: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
    let job = JobId::from_name(&job.replace('/', "_"));
    RunKey { job, attempt, token: Token::new(secret) }
}

/// Adds the job to the reports of a run, until its last task has ended.
fn forward(job: String, to: mpsc::Sender<JobEvent>) -> (mpsc::Sender<TaskEvent>, Task<()>) {
    let (sender, mut receiver) = mpsc::channel(EVENTS);
    let forwarding = spawn(format!("reports of {job}"), async move {
        while let Some(event) = receiver.recv().await {
            if to.send((job.clone(), event)).await.is_err() {
                return;
            }
        }
    });
    (sender, forwarding)
}
