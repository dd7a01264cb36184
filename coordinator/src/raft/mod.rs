//! The replicated metadata of a cluster: the catalog as the state machine of a Raft group.
//!
//! - [`log_store`]: the log on disk; nothing is acknowledged before it is synced.
//! - [`snapshots`]: files of the whole catalog, written so that a crash leaves the older one.
//! - [`state_machine`]: applies committed entries to the catalog.
//! - `applied_cache`: what was applied since the last snapshot, in a database that may lie and is checked.
//! - [`network`]: what coordinators say to each other, over gRPC; the only place here that knows it.
//! - [`node`]: one coordinator's handle, [`Metadata`], which is all that others use.
//!
//! Three guards keep the past from doing harm; each is in one place: the term of a leader's own commands
//! (`state_machine::check_term`), the sync before an acknowledgement (`log_store::Inner::commit`), and the revision of
//! saved records (the catalog's `Run::check_record`).

mod applied_cache;
mod codec;
#[cfg(any(test, feature = "simulation"))]
pub mod disk;
mod execution;
pub mod log_store;
pub mod network;
pub mod node;
#[cfg(feature = "simulation")]
pub mod observation;
pub mod snapshots;
pub mod state_machine;
mod storage_error;
mod types;

pub use execution::Execution;
pub use node::{
    Change, Consistency, Leadership, Member, Metadata, NodeOptions, NodeRole, Status, Storage,
    Timing,
};
pub use types::{NodeId, Outcome, Proposal, Proposed, TypeConfig};
