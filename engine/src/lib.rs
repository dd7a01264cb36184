//! Operators, windows, state, snapshots, checkpoint alignment: a library with no network.
//!
//! Invariants: never opens a socket; operators are synchronous and vectorised, async lives at the
//! borders of a task; nothing reads an ambient clock or random source.

pub mod aggregate;
pub mod calc;
pub mod changelog;
pub mod checkpoint;
pub mod connector;
pub mod deduplicate;
pub mod element;
pub mod exchange;
pub mod expand;
pub mod group;
pub mod join;
mod keyed;
pub mod keys;
pub mod lookup;
pub mod memory;
pub mod metrics;
pub mod operator;
pub mod over;
pub mod pattern;
pub mod rank;
pub mod sort;
pub mod spill;
pub mod staging;
pub mod task;
#[cfg(test)]
mod testing;
mod texts;
pub mod unnest;
pub mod values;
pub mod window;

pub use element::{Barrier, BarrierKind, Changes, Element};
