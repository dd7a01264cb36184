//! Watches over the workers of a run: one that comes back is brought up to date, one that does not fails the run.

use std::collections::BTreeMap;
use std::time::Duration;

use tidegate_checkpoint::task::{Report, ReportKind, TaskEvent};
use tidegate_job_control::Request;
use tidegate_proto::internal::v1::task_status::State;
use tidegate_runtime::{Task, spawn};
use tidegate_types::{Attempt, Error, ErrorCode, SubtaskId};
use tokio::sync::mpsc;

use super::pool::{SessionId, WorkerPool};

/// How long the stream of a worker may be broken before its tasks count as lost.
pub(super) const GRACE: Duration = Duration::from_secs(3);

/// What is watched.
pub(super) struct Watch {
    pub(super) pool: WorkerPool,
    pub(super) job: String,
    pub(super) attempt: Attempt,
    /// The workers of the run with the streams that it was deployed over.
    pub(super) workers: BTreeMap<String, SessionId>,
    /// One task of the run, for reports about the whole.
    pub(super) task: SubtaskId,
    pub(super) events: mpsc::Sender<TaskEvent>,
    pub(super) requests: mpsc::Sender<Request>,
}

impl Watch {
    /// Watches until the handle is dropped.
    pub(super) fn start(self) -> Task<()> {
        spawn(format!("watch over {}", self.job), self.run())
    }

    async fn run(mut self) {
        let mut changes = self.pool.changes();
        loop {
            let missing = self.missing();
            let lost = match &missing {
                None => false,
                Some(_) => {
                    let back = async {
                        while self.missing().is_some() {
                            if changes.changed().await.is_err() {
                                std::future::pending::<()>().await;
                            }
                        }
                    };
                    tokio::time::timeout(GRACE, back).await.is_err()
                }
            };
            if let (true, Some(worker)) = (lost, missing) {
                let message = format!("worker {worker} is gone");
                return self.fail(Error::new(ErrorCode::Unavailable, message)).await;
            }
            if self.reconnected() && !self.resume().await {
                return;
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// A worker of the run that has no stream.
    fn missing(&self) -> Option<String> {
        self.workers.keys().find(|worker| self.pool.session(worker).is_none()).cloned()
    }

    /// Whether a worker has another stream than before.
    fn reconnected(&mut self) -> bool {
        let mut any = false;
        for (worker, known) in &mut self.workers {
            if let Some((_, session)) = self.pool.session(worker)
                && session != *known
            {
                *known = session;
                any = true;
            }
        }
        any
    }

    /// Brings the run up to date, or fails it if a part of it is missing; false if nothing more is to be watched.
    async fn resume(&self) -> bool {
        let found = self.pool.find(&self.job, self.attempt);
        let worker = self.workers.keys().find(|worker| !found.workers.contains_key(*worker));
        if let Some(worker) = worker {
            let message = format!("worker {worker} has come back without its tasks");
            self.fail(Error::new(ErrorCode::Unavailable, message)).await;
            return false;
        }
        let ended = found.states.iter().filter(|(_, state)| **state == State::Ended);
        let ended = ended.map(|(subtask, _)| *subtask).collect();
        self.requests.send(Request::Resume { attempt: self.attempt, ended }).await.is_ok()
    }

    async fn fail(&self, error: Error) {
        let report = Report { subtask: self.task, kind: ReportKind::Failed(error) };
        let _ = self.events.send(TaskEvent { attempt: self.attempt, report }).await;
    }
}
