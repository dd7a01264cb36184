//! Operators, windows, state, snapshots, checkpoint alignment: a library with no network.
//!
//! Invariants: never opens a socket; operators are synchronous and vectorised, async lives at the
//! borders of a task; nothing reads an ambient clock or random source.

pub mod connector;
pub mod element;
pub mod metrics;

pub use element::{Barrier, BarrierKind, Changes, Element};
