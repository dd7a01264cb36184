//! Tables, views and functions that statements may name, by catalog and database: plain data, read by the binder.
//!
//! Full names are in `path`, functions in `function`, catalogs and databases in `database`. A session's DDL changes its own copy (`session.rs`); tables that no script defines
//! are in [`crate::governed`].

mod database;
mod function;
mod path;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidegate_plan::Expr;
use tidegate_types::{Error, ErrorCode, Field, Result, SqlType};

pub(crate) use self::database::{CatalogEntry, Database, Databases};
pub(crate) use self::function::{Function, SqlFunction, TemporaryFunctions};
pub(crate) use self::path::{DEFAULT_CATALOG, DEFAULT_DATABASE, Namespace, ObjectPath};
use crate::governed::{Governed, GovernedCatalogs};
use crate::parser::ast::{CreateTable, Kept, QueryText};
use crate::suggest;

/// Tables, views and functions by their full names; temporary ones hide others of the same name.
#[derive(Debug, Clone)]
pub struct Catalog {
    catalogs: BTreeMap<String, Databases>,
    /// Their catalogs and databases need not be there.
    temporary: BTreeMap<ObjectPath, Object>,
    functions: TemporaryFunctions,
    pub(crate) governed: Option<GovernedCatalogs>,
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub(crate) enum Object {
    Table(Arc<Table>),
    View(Arc<View>),
}

/// A table as declared, with its expressions bound.
#[derive(Debug, PartialEq)]
pub(crate) struct Table {
    pub(crate) path: ObjectPath,
    /// What plans call it: its path, without the catalog and database that a session begins with.
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) watermark: Option<Watermark>,
    pub(crate) primary_key: Vec<String>,
    pub(crate) partition_keys: Vec<String>,
    pub(crate) options: BTreeMap<String, String>,
    /// What it was bound from, with the columns of a primary key NOT NULL.
    pub(crate) definition: Arc<CreateTable>,
    /// Of a table that the catalog governs.
    pub(crate) governed: Option<Box<Governed>>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Type, with the time attribute of a rowtime or proctime column.
    pub(crate) ty: SqlType,
    pub(crate) kind: ColumnKind,
}

/// Where a column's values come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ColumnKind {
    /// The record.
    Physical,
    /// An expression over the physical columns, then the metadata columns, each in declared order.
    Computed(Expr),
    /// The record's metadata.
    Metadata { key: String, is_virtual: bool },
}

/// `WATERMARK FOR`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Watermark {
    /// Index in [`Table::columns`].
    pub(crate) column: usize,
    /// Over all columns; none: `SOURCE_WATERMARK()`, the source's own.
    pub(crate) expr: Option<Expr>,
}

/// A view: its query, bound anew wherever it is used.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) path: ObjectPath,
    /// Where names in the query are looked up.
    pub(crate) here: Namespace,
    pub(crate) temporary: bool,
    /// Names given in `CREATE VIEW v (a, b)`.
    pub(crate) columns: Vec<String>,
    pub(crate) comment: Option<String>,
    pub(crate) query: QueryText,
    /// The query as written.
    pub(crate) text: String,
}

impl Object {
    /// Whether it was made with `TEMPORARY`.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            Self::Table(table) => table.definition.temporary,
            Self::View(view) => view.temporary,
        }
    }
}

impl Table {
    /// Physical columns in declared order, without time attributes.
    pub(crate) fn physical_columns(&self) -> Vec<Field> {
        let physical = self.columns.iter().filter(|column| column.kind == ColumnKind::Physical);
        let fields = physical.enumerate();
        fields
            .map(|(index, column)| self.produced(index).unwrap_or_else(|| column.field()))
            .collect()
    }

