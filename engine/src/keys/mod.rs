//! Keys: hashing them, tables that map them to dense slots, and which slots have changed.

mod arena;
mod changes;
pub mod hash;
mod native;
mod table;

pub(crate) use changes::{ChangeList, ChangedSlots};
pub(crate) use native::{is_native, native_values};
pub use table::{KeyTable, NO_SLOT};
