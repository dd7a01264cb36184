//! What a driver needs of its surroundings: where records are saved, and where tasks run.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use tidegate_checkpoint::Manifest;
use tidegate_checkpoint::task::{Control, TaskEvent};
use tidegate_types::{
    Attempt, CompletedCheckpoint, Epoch, ErrorCode, JobRecord, Result, SubtaskId,
};
use tokio::sync::mpsc;

/// Where a job's record is kept, and who is told how the job goes.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Saves a record as its revision. What follows in the protocol may only happen once this has returned.
    ///
    /// # Errors
    /// `FENCED` if another driver has written this revision, or this one may not write any more;
    /// `UNAVAILABLE` if it is not known whether it is saved.
    async fn save(&self, record: &JobRecord) -> Result<()>;

    /// Tells how the job goes. Nothing of the protocol depends on it.
    async fn note(&self, note: Note);
}

/// How a job goes, for people.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    /// The tasks of a run are being made.
    Deploying(Attempt),
    /// Every task has its state, and sources read.
    Running(Attempt),
    /// The run failed; the next starts at this time.
    Restarting {
        /// Milliseconds since the epoch.
        at_ms: i64,
        /// Why.
        code: ErrorCode,
        /// In words.
        error: String,
    },
    /// A savepoint and its output are complete.
    SavepointPublished(CompletedCheckpoint),
    /// A savepoint is being taken: whoever has asked for one by now is answered by it.
    SavepointTriggered {
        /// Its number.
        epoch: Epoch,
        /// Whether the job stops with it.
        stop: bool,
    },
    /// A savepoint could not be taken.
    SavepointFailed {
        /// Its number.
        epoch: Epoch,
        /// Why.
        error: String,
    },
}

/// A run to be deployed.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// Its number.
    pub attempt: Attempt,
    /// Identity of the chain of runs that share state.
    pub lineage: String,
    /// What it continues from.
    pub restored: Option<RestoredCheckpoint>,
}

/// A checkpoint with its manifest.
#[derive(Debug, Clone)]
pub struct RestoredCheckpoint {
    /// The checkpoint.
    pub checkpoint: CompletedCheckpoint,
    /// What it says; fits the plan.
    pub manifest: Arc<Manifest>,
    /// Whether new checkpoints may refer to its files: it is in the job's own folder.
    pub reusable: bool,
}

/// Where the tasks of a job run.
#[async_trait]
pub trait Runs: Send + Sync {
    /// Makes the tasks of a run. They report through `events` and read nothing before `Control::Start`. Where the
    /// call is given up, what was made so far ends.
    ///
    /// # Errors
    /// What connectors, their enumeration or their checks fail with; `RESOURCE_EXHAUSTED` if there is no place.
    async fn deploy(
        &self,
        request: RunRequest,
        events: mpsc::Sender<TaskEvent>,
    ) -> Result<Box<dyn Run>>;
}

/// What there is of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFacts {
    /// Every task.
    pub tasks: BTreeSet<SubtaskId>,
    /// Those that have sinks.
    pub sinks: BTreeSet<SubtaskId>,
    /// Whether a sink shows its output only with a checkpoint.
    pub staging: bool,
    /// Tables whose rows nobody would see without checkpoints, although the job never ends.
    pub waiting: Vec<String>,
}

/// The tasks of a run. Dropping it says nothing to them: whether they live on is up to where they run.
#[async_trait]
pub trait Run: Send + Sync {
    /// What there is.
    fn facts(&self) -> &RunFacts;

    /// Tells every task something.
    ///
    /// # Errors
    /// `INTERNAL`, `RESOURCE_EXHAUSTED` if instructions pile up.
    fn tell_all(&self, control: &Control) -> Result<()>;

    /// Lets every task end, closing its sinks.
    ///
    /// # Errors
    /// `UNAVAILABLE` if one does not end in time.
    async fn stop(self: Box<Self>) -> Result<()>;

    /// Ends every task at once, and waits until it is gone, within a bound.
    async fn kill(self: Box<Self>);
}

/// A run that was under way when its driver was lost.
pub struct AdoptedRun {
    /// Its tasks; all of them are there, and every one has its state.
    pub run: Box<dyn Run>,
    /// Those that have processed all of their input.
    pub ended: BTreeSet<SubtaskId>,
}
