//! Windowed operators: slices and their aggregation, sessions, window columns, window Top-N.

mod aggregate;
pub(crate) mod assign;
mod chunks;
mod emitting;
pub(crate) mod fired;
mod late;
pub(crate) mod layout;
mod local;
mod rank;
mod restoring;
mod row_store;
mod session;
mod session_rows;
mod session_spill;
mod session_table;
mod sessions;
mod slice;
mod slice_state;
mod store;
mod time;
mod tvf;

pub use aggregate::{AggregateInput, WindowAggregate};
pub use emitting::EmittingAggregate;
pub use late::LateRows;
pub use local::LocalWindowAggregate;
pub use rank::WindowRank;
pub use session::SessionAggregate;
pub use session_rows::SessionRows;
pub use slice::Slices;
pub use time::WindowZone;
pub use tvf::WindowTvf;

#[cfg(test)]
mod changes_tests;
#[cfg(test)]
mod copying_tests;
#[cfg(test)]
mod late_tests;
#[cfg(test)]
mod processing_time_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
