//! Whether two definitions describe the same rows.

use std::collections::BTreeMap;

use tidegate_connector_spec::connector;
use tidegate_types::Result;
use xxhash_rust::xxh3::xxh3_128;

use super::definition::bound;
use super::names::parsed;
use crate::catalog::Table;
use crate::parser::ast::{ColumnKind, CreateTable};
use crate::parser::flink_text;

/// How the texts that are digested are made. Another number is another digest of everything.
const VERSION: u32 = 1;

/// A digest of what a definition says of a table's rows: its columns in order with their types and how they are
/// computed, primary key, watermark, partition keys, connector, and the options of formats and of what keys and values
/// hold. Not in it: names of tables, comments, where the table is, who connects, how it is read and written.
///
/// Two definitions of one digest can be exchanged below a plan. The digest is a text of 34 characters and stays the same
/// between releases.
///
/// # Errors
/// `SQL_SYNTAX`, `SQL_SEMANTIC` and others with places in the definition if it is no CREATE TABLE statement that binds.
pub fn schema_digest(definition: &str) -> Result<String> {
    let create = parsed(definition)?;
    let table = bound(&create)?;
    Ok(of(&create, &table))
}

/// The digest of a definition that is bound.
pub(super) fn of(create: &CreateTable, table: &Table) -> String {
    format!("{VERSION}-{:032x}", xxh3_128(described(create, table).as_bytes()))
}

/// One line for each thing, each part with its length before it, so that no two texts meet.
fn described(create: &CreateTable, table: &Table) -> String {
    let mut text = String::new();
    let mut line = |parts: &[&str]| {
        for part in parts {
            text.push_str(&format!("{}:{part} ", part.len()));
        }
        text.push('\n');
    };
    for (def, column) in create.columns.iter().zip(&table.columns) {
        let name = def.name.value.as_str();
        match &def.kind {
            // With the types of a key, which are NOT NULL.
            ColumnKind::Physical(_) => {
                let ty = column.ty.clone().materialized();
                line(&["column", name, &ty.to_string()]);
            }
            ColumnKind::Computed(expr) => line(&["computed", name, &flink_text::expression(expr)]),
            ColumnKind::Metadata { ty, key, is_virtual } => {
                let key = key.as_deref().unwrap_or(name);
                let written = if *is_virtual { "virtual" } else { "written" };
                line(&["metadata", name, &ty.to_string(), key, written]);
            }
        }
    }
    if let Some(watermark) = &create.watermark {
        let column = watermark.column.iter().map(|part| part.value.as_str());
        let column: Vec<&str> = column.collect();
        line(&["watermark", &column.join("."), &flink_text::expression(&watermark.expr)]);
    }
    // A key is a set.
    let mut key: Vec<&str> = table.primary_key.iter().map(String::as_str).collect();
    key.sort_unstable();
    key.iter().for_each(|column| line(&["key", column]));
    table.partition_keys.iter().for_each(|column| line(&["partition", column]));
    for (option, value) in of_rows(&table.options) {
        line(&["option", option, value]);
    }
    text
}

/// The options that say what records look like.
fn of_rows(options: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    let name = options.get("connector").map(String::as_str).unwrap_or_default();
    let formats = connector(name).map(|spec| spec.formats).unwrap_or_default();
    let is_of_format = move |key: &str| {
        let key = ["key.", "value."].iter().find_map(|side| key.strip_prefix(side)).unwrap_or(key);
        let format = key.split_once('.').map(|(first, _)| first);
        format.is_some_and(|format| formats.contains(&format))
    };
    let of_rows = move |key: &str| {
        matches!(
            key,
            "connector"
                | "format"
                | "key.format"
                | "value.format"
                | "key.fields"
                | "key.fields-prefix"
                | "value.fields-include"
        ) || is_of_format(key)
    };
    let all = options.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    all.filter(move |(key, _)| of_rows(key))
}
