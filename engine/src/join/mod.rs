//! Joins of two streams.

mod changes;
mod clock;
mod core;
mod emission;
mod equality;
mod evict;
mod interval;
mod links;
mod regular;
mod residual;
mod restore;
mod rows;
mod side;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod timed_tests;

pub use interval::IntervalJoin;
pub use regular::Join;
