//! Running tasks: a chain of operators between its inputs and its outputs.
//!
//! [`chain`] drives operators, sinks and output edges; [`source`] and [`process`] are the two loops
//! (a task reads a source or the outputs of other tasks); [`snapshot`] writes what a barrier left.

pub mod chain;
pub mod control;
pub mod process;
pub mod snapshot;
pub mod source;

pub use control::{Control, Report, ReportKind, TaskState};
