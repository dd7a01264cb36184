//! The runs that a worker takes part in, and which calls are let in.
//!
//! A call is for a run that is open, or it waits for the run to be deployed, or it is refused: an
//! older run, another secret, an edge that the run does not have, a second call for the same edge.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arrow::datatypes::Schema;
use tidegate_runtime::{Refused, refused};
use tidegate_types::{Attempt, Error, ErrorCode, JobId, Result};
use tokio::sync::Notify;

use super::hello::Hello;
use super::incoming::Incoming;
use super::names::{EdgeId, RunKey, WorkerName};
use super::outgoing::Outgoing;

/// Jobs whose newest run is remembered after it is over. An older one that is forgotten is refused
/// when its wait is over.
const REMEMBERED: usize = 65_536;

/// What a run reads from other workers.
pub(crate) type Edges = HashMap<(EdgeId, WorkerName), Arc<Incoming>>;

/// The calls of a run.
#[derive(Default)]
pub(crate) struct Calls {
    /// Those that come in, expected or there.
    pub(crate) incoming: Edges,
    /// Those that go out.
    pub(crate) outgoing: Vec<Arc<Outgoing>>,
}

impl Calls {
    fn fail(&self, error: &Error) {
        self.incoming.values().for_each(|call| call.fail(error.clone()));
        self.outgoing.iter().for_each(|call| call.fail(error.clone()));
    }
}

/// The runs of a worker.
#[derive(Default)]
pub(crate) struct Registry {
    state: Mutex<State>,
    opened: Notify,
}

#[derive(Default)]
struct State {
    /// The newest run of each job; without calls once it is over.
    jobs: HashMap<JobId, Run>,
    /// Jobs whose run is over, the longest first.
    over: VecDeque<(JobId, Attempt)>,
}

struct Run {
    key: RunKey,
    calls: Option<Calls>,
}

enum Decision {
    Accept(Arc<Incoming>),
    Wait,
}

impl Registry {
    /// Lets calls of a run in, and ends the job's older run.
    ///
    /// # Errors
    /// `FENCED` if a newer run, or this one, has been open already.
    pub(crate) fn open(&self, key: &RunKey, calls: Calls) -> Result<()> {
        let mut state = self.lock();
        if let Some(run) = state.jobs.get(&key.job)
            && run.key.attempt >= key.attempt
        {
            return Err(fenced(key, run.key.attempt));
        }
        let run = Run { key: key.clone(), calls: Some(calls) };
        let older = state.jobs.insert(key.job.clone(), run);
        drop(state);
        self.opened.notify_waiters();
        if let Some(older) = older
            && let Some(calls) = older.calls
        {
            calls.fail(&fenced(&older.key, key.attempt));
        }
        Ok(())
    }

    /// Ends a run: its calls fail, and no more are let in.
    pub(crate) fn close(&self, key: &RunKey) {
        let mut state = self.lock();
        let Some(run) = state.jobs.get_mut(&key.job) else { return };
        if run.key.attempt != key.attempt {
            return;
        }
        let calls = run.calls.take();
        state.over.push_back((key.job.clone(), key.attempt));
        state.forget();
        drop(state);
        if let Some(calls) = calls {
            calls.fail(&over(key));
        }
    }

    /// The channels that a call is for, once its run is deployed here.
    ///
    /// # Errors
    /// `FENCED`, `PERMISSION_DENIED`, `NOT_FOUND`, `INCOMPATIBLE`, `ALREADY_EXISTS` if the call is
    /// refused, `UNAVAILABLE` if its run is not deployed within `wait`.
    pub(crate) async fn claim(
        &self,
        hello: &Hello,
        schema: &Schema,
        wait: Duration,
    ) -> Result<Arc<Incoming>> {
        let claimed = tokio::time::timeout(wait, async {
            loop {
                let mut opened = std::pin::pin!(self.opened.notified());
                opened.as_mut().enable();
                if let Decision::Accept(call) = self.lock().decide(hello, schema)? {
                    return Ok(call);
                }
                opened.await;
            }
        });
        claimed.await.unwrap_or_else(|_| {
            Err(Error::new(
                ErrorCode::Unavailable,
                format!("{} was not deployed here within {} s", hello.key, wait.as_secs()),
            ))
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn decide(&self, hello: &Hello, schema: &Schema) -> Result<Decision> {
        let key = &hello.key;
        let Some(run) = self.jobs.get(&key.job) else { return Ok(Decision::Wait) };
        if key.attempt > run.key.attempt {
            return Ok(Decision::Wait);
        }
        if key.attempt < run.key.attempt {
            return Err(fenced(key, run.key.attempt));
        }
        if !run.key.token.matches(key.token.secret()) {
            return Err(Error::new(
                ErrorCode::PermissionDenied,
                format!("worker {} does not know the token of {key}", hello.from),
            ));
        }
        let Some(calls) = &run.calls else { return Err(over(key).with_code(ErrorCode::Fenced)) };
        let edge = (hello.edge, hello.from.clone());
        let call = calls.incoming.get(&edge).ok_or_else(|| {
            Error::new(
                ErrorCode::NotFound,
                format!("{key} reads nothing from worker {} at {}", hello.from, hello.edge),
            )
        })?;
        if call.channels() != hello.channels {
            return Err(differs(hello, "places subtasks differently"));
        }
        if call.schema().fields() != schema.fields() {
            return Err(differs(hello, "has other columns"));
        }
        if !call.attach() {
            return Err(Error::new(
                ErrorCode::AlreadyExists,
                format!("worker {} has a call for {} of {key} already", hello.from, hello.edge),
            ));
        }
        Ok(Decision::Accept(call.clone()))
    }

    fn forget(&mut self) {
        while self.over.len() > REMEMBERED {
            let Some((job, attempt)) = self.over.pop_front() else { return };
            let is_it = |run: &Run| run.key.attempt == attempt && run.calls.is_none();
            if self.jobs.get(&job).is_some_and(is_it) {
                self.jobs.remove(&job);
            }
        }
    }
}

fn fenced(key: &RunKey, newer: Attempt) -> Error {
    let message = format!("{key} is refused: run {newer} has begun");
    refused(Refused::Call, &message);
    Error::new(ErrorCode::Fenced, message)
}

fn over(key: &RunKey) -> Error {
    Error::new(ErrorCode::Cancelled, format!("{key} is over"))
}

fn differs(hello: &Hello, how: &str) -> Error {
    Error::new(
        ErrorCode::Incompatible,
        format!("worker {} {how} at {} of {}", hello.from, hello.edge, hello.key),
    )
    .help("all workers of a run must be given the same plan and placement")
}
