//! Joins of streams: regular ones of tables that change ([`Join`]), of several tables by one key ([`MultiJoin`]), of
//! rows whose times are close ([`IntervalJoin`]), of rows of equal windows ([`WindowJoin`]), of rows with versions
//! ([`TemporalJoin`]).
//!
//! All keep rows in *sides* (`side`): coalesced batches ("chunks", `rows`) and chains of rows by the hash of the key
//! (`links`). A place in a chunk is a row's id while it lives; what is known of a row besides its columns (its chain,
//! the number of its partners, its time) is in arrays by id. `core` looks a batch up among the rows of the other side,
//! in blocks of candidate pairs that `residual` sorts out together, and `emission` makes the output of what is
//! left. `changes` finds the rows that a batch takes back; `evict` forgets and compacts, `spilled` moves to local
//! disk, `snapshot` and `restore` are the state tables. Lookup joins are not here.

mod buffer;
mod changes;
mod clock;
mod core;
mod emission;
mod equality;
mod evict;
mod interval;
mod links;
mod multi;
#[cfg(test)]
mod multi_tests;
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
pub use multi::MultiJoin;
pub use regular::Join;
pub use temporal::TemporalJoin;
pub use window::WindowJoin;
