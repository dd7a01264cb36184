//! What is known of catalogs, databases and functions: rows of a name and a value.

use std::collections::BTreeMap;

use super::full_name;
use crate::catalog::{CatalogEntry, Database, Function, Namespace, ObjectPath, SqlFunction};
use crate::parser::ast::{Body, Kept, Returns};
use crate::parser::flink_text::{self, name, text};
use crate::session::Rows;

/// A catalog; its options are shown if it is `extended`.
pub(crate) fn catalog(catalog: &str, entry: &CatalogEntry, extended: bool) -> Rows {
    let mut rows = information(vec![
        ("name", catalog.to_owned()),
        ("type", entry.options.get("type").cloned().unwrap_or_default()),
        ("comment", entry.comment.clone().unwrap_or_default()),
    ]);
    let options = entry.options.iter().filter(|(key, _)| extended && *key != "type");
    rows.rows.extend(options.map(option));
    rows
}

/// A database; its options are shown if it is `extended`.
pub(crate) fn database(namespace: &Namespace, database: &Database, extended: bool) -> Rows {
    let mut rows = information(vec![
        ("name", namespace.database.clone()),
        ("catalog", namespace.catalog.clone()),
        ("comment", database.comment.clone().unwrap_or_default()),
    ]);
    let none = BTreeMap::new();
    let options = if extended { &database.options } else { &none };
    rows.rows.extend(options.iter().map(option));
    rows
}

/// A function of CREATE FUNCTION.
pub(crate) fn function(kept: Kept, function: &Function, extended: bool) -> Rows {
    let mut rows = kinds(kept == Kept::System, kept != Kept::Catalog);
    match function {
        Function::Class(class) => rows.push(("class name", class.clone())),
        Function::Sql(_) if !extended => {}
        Function::Sql(function) => {
            let kind = match function.sql.body {
                Body::Value(_) => "SCALAR",
                Body::Table(_) => "TABLE",
            };
            rows.push(("kind", kind.to_owned()));
            rows.push(("function language", "SQL".to_owned()));
            rows.push(("signature", signature(function)));
            rows.push(("comment", function.sql.comment.clone().unwrap_or_default()));
            rows.push(("body", function.sql.text.clone()));
        }
    }
    information(rows)
}

/// A function that is built in.
pub(crate) fn built_in_function(aggregate: bool, deterministic: bool, extended: bool) -> Rows {
    let mut rows = kinds(true, false);
    if extended {
        let kind = if aggregate { "AGGREGATE" } else { "SCALAR" };
        rows.push(("kind", kind.to_owned()));
        rows.push(("requirements", "[]".to_owned()));
        rows.push(("is deterministic", deterministic.to_string()));
        rows.push(("supports constant folding", deterministic.to_string()));
    }
    information(rows)
}

/// The statement that makes a function.
pub(crate) fn create_function(kept: Kept, path: &ObjectPath, function: &Function) -> String {
    let (temporary, shown) = match kept {
        Kept::Catalog => ("", full_name(path)),
        Kept::Temporary => ("TEMPORARY ", full_name(path)),
        Kept::System => ("TEMPORARY SYSTEM ", name(&path.name)),
    };
    match function {
        Function::Class(class) => {
            format!("CREATE {temporary}FUNCTION {shown} AS {}\n", text(class))
        }
        Function::Sql(function) => {
            let sql = &function.sql;
            let comment = sql.comment.as_ref().filter(|comment| !comment.is_empty());
            let comment = comment.map(|comment| format!("COMMENT {}\n", text(comment)));
            let (parameters, returns) = (parameters(function), returns(&sql.returns));
            format!(
                "CREATE {temporary}FUNCTION {shown} ({parameters})\nRETURNS {returns}\n{}LANGUAGE SQL\nRETURN {}\n",
                comment.unwrap_or_default(),
                sql.text
            )
        }
    }
}

fn signature(function: &SqlFunction) -> String {
    let returns = returns(&function.sql.returns);
    format!("{}({}) => {returns}", function.name, parameters(function))
}

fn parameters(function: &SqlFunction) -> String {
    let parameters = function.sql.parameters.iter().map(|parameter| {
        let default = parameter.default.as_ref();
        let default = default.map(|expr| format!(" DEFAULT {}", flink_text::expression(expr)));
        let ty = flink_text::sql_type(&parameter.ty);
        format!("{} {ty}{}", name(&parameter.name.value), default.unwrap_or_default())
    });
    parameters.collect::<Vec<_>>().join(", ")
}

fn returns(returns: &Returns) -> String {
    match returns {
        Returns::Value(ty) => flink_text::sql_type(ty),
        Returns::Table(columns) => {
            let columns = columns.iter();
            let columns = columns.map(|(column, ty)| {
                format!("{} {}", name(&column.value), flink_text::sql_type(ty))
            });
            format!("TABLE ({})", columns.collect::<Vec<_>>().join(", "))
        }
    }
}

fn kinds(system: bool, temporary: bool) -> Vec<(&'static str, String)> {
    vec![("is system function", system.to_string()), ("is temporary", temporary.to_string())]
}

fn option((key, value): (&String, &String)) -> Vec<String> {
    vec![format!("option:{key}"), value.clone()]
}

fn information(rows: Vec<(&'static str, String)>) -> Rows {
    let rows = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    Rows { columns: ["info name", "info value"].map(str::to_owned).to_vec(), rows: rows.collect() }
}