    /// Metadata columns with their keys, in declared order.
    pub(crate) fn metadata_columns(&self) -> impl Iterator<Item = (Field, &str)> {
        let metadata = self.columns.iter().filter_map(|column| match &column.kind {
            ColumnKind::Metadata { key, .. } => Some((column, key.as_str())),
            _ => None,
        });
        let is_physical = |column: &&Column| column.kind == ColumnKind::Physical;
        let first = self.columns.iter().filter(is_physical).count();
        metadata.enumerate().map(move |(index, (column, key))| {
            (self.produced(first + index).unwrap_or_else(|| column.field()), key)
        })
    }

    /// A column as the connector produces it, where the caller may see another type.
    fn produced(&self, index: usize) -> Option<Field> {
        self.governed.as_ref()?.produced.get(index).cloned()
    }

    /// The columns that an INSERT fills: physical ones, and metadata that is not VIRTUAL.
    pub(crate) fn sink_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| {
            matches!(
                column.kind,
                ColumnKind::Physical | ColumnKind::Metadata { is_virtual: false, .. }
            )
        })
    }
}

impl Column {
    /// Name and type without time attribute.
    pub(crate) fn field(&self) -> Field {
        Field::new(self.name.clone(), self.ty.clone().materialized())
    }
}

impl Default for Catalog {
    fn default() -> Self {
        Self::new()
    }
}

impl Catalog {
    /// The catalog and the database that a session begins with, without anything in it.
    pub fn new() -> Self {
        let first = Databases::new(None, DEFAULT_DATABASE);
        Self {
            catalogs: BTreeMap::from([(DEFAULT_CATALOG.to_owned(), first)]),
            temporary: BTreeMap::new(),
            functions: TemporaryFunctions::default(),
            governed: None,
        }
    }

    /// What a name stands for: something temporary before anything else.
    pub(crate) fn get(&self, path: &ObjectPath) -> Option<&Object> {
        self.temporary.get(path).or_else(|| self.among(false, path))
    }

    /// What has a name among the temporary objects, or among the others.
    pub(crate) fn among(&self, temporary: bool, path: &ObjectPath) -> Option<&Object> {
        match temporary {
            true => self.temporary.get(path),
            false => self.find(&path.namespace)?.objects.get(&path.name),
        }
    }

    /// Adds an object or puts it in another's place.
    ///
    /// # Errors
    /// `NOT_FOUND` if its database is not there, unless it is temporary.
    pub(crate) fn insert(&mut self, path: ObjectPath, object: Object) -> Result<()> {
        if object.is_temporary() {
            self.temporary.insert(path, object);
            return Ok(());
        }
        self.database_mut(&path.namespace)?.objects.insert(path.name, object);
        Ok(())
    }

    pub(crate) fn remove(&mut self, temporary: bool, path: &ObjectPath) {
        if temporary {
            self.temporary.remove(path);
        } else if let Ok(database) = self.database_mut(&path.namespace) {
            database.objects.remove(&path.name);
        }
    }

