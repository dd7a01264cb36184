//! Joins of two streams.

mod buffer;
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
mod spilled;
mod state;
mod temporal;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod timed_tests;
mod window;
#[cfg(test)]
mod window_tests;

pub use interval::IntervalJoin;
pub use regular::Join;
pub use temporal::TemporalJoin;
pub use window::WindowJoin;
