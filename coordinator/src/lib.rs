//! The control plane: Raft, the scheduler, the drivers of jobs, the API.

mod jobs;
pub mod raft;
pub mod scheduler;
pub mod service;

pub use jobs::CheckpointFolders;
