//! Tables and views that statements may name: plain data, read by the binder.
//!
//! A session's DDL changes its own copy (`session.rs`); later a snapshot of the governed catalog
//! takes this place.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_plan::Expr;
use tidegate_types::{Field, SqlType};

use crate::parser::ast::QueryText;

/// Tables and views by name.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    objects: BTreeMap<String, Object>,
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
    pub(crate) comment: Option<String>,
    /// The statement that made it.
    pub(crate) text: String,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Type, with the time attribute of a rowtime or proctime column.
    pub(crate) ty: SqlType,
    pub(crate) kind: ColumnKind,
    pub(crate) comment: Option<String>,
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
    /// The expression as written.
    pub(crate) text: String,
}

/// A view: its query, bound anew wherever it is used.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) name: String,
    /// Names given in `CREATE VIEW v (a, b)`.
    pub(crate) columns: Vec<String>,
    pub(crate) query: QueryText,
    /// The statement that made it.
    pub(crate) text: String,
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

    pub(crate) fn get(&self, name: &str) -> Option<&Object> {
        self.objects.get(name)
    }

    pub(crate) fn insert(&mut self, name: String, object: Object) {
        self.objects.insert(name, object);
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.objects.remove(name);
    }

    /// Names of all tables and views, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.objects.keys().map(String::as_str)
    }

    /// Names of all views, sorted.
    pub(crate) fn view_names(&self) -> impl Iterator<Item = &str> {
        self.objects
            .iter()
            .filter(|(_, object)| matches!(object, Object::View(_)))
            .map(|(name, _)| name.as_str())
    }
}
