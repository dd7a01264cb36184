//! The workers that have a stream to this coordinator: what they are, what they run, and how to talk to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidegate_checkpoint::task::{ReportKind, TaskEvent};
use tidegate_proto::internal::v1 as wire;
use tidegate_proto::internal::v1::task_status::State;
use tidegate_proto::internal::v1::worker_command::Command;
use tidegate_proto::tasks;
use tidegate_runtime::{Refused, refused};
use tidegate_types::{Attempt, Error, ErrorCode, Result, SubtaskId};
use tokio::sync::{mpsc, oneshot, watch};

/// Commands that may wait for a worker.
const COMMANDS: usize = 1024;

/// Identifies a stream.
pub(crate) type SessionId = u64;

/// What a worker says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkerInfo {
    /// Its name.
    pub name: String,
    /// Of its process.
    pub incarnation: u64,
    /// Where others reach its shuffle.
    pub shuffle_address: String,
    /// Slots.
    pub slots: u32,
    /// For placement.
    pub labels: BTreeMap<String, String>,
}

/// A run as far as it is on a worker.
#[derive(Debug, Clone, Default)]
struct HostedRun {
    attempt: u64,
    states: BTreeMap<SubtaskId, State>,
    facts: wire::RunFacts,
}

struct Session {
    id: SessionId,
    commands: mpsc::Sender<wire::WorkerCommand>,
    /// Who waits for answers.
    pending: BTreeMap<u64, oneshot::Sender<wire::Answer>>,
}

struct Entry {
    info: WorkerInfo,
    session: Option<Session>,
    /// When the last stream ended.
    gone_since: Option<Duration>,
    runs: BTreeMap<String, HostedRun>,
    counters: wire::Heartbeat,
}

#[derive(Default)]
struct Inner {
    workers: BTreeMap<String, Entry>,
    /// Where reports of a job go.
    routes: BTreeMap<String, mpsc::Sender<TaskEvent>>,
    /// Slots that runs hold, by job and worker.
    reserved: BTreeMap<String, BTreeMap<String, u32>>,
    last_session: SessionId,
    last_request: u64,
    term: u64,
    /// Whether this coordinator leads in the term.
    leads: bool,
}

/// The workers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct WorkerPool {
    inner: Arc<Mutex<Inner>>,
    changes: watch::Sender<u64>,
}

/// A run as it was found on the workers that are there.
#[derive(Debug, Clone, Default)]
pub(super) struct FoundRun {
    pub(super) facts: wire::RunFacts,
    pub(super) states: BTreeMap<SubtaskId, State>,
    /// The workers that it was found on, with their streams.
    pub(super) workers: BTreeMap<String, SessionId>,
    /// Indices of its subtasks by worker: a slot each.
    indices: BTreeMap<String, BTreeSet<u32>>,
}

impl FoundRun {
    /// Slots that it takes on each worker.
    pub(super) fn slots(&self) -> BTreeMap<String, u32> {
        self.indices.iter().map(|(worker, of_it)| (worker.clone(), of_it.len() as u32)).collect()
    }
}

impl Default for WorkerPool {
    fn default() -> Self {
        Self { inner: Arc::default(), changes: watch::Sender::new(0) }
    }
}

impl WorkerPool {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Counts up with every worker that comes or goes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// From now on commands bear this term.
    pub(crate) fn lead(&self, term: u64) {
        let mut inner = self.lock();
        (inner.term, inner.leads) = (term, true);
        // An answer to a question of an earlier lead is none to one of this, also where the term is the same.
        inner.last_request = inner.last_request.max(term << 32);
    }

    /// The term of the commands.
    pub(crate) fn term(&self) -> u64 {
        self.lock().term
    }

    /// This coordinator leads no longer: every stream ends, and nothing is known any more.
    pub(crate) fn resign(&self) {
        let mut inner = self.lock();
        let Inner { term, last_session, last_request, .. } = *inner;
        *inner = Inner { term, last_session, last_request, ..Inner::default() };
        drop(inner);
        self.changed();
    }

