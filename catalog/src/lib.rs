//! The domain of the platform as a deterministic state machine: what there is, the commands that change it, and what
//! applying them answers. No clock, no randomness, no I/O, no unordered iteration: time and ids arrive inside commands.
//!
//! [`Catalog::apply`] is the only way to change anything. Two catalogs that applied the same commands in the same order
//! are equal to the byte ([`Catalog::encode`]), which is what lets every coordinator keep one.

mod apply;
mod bounds;
mod command;
mod job;
mod name;
mod operation;
mod page;
mod read;
mod requests;
mod response;
mod run;
mod savepoint;
mod shared;
mod snapshot;
mod state;
mod tenancy;
mod worker;

pub use bounds::Bounds;
pub use command::{Action, COMMAND_VERSION, Command};
pub use job::{Job, JobVersion, Priority, VersionSpec};
pub use name::{
    JobName, MAX_ID_LENGTH, ResourceName, RunName, SavepointName, VersionName, check_id,
};
pub use operation::{Operation, OperationKind, OperationState};
pub use page::{MAX_PAGE_SIZE, Page, PageRequest};
pub use requests::RequestMemory;
pub use response::{Refusal, Response};
pub use run::{DesiredState, Failure, RestoreOrigin, Run, RunState};
pub use savepoint::{Savepoint, SavepointState};
pub use snapshot::SNAPSHOT_VERSION;
pub use state::Catalog;
pub use tenancy::{DEFAULT_PROJECT, DEFAULT_TENANT, Project, Tenant};
pub use worker::{Worker, WorkerSpec, WorkerState};
