//! Task lifecycle: builds the tasks of a deployment, connects and runs them, reports on them.
//!
//! [`deployment`] says what is run, [`build`] turns plan nodes into chains,
//! `restore` gives them their state back, [`channels`] joins them, [`host`] runs them on the
//! data plane's own runtime. What goes to other workers goes through [`shuffle`]. Not here: deciding when (job control) and where (scheduler).

pub mod build;
pub mod channels;
pub mod deployment;
mod discovery;
pub mod exposition;
pub mod host;
pub mod metrics;
pub mod prepare;
pub mod resources;
mod restore;
pub mod service;
pub mod shuffle;
pub mod splits;

pub use channels::Links;
pub use deployment::{ConnectorFactory, Deployment, Restored};
pub use host::{RunningTasks, start};
pub use metrics::{OperatorEntry, RunMetrics};
pub use prepare::{AssignedSplits, Prepared, prepare};
