//! Savepoints as the catalog knows them.

use serde::{Deserialize, Serialize};
use tidegate_types::Epoch;

use crate::name::SavepointName;
use crate::run::Failure;

/// Where a savepoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SavepointState {
    /// Asked for.
    Pending,
    /// It can be restored from.
    Completed,
    /// It could not be taken.
    Failed,
    /// Its files are being deleted.
    Deleting,
}

/// A savepoint: a full checkpoint that only its owner deletes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Savepoint {
    /// Its name.
    pub name: SavepointName,
    /// Number of the run that takes it.
    pub run: u64,
    /// Where it stands.
    pub state: SavepointState,
    /// Path or URL of its folder: what was asked for while pending (none: where the job's files are), then where it is.
    pub location: Option<String>,
    /// Number of the checkpoint that it is, once completed.
    pub epoch: Option<Epoch>,
    /// Bytes of its files, once completed.
    pub size_bytes: u64,
    /// Why it failed.
    pub error: Option<Failure>,
    /// When it was asked for, milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was completed or failed, milliseconds since the epoch.
    pub done_ms: Option<i64>,
    /// Changes with every change of the savepoint; its etag.
    pub revision: u64,
}
