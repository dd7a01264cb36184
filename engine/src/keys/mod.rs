//! Keys: hashing them, and tables that map them to dense slots.

pub mod hash;
mod table;

pub use table::KeyTable;
