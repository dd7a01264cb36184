//! What checkpoints say and where they are, and the protocol between tasks and whoever drives their job. No operators,
//! no Arrow: a coordinator assembles manifests without an engine.
//!
//! Layout below a job's folder: `shared/<attempt>-<epoch>-…` state files, `staged/…` output that waits, `chk-<epoch>/_metadata`
//! manifests. A savepoint is a folder of its own with its `_metadata` and files. A manifest only prepares a checkpoint;
//! it exists once job control has recorded it as complete.

pub mod barrier;
pub mod directory;
pub mod finding;
pub mod garbage;
pub mod manifest;
pub mod records;
pub mod staged;
pub mod storage;
pub mod task;
pub mod traces;

pub use directory::Directory;
pub use manifest::{FileRef, Manifest, OperatorState, SourceState, SubtaskState, TableState};
pub use storage::CheckpointStorage;
