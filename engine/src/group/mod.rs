//! `GROUP BY` over a whole table: results by group that change with every row.
//!
//! A batch of rows is taken in these steps, each over columns: find the groups, note those not yet
//! pending and the results they had, add or take back the rows, and (at once or when the bundle is
//! full) compare the new results with the old ones and emit one net change per group.
//!
//! State tables: `groups` and one per DISTINCT argument (`distinct0`, …). See [`crate::keyed`].

mod distinct;
mod local;
mod operator;
mod state;
#[cfg(test)]
mod tests;

pub use local::{LocalGroupAggregate, is_two_phase};
pub use operator::GroupAggregate;
pub(crate) use state::{GroupState, restore_distinct};