    /// Takes a worker in for the leader of a term; its stream before, if there is one, ends.
    ///
    /// # Errors
    /// `FENCED` if a newer process has its name; `UNAVAILABLE` if this coordinator does not lead in the term any more.
    pub(super) fn register(
        &self,
        term: u64,
        info: WorkerInfo,
        runs: &[wire::RunStatus],
    ) -> Result<(SessionId, mpsc::Receiver<wire::WorkerCommand>)> {
        let mut inner = self.lock();
        if !inner.leads || inner.term != term {
            let message = format!("this coordinator does not lead in term {term} any more");
            return Err(Error::new(ErrorCode::Unavailable, message));
        }
        let known = inner.workers.get(&info.name).map(|entry| entry.info.incarnation);
        if known.is_some_and(|known| known > info.incarnation) {
            let message = format!("a newer process is worker {}", info.name);
            refused(Refused::Process, &message);
            return Err(
                Error::new(ErrorCode::Fenced, message).help("give every worker a name of its own")
            );
        }
        inner.last_session += 1;
        let id = inner.last_session;
        let (commands, outgoing) = mpsc::channel(COMMANDS);
        let session = Some(Session { id, commands, pending: BTreeMap::new() });
        let runs = runs.iter().map(|run| (run.job.clone(), hosted(run))).collect();
        let name = info.name.clone();
        let counters = wire::Heartbeat::default();
        let entry = Entry { info, session, gone_since: None, runs, counters };
        inner.workers.insert(name, entry);
        drop(inner);
        self.changed();
        Ok((id, outgoing))
    }

    /// A stream has ended.
    pub(super) fn disconnected(&self, worker: &str, session: SessionId, now: Duration) {
        let mut inner = self.lock();
        let Some(entry) = inner.entry(worker, session) else { return };
        entry.session = None;
        entry.gone_since = Some(now);
        drop(inner);
        self.changed();
    }

    /// Forgets a worker that has not come back.
    pub(crate) fn forget(&self, worker: &str) {
        let mut inner = self.lock();
        if inner.workers.get(worker).is_some_and(|entry| entry.session.is_none()) {
            inner.workers.remove(worker);
        }
        drop(inner);
        self.changed();
    }

    /// Workers whose stream has ended, and when.
    pub(crate) fn gone(&self) -> Vec<(WorkerInfo, Duration)> {
        let inner = self.lock();
        let gone = inner.workers.values();
        gone.filter_map(|entry| Some((entry.info.clone(), entry.gone_since?))).collect()
    }

    /// Notes a report and passes it on. Waits while the driver of the job has many.
    pub(super) async fn report(
        &self,
        worker: &str,
        session: SessionId,
        job: &str,
        event: TaskEvent,
    ) {
        let route = {
            let mut inner = self.lock();
            let route = inner.routes.get(job).cloned();
            let Some(entry) = inner.entry(worker, session) else { return };
            let run = entry.runs.get_mut(job).filter(|run| run.attempt == event.attempt.0);
            if run.is_none() {
                let (attempt, subtask) = (event.attempt, event.report.subtask);
                let why =
                    format!("{job}: attempt {attempt} of {subtask} on worker {worker} is over");
                refused(Refused::Report, why);
            }
            let state = match event.report.kind {
                ReportKind::Ready => Some(State::Ready),
                ReportKind::Ended => Some(State::Ended),
                ReportKind::Failed(_) => Some(State::Failed),
                _ => None,
            };
            if let (Some(run), Some(state)) = (run, state) {
                run.states.insert(event.report.subtask, state);
            }
            route
        };
        if let Some(route) = route {
            // A driver that has ended wants to know nothing.
            let _ = route.send(event).await;
        }
    }

    /// Notes the counters of a worker.
    pub(super) fn heartbeat(&self, worker: &str, session: SessionId, counters: wire::Heartbeat) {
        if let Some(entry) = self.lock().entry(worker, session) {
            entry.counters = counters;
        }
    }

    /// The newest counters of a job's run, by worker.
    pub(crate) fn counters(&self, job: &str) -> Vec<(String, wire::RunCounters)> {
        let inner = self.lock();
        let of = |entry: &Entry| {
            let run = entry.counters.runs.iter().find(|run| run.job == job)?;
            Some((entry.info.name.clone(), run.clone()))
        };
        inner.workers.values().filter_map(of).collect()
    }

