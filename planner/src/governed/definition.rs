//! What a definition says, for whoever keeps and shows it.

use std::collections::BTreeMap;

use tidegate_connector_spec::{Role, validate};
use tidegate_plan::PlanSettings;
use tidegate_types::{Error, Result, Span, SqlType};

use super::names::parsed;
use super::placeholder::with_samples;
use crate::bind;
use crate::catalog::{Catalog, Namespace, Table};
use crate::lower::check_metadata;
use crate::parser::ast::{ColumnKind, CreateTable};
use crate::parser::flink_text;

/// A table's definition, read and bound.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Columns in order.
    pub columns: Vec<DefinedColumn>,
    /// Columns of the primary key.
    pub primary_key: Vec<String>,
    /// The column of the watermark and its expression.
    pub watermark: Option<(String, String)>,
    /// Columns of PARTITIONED BY.
    pub partition_keys: Vec<String>,
    /// Options, with placeholders.
    pub options: BTreeMap<String, String>,
    /// What COMMENT says of the table.
    pub comment: Option<String>,
    /// Why the table cannot be read, if it cannot: its connector reads nothing, or does not take its options.
    pub unreadable: Option<Error>,
    /// Why the table cannot be written, if it cannot.
    pub unwritable: Option<Error>,
}

/// A column of a definition.
#[derive(Debug, Clone, PartialEq)]
pub struct DefinedColumn {
    /// Name.
    pub name: String,
    /// Type; of a computed column that of its expression.
    pub ty: SqlType,
    /// Where its values come from.
    pub kind: DefinedKind,
    /// What COMMENT says of it.
    pub comment: Option<String>,
}

/// Where the values of a column come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefinedKind {
    /// The record.
    Physical,
    /// An expression over other columns, as text.
    Computed(String),
    /// What surrounds the record.
    Metadata {
        /// The connector's name for it.
        key: String,
        /// Whether it is only read.
        is_virtual: bool,
    },
}

/// Reads the definition of a governed table, as it is to be kept: one CREATE TABLE statement.
///
/// # Errors
/// `SQL_SYNTAX`, `SQL_SEMANTIC` and others with places in the definition if it is not one that binds. Options are not
/// among them: see [`Definition::unreadable`] and [`Definition::unwritable`].
pub fn describe_definition(definition: &str) -> Result<Definition> {
    let create = parsed(definition)?;
    let table = bound(&create)?;
    let refused = |role| {
        let checked = validate(&with_samples(&table.options), role);
        checked.and_then(|()| check_metadata(&table, role)).err()
    };
    let columns = create.columns.iter().zip(&table.columns).map(|(def, column)| DefinedColumn {
        name: column.name.clone(),
        ty: column.ty.clone().materialized(),
        kind: kind_of(&def.kind, &column.name),
        comment: def.comment.clone(),
    });
    let watermark = create.watermark.as_ref().map(|watermark| {
        let column: Vec<&str> = watermark.column.iter().map(|part| part.value.as_str()).collect();
        (column.join("."), flink_text::expression(&watermark.expr))
    });
    Ok(Definition {
        columns: columns.collect(),
        primary_key: table.primary_key.clone(),
        watermark,
        partition_keys: table.partition_keys.clone(),
        comment: create.comment.clone(),
        unreadable: refused(Role::Source),
        unwritable: refused(Role::Sink),
        options: table.options,
    })
}

/// The table of a definition by itself; only what binds is a definition.
pub(super) fn bound(create: &CreateTable) -> Result<Table> {
    let place = Span { line: 1, column: 1, end_line: 1, end_column: 1 };
    // Zones do not change types.
    let settings = PlanSettings::default();
    let here = Namespace::default();
    bind::table::table(create.clone(), &Catalog::new(), &here, &settings, place)
}

fn kind_of(kind: &ColumnKind, name: &str) -> DefinedKind {
    match kind {
        ColumnKind::Physical(_) => DefinedKind::Physical,
        ColumnKind::Computed(expr) => DefinedKind::Computed(flink_text::expression(expr)),
        ColumnKind::Metadata { key, is_virtual, .. } => {
            let key = key.clone().unwrap_or_else(|| name.to_owned());
            DefinedKind::Metadata { key, is_virtual: *is_virtual }
        }
    }
}
