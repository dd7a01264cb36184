//! The control plane: Raft, the scheduler, the drivers of jobs, the API.

pub(crate) mod audit;
mod governance;
mod jobs;
pub mod raft;
pub(crate) mod resources;
pub mod scheduler;
pub(crate) mod secrets;
pub mod service;

pub use jobs::CheckpointFolders;
