//! What a run consists of: the graph, its tasks, where state comes from and goes to.

use std::sync::Arc;

use tidegate_checkpoint::{CheckpointStorage, Directory, Manifest};
use tidegate_engine::connector::{LookupTable, Sink, Source};
use tidegate_engine::memory::MemoryBudget;
use tidegate_engine::spill::SpillFolder;
use tidegate_engine::staging::Stored;
use tidegate_plan::StreamGraph;
use tidegate_plan::operator;
use tidegate_plan::settings::ExecutionMode;
use tidegate_plan::task_graph::TaskGraph;
use tidegate_runtime::Clock;
use tidegate_types::{Attempt, Error, Field, KeyGroupRange, Result};

/// Makes connectors; the process decides which exist.
pub trait ConnectorFactory: Send + Sync {
    /// The source of a plan node.
    ///
    /// # Errors
    /// `INVALID_OPTION`, `UNSUPPORTED` with the table's name.
    fn source(&self, plan: &operator::Source) -> Result<Arc<dyn Source>>;

    /// The sink of a plan node, for rows with these columns.
    ///
    /// # Errors
    /// `INVALID_OPTION`, `UNSUPPORTED` with the table's name.
    fn sink(&self, plan: &operator::Sink, columns: &[Field]) -> Result<Arc<dyn Sink>>;

    /// The table of a plan node that is looked up.
    ///
    /// # Errors
    /// `INVALID_OPTION`, `UNSUPPORTED` with the table's name.
    fn lookup(&self, plan: &operator::LookupJoin) -> Result<Arc<dyn LookupTable>> {
        let name = &plan.table.name;
        Err(Error::unsupported(format!("table {name} cannot be looked up here")))
    }
}

/// The checkpoint that a run continues from.
#[derive(Debug, Clone)]
pub struct Restored {
    /// The folder that its files are relative to.
    pub storage: CheckpointStorage,
    /// The folder that its staged output is relative to.
    pub staging: CheckpointStorage,
    /// Its manifest.
    pub manifest: Arc<Manifest>,
    /// Whether the new checkpoints may refer to its files (it is in the job's own folder).
    pub reusable: bool,
}

impl Restored {
    /// Finds the folders of a checkpoint's files and staged output.
    ///
    /// # Errors
    /// `INVALID_OPTION`, `UNSUPPORTED` for a folder that cannot be used.
    pub fn new(folder: &str, manifest: Arc<Manifest>, reusable: bool) -> Result<Self> {
        let storage = Directory::open(folder)?.storage();
        let staging = match &manifest.staging {
            Some(folder) => Directory::open(folder)?.storage(),
            None => storage.clone(),
        };
        Ok(Self { storage, staging, manifest, reusable })
    }
}

/// A run of a job.
#[derive(Clone)]
pub struct Deployment {
    /// Name of the job, for its log.
    pub job: String,
    /// The plan.
    pub graph: Arc<StreamGraph>,
    /// Its tasks.
    pub tasks: Arc<TaskGraph>,
    /// Number of the run.
    pub attempt: Attempt,
    /// Identity of the chain of runs that share state.
    pub lineage: String,
    /// Most rows in a batch.
    pub batch_rows: usize,
    /// When rows leave the sources.
    pub mode: ExecutionMode,
    /// Where state comes from.
    pub restored: Option<Restored>,
    /// The job's folder for checkpoints.
    pub checkpoints: CheckpointStorage,
    /// The folder for savepoints.
    pub savepoints: CheckpointStorage,
    /// How staged output is stored in the job's folder.
    pub staged_as: Stored,
    /// The memory that the run's state may take.
    pub memory: Arc<MemoryBudget>,
    /// Where state goes that does not fit.
    pub spill: SpillFolder,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Connectors.
    pub connectors: Arc<dyn ConnectorFactory>,
}

impl Deployment {
    /// The key groups of a subtask.
    pub(crate) fn owned(&self, subtask: u32, parallelism: u32) -> KeyGroupRange {
        KeyGroupRange::of_subtask(subtask, self.graph.settings.key_groups, parallelism)
    }
}
