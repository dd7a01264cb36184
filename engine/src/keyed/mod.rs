//! State by key that comes and goes: a table of slots with what changed since which snapshot, removal,
//! a time to live, snapshots and restore. The values are the operator's own columns by slot.
//!
//! Used by the operators over changing tables; windows have tables of their own (`window/store.rs`).

mod buffers;
mod copier;
mod entries;
mod identity;
mod journal;
mod layout;
mod links;
mod pending;
mod rows;
mod scales;
mod sort_bytes;
mod successive;
mod table;
#[cfg(test)]
mod tests;
mod ttl;

pub(crate) use copier::Copier;
pub(crate) use entries::{Owners, RowEntries, hashes_of};
pub(crate) use identity::Identity;
pub(crate) use journal::Journal;
pub(crate) use layout::EntryLayout;
use layout::VERSION;
pub(crate) use links::Links;
pub(crate) use pending::{Pending, Wanted};
pub(crate) use rows::SlotRows;
pub(crate) use scales::Scales;
pub(crate) use sort_bytes::SortBytes;
pub(crate) use successive::{last_of_each, replaced, rounds};
pub(crate) use table::{Keyed, SlotValues};