    /// Passes an answer to whoever waits for it.
    pub(super) fn answer(&self, worker: &str, session: SessionId, answer: wire::Answer) {
        let mut inner = self.lock();
        let waiting = inner.entry(worker, session).and_then(|entry| {
            entry.session.as_mut().and_then(|session| session.pending.remove(&answer.request))
        });
        if let Some(waiting) = waiting {
            let _ = waiting.send(answer);
        }
    }

    /// Tells a worker something that is not answered.
    ///
    /// # Errors
    /// `UNAVAILABLE` if the stream has ended; `RESOURCE_EXHAUSTED` if the worker takes nothing.
    pub(super) fn tell(&self, worker: &str, session: SessionId, command: Command) -> Result<()> {
        let mut inner = self.lock();
        let term = inner.term;
        let gone = || unavailable(worker);
        let entry = inner.entry(worker, session).ok_or_else(gone)?;
        let session = entry.session.as_ref().ok_or_else(gone)?;
        let command = wire::WorkerCommand { term, command: Some(command) };
        session.commands.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Closed(_) => unavailable(worker),
            mpsc::error::TrySendError::Full(_) => {
                let message = format!("worker {worker} takes no commands");
                Error::new(ErrorCode::ResourceExhausted, message)
            }
        })
    }

    /// Asks a worker for something and waits for the answer.
    ///
    /// # Errors
    /// What the worker answers; `UNAVAILABLE` if its stream ends before.
    pub(super) async fn ask(
        &self,
        worker: &str,
        session: SessionId,
        command: impl FnOnce(u64) -> Command,
    ) -> Result<wire::answer::Result> {
        let (sender, receiver) = oneshot::channel();
        let request = {
            let mut inner = self.lock();
            inner.last_request += 1;
            let request = inner.last_request;
            let entry = inner.entry(worker, session).ok_or_else(|| unavailable(worker))?;
            let session = entry.session.as_mut().ok_or_else(|| unavailable(worker))?;
            session.pending.insert(request, sender);
            request
        };
        self.tell(worker, session, command(request))?;
        let answer = receiver.await.map_err(|_| unavailable(worker))?;
        match answer.result {
            Some(wire::answer::Result::Failure(failure)) => Err(tasks::failure(&failure)),
            Some(result) => Ok(result),
            None => Err(tasks::malformed("an answer without a result")),
        }
    }

    /// The stream of a worker that is there.
    pub(super) fn session(&self, worker: &str) -> Option<(WorkerInfo, SessionId)> {
        let inner = self.lock();
        let entry = inner.workers.get(worker)?;
        Some((entry.info.clone(), entry.session.as_ref()?.id))
    }

    /// Sends reports of a job to its driver, and says what there is of the run at this moment.
    pub(super) fn route(
        &self,
        job: &str,
        attempt: Attempt,
        events: mpsc::Sender<TaskEvent>,
    ) -> FoundRun {
        let mut inner = self.lock();
        inner.routes.insert(job.to_owned(), events);
        inner.find(job, attempt)
    }

    /// What there is of a run.
    pub(super) fn find(&self, job: &str, attempt: Attempt) -> FoundRun {
        self.lock().find(job, attempt)
    }

    /// Notes that a run's tasks are being made on a worker.
    pub(super) fn hosts(
        &self,
        worker: &str,
        job: &str,
        attempt: Attempt,
        facts: &wire::RunFacts,
        own: &BTreeSet<SubtaskId>,
    ) {
        let mut inner = self.lock();
        let Some(entry) = inner.workers.get_mut(worker) else { return };
        let states = own.iter().map(|subtask| (*subtask, State::Starting)).collect();
        let run = HostedRun { attempt: attempt.0, states, facts: facts.clone() };
        entry.runs.insert(job.to_owned(), run);
    }

    /// Notes that a run is no longer on a worker.
    pub(super) fn ended(&self, worker: &str, job: &str, attempt: Attempt) {
        let mut inner = self.lock();
        let Some(entry) = inner.workers.get_mut(worker) else { return };
        if entry.runs.get(job).is_some_and(|run| run.attempt == attempt.0) {
            entry.runs.remove(job);
        }
    }

    /// Runs on workers that are there: job, attempt, worker, stream.
    pub(crate) fn hosted(&self) -> Vec<(String, Attempt, String, SessionId)> {
        let inner = self.lock();
        let mut all = Vec::new();
        for entry in inner.workers.values() {
            let Some(session) = &entry.session else { continue };
            for (job, run) in &entry.runs {
                all.push((job.clone(), Attempt(run.attempt), entry.info.name.clone(), session.id));
            }
        }
        all
    }

    /// The driver of a job has ended: nobody wants its reports.
    pub(crate) fn unroute(&self, job: &str) {
        let mut inner = self.lock();
        inner.routes.remove(job);
        inner.reserved.remove(job);
        drop(inner);
        self.changed();
    }

    /// Chooses and reserves slots in one step, so that no two runs are given the same.
    pub(super) fn reserve<T, E>(
        &self,
        job: &str,
        choose: impl FnOnce(&[(WorkerInfo, u32)]) -> Result<(T, BTreeMap<String, u32>), E>,
    ) -> Result<T, E> {
        let mut inner = self.lock();
        inner.reserved.remove(job);
        let (chosen, slots) = choose(&inner.there(job))?;
        inner.reserved.insert(job.to_owned(), slots);
        Ok(chosen)
    }

    /// Looks at the workers that are there, and the slots that others than this job hold of them.
    pub(super) fn without<T>(&self, job: &str, look: impl FnOnce(&[(WorkerInfo, u32)]) -> T) -> T {
        look(&self.lock().there(job))
    }

    /// Names of the workers that are known, with and without a stream.
    pub(crate) fn known(&self) -> BTreeSet<String> {
        self.lock().workers.keys().cloned().collect()
    }

    /// Notes the slots that an adopted run holds.
    pub(super) fn hold(&self, job: &str, slots: BTreeMap<String, u32>) {
        self.lock().reserved.insert(job.to_owned(), slots);
    }

    /// Slots of the workers that are there.
    pub(crate) fn slots(&self) -> BTreeMap<String, u32> {
        let inner = self.lock();
        let there = inner.workers.values().filter(|entry| entry.session.is_some());
        there.map(|entry| (entry.info.name.clone(), entry.info.slots)).collect()
    }

    /// Slots in use by worker.
    pub(crate) fn used_slots(&self) -> BTreeMap<String, u32> {
        let inner = self.lock();
        let mut used: BTreeMap<String, u32> = BTreeMap::new();
        for (worker, slots) in inner.reserved.values().flatten() {
            *used.entry(worker.clone()).or_default() += slots;
        }
        used
    }
}

