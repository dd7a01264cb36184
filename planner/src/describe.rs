//! DESCRIBE and SHOW COLUMNS, SHOW CREATE: tables and views as rows and as text, laid out as Flink does.

use tidegate_plan::Schema;
use tidegate_types::SqlType;

use crate::catalog::{Table, View};
use crate::parser::ast::{ColumnKind, CreateTable};
use crate::parser::flink_text::{self, name, text};
use crate::session::Rows;

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
    let mut statement = head("TABLE", definition.temporary, &table.name, &parts);
    statement.push_str(&comment_line(definition.comment.as_deref()));
    if !table.partition_keys.is_empty() {
        statement.push_str(&format!("PARTITIONED BY ({})\n", names(&table.partition_keys)));
    }
    let mut options: Vec<_> = definition.options.iter().collect();
    options.sort_by(|a, b| a.0.cmp(&b.0));
    if !options.is_empty() {
        let options = options.iter();
        let options = options.map(|(key, value, _)| format!("  {} = {}", text(key), text(value)));
        let options = options.collect::<Vec<_>>().join(",\n");
        statement.push_str(&format!("WITH (\n{options}\n)\n"));
    }
    statement
}

/// The statement that makes a view, with its query as it was written.
pub(crate) fn create_view(view: &View, schema: &Schema) -> String {
    let given = |(index, field): (usize, &tidegate_types::Field)| {
        name(view.columns.get(index).unwrap_or(&field.name))
    };
    let columns: Vec<String> = schema.iter().enumerate().map(given).collect();
    let mut statement = head("VIEW", view.temporary, &view.name, &columns);
    statement.push_str(&comment_line(view.comment.as_deref()));
    statement.push_str(&format!("AS {}\n", view.text));
    statement
}

fn head(kind: &str, temporary: bool, object: &str, parts: &[String]) -> String {
    let temporary = if temporary { "TEMPORARY " } else { "" };
    let parts = parts.iter().map(|part| format!("  {part}")).collect::<Vec<_>>().join(",\n");
    format!(
        "CREATE {temporary}{kind} `default_catalog`.`default_database`.{} (\n{parts}\n)\n",
        name(object)
    )
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
