//! Running tasks: a chain of operators between its inputs and its outputs.
//!
//! [`chain`] drives operators, sinks and output edges; [`source`] and [`process`] are the two loops
//! (a task reads a source or the outputs of other tasks); [`snapshot`] is what a barrier left, which
//! [`copying`] completes while processing goes on and [`upload`] writes; [`sink_stage`] makes staged output visible beside all that.

pub mod chain;
pub mod commits;
pub mod copying;
pub mod process;
pub mod sink_stage;
pub mod snapshot;
pub mod source;
pub mod upload;

pub use tidegate_checkpoint::task::{Control, Report, ReportKind, SnapshotCost, TaskState};
