//! What a job is started with, and what can be watched of it.

use tidegate_checkpoint::Directory;
use tidegate_job_control::driver::progress::Progress;
use tidegate_plan::StreamGraph;
use tidegate_plan::settings::Settings;
use tidegate_types::JobId;
use tidegate_worker::RunMetrics;
use tokio::sync::watch;

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

/// Where a job shows how it goes.
pub(crate) struct Watched {
    /// As its driver sees it.
    pub(crate) progress: watch::Sender<Progress>,
    /// Counters of the current run.
    pub(crate) metrics: watch::Sender<RunMetrics>,
}
