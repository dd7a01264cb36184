//! Checkpoints in object storage: state files, manifests, and reading them back.
//!
//! Layout below a job's folder: `shared/<attempt>-<epoch>-…` state files, `chk-<epoch>/_metadata`
//! manifests. A savepoint is a folder of its own with its `_metadata` and files. A manifest only
//! prepares a checkpoint; it exists once job control has recorded it as complete.

pub mod file;
pub mod manifest;
pub mod storage;
pub mod table_files;

pub use manifest::{FileRef, Manifest, OperatorState, SourceState, SubtaskState, TableState};
pub use storage::CheckpointStorage;
pub use table_files::TableFiles;
