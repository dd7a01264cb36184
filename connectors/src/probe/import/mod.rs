//! What is in a data source: databases, tables, and the columns of a table.

pub(super) mod arrow_types;
pub(super) mod csv;
pub(super) mod elasticsearch_types;
pub(super) mod files;
pub(super) mod hive_types;
pub(super) mod json;
pub(super) mod sample;
#[cfg(feature = "jdbc")]
pub(super) mod sql_types;

use std::collections::BTreeMap;

use tidegate_types::SqlType;

/// Most names in a page.
pub(super) const MAX_PAGE: usize = 1000;
/// Most columns of a table that are described.
pub(super) const MAX_COLUMNS: usize = 2000;

/// Which names are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Only names that begin so.
    pub prefix: Option<String>,
    /// Only names behind this one: the last of the page before.
    pub after: Option<String>,
    /// Most names, 1 to 1000.
    pub limit: usize,
}

impl Default for Page {
    /// The first hundred names.
    fn default() -> Self {
        Self { prefix: None, after: None, limit: 100 }
    }
}

impl Page {
    pub(super) fn limit(&self) -> usize {
        self.limit.clamp(1, MAX_PAGE)
    }

    pub(super) fn prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or_default()
    }

    pub(super) fn after(&self) -> &str {
        self.after.as_deref().unwrap_or_default()
    }

    /// The page of these entries, which are all there are.
    pub(super) fn of(&self, databases: bool, mut entries: Vec<Entry>) -> Listing {
        entries.retain(|entry| {
            entry.name.starts_with(self.prefix()) && entry.name.as_str() > self.after()
        });
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries.dedup_by(|a, b| a.name == b.name);
        self.cut(databases, entries)
    }

    /// The page of the first of these entries, which are in order and one more than fit, if there are more.
    pub(super) fn cut(&self, databases: bool, mut entries: Vec<Entry>) -> Listing {
        let more = entries.len() > self.limit();
        entries.truncate(self.limit());
        let next = entries.last().filter(|_| more).map(|last| last.name.clone());
        Listing { databases, entries, next }
    }
}

/// A page of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Whether these are databases, not tables.
    pub databases: bool,
    /// In the order of their names.
    pub entries: Vec<Entry>,
    /// What to ask for behind it; `None`: this is the last page.
    pub next: Option<String>,
}

/// One name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// The name, as it is used to describe the thing.
    pub name: String,
    /// What the system says of it.
    pub comment: Option<String>,
}

impl Entry {
    pub(super) fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), comment: None }
    }
}

/// The columns of a table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Description {
    /// Those that there is a type for, in the table's order.
    pub columns: Vec<Column>,
    /// Those that there is none for.
    pub unmapped: Vec<Unmapped>,
    /// What the system says of the table.
    pub comment: Option<String>,
    /// Options that reading the table needs, such as `format`.
    pub options: BTreeMap<String, String>,
    /// How many records were looked at; `None`: the system itself knows the columns.
    pub sampled: Option<usize>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type here.
    pub ty: SqlType,
    /// Its type there, or what was seen.
    pub native: String,
    /// What the system says of it.
    pub comment: Option<String>,
    /// Whether it is part of the primary key.
    pub primary_key: bool,
}

/// A column that has no type here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmapped {
    /// Its name.
    pub name: String,
    /// Its type there.
    pub native: String,
    /// Why there is no type for it.
    pub why: String,
}

impl Description {
    /// Adds a column, or what has no type.
    pub(super) fn add(
        &mut self,
        name: &str,
        native: &str,
        ty: Result<SqlType, String>,
        comment: Option<String>,
        primary_key: bool,
    ) {
        let (name, native) = (name.to_owned(), native.to_owned());
        match ty {
            Ok(ty) => self.columns.push(Column { name, ty, native, comment, primary_key }),
            Err(why) => self.unmapped.push(Unmapped { name, native, why }),
        }
    }
}
