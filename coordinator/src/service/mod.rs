//! What coordinators serve over gRPC: the public API, the streams of workers, each other.

mod api;
mod call;
mod first_account;
mod gate;
mod health;
mod metrics;
mod reception;
mod searching;
mod server;
#[cfg(feature = "simulation")]
pub mod simulated;
pub(crate) mod workers;

pub(crate) use api::statement;
pub use first_account::{FIRST_ACCOUNT, FirstAccount};
pub use server::{Coordinator, CoordinatorOptions, Formation, Security};
