//! The control plane: Raft, the scheduler, the drivers of jobs, the API.

pub mod scheduler;
pub mod raft;
