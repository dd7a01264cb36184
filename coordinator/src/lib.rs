//! The control plane: Raft, the scheduler, the drivers of jobs, the API.

mod governance;
mod jobs;
pub mod raft;
pub mod scheduler;
pub(crate) mod secrets;
pub mod service;

pub use jobs::CheckpointFolders;
