//! Task lifecycle: builds the tasks of a deployment, connects and runs them, reports on them.
//!
//! [`deployment`] says what is run, [`build`] turns plan nodes into chains,
//! `restore` gives them their state back, [`channels`] joins them, [`host`] runs them on the
//! data plane's own runtime. What goes to other workers goes through [`shuffle`]. Not here: deciding when (job control) and where (scheduler).

pub mod build;
pub mod channels;
pub mod deployment;
pub mod host;
pub mod metrics;
mod restore;
pub mod shuffle;
pub mod splits;

pub use deployment::{ConnectorFactory, Deployment, Restored};
pub use host::{RunningTasks, TaskEvent, start};
pub use metrics::{OperatorEntry, RunMetrics};
