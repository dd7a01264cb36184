//! Where things stand: catalog, database, name.

use std::fmt;

/// The catalog that every session begins with.
pub(crate) const DEFAULT_CATALOG: &str = "default_catalog";
/// Its database.
pub(crate) const DEFAULT_DATABASE: &str = "default_database";

/// A database in a catalog. Names that do not spell them out are looked up in the one in use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Namespace {
    pub(crate) catalog: String,
    pub(crate) database: String,
}

/// The full name of a table, view or function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ObjectPath {
    pub(crate) namespace: Namespace,
    pub(crate) name: String,
}

impl Namespace {
    pub(crate) fn new(catalog: &str, database: &str) -> Self {
        Self { catalog: catalog.to_owned(), database: database.to_owned() }
    }

    /// The full name of something in it.
    pub(crate) fn path(&self, name: &str) -> ObjectPath {
        ObjectPath { namespace: self.clone(), name: name.to_owned() }
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self::new(DEFAULT_CATALOG, DEFAULT_DATABASE)
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.catalog, self.database)
    }
}

/// The name by which plans know a table: catalog and database stand before it unless they are those that a
/// session begins with.
impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace != Namespace::default() {
            write!(f, "{}.", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}
