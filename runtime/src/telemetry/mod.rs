//! Telemetry: [`logs`], among them those of each job ([`job_logs`]), [`trace`]s and [`metrics`]. What is collected is here; where it is sent is up to the process:
//! nothing here opens a connection.

pub mod job_logs;
pub mod logs;
pub mod metrics;
pub mod trace;

pub use logs::{LogFormat, start_logs};
