//! Output that is staged until its checkpoint is complete, as manifests name it.

use serde::{Deserialize, Serialize};
use tidegate_types::{Epoch, OperatorId};

/// Folder of staged objects below a job's folder.
pub const FOLDER: &str = "staged";

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

/// A chunk of staged output, as a manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkRef {
    /// Path relative to the folder that the output is staged in.
    pub path: String,
    /// Bytes of its content before compression.
    pub bytes: u64,
    /// Records in it.
    pub records: u64,
    /// xxh3-64 of its content, hexadecimal.
    pub digest: String,
}
