//! Attempts, checkpoints, restarts and savepoints of a job as a pure state machine.
//!
//! [`machine::Job`] takes events with the time at which they happened and returns actions; a thin
//! driver does the I/O: in process for `tidegate run`, over gRPC in a cluster. What must outlive the
//! driver is the [`tidegate_types::JobRecord`], kept in a metadata store that refuses older writers.
//!
//! The protocol of a checkpoint: `Trigger` to every task → each task acknowledges → `WriteManifest`
//! (prepares only) → `Save` of a record that names it (from here on the checkpoint exists) →
//! `Complete` to every task (sinks commit) → tasks with sinks report that they have committed.

pub mod compatibility;
pub mod driver;
pub mod machine;
pub mod protocol;
pub mod restart;

pub use compatibility::{Compatibility, Fate, OperatorFate};
pub use driver::{Driver, DriverSpec, Request, Start, Surroundings};
pub use machine::Job;
pub use protocol::{Action, CheckpointKind, ControlSettings, Event, Outcome};
