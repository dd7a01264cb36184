//! What a job is started with, what may be asked of it, and what can be watched.

use tidegate_plan::StreamGraph;
use tidegate_plan::settings::Settings;
use tidegate_types::JobId;
use tidegate_worker::RunMetrics;

use super::storage::Directory;

/// What may be asked of a running job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// Stop with a savepoint.
    Stop,
    /// End without one.
    Cancel,
}

/// A job to run.
pub(crate) struct JobSpec {
    /// Its id, from the pipeline's name.
    pub(crate) job: JobId,
    /// Its plan.
    pub(crate) graph: StreamGraph,
    /// Its settings.
    pub(crate) settings: Settings,
    /// Subtasks per operator.
    pub(crate) parallelism: u32,
    /// The checkpoint directory.
    pub(crate) directory: Directory,
    /// Where savepoints go, if not into the job's folder.
    pub(crate) savepoint_dir: Option<Directory>,
    /// What to continue from.
    pub(crate) restore: Option<String>,
}

/// What can be watched of a running job.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// Counters of the current run.
    pub(crate) metrics: RunMetrics,
    /// Completed checkpoints.
    pub(crate) checkpoints: u64,
    /// Duration of the last one, milliseconds.
    pub(crate) last_checkpoint_ms: f64,
    /// Restarts so far.
    pub(crate) restarts: u64,
}
