//! Partitions that ALTER TABLE tells the catalog of, and SHOW PARTITIONS. Nothing else reads them, as with
//! the catalogs that Flink keeps in memory.

use sqlparser::ast::{Expr, Ident, Value};
use tidegate_types::{Error, ErrorCode, Result, Span};

use super::{Rows, Session};
use crate::bind::semantic;
use crate::catalog::Object;
use crate::governed::Purpose;
use crate::parser::ast::{CreateTable, TableName};
use crate::parser::cursor;
use crate::suggest;

/// A value for each partition key.
type Partition = Vec<(String, String)>;

impl Session {
    /// `SHOW PARTITIONS t [PARTITION (key = value, …)]`.
    pub(super) fn partitions(&self, name: &TableName, values: &[(Ident, Expr)]) -> Result<Rows> {
        let found = self.named(name, Purpose::Show)?;
        let (path, object) = (found.path, found.object);
        let table = match object {
            Some(Object::Table(table)) => table,
            Some(Object::View(_)) => {
                return Err(semantic(format!("'{path}' is a view, not a table"), name.span));
            }
            None => return Err(self.no_such("table", name)?),
        };
        check_partitioned(&table.definition, name.span)?;
        let wanted = read(&table.definition, values)?;
        let partitions = table.definition.partitions.iter();
        let partitions =
            partitions.filter(|partition| wanted.iter().all(|value| partition.contains(value)));
        let shown = partitions.map(|partition| vec![shown(partition)]);
        Ok(Rows { columns: vec!["partition name".to_owned()], rows: shown.collect() })
    }
}

/// `ALTER TABLE … ADD [IF NOT EXISTS] PARTITION …`.
pub(super) fn add(
    definition: &mut CreateTable,
    partitions: &[Vec<(Ident, Expr)>],
    if_not_exists: bool,
    span: Span,
) -> Result<()> {
    check_partitioned(definition, span)?;
    for values in partitions {
        let partition = whole(definition, values, span)?;
        if !definition.partitions.iter().any(|known| is_same(known, &partition)) {
            definition.partitions.push(partition);
        } else if !if_not_exists {
            let message = format!("there is a partition {} already", shown(&partition));
            let error = Error::new(ErrorCode::AlreadyExists, message).at(span);
            return Err(error.help("use IF NOT EXISTS"));
        }
    }
    Ok(())
}

/// `ALTER TABLE … DROP [IF EXISTS] PARTITION …`.
pub(super) fn drop(
    definition: &mut CreateTable,
    partitions: &[Vec<(Ident, Expr)>],
    if_exists: bool,
    span: Span,
) -> Result<()> {
    check_partitioned(definition, span)?;
    for values in partitions {
        let partition = whole(definition, values, span)?;
        let before = definition.partitions.len();
        definition.partitions.retain(|known| !is_same(known, &partition));
        if definition.partitions.len() == before && !if_exists {
            let message = format!("there is no partition {}", shown(&partition));
            let error = Error::new(ErrorCode::NotFound, message).at(span);
            return Err(error.help("use IF EXISTS; only those of ADD PARTITION are known"));
        }
    }
    Ok(())
}

fn check_partitioned(definition: &CreateTable, span: Span) -> Result<()> {
    match definition.partition_keys.is_empty() {
        true => Err(semantic(format!("the table '{}' is not partitioned", definition.name), span)),
        false => Ok(()),
    }
}

/// A value for every partition key, in the order in which they are written.
fn whole(definition: &CreateTable, values: &[(Ident, Expr)], span: Span) -> Result<Partition> {
    let given = read(definition, values)?;
    let is_missing = |key: &&Ident| !given.iter().any(|(name, _)| *name == key.value);
    match definition.partition_keys.iter().find(is_missing) {
        Some(key) => {
            let message = format!("the partition has no value for '{}'", key.value);
            Err(semantic(message, span))
        }
        None => Ok(given),
    }
}

/// Whether two partitions have the same values, whatever their order.
fn is_same(a: &Partition, b: &Partition) -> bool {
    a.len() == b.len() && a.iter().all(|value| b.contains(value))
}

/// Values of partition keys as texts.
fn read(definition: &CreateTable, values: &[(Ident, Expr)]) -> Result<Partition> {
    let mut found = Partition::with_capacity(values.len());
    for (key, value) in values {
        let place = cursor::span(key.span);
        let keys = || definition.partition_keys.iter().map(|known| known.value.as_str());
        if !keys().any(|known| known == key.value) {
            let message = format!("'{}' is no partition key", key.value);
            let error = semantic(message, place);
            return Err(match suggest::advice(&key.value, keys(), "the keys are") {
                Some(advice) => error.help(advice),
                None => error,
            });
        }
        if found.iter().any(|(known, _)| *known == key.value) {
            return Err(semantic(format!("'{}' has two values", key.value), place));
        }
        let text = match value {
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(text) | Value::UnicodeStringLiteral(text) => text.clone(),
                Value::Number(text, _) => text.clone(),
                Value::Boolean(value) => value.to_string(),
                _ => return Err(no_constant(key, place)),
            },
            _ => return Err(no_constant(key, place)),
        };
        found.push((key.value.clone(), text));
    }
    Ok(found)
}

fn no_constant(key: &Ident, place: Span) -> Error {
    let message = format!("the value of '{}' is neither a text nor a number", key.value);
    semantic(message, place).help("write it as a constant, 'a' or 1")
}

fn shown(partition: &Partition) -> String {
    let values = partition.iter().map(|(key, value)| format!("{key}={value}"));
    values.collect::<Vec<_>>().join("/")
}
