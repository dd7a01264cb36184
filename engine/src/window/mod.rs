//! Windowed operators: slices and their aggregation, sessions, window columns, window Top-N.

mod aggregate;
mod assign;
mod local;
mod rank;
mod refresh;
mod session;
mod slice;
mod snapshot;
mod store;
mod time;
mod tvf;

pub use aggregate::{AggregateInput, WindowAggregate};
pub use local::LocalWindowAggregate;
pub use rank::WindowRank;
pub use session::SessionAggregate;
pub use slice::Slices;
pub use time::WindowZone;
pub use tvf::WindowTvf;

#[cfg(test)]
mod tests;
