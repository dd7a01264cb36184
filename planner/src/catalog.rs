//! Tables and views that statements may name: plain data, read by the binder.
//!
//! A session's DDL changes its own copy (`session.rs`); later a snapshot of the governed catalog
//! takes this place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidegate_plan::Expr;
use tidegate_types::{Field, SqlType};

use crate::parser::ast::{CreateTable, QueryText};

/// Tables and views by name; temporary ones hide others of the same name.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    objects: BTreeMap<String, Object>,
    temporary: BTreeMap<String, Object>,
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
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) watermark: Option<Watermark>,
    pub(crate) primary_key: Vec<String>,
    pub(crate) partition_keys: Vec<String>,
    pub(crate) options: BTreeMap<String, String>,
    /// What it was bound from, with the columns of a primary key NOT NULL.
    pub(crate) definition: Arc<CreateTable>,
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
    /// Over all columns.
    pub(crate) expr: Expr,
}

/// A view: its query, bound anew wherever it is used.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) name: String,
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
        physical.map(Column::field).collect()
    }

    /// Metadata columns with their keys, in declared order.
    pub(crate) fn metadata_columns(&self) -> impl Iterator<Item = (Field, &str)> {
        self.columns.iter().filter_map(|column| match &column.kind {
            ColumnKind::Metadata { key, .. } => Some((column.field(), key.as_str())),
            _ => None,
        })
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

impl Catalog {
    /// An empty catalog.
    pub fn new() -> Self {
        Self::default()
    }

    /// What a name stands for: something temporary before anything else.
    pub(crate) fn get(&self, name: &str) -> Option<&Object> {
        self.temporary.get(name).or_else(|| self.objects.get(name))
    }

    /// What has a name among the temporary objects, or among the others.
    pub(crate) fn among(&self, temporary: bool, name: &str) -> Option<&Object> {
        let objects = if temporary { &self.temporary } else { &self.objects };
        objects.get(name)
    }

    pub(crate) fn insert(&mut self, name: String, object: Object) {
        let objects = if object.is_temporary() { &mut self.temporary } else { &mut self.objects };
        objects.insert(name, object);
    }

    pub(crate) fn remove(&mut self, temporary: bool, name: &str) {
        let objects = if temporary { &mut self.temporary } else { &mut self.objects };
        objects.remove(name);
    }

    /// Names of all tables and views, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let names: BTreeSet<&str> =
            self.objects.keys().chain(self.temporary.keys()).map(String::as_str).collect();
        names.into_iter()
    }

    /// Names of all views, sorted.
    pub(crate) fn view_names(&self) -> impl Iterator<Item = &str> {
        self.names().filter(|name| matches!(self.get(name), Some(Object::View(_))))
    }
}
