//! Output that is staged until its checkpoint is complete, and making it visible.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tidegate_types::{Epoch, OperatorId, Result};

use crate::staging::{ChunkRef, StagingFolder};

/// Output that waits for its checkpoint: identified by lineage, sink, writer and epoch, which is
/// also what markers in a target store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedUnit {
    /// Identity of the chain of runs that share state: made at the first start, inherited by
    /// restores of the same job, new for a fork.
    pub lineage: String,
    /// The sink operator.
    pub sink: OperatorId,
    /// The subtask that staged it.
    pub writer: u32,
    /// The checkpoint whose completion makes it visible.
    pub epoch: Epoch,
    /// What the connector needs to commit it, in its own JSON.
    pub payload: serde_json::Value,
    /// Its records, if they are staged in the checkpoint's storage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<ChunkRef>,
}

/// What is known to be visible of a writer's output: everything up to an epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// Identity of the chain of runs.
    pub lineage: String,
    /// The writer that staged it.
    pub writer: u32,
    /// Its last unit that was committed.
    pub epoch: Epoch,
}

/// What a restored checkpoint knew of a sink's output, as far as one subtask settles it: what
/// writer *w* staged goes to subtask *w* modulo the parallelism, whole and under its old identity.
#[derive(Debug, Clone)]
pub struct RestoredOutput {
    /// The checkpoint; `None`: the job starts from the beginning.
    pub checkpoint: Option<RestoredEpoch>,
    /// Units that were not known to be visible, in epoch order for each writer.
    pub units: Vec<StagedUnit>,
    /// What was known to be visible.
    pub confirmed: Vec<Confirmed>,
    /// Where the units' chunks are.
    pub folder: Option<StagingFolder>,
}

/// Which checkpoint was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredEpoch {
    /// The chain of runs that took it; another than the job's own if this is a fork.
    pub lineage: String,
    /// Its number.
    pub epoch: Epoch,
}

impl RestoredOutput {
    /// Of a job that starts from the beginning.
    pub fn nothing() -> Self {
        Self { checkpoint: None, units: Vec::new(), confirmed: Vec::new(), folder: None }
    }

    /// The last epoch that was known to be visible of a writer.
    pub fn confirmed_epoch(&self, lineage: &str, writer: u32) -> Option<Epoch> {
        let of_writer = |known: &&Confirmed| known.lineage == lineage && known.writer == writer;
        self.confirmed.iter().filter(of_writer).map(|known| known.epoch).max()
    }
}

/// Makes staged output visible. Runs beside the writer, one unit after the other.
#[async_trait]
pub trait Committer: Send {
    /// Makes a unit visible. Called in epoch order, only after the unit's checkpoint is complete.
    ///
    /// # Errors
    /// Fails the job unless it may be tried again; the restart settles the unit.
    async fn commit(&mut self, unit: &StagedUnit) -> Result<()>;

    /// Whether a failed commit may simply be repeated. Where it is not known whether the rows have
    /// become visible, only a restart may find out.
    fn may_retry(&self) -> bool {
        true
    }
}
