//! What a driver saves and tells, as commands for the log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tidegate_catalog::{
    Action, Catalog, Command, DesiredState, Failure, RunName, RunState, SavepointName,
};
use tidegate_job_control::driver::run::{Ledger, Note};
use tidegate_runtime::Clock;
use tidegate_types::{CompletedCheckpoint, Epoch, Error, ErrorCode, JobRecord, Result};

use super::traces::RunTraces;
use crate::raft::{Consistency, Metadata};

/// The ledger of one run.
pub(super) struct LogLedger {
    pub(super) metadata: Metadata,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) run: RunName,
    /// The term in which this driver's leader leads.
    pub(super) term: u64,
    /// At which its driver deploys the run.
    pub(super) parallelism: u32,
    pub(super) traces: RunTraces,
    /// Which savepoints are answered by which epoch.
    pub(super) answers: Mutex<BTreeMap<Epoch, Vec<SavepointName>>>,
}

/// Pause before the end of a run is told again.
const AGAIN: Duration = Duration::from_millis(500);

impl LogLedger {
    async fn propose(&self, action: Action) -> Result<()> {
        let command = Command::new(self.clock.now_ms(), action);
        self.metadata.propose_as_leader(self.term, command).await.map(drop)
    }

    /// Tells the catalog something on which nothing depends.
    async fn tell(&self, action: Action) {
        if let Err(error) = self.propose(action).await {
            tracing::warn!(%error, run = %self.run, "the catalog could not be told how a run goes");
        }
    }

    /// Says where the run stands.
    pub(super) async fn state(&self, state: RunState, failure: Option<(ErrorCode, String)>) {
        let current = |catalog: &Catalog| catalog.run(&self.run).map(|run| run.state);
        let current = self.metadata.read(Consistency::Stale, current).await;
        // A run that was taken over is where it was; one that is deployed anew was running until then.
        match current {
            Ok(Some(RunState::Running)) if state == RunState::Scheduling => {
                let (run, state) = (self.run.clone(), RunState::Restarting);
                self.tell(Action::SetRunState { run, state, failure: None }).await;
            }
            Ok(Some(current)) if current.may_become(state) => {}
            _ => return,
        }
        let at_ms = self.clock.now_ms();
        let failure = failure.map(|(code, message)| Failure { code, message, at_ms });
        self.tell(Action::SetRunState { run: self.run.clone(), state, failure }).await;
    }

    /// Savepoints that this epoch answers: those that were asked for by now. The one that the job is to stop with is
    /// answered only by the savepoint that stops it.
    async fn triggered(&self, epoch: Epoch, stop: bool) {
        let asked = |catalog: &Catalog| -> Vec<SavepointName> {
            let last = catalog.run(&self.run).and_then(|run| match &run.desired {
                DesiredState::Stopped { savepoint, .. } => Some(savepoint.clone()),
                _ => None,
            });
            let pending = catalog.pending_savepoints(&self.run).map(|one| one.name.clone());
            pending.filter(|name| stop || Some(name) != last.as_ref()).collect()
        };
        let asked = self.metadata.read(Consistency::Stale, asked).await.unwrap_or_default();
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(epoch, asked);
    }

    fn answered(&self, epoch: Epoch) -> Vec<SavepointName> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.remove(&epoch).unwrap_or_default()
    }

    async fn published(&self, savepoint: &CompletedCheckpoint) {
        // One that an earlier driver took answers nobody: whoever still waits is asked for again.
        for name in self.answered(savepoint.epoch) {
            let (location, epoch) = (savepoint.folder.clone(), savepoint.epoch);
            let action =
                Action::CompleteSavepoint { savepoint: name, location, epoch, size_bytes: 0 };
            self.tell(action).await;
        }
    }

    async fn failed(&self, epoch: Epoch, message: &str) {
        let at_ms = self.clock.now_ms();
        let error = Failure { code: ErrorCode::Unavailable, message: message.to_owned(), at_ms };
        for savepoint in self.answered(epoch) {
            self.tell(Action::FailSavepoint { savepoint, error: error.clone() }).await;
        }
    }

    /// Says that the run is over, until the catalog knows. A state that may not follow at once is reached by way of
    /// others.
    ///
    /// # Errors
    /// `FENCED` if another leads.
    pub(super) async fn over(
        &self,
        state: RunState,
        failure: Option<(ErrorCode, String)>,
    ) -> Result<()> {
        use RunState::{Deploying, Running, Scheduling, Stopping};
        loop {
            let current = |catalog: &Catalog| catalog.run(&self.run).map(|run| run.state);
            let current = self.metadata.read(Consistency::Stale, current).await?;
            let Some(current) = current.filter(|current| !current.is_terminal()) else {
                return Ok(());
            };
            let way = [state, Stopping, Running, Deploying, Scheduling];
            let Some(next) = way.into_iter().find(|next| current.may_become(*next)) else {
                return Err(Error::internal(format!("{} cannot end as {state}", self.run)));
            };
            let at_ms = self.clock.now_ms();
            let failure = failure.clone().filter(|_| next == state);
            let failure = failure.map(|(code, message)| Failure { code, message, at_ms });
            let action = Action::SetRunState { run: self.run.clone(), state: next, failure };
            match self.propose(action).await {
                Err(error) if error.code() == ErrorCode::Fenced => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, run = %self.run, "the end of a run is told again");
                    tokio::time::sleep(AGAIN).await;
                }
                Ok(()) => {}
            }
        }
    }
}

#[async_trait]
impl Ledger for LogLedger {
    async fn save(&self, record: &JobRecord) -> Result<()> {
        let (run, record) = (self.run.clone(), record.clone());
        let parallelism = Some(self.parallelism);
        self.propose(Action::SaveRecord { run, record, parallelism }).await
    }

    async fn note(&self, note: Note) {
        match note {
            Note::Deploying(attempt) => {
                let (run, parallelism) = (&self.run, self.parallelism);
                tracing::info!(%run, %attempt, parallelism, "deploying");
                self.traces.begins();
                self.state(RunState::Scheduling, None).await;
            }
            Note::Running(attempt) => {
                tracing::info!(run = %self.run, %attempt, "running");
                self.traces.runs(attempt);
                self.state(RunState::Deploying, None).await;
                self.state(RunState::Running, None).await;
            }
            Note::Restarting { code, error, .. } => {
                self.traces.begins();
                self.state(RunState::Restarting, Some((code, error))).await;
            }
            Note::SavepointTriggered { epoch, stop } => self.triggered(epoch, stop).await,
            Note::SavepointPublished(savepoint) => {
                let (run, location) = (&self.run, &savepoint.folder);
                tracing::info!(%run, location, "a savepoint is complete");
                self.published(&savepoint).await;
            }
            Note::SavepointFailed { epoch, error } => self.failed(epoch, &error).await,
        }
    }
}