impl Inner {
    fn entry(&mut self, worker: &str, session: SessionId) -> Option<&mut Entry> {
        let entry = self.workers.get_mut(worker)?;
        let current = entry.session.as_ref().is_some_and(|current| current.id == session);
        current.then_some(entry)
    }

    /// Workers that are there, with the slots that others than this job hold of them.
    fn there(&self, job: &str) -> Vec<(WorkerInfo, u32)> {
        let others = || self.reserved.iter().filter(|(other, _)| *other != job);
        let used = |worker: &str| others().filter_map(|(_, slots)| slots.get(worker)).sum();
        let there = self.workers.values().filter(|entry| entry.session.is_some());
        there.map(|entry| (entry.info.clone(), used(&entry.info.name))).collect()
    }

    fn find(&self, job: &str, attempt: Attempt) -> FoundRun {
        let mut found = FoundRun::default();
        for entry in self.workers.values() {
            let Some(session) = &entry.session else { continue };
            let Some(run) = entry.runs.get(job).filter(|run| run.attempt == attempt.0) else {
                continue;
            };
            found.facts = run.facts.clone();
            found.states.extend(run.states.iter().map(|(subtask, state)| (*subtask, *state)));
            let indices = run.states.keys().map(|subtask| subtask.index).collect();
            found.indices.insert(entry.info.name.clone(), indices);
            found.workers.insert(entry.info.name.clone(), session.id);
        }
        found
    }
}

fn hosted(run: &wire::RunStatus) -> HostedRun {
    let state = |task: &wire::TaskStatus| {
        task.subtask.as_ref().map(|subtask| (tasks::subtask(subtask), task.state()))
    };
    HostedRun {
        attempt: run.attempt,
        states: run.tasks.iter().filter_map(state).collect(),
        facts: run.facts.clone().unwrap_or_default(),
    }
}

fn unavailable(worker: &str) -> Error {
    Error::new(ErrorCode::Unavailable, format!("worker {worker} is not connected"))
}

#[cfg(test)]
mod tests;
