//! Keys: hashing them, tables that map them to dense slots, and which slots have changed.

mod changes;
pub mod hash;
mod table;

pub(crate) use changes::{ChangeList, ChangedSlots};
pub use table::KeyTable;
