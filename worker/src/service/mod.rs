//! A worker as a server process: it registers with the leader of the coordinators, does what that says, and reports.
//!
//! [`agent`] keeps the stream to the leader, `runs` holds what runs here, `reports` what the leader has not
//! acknowledged yet. The protocol is described in `proto/tidegate/internal/v1/worker.proto`.

pub mod agent;
mod answers;
mod counters;
mod deploying;
mod metrics;
mod opening;
mod reports;
mod runs;
mod traces;

pub use agent::{Agent, AgentOptions};
pub use deploying::{ConnectorFactories, Host, Prober};
pub use metrics::WorkerMetrics;
pub use opening::Connect;
