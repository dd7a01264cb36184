//! Barriers: the borders between the rows of two checkpoints.

use serde::{Deserialize, Serialize};
use tidegate_types::Epoch;

/// Why a barrier was injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BarrierKind {
    /// A periodic checkpoint: incremental.
    Checkpoint,
    /// A savepoint: self-contained.
    Savepoint,
    /// A savepoint after which sources read no more.
    StopWithSavepoint,
}

/// The border between the rows of two checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Barrier {
    /// The checkpoint that the rows before the barrier belong to.
    pub epoch: Epoch,
    /// Why.
    pub kind: BarrierKind,
}
