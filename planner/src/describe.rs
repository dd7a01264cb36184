//! DESCRIBE: the columns of a table or view, laid out as Flink does.

use tidegate_plan::Schema;
use tidegate_types::SqlType;

use crate::catalog::{ColumnKind, Table, View};
use crate::session::Rows;

const COLUMNS: [&str; 6] = ["name", "type", "null", "key", "extras", "watermark"];

/// The columns of a table.
pub(crate) fn table(table: &Table) -> Rows {
    let key = format!("PRI({})", table.primary_key.join(", "));
    let rows = table.columns.iter().enumerate().map(|(index, column)| {
        let extras = match &column.kind {
            ColumnKind::Physical => String::new(),
            ColumnKind::Computed(_) => "AS computed".to_owned(),
            ColumnKind::Metadata { key, is_virtual } => {
                let suffix = if *is_virtual { " VIRTUAL" } else { "" };
                format!("METADATA FROM '{key}'{suffix}")
            }
        };
        let watermark = table.watermark.as_ref().filter(|watermark| watermark.column == index);
        let in_key = table.primary_key.contains(&column.name);
        row(
            &column.name,
            &column.ty,
            if in_key { &key } else { "" },
            &extras,
            watermark.map_or("", |watermark| watermark.text.as_str()),
        )
    });
    Rows { columns: COLUMNS.map(str::to_owned).to_vec(), rows: rows.collect() }
}

/// The columns of a view.
pub(crate) fn view(view: &View, schema: &Schema) -> Rows {
    let rows = schema.iter().enumerate().map(|(index, field)| {
        let name = view.columns.get(index).unwrap_or(&field.name);
        row(name, &field.ty, "", "", "")
    });
    Rows { columns: COLUMNS.map(str::to_owned).to_vec(), rows: rows.collect() }
}

fn row(name: &str, ty: &SqlType, key: &str, extras: &str, watermark: &str) -> Vec<String> {
    let nullable = if ty.nullable { "TRUE" } else { "FALSE" };
    [name, &ty.kind.to_string(), nullable, key, extras, watermark].map(str::to_owned).to_vec()
}