    /// Names of all tables and views of a database, sorted.
    pub(crate) fn names<'a>(&'a self, here: &Namespace) -> impl Iterator<Item = &'a str> + use<'a> {
        let stored = self.find(here).into_iter().flat_map(|found| found.objects.keys());
        let temporary = self.temporary.keys().filter(|path| path.namespace == *here);
        let temporary = temporary.map(|path| &path.name);
        let names: BTreeSet<&str> = stored.chain(temporary).map(String::as_str).collect();
        names.into_iter()
    }

    /// Names of all views of a database, sorted.
    pub(crate) fn view_names<'a>(&'a self, here: &Namespace) -> Vec<&'a str> {
        let is_view = |name: &&str| matches!(self.get(&here.path(name)), Some(Object::View(_)));
        self.names(here).filter(is_view).collect()
    }

    /// The function that a call finds: one of the whole session, a temporary one, one of the database.
    pub(crate) fn function(&self, path: &ObjectPath, qualified: bool) -> Option<(Kept, &Function)> {
        let kept = [Kept::System, Kept::Temporary, Kept::Catalog].into_iter();
        let mut kept = kept.skip(usize::from(qualified));
        kept.find_map(|kept| Some((kept, self.function_among(kept, path)?)))
    }

    pub(crate) fn function_among(&self, kept: Kept, path: &ObjectPath) -> Option<&Function> {
        match kept {
            Kept::Catalog => self.find(&path.namespace)?.functions.get(&path.name),
            _ => self.functions.get(kept, path),
        }
    }

    /// Adds a function or puts it in another's place.
    ///
    /// # Errors
    /// `NOT_FOUND` if it is to be kept in a database that is not there.
    pub(crate) fn insert_function(
        &mut self,
        kept: Kept,
        path: ObjectPath,
        function: Function,
    ) -> Result<()> {
        if kept == Kept::Catalog {
            self.database_mut(&path.namespace)?.functions.insert(path.name, function);
        } else {
            self.functions.insert(kept, path, function);
        }
        Ok(())
    }

    pub(crate) fn remove_function(&mut self, kept: Kept, path: &ObjectPath) -> Option<Function> {
        match kept {
            Kept::Catalog => self.database_mut(&path.namespace).ok()?.functions.remove(&path.name),
            _ => self.functions.remove(kept, path),
        }
    }

    /// Names of the functions that calls without catalog and database find, sorted.
    pub(crate) fn function_names<'a>(&'a self, here: &'a Namespace) -> BTreeSet<&'a str> {
        let stored = self.find(here).into_iter().flat_map(|found| found.functions.keys());
        stored.map(String::as_str).chain(self.functions.names(here)).collect()
    }

    /// Whether a catalog is one of the script's own.
    pub(crate) fn has_catalog(&self, name: &str) -> bool {
        self.catalogs.contains_key(name)
    }

    /// Names of the script's own catalogs, sorted.
    pub(crate) fn catalog_names(&self) -> impl Iterator<Item = &str> {
        self.catalogs.keys().map(String::as_str)
    }

    /// A catalog's databases.
    ///
    /// # Errors
    /// `NOT_FOUND` with the names of those that there are.
    pub(crate) fn databases(&self, catalog: &str) -> Result<&Databases> {
        self.catalogs.get(catalog).ok_or_else(|| self.no_catalog(catalog))
    }

    /// As [`Self::databases`], to be changed.
    pub(crate) fn databases_mut(&mut self, catalog: &str) -> Result<&mut Databases> {
        let missing = self.no_catalog(catalog);
        self.catalogs.get_mut(catalog).ok_or(missing)
    }

    pub(crate) fn insert_catalog(&mut self, name: &str, databases: Databases) {
        self.catalogs.insert(name.to_owned(), databases);
    }

    pub(crate) fn remove_catalog(&mut self, name: &str) {
        self.catalogs.remove(name);
    }

    fn find(&self, namespace: &Namespace) -> Option<&Database> {
        self.catalogs.get(&namespace.catalog)?.all.get(&namespace.database)
    }

    /// A database.
    ///
    /// # Errors
    /// `NOT_FOUND` if it or its catalog is not there.
    pub(crate) fn database(&self, namespace: &Namespace) -> Result<&Database> {
        let databases = self.databases(&namespace.catalog)?;
        let missing = || databases.no_database(namespace);
        databases.all.get(&namespace.database).ok_or_else(missing)
    }

    /// As [`Self::database`], to be changed.
    pub(crate) fn database_mut(&mut self, namespace: &Namespace) -> Result<&mut Database> {
        let databases = self.databases_mut(&namespace.catalog)?;
        let missing = databases.no_database(namespace);
        databases.all.get_mut(&namespace.database).ok_or(missing)
    }

    fn no_catalog(&self, name: &str) -> Error {
        let error = Error::new(ErrorCode::NotFound, format!("there is no catalog '{name}'"));
        match suggest::advice(name, self.catalog_names(), "the catalogs are") {
            Some(advice) => error.help(advice),
            None => error.help("use CREATE CATALOG"),
        }
    }
}
