//! What a table is, wherever it is. Types and expressions are Flink SQL, checked by who proposes them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tidegate_types::Result;

use crate::bounds::{self, Bounds, invalid};

/// Columns, keys and options of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TableDefinition {
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// Columns of its primary key.
    pub primary_key: Vec<String>,
    /// Its event time.
    pub watermark: Option<WatermarkSpec>,
    /// Options that do not say where it is, such as `format`.
    pub options: BTreeMap<String, String>,
    /// What tells whether another definition describes the same rows, from who knows what its texts mean.
    pub digest: String,
}

/// A column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, such as `DECIMAL(10, 2) NOT NULL`; empty for computed columns.
    pub ty: String,
    /// What it is, in its owner's words.
    pub comment: String,
    /// What it is computed from; empty for others.
    pub expression: String,
    /// Key of what surrounds a record that it holds; empty for others.
    pub metadata: String,
    /// Whether it is only read, of metadata columns.
    pub is_virtual: bool,
}

/// How late rows may come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatermarkSpec {
    /// The column of event time.
    pub column: String,
    /// Such as `ts - INTERVAL '5' SECOND`.
    pub expression: String,
}

impl TableDefinition {
    /// Refuses one that no table can have, whatever its types mean.
    pub(crate) fn check(&self) -> Result<()> {
        if self.columns.is_empty() || self.columns.len() > Bounds::COLUMNS {
            let most = Bounds::COLUMNS;
            let count = self.columns.len();
            return Err(invalid(format!("a table has 1 to {most} columns, not {count}")));
        }
        let mut names = BTreeSet::new();
        for column in &self.columns {
            let Column { name, ty, comment, expression, metadata, .. } = column;
            bounds::text("the name of a column", name, Bounds::LABEL_BYTES)?;
            for text in [ty, comment, expression, metadata] {
                bounds::text(&format!("column {name}"), text, Bounds::DESCRIPTION_BYTES)?;
            }
            if name.is_empty() {
                return Err(invalid("a column has no name"));
            }
            if ty.is_empty() == expression.is_empty() {
                return Err(invalid(format!(
                    "column {name} has a type or an expression, one of them"
                )));
            }
            if !names.insert(name.as_str()) {
                return Err(invalid(format!("there are two columns {name}")));
            }
        }
        let of_watermark = self.watermark.iter().map(|watermark| &watermark.column);
        for name in self.primary_key.iter().chain(of_watermark) {
            if !names.contains(name.as_str()) {
                return Err(invalid(format!("there is no column {name}")));
            }
        }
        let expression = self.watermark.as_ref().map_or("", |watermark| &watermark.expression);
        bounds::text("the digest", &self.digest, Bounds::LABEL_BYTES)?;
        bounds::text("the watermark", expression, Bounds::DESCRIPTION_BYTES)?;
        bounds::settings(&self.options)
    }
}
