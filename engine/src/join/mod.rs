//! Joins of two streams.

mod changes;
mod clock;
mod core;
mod emission;
mod equality;
mod evict;
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

pub use regular::Join;
