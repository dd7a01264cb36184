//! Functions that CREATE FUNCTION made.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::path::{Namespace, ObjectPath};
use crate::parser::ast::{Kept, SqlBody};

/// A function with a body in SQL, or a class whose function is built in.
#[derive(Debug, Clone)]
pub(crate) enum Function {
    Class(String),
    Sql(Arc<SqlFunction>),
}

/// A function whose body stands in its calls' place.
#[derive(Debug)]
pub(crate) struct SqlFunction {
    /// Small letters; with catalog and database as far as they are not those of the beginning.
    pub(crate) name: String,
    /// Where names in the body are looked up.
    pub(crate) here: Namespace,
    pub(crate) sql: SqlBody,
}

/// Functions beside the databases.
#[derive(Debug, Clone, Default)]
pub(crate) struct TemporaryFunctions {
    system: BTreeMap<String, Function>,
    named: BTreeMap<ObjectPath, Function>,
}

impl TemporaryFunctions {
    pub(crate) fn get(&self, kept: Kept, path: &ObjectPath) -> Option<&Function> {
        match kept {
            Kept::System => self.system.get(&path.name),
            _ => self.named.get(path),
        }
    }

    pub(crate) fn insert(&mut self, kept: Kept, path: ObjectPath, function: Function) {
        match kept {
            Kept::System => self.system.insert(path.name, function),
            _ => self.named.insert(path, function),
        };
    }

    pub(crate) fn remove(&mut self, kept: Kept, path: &ObjectPath) -> Option<Function> {
        match kept {
            Kept::System => self.system.remove(&path.name),
            _ => self.named.remove(path),
        }
    }

    /// Names of those that calls without catalog and database find.
    pub(crate) fn names<'a>(&'a self, here: &'a Namespace) -> impl Iterator<Item = &'a str> {
        let named = self.named.keys().filter(move |path| path.namespace == *here);
        self.system.keys().map(String::as_str).chain(named.map(|path| path.name.as_str()))
    }
}
