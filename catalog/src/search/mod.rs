//! Full-text search over what the catalog holds: a structure without I/O that is built from the catalog and follows it.
//!
//! [`document`] says what is found by which texts, [`words`] what words are, [`index`] keeps where they stand, [`find`]
//! searches, [`follow`] keeps up with the catalog. Who may see what is not known here: a search is told.

mod document;
mod find;
mod follow;
mod index;
#[cfg(test)]
mod tests;
mod words;

pub use document::{Document, DocumentKind, Field};
pub use find::{Found, Hit, MAX_LOOKS, SearchFilter};
pub(crate) use follow::ChangeLog;
pub use follow::{CatalogSearch, Refreshed};
pub use index::SearchIndex;
