//! Catalogs and their databases. All are kept in memory and live as long as the session.

use std::collections::BTreeMap;

use tidegate_types::{Error, ErrorCode};

use super::Object;
use super::function::Function;
use super::path::Namespace;
use crate::suggest;

/// The databases of a catalog.
#[derive(Debug, Clone)]
pub(crate) struct Databases {
    /// What CREATE CATALOG said; nothing of the catalog that a session begins with.
    pub(crate) entry: Option<CatalogEntry>,
    /// The database that is in use where the catalog is and nothing else was said.
    pub(crate) default: String,
    pub(crate) all: BTreeMap<String, Database>,
}

/// What was said of a catalog. Changes of its options do not reach the databases that are there.
#[derive(Debug, Clone)]
pub(crate) struct CatalogEntry {
    pub(crate) comment: Option<String>,
    pub(crate) options: BTreeMap<String, String>,
}

/// What is in a database.
#[derive(Debug, Clone, Default)]
pub(crate) struct Database {
    pub(crate) comment: Option<String>,
    pub(crate) options: BTreeMap<String, String>,
    pub(super) objects: BTreeMap<String, Object>,
    /// By names in small letters.
    pub(super) functions: BTreeMap<String, Function>,
}

impl Databases {
    /// A catalog with one database.
    pub(crate) fn new(entry: Option<CatalogEntry>, default: &str) -> Self {
        let all = BTreeMap::from([(default.to_owned(), Database::default())]);
        Self { entry, default: default.to_owned(), all }
    }

    /// Whether there is nothing but its first database, with nothing in it.
    pub(crate) fn is_untouched(&self) -> bool {
        self.all.len() == 1 && self.all.get(&self.default).is_some_and(Database::is_empty)
    }

    pub(super) fn no_database(&self, namespace: &Namespace) -> Error {
        let Namespace { catalog, database } = namespace;
        let message = format!("there is no database '{database}' in the catalog '{catalog}'");
        let error = Error::new(ErrorCode::NotFound, message);
        match suggest::advice(database, self.all.keys().map(String::as_str), "the databases are") {
            Some(advice) => error.help(advice),
            None => error.help("use CREATE DATABASE"),
        }
    }
}

impl Database {
    /// A database with nothing in it.
    pub(crate) fn new(comment: Option<String>, options: BTreeMap<String, String>) -> Self {
        Self { comment, options, ..Self::default() }
    }

    /// Whether it has neither tables, views nor functions.
    pub(crate) fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.functions.is_empty()
    }
}
