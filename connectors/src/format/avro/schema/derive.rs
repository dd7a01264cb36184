//! The schema of a table, as Flink derives it from SQL types.

use tidegate_types::{Error, ErrorCode, Field, Result, SqlType, TypeKind};

use super::{Decimal, IntMeaning, LongMeaning, Node, NodeId, RecordField, Schema};

/// How timestamps are told (`timestamp_mapping.legacy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format::avro) enum TimestampMapping {
    /// TIMESTAMP as `timestamp-millis`; there is no TIMESTAMP_LTZ.
    Legacy,
    /// TIMESTAMP as `local-timestamp-…`, TIMESTAMP_LTZ as `timestamp-…`.
    Correct,
}

/// Name of the record of a row; records of ROW columns have the column's name behind it.
const RECORD: &str = "org.apache.flink.avro.generated.record";

/// The schema of rows with these columns.
///
/// # Errors
/// `INVALID_OPTION` for types that Avro, or Flink's mapping to it, does not have.
pub(in crate::format::avro) fn derive(
    columns: &[Field],
    mapping: TimestampMapping,
) -> Result<Schema> {
    let mut schema = Schema { nodes: Vec::new(), root: 0 };
    schema.root = record(&mut schema, columns, RECORD, mapping)?;
    Ok(schema)
}

fn record(
    schema: &mut Schema,
    columns: &[Field],
    name: &str,
    mapping: TimestampMapping,
) -> Result<NodeId> {
    let mut fields = Vec::with_capacity(columns.len());
    for column in columns {
        check_name(&column.name)?;
        let node = node(schema, &column.ty, &format!("{name}_{}", column.name), mapping)?;
        let default = column.ty.nullable.then_some(serde_json::Value::Null);
        fields.push(RecordField { name: column.name.clone(), aliases: Vec::new(), node, default });
    }
    Ok(schema.add(Node::Record { name: name.to_owned(), fields }))
}

/// Avro has names of letters, digits and underscores only.
fn check_name(name: &str) -> Result<()> {
    let first = name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
    if first && name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return Ok(());
    }
    let message = format!("column {name}: a name in Avro has letters, digits and underscores only");
    Err(Error::new(ErrorCode::InvalidOption, message)
        .help("rename the column, or use a computed column for the name"))
}

fn node(
    schema: &mut Schema,
    ty: &SqlType,
    name: &str,
    mapping: TimestampMapping,
) -> Result<NodeId> {
    let node = match &ty.kind {
        TypeKind::Null => return Ok(schema.add(Node::Null)),
        TypeKind::Boolean => Node::Boolean,
        TypeKind::TinyInt | TypeKind::SmallInt | TypeKind::Int => Node::Int(IntMeaning::Number),
        TypeKind::BigInt => Node::Long(LongMeaning::Number),
        TypeKind::Float => Node::Float,
        TypeKind::Double => Node::Double,
        TypeKind::Char { .. } | TypeKind::VarChar { .. } => Node::String,
        TypeKind::Binary { .. } | TypeKind::VarBinary { .. } => Node::Bytes(None),
        TypeKind::Decimal { precision, scale } => {
            let (precision, scale) = (u32::from(*precision), u32::from(*scale));
            Node::Bytes(Some(Decimal { precision, scale }))
        }
        TypeKind::Date => Node::Int(IntMeaning::Date),
        TypeKind::Time { .. } => Node::Int(IntMeaning::TimeMillis),
        TypeKind::Timestamp { precision, .. } => {
            Node::Long(timestamp(ty, *precision, true, mapping)?)
        }
        TypeKind::TimestampLtz { precision, .. } => {
            Node::Long(timestamp(ty, *precision, false, mapping)?)
        }
        TypeKind::Array(element) => {
            let items = self::node(schema, element, name, mapping)?;
            Node::Array(items)
        }
        TypeKind::Map(key, value) => {
            check_key(ty, key)?;
            let values = self::node(schema, value, name, mapping)?;
            Node::Map(values)
        }
        TypeKind::Multiset(element) => {
            check_key(ty, element)?;
            let count = schema.add(Node::Int(IntMeaning::Number));
            let values = with_null(schema, count, true);
            Node::Map(values)
        }
        TypeKind::Row(fields) | TypeKind::Structured { fields, .. } => {
            let id = record(schema, fields, name, mapping)?;
            return Ok(with_null(schema, id, ty.nullable));
        }
        TypeKind::IntervalYearMonth
        | TypeKind::IntervalDayTime
        | TypeKind::Variant
        | TypeKind::Bitmap => {
            let message = format!("Avro has no values of type {ty}");
            return Err(Error::new(ErrorCode::InvalidOption, message));
        }
    };
    let id = schema.add(node);
    Ok(with_null(schema, id, ty.nullable))
}

fn with_null(schema: &mut Schema, id: NodeId, nullable: bool) -> NodeId {
    if !nullable {
        return id;
    }
    let null = schema.add(Node::Null);
    schema.add(Node::Union(vec![null, id]))
}

fn check_key(ty: &SqlType, key: &SqlType) -> Result<()> {
    if key.kind.is_text() {
        return Ok(());
    }
    let message = format!("maps of Avro have text keys, so there is none of type {ty}");
    Err(Error::new(ErrorCode::InvalidOption, message))
}

fn timestamp(
    ty: &SqlType,
    precision: u8,
    local: bool,
    mapping: TimestampMapping,
) -> Result<LongMeaning> {
    let refused =
        |message: String, help: &str| Err(Error::new(ErrorCode::InvalidOption, message).help(help));
    let per_second = if precision <= 3 { 1_000 } else { 1_000_000 };
    match mapping {
        TimestampMapping::Legacy if !local => refused(
            format!("Avro has no values of type {ty} in the legacy mapping of timestamps"),
            "set 'avro.timestamp_mapping.legacy' = 'false', or declare the column TIMESTAMP(3)",
        ),
        TimestampMapping::Legacy if precision > 3 => refused(
            format!("the legacy mapping of timestamps to Avro has milliseconds only, not {ty}"),
            "set 'avro.timestamp_mapping.legacy' = 'false', or declare the column TIMESTAMP(3)",
        ),
        TimestampMapping::Legacy => Ok(LongMeaning::Timestamp { per_second, local: false }),
        TimestampMapping::Correct if precision > 6 => refused(
            format!("Avro has timestamps of microseconds at most, not {ty}"),
            "declare a precision of 6 or less",
        ),
        TimestampMapping::Correct => Ok(LongMeaning::Timestamp { per_second, local }),
    }
}
