//! What a driver saves and tells, as commands for the log.

use std::sync::Arc;

use async_trait::async_trait;
use tidegate_catalog::{Action, Catalog, Command, Failure, RunName, RunState};
use tidegate_job_control::driver::run::{Ledger, Note};
use tidegate_runtime::Clock;
use tidegate_types::{CompletedCheckpoint, ErrorCode, JobRecord, Result};

use crate::raft::{Consistency, Metadata};

/// The ledger of one run.
pub(super) struct LogLedger {
    pub(super) metadata: Metadata,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) run: RunName,
    /// The term in which this driver's leader leads.
    pub(super) term: u64,
}

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
        // A run that was taken over is where it was.
        if !matches!(current, Ok(Some(current)) if current.may_become(state)) {
            return;
        }
        let at_ms = self.clock.now_ms();
        let failure = failure.map(|(code, message)| Failure { code, message, at_ms });
        self.tell(Action::SetRunState { run: self.run.clone(), state, failure }).await;
    }

    async fn pending(&self) -> Vec<tidegate_catalog::SavepointName> {
        let of_run = |catalog: &Catalog| {
            let pending = catalog.pending_savepoints(&self.run);
            pending.map(|savepoint| savepoint.name.clone()).collect()
        };
        self.metadata.read(Consistency::Stale, of_run).await.unwrap_or_default()
    }

    /// A savepoint answers everybody who has asked for one by now.
    async fn published(&self, savepoint: &CompletedCheckpoint) {
        for name in self.pending().await {
            let (location, epoch) = (savepoint.folder.clone(), savepoint.epoch);
            let action =
                Action::CompleteSavepoint { savepoint: name, location, epoch, size_bytes: 0 };
            self.tell(action).await;
        }
    }

    async fn failed(&self, message: &str) {
        let at_ms = self.clock.now_ms();
        let error = Failure { code: ErrorCode::Unavailable, message: message.to_owned(), at_ms };
        for savepoint in self.pending().await {
            self.tell(Action::FailSavepoint { savepoint, error: error.clone() }).await;
        }
    }
}

#[async_trait]
impl Ledger for LogLedger {
    async fn save(&self, record: &JobRecord) -> Result<()> {
        let (run, record) = (self.run.clone(), record.clone());
        self.propose(Action::SaveRecord { run, record }).await
    }

    async fn note(&self, note: Note) {
        match note {
            Note::Deploying(_) => self.state(RunState::Scheduling, None).await,
            Note::Running(_) => {
                self.state(RunState::Deploying, None).await;
                self.state(RunState::Running, None).await;
            }
            Note::Restarting { code, error, .. } => {
                self.state(RunState::Restarting, Some((code, error))).await;
            }
            Note::SavepointPublished(savepoint) => self.published(&savepoint).await,
            Note::SavepointFailed(message) => self.failed(&message).await,
        }
    }
}
