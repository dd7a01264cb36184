//! One module per outside system, and the record formats.
//!
//! [`registry`] makes sources and sinks from plan operators. What options there are is said in
//! `tidegate-connector-spec`; the traits are the engine's. Not here: checkpoints, watermarks,
//! exchanges.

mod blackhole;
mod causes;
mod counter_random;
mod datagen;
pub mod env;
pub mod filesystem;
pub mod format;
#[cfg(feature = "jdbc")]
mod jdbc;
#[cfg(feature = "kafka")]
pub mod kafka;
mod lookup;
mod nexmark;
mod numbered;
mod print;
#[cfg(feature = "probe")]
pub mod probe;
pub mod registry;

pub use env::{ConnectorEnv, PrintTarget, WallClock};
