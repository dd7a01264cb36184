//! Output that is staged until its checkpoint is complete, and making it visible.

use async_trait::async_trait;
use tidegate_checkpoint::staged::{Confirmed, StagedUnit};
use tidegate_types::{Epoch, Result};

use crate::staging::StagingFolder;

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
