//! The text of a definition, from what the catalog keeps of a table.

use std::collections::BTreeMap;

use tidegate_types::error::ResultExt as _;
use tidegate_types::{Error, ErrorCode, Result};

use super::definition::bound;
use super::names::parsed;
use crate::parse_type_text;
use crate::parser::ast::{ColumnDef, ColumnKind};
use crate::parser::flink_text::{self, name, text};

/// A column as it is kept: types and expressions are texts in SQL, which may be wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct ColumnText<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its type, such as `DECIMAL(10, 2) NOT NULL`; empty for computed columns.
    pub ty: &'a str,
    /// What it is computed from; empty for others.
    pub expression: &'a str,
    /// Key of what surrounds a record that it holds; empty for others.
    pub metadata: &'a str,
    /// Whether it is only read, of metadata columns.
    pub is_virtual: bool,
    /// What it is, for people; may be empty.
    pub comment: &'a str,
}

/// The CREATE TABLE statement of a table, which binds. Every text stands for one thing: a type for a type, an expression
/// for an expression.
///
/// # Errors
/// `SQL_SYNTAX`, `SQL_SEMANTIC` and others with the name of the column that is wrong.
pub fn definition_text(
    table: &str,
    columns: &[ColumnText<'_>],
    primary_key: &[String],
    watermark: Option<(&str, &str)>,
    options: &BTreeMap<String, String>,
) -> Result<String> {
    let mut parts = Vec::with_capacity(columns.len() + 2);
    for column in columns {
        parts.push(declared(column).context(|| format!("column '{}'", column.name))?);
    }
    if let Some((column, expr)) = watermark {
        let expr = expression(expr).context(|| format!("the watermark of column '{column}'"))?;
        parts.push(format!("WATERMARK FOR {} AS {expr}", name(column)));
    }
    if !primary_key.is_empty() {
        let key: Vec<String> = primary_key.iter().map(|column| name(column)).collect();
        parts.push(format!("PRIMARY KEY ({}) NOT ENFORCED", key.join(", ")));
    }
    let options: Vec<String> =
        options.iter().map(|(key, value)| format!("  {} = {}", text(key), text(value))).collect();
    let (parts, options) = (parts.join(",\n  "), options.join(",\n"));
    let definition = format!("CREATE TABLE {} (\n  {parts}\n) WITH (\n{options}\n)", name(table));
    bound(&parsed(&definition)?)?;
    Ok(definition)
}

fn declared(column: &ColumnText<'_>) -> Result<String> {
    let mut declared = name(column.name);
    if !column.expression.is_empty() {
        if !column.ty.is_empty() || !column.metadata.is_empty() {
            let message = "a computed column has neither a type nor a metadata key";
            return Err(Error::new(ErrorCode::SqlSemantic, message));
        }
        declared.push_str(&format!(" AS {}", expression(column.expression)?));
    } else {
        declared.push_str(&format!(" {}", flink_text::sql_type(&parse_type_text(column.ty)?)));
        if !column.metadata.is_empty() {
            declared.push_str(&format!(" METADATA FROM {}", text(column.metadata)));
            declared.push_str(if column.is_virtual { " VIRTUAL" } else { "" });
        }
    }
    if !column.comment.is_empty() {
        declared.push_str(&format!(" COMMENT {}", text(column.comment)));
    }
    Ok(declared)
}

/// An expression that stands alone, as it is written again.
fn expression(sql: &str) -> Result<String> {
    let around = format!("CREATE TABLE t (c AS {sql}\n) WITH ('connector' = 'print')");
    let create = parsed(&around)?;
    let alone = create.watermark.is_none()
        && create.primary_key.is_empty()
        && create.options.len() == 1
        && create.comment.is_none()
        && create.partition_keys.is_empty()
        && create.distribution.is_none();
    match create.columns.as_slice() {
        [ColumnDef { kind: ColumnKind::Computed(expr), comment: None, .. }] if alone => {
            Ok(flink_text::expression(expr))
        }
        _ => {
            let message = format!("'{sql}' is more than one expression");
            Err(Error::new(ErrorCode::SqlSyntax, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::governed::schema_digest;

    fn options() -> BTreeMap<String, String> {
        let pairs = [("connector", "kafka"), ("format", "json"), ("it's", "a 'quote'")];
        pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn column<'a>(name: &'a str, ty: &'a str) -> ColumnText<'a> {
        ColumnText { name, ty, ..ColumnText::default() }
    }

    #[test]
    fn a_definition_says_what_its_parts_say() {
        let columns = [
            column("id", "bigint"),
            ColumnText { comment: "it's a `name`", ..column("a `b", "VARCHAR(20) NOT NULL") },
            column("r", "ROW<x INT, `y z` ARRAY<STRING>>"),
            ColumnText { name: "up", expression: "UPPER(`a ``b`) || 'x'", ..ColumnText::default() },
            ColumnText { metadata: "partition", is_virtual: true, ..column("p", "INT") },
            column("ts", "TIMESTAMP(3)"),
        ];
        let watermark = Some(("ts", "ts - INTERVAL '5' SECOND"));
        let built = definition_text("t", &columns, &["id".into()], watermark, &options()).unwrap();
        let written = "CREATE TABLE other (id BIGINT, `a ``b` VARCHAR(20) NOT NULL, r ROW<x INT, `y z` ARRAY<STRING>>,
            up AS UPPER(`a ``b`) || 'x', p INT METADATA FROM 'partition' VIRTUAL, ts TIMESTAMP(3),
            WATERMARK FOR ts AS ts - INTERVAL '5' SECOND, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'kafka', 'format' = 'json')";
        assert_eq!(schema_digest(&built).unwrap(), schema_digest(written).unwrap(), "{built}");
        assert!(built.contains("COMMENT 'it''s a `name`'"), "{built}");
        assert!(built.contains("'it''s' = 'a ''quote'''"), "{built}");
    }

    #[test]
    fn a_part_is_no_more_than_it_is_for() {
        for ty in ["", "INT, x INT", "INT METADATA FROM 'k'", "INT) WITH (", "NOTHING"] {
            let error =
                definition_text("t", &[column("a", ty)], &[], None, &options()).unwrap_err();
            assert!(error.to_string().contains("column 'a'"), "{ty}: {error}");
        }
        for expression in [
            "1, x INT",
            "1, PRIMARY KEY (c) NOT ENFORCED",
            "1, WATERMARK FOR c AS c",
            "1 COMMENT 'x'",
            "1) WITH ('connector' = 'kafka'); CREATE TABLE u (a INT",
            "1) COMMENT 'x' WITH ('a' = 'b'",
            "(",
            "1 /* ",
        ] {
            let computed = ColumnText { name: "b", expression, ..ColumnText::default() };
            let columns = [column("a", "INT"), computed];
            let error = definition_text("t", &columns, &[], None, &options()).unwrap_err();
            assert!(error.to_string().contains("column 'b'"), "{expression}: {error}");
            let columns = [column("a", "TIMESTAMP(3)")];
            let watermark = Some(("a", expression));
            let error = definition_text("t", &columns, &[], watermark, &options()).unwrap_err();
            assert!(error.to_string().contains("the watermark of column 'a'"), "{error}");
        }
        // A comment at the end of a line ends with it.
        let computed =
            ColumnText { name: "b", expression: "a + 1 -- more", ..ColumnText::default() };
        let built = definition_text("t", &[column("a", "INT"), computed], &[], None, &options());
        assert!(built.unwrap().contains("`b` AS `a` + 1\n"));
    }

    #[test]
    fn what_does_not_bind_is_no_definition() {
        let computed = ColumnText { name: "b", expression: "c + 1", ..ColumnText::default() };
        let error = definition_text("t", &[column("a", "INT"), computed], &[], None, &options());
        assert!(error.unwrap_err().to_string().contains("there is no column 'c'"));
        let error = definition_text("t", &[column("a", "INT")], &["k".into()], None, &options());
        assert_eq!(error.unwrap_err().code(), ErrorCode::SqlSemantic);
    }
}
