//! DESCRIBE and SHOW COLUMNS, SHOW CREATE: tables, views, functions, databases and catalogs as rows and as
//! text, laid out as Flink does.
//!
//! Here are tables and views; `information` has the others.

mod information;

use tidegate_plan::Schema;
use tidegate_types::SqlType;

use crate::catalog::{CatalogEntry, ObjectPath, Table, View};
use crate::parser::ast::{ColumnKind, CreateTable, Distribution};
use crate::parser::flink_text::{self, name, text};
use crate::session::Rows;

pub(crate) use self::information::{
    built_in_function, catalog, create_function, database, function,
};

const COLUMNS: [&str; 6] = ["name", "type", "null", "key", "extras", "watermark"];

/// The columns of a table; with their comments if there are any.
pub(crate) fn table(table: &Table) -> Rows {
    let definition = &table.definition;
    let key = format!("PRI({})", table.primary_key.join(", "));
    let watermark = table.watermark.as_ref().zip(definition.watermark.as_ref());
    let commented = definition.columns.iter().any(|column| column.comment.is_some());
    let rows = table.columns.iter().zip(&definition.columns).enumerate();
    let rows = rows.map(|(index, (column, def))| {
        let watermark = watermark.filter(|(bound, _)| bound.column == index);
        let in_key = table.primary_key.contains(&column.name);
        let mut row = row(
            &column.name,
            &column.ty,
            if in_key { &key } else { "" },
            &extras(&def.kind),
            &watermark.map(|(_, def)| flink_text::expression(&def.expr)).unwrap_or_default(),
        );
        if commented {
            row.push(def.comment.clone().unwrap_or_default());
        }
        row
    });
    let mut columns = COLUMNS.map(str::to_owned).to_vec();
    if commented {
        columns.push("comment".to_owned());
    }
    Rows { columns, rows: rows.collect() }
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

/// What a column is beside its type.
fn extras(kind: &ColumnKind) -> String {
    match kind {
        ColumnKind::Physical(_) => String::new(),
        ColumnKind::Computed(expr) => format!("AS {}", flink_text::expression(expr)),
        ColumnKind::Metadata { key, is_virtual, .. } => {
            let from = key.as_ref().map(|key| format!(" FROM {}", text(key))).unwrap_or_default();
            let suffix = if *is_virtual { " VIRTUAL" } else { "" };
            format!("METADATA{from}{suffix}")
        }
    }
}

/// The statement that makes a table.
pub(crate) fn create_table(table: &Table) -> String {
    let definition = &table.definition;
    let mut parts = columns(definition);
    if let Some(watermark) = &definition.watermark {
        let column = watermark.column.iter().map(|part| name(&part.value));
        let column = column.collect::<Vec<_>>().join(".");
        let expr = flink_text::expression(&watermark.expr);
        parts.push(format!("WATERMARK FOR {column} AS {expr}"));
    }
    if !table.primary_key.is_empty() {
        let generated = || format!("PK_{}", table.primary_key.join("_"));
        let constraint = definition.constraint.clone().unwrap_or_else(generated);
        let (constraint, key) = (name(&constraint), names(&table.primary_key));
        parts.push(format!("CONSTRAINT {constraint} PRIMARY KEY ({key}) NOT ENFORCED"));
    }
    let mut statement = head("TABLE", definition.temporary, &table.path, &parts);
    statement.push_str(&comment_line(definition.comment.as_deref()));
    if let Some(distribution) = &definition.distribution {
        statement.push_str(&distributed(distribution));
    }
    if !table.partition_keys.is_empty() {
        statement.push_str(&format!("PARTITIONED BY ({})\n", names(&table.partition_keys)));
    }
    let mut options: Vec<_> = definition.options.iter().collect();
    options.sort_by(|a, b| a.0.cmp(&b.0));
    let options = options.iter().map(|(key, value, _)| (key.as_str(), value.as_str()));
    statement.push_str(&with_options(options));
    statement
}

/// The statement that makes a catalog.
pub(crate) fn create_catalog(catalog: &str, entry: &CatalogEntry) -> String {
    let comment = entry.comment.as_ref().map(|comment| format!("COMMENT {}\n", text(comment)));
    let options = entry.options.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let (comment, options) = (comment.unwrap_or_default(), with_options(options));
    format!("CREATE CATALOG {}\n{comment}{options}", name(catalog))
}

/// The statement that makes a view, with its query as it was written.
pub(crate) fn create_view(view: &View, schema: &Schema) -> String {
    let given = |(index, field): (usize, &tidegate_types::Field)| {
        name(view.columns.get(index).unwrap_or(&field.name))
    };
    let columns: Vec<String> = schema.iter().enumerate().map(given).collect();
    let mut statement = head("VIEW", view.temporary, &view.path, &columns);
    statement.push_str(&comment_line(view.comment.as_deref()));
    statement.push_str(&format!("AS {}\n", view.text));
    statement
}

/// `DISTRIBUTED BY HASH(…) INTO n BUCKETS`.
fn distributed(distribution: &Distribution) -> String {
    let mut line = "DISTRIBUTED".to_owned();
    if !distribution.columns.is_empty() {
        let columns = distribution.columns.iter().map(|column| name(&column.value));
        let columns = columns.collect::<Vec<_>>().join(", ");
        match distribution.kind {
            Some(kind) => line.push_str(&format!(" BY {kind}({columns})")),
            None => line.push_str(&format!(" BY ({columns})")),
        }
    }
    if let Some(buckets) = distribution.buckets {
        line.push_str(&format!(" INTO {buckets} BUCKETS"));
    }
    line.push('\n');
    line
}

fn head(kind: &str, temporary: bool, object: &ObjectPath, parts: &[String]) -> String {
    let temporary = if temporary { "TEMPORARY " } else { "" };
    let parts = parts.iter().map(|part| format!("  {part}")).collect::<Vec<_>>().join(",\n");
    format!("CREATE {temporary}{kind} {} (\n{parts}\n)\n", full_name(object))
}

/// Catalog, database and name, each in backquotes.
fn full_name(path: &ObjectPath) -> String {
    let parts = [&path.namespace.catalog, &path.namespace.database, &path.name];
    parts.map(|part| name(part)).join(".")
}

/// `WITH (…)`, if there are options.
fn with_options<'a>(options: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let lines = options.map(|(key, value)| format!("  {} = {}", text(key), text(value)));
    let lines = lines.collect::<Vec<_>>().join(",\n");
    if lines.is_empty() { String::new() } else { format!("WITH (\n{lines}\n)\n") }
}

fn columns(definition: &CreateTable) -> Vec<String> {
    let columns = definition.columns.iter().map(|column| {
        let what = match &column.kind {
            ColumnKind::Physical(ty) => flink_text::sql_type(ty),
            ColumnKind::Computed(_) => extras(&column.kind),
            ColumnKind::Metadata { ty, .. } => {
                format!("{} {}", flink_text::sql_type(ty), extras(&column.kind))
            }
        };
        let comment = column.comment.as_deref().filter(|comment| !comment.is_empty());
        let comment = comment.map(|comment| format!(" COMMENT {}", text(comment)));
        format!("{} {what}{}", name(&column.name.value), comment.unwrap_or_default())
    });
    columns.collect()
}

fn comment_line(comment: Option<&str>) -> String {
    let comment = comment.filter(|comment| !comment.is_empty());
    comment.map(|comment| format!("COMMENT {}\n", text(comment))).unwrap_or_default()
}

fn names(names: &[String]) -> String {
    names.iter().map(|key| name(key)).collect::<Vec<_>>().join(", ")
}
