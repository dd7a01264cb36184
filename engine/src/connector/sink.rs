//! Sinks and their writers. Making staged output visible is in [`super::Committer`].

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tidegate_types::{Attempt, Epoch, OperatorId, Result, Watermark};

use tidegate_checkpoint::staged::StagedUnit;

use super::commit::{Committer, RestoredOutput};
use crate::element::Changes;
use crate::metrics::SinkMetrics;
use crate::staging::StagingArea;

/// What a sink promises about the rows between a checkpoint and a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryGuarantee {
    /// Rows may be lost or doubled.
    None,
    /// No row is lost; some may be written twice.
    AtLeastOnce,
    /// Every row is visible once.
    ExactlyOnce,
}

/// What a sink gets from its task.
#[derive(Clone)]
pub struct SinkContext {
    /// Identity of the chain of runs.
    pub lineage: String,
    /// The sink operator.
    pub operator: OperatorId,
    /// The run.
    pub attempt: Attempt,
    /// Index of the subtask.
    pub subtask: u32,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Counters that the writer increments.
    pub metrics: Arc<SinkMetrics>,
    /// Where the writer may stage output in the checkpoint's storage.
    pub staging: Arc<StagingArea>,
}

/// An output table as a whole.
#[async_trait]
pub trait Sink: Send + Sync {
    /// What this sink gives with its options.
    fn guarantee(&self) -> DeliveryGuarantee;

    /// Checks before the job starts that the target exists and takes the rows.
    ///
    /// # Errors
    /// `NOT_FOUND`, `UNAVAILABLE`, `PERMISSION_DENIED` with the target's name.
    async fn check(&self) -> Result<()>;

    /// A writer for one subtask.
    ///
    /// # Errors
    /// `INVALID_OPTION` where options contradict each other.
    fn writer(&self, context: SinkContext) -> Result<Box<dyn SinkWriter>>;
}

/// Waits until a target has taken what was written; what it fails with fails the checkpoint.
pub struct Acknowledgements(pub BoxFuture<'static, Result<()>>);

impl std::fmt::Debug for Acknowledgements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Acknowledgements")
    }
}

/// Writes the rows of one subtask.
#[async_trait]
pub trait SinkWriter: Send {
    /// Settles what a restored checkpoint had staged (possibly by another writer): commits each
    /// unit unless it is already visible, and cleans up output of later, lost epochs. Called once,
    /// before any source starts, also without a checkpoint.
    ///
    /// # Errors
    /// Any error stops the start: nothing may run on unsettled output.
    async fn recover(&mut self, restored: RestoredOutput) -> Result<()> {
        if restored.units.is_empty() {
            return Ok(());
        }
        Err(tidegate_types::Error::new(
            tidegate_types::ErrorCode::Incompatible,
            "the checkpoint holds staged output, but the sink does not stage",
        )
        .help("restore a savepoint, which holds none, or leave the sink's delivery guarantee as it was"))
    }

    /// What makes this writer's units visible, beside further writing; a sink that stages has one.
    fn committer(&self) -> Option<Box<dyn Committer>> {
        None
    }

    /// Takes rows; waits while too many are in flight.
    ///
    /// # Errors
    /// `BAD_RECORD` for a row that the target cannot hold, `UNAVAILABLE` after bounded retries.
    async fn write(&mut self, changes: Changes) -> Result<()>;

    /// Event time has advanced.
    ///
    /// # Errors
    /// As [`SinkWriter::write`].
    async fn watermark(&mut self, _watermark: Watermark) -> Result<()> {
        Ok(())
    }

    /// Called when no rows have come for a few milliseconds, so that buffered ones do not wait long.
    ///
    /// # Errors
    /// As [`SinkWriter::write`].
    async fn linger(&mut self) -> Result<()> {
        Ok(())
    }

    /// Makes everything written so far survive a crash once `epoch` completes: a staging sink returns
    /// what to commit, any other nothing.
    ///
    /// # Errors
    /// Fails the checkpoint and the job.
    async fn prepare(&mut self, epoch: Epoch) -> Result<Vec<StagedUnit>>;

    /// What the checkpoint still has to wait for, beside further writing: that the target has taken
    /// all that was written before [`SinkWriter::prepare`]. Asked once after each `prepare`.
    fn acknowledgements(&mut self) -> Option<Acknowledgements> {
        None
    }

    /// Flushes and closes at a normal end, after the last commit.
    ///
    /// # Errors
    /// Fails the job.
    async fn close(&mut self) -> Result<()> {
        Ok(())
    }
}
