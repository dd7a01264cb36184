//! Rows to encoded records, by a schema.

use tidegate_types::{Error, ErrorCode, Field, Result, SqlType, TypeKind};

use super::cursor::{write_bytes, write_long};
use super::schema::{Decimal, IntMeaning, LongMeaning, Node, NodeId, Schema};
use crate::format::text::cells::{Cells, Values, entries};

/// How rows are written.
#[derive(Debug, Clone)]
pub(in crate::format) struct Writer {
    /// The branch of the record, where records are in a union.
    branch: Option<i64>,
    fields: Vec<(String, Write)>,
}

/// How a value is written.
#[derive(Debug, Clone)]
enum Write {
    /// In a union: the index of the value's branch, and that of null.
    Union {
        null: Option<i64>,
        branch: i64,
        value: Box<Write>,
    },
    Boolean,
    /// A whole number, of 32 or 64 bits: both are written alike.
    Number,
    Float,
    Double,
    Text,
    Enum(Vec<String>),
    Bytes,
    Fixed(usize),
    /// The unscaled value at this scale.
    Decimal {
        size: Option<usize>,
        scale: u32,
    },
    /// Milliseconds of the day, in microseconds.
    TimeMicros,
    /// Units of which a second has `to`.
    Timestamp {
        to: i64,
    },
    Array(Box<Write>),
    Map(Box<Write>),
    Row(Vec<(String, Write)>),
    Null,
}

impl Writer {
    /// For columns and a schema that has them in the same order.
    ///
    /// # Errors
    /// `INVALID_OPTION` where the schema is of other columns.
    pub(in crate::format) fn new(schema: &Schema, columns: &[Field]) -> Result<Self> {
        let (branches, null) = schema.nullable(schema.root());
        let [(branch, root)] = branches.as_slice() else {
            return Err(mismatch("", "it is a union of more than a record and null".to_owned()));
        };
        let branch = null.map(|_| *branch as i64);
        Ok(Self { branch, fields: fields(schema, *root, columns, "")? })
    }

    /// Appends the record of a row. What was begun of one that fails stays.
    ///
    /// # Errors
    /// `BAD_RECORD` for a value that the schema cannot hold, with its column.
    pub(in crate::format) fn write(
        &self,
        cells: &[Cells<'_>],
        row: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        if let Some(branch) = self.branch {
            write_long(branch, out);
        }
        write_fields(&self.fields, cells, row, out).map_err(|(path, message)| {
            Error::new(ErrorCode::BadRecord, format!("column {path}: {message}"))
        })
    }
}

fn mismatch(path: &str, message: String) -> Error {
    let message = match path {
        "" => message,
        path => format!("column {path}: {message}"),
    };
    Error::new(ErrorCode::InvalidOption, format!("the schema does not fit the table: {message}"))
}

fn fields(
    schema: &Schema,
    record: NodeId,
    columns: &[Field],
    path: &str,
) -> Result<Vec<(String, Write)>> {
    let Node::Record { fields, .. } = schema.node(record) else {
        return Err(mismatch(path, "its type is no record".to_owned()));
    };
    let names = || fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
    let same = fields.len() == columns.len()
        && fields.iter().zip(columns).all(|(field, column)| field.name == column.name);
    if !same {
        let columns: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
        let message = format!("it has the fields {}, not {}", names(), columns.join(", "));
        return Err(mismatch(path, message));
    }
    let dot = if path.is_empty() { "" } else { "." };
    let field = |(field, column): (&super::schema::RecordField, &Field)| {
        let path = format!("{path}{dot}{}", column.name);
        Ok((column.name.clone(), node(schema, field.node, &column.ty, &path)?))
    };
    fields.iter().zip(columns).map(field).collect()
}

fn node(schema: &Schema, id: NodeId, ty: &SqlType, path: &str) -> Result<Write> {
    let refuse = || {
        let message = format!("a {ty} cannot be written as {}", schema.type_name(id));
        mismatch(path, message)
    };
    if let Node::Union(branches) = schema.node(id) {
        let (values, null) = schema.nullable(id);
        for (index, branch) in values {
            if let Ok(value) = node(schema, branch, ty, path) {
                let null = null.map(|index| index as i64);
                return Ok(Write::Union { null, branch: index as i64, value: Box::new(value) });
            }
        }
        // Of a union with one type what is wrong with that one is said.
        return match schema.nullable(id).0.as_slice() {
            [(_, only)] if branches.len() <= 2 => node(schema, *only, ty, path),
            _ => Err(refuse()),
        };
    }
    Ok(match (schema.node(id), &ty.kind) {
        (Node::Null, TypeKind::Null) => Write::Null,
        (Node::Boolean, TypeKind::Boolean) => Write::Boolean,
        (Node::Int(_), TypeKind::TinyInt | TypeKind::SmallInt | TypeKind::Int) => Write::Number,
        (
            Node::Long(_),
            TypeKind::TinyInt | TypeKind::SmallInt | TypeKind::Int | TypeKind::BigInt,
        ) => Write::Number,
        (Node::Int(IntMeaning::Date | IntMeaning::Number), TypeKind::Date)
        | (Node::Int(IntMeaning::TimeMillis | IntMeaning::Number), TypeKind::Time { .. }) => {
            Write::Number
        }
        (Node::Long(LongMeaning::TimeMicros), TypeKind::Time { .. }) => Write::TimeMicros,
        (Node::Long(meaning), TypeKind::Timestamp { .. } | TypeKind::TimestampLtz { .. }) => {
            match meaning {
                LongMeaning::Timestamp { per_second, .. } => Write::Timestamp { to: *per_second },
                LongMeaning::Number => Write::Timestamp { to: 1_000 },
                LongMeaning::TimeMicros => return Err(refuse()),
            }
        }
        (Node::Float, TypeKind::Float) => Write::Float,
        (Node::Double, TypeKind::Float | TypeKind::Double) => Write::Double,
        (Node::String, TypeKind::Char { .. } | TypeKind::VarChar { .. }) => Write::Text,
        (Node::Enum { symbols, .. }, TypeKind::Char { .. } | TypeKind::VarChar { .. }) => {
            Write::Enum(symbols.clone())
        }
        (Node::Bytes(None), TypeKind::Binary { .. } | TypeKind::VarBinary { .. }) => Write::Bytes,
        (Node::Fixed { size, .. }, TypeKind::Binary { .. } | TypeKind::VarBinary { .. }) => {
            Write::Fixed(*size)
        }
        (Node::Bytes(Some(decimal)), TypeKind::Decimal { .. }) => {
            Write::Decimal { size: None, scale: decimal_scale(*decimal, ty).ok_or_else(refuse)? }
        }
        (Node::Fixed { size, decimal: Some(decimal), .. }, TypeKind::Decimal { .. }) => {
            let scale = decimal_scale(*decimal, ty).ok_or_else(refuse)?;
            Write::Decimal { size: Some(*size), scale }
        }
        (Node::Array(items), TypeKind::Array(element)) => {
            Write::Array(Box::new(node(schema, *items, element, &format!("{path}[]"))?))
        }
        (Node::Map(values), TypeKind::Map(key, value)) if key.kind.is_text() => {
            Write::Map(Box::new(node(schema, *values, value, &format!("{path}{{}}"))?))
        }
        (Node::Map(values), TypeKind::Multiset(element)) if element.kind.is_text() => {
            let count = TypeKind::Int.nullable();
            Write::Map(Box::new(node(schema, *values, &count, &format!("{path}{{}}"))?))
        }
        (
            Node::Record { .. },
            TypeKind::Row(columns) | TypeKind::Structured { fields: columns, .. },
        ) => Write::Row(fields(schema, id, columns, path)?),
        _ => return Err(refuse()),
    })
}

/// The scale to write at, if the schema's decimal holds all values of the type.
fn decimal_scale(decimal: Decimal, ty: &SqlType) -> Option<u32> {
    let TypeKind::Decimal { precision, scale } = ty.kind else { return None };
    let (precision, scale) = (u32::from(precision), u32::from(scale));
    let more = decimal.scale.checked_sub(scale)?;
    (decimal.scale <= 38 && decimal.precision >= precision + more).then_some(decimal.scale)
}

/// A value that cannot be written: its path, and why.
type Fault = (String, String);

fn write_fields(
    fields: &[(String, Write)],
    cells: &[Cells<'_>],
    row: usize,
    out: &mut Vec<u8>,
) -> std::result::Result<(), Fault> {
    for ((name, write), cells) in fields.iter().zip(cells) {
        write_value(write, cells, row, out).map_err(|(path, message)| match path.is_empty() {
            true => (name.clone(), message),
            false => (format!("{name}.{path}"), message),
        })?;
    }
    Ok(())
}

fn fault(message: &str) -> Fault {
    (String::new(), message.to_owned())
}

fn write_value(
    write: &Write,
    cells: &Cells<'_>,
    row: usize,
    out: &mut Vec<u8>,
) -> std::result::Result<(), Fault> {
    if let Write::Union { null, branch, value } = write {
        return match (cells.is_null(row), null) {
            (true, Some(null)) => {
                write_long(*null, out);
                Ok(())
            }
            (true, None) => Err(fault("it is NULL, which the schema does not allow")),
            (false, _) => {
                write_long(*branch, out);
                write_value(value, cells, row, out)
            }
        };
    }
    if cells.is_null(row) {
        return match write {
            Write::Null => Ok(()),
            _ => Err(fault("it is NULL, which the schema does not allow")),
        };
    }
    match (write, &cells.values) {
        (Write::Boolean, Values::Boolean(values)) => out.push(u8::from(values.value(row))),
        (Write::Number, Values::TinyInt(values)) => write_long(i64::from(values[row]), out),
        (Write::Number, Values::SmallInt(values)) => write_long(i64::from(values[row]), out),
        (Write::Number, Values::Int(values) | Values::Date(values) | Values::Time(values)) => {
            write_long(i64::from(values[row]), out);
        }
        (Write::Number, Values::BigInt(values)) => write_long(values[row], out),
        (Write::TimeMicros, Values::Time(values)) => {
            write_long(i64::from(values[row]) * 1_000, out);
        }
        (Write::Timestamp { to }, Values::Timestamp { values, per_second, .. }) => {
            let value = values[row];
            let value = match to >= per_second {
                true => value.checked_mul(to / per_second),
                false => Some(value.div_euclid(per_second / to)),
            };
            write_long(value.ok_or_else(|| fault("the timestamp is out of range"))?, out);
        }
        (Write::Float, Values::Float(values)) => out.extend(values[row].to_le_bytes()),
        (Write::Double, Values::Float(values)) => out.extend(f64::from(values[row]).to_le_bytes()),
        (Write::Double, Values::Double(values)) => out.extend(values[row].to_le_bytes()),
        (Write::Text, Values::Text(values)) => write_bytes(values.value(row).as_bytes(), out),
        (Write::Enum(symbols), Values::Text(values)) => {
            let text = values.value(row);
            let symbol = symbols.iter().position(|symbol| symbol == text);
            let symbol = symbol.ok_or_else(|| {
                (String::new(), format!("'{text}' is none of {}", symbols.join(", ")))
            })?;
            write_long(symbol as i64, out);
        }
        (Write::Bytes, Values::Bytes(values)) => write_bytes(values.value(row), out),
        (Write::Fixed(size), Values::Bytes(values)) => {
            let value = values.value(row);
            if value.len() != *size {
                let message = format!("it has {} bytes, not {size}", value.len());
                return Err((String::new(), message));
            }
            out.extend_from_slice(value);
        }
        (Write::Decimal { size, scale }, Values::Decimal { values, scale: from }) => {
            let more = scale.saturating_sub(u32::from(*from));
            let value = values[row].checked_mul(tidegate_functions::decimal::pow10(more));
            let value = value.ok_or_else(|| fault("the decimal is out of range"))?;
            write_decimal(value, *size, out)?;
        }
        (Write::Array(item), Values::Array { offsets, elements }) => {
            let range = entries(offsets, row);
            if !range.is_empty() {
                write_long(range.len() as i64, out);
                for entry in range {
                    write_value(item, elements, entry, out)?;
                }
            }
            write_long(0, out);
        }
        (Write::Map(item), Values::Map { offsets, keys, values }) => {
            let range = entries(offsets, row);
            let Values::Text(texts) = &keys.values else {
                return Err(fault("its keys are no texts"));
            };
            if !range.is_empty() {
                write_long(range.len() as i64, out);
                for entry in range {
                    if keys.is_null(entry) {
                        return Err(fault("a map has a NULL key"));
                    }
                    write_bytes(texts.value(entry).as_bytes(), out);
                    write_value(item, values, entry, out)?;
                }
            }
            write_long(0, out);
        }
        (Write::Row(fields), Values::Row(cells)) => write_fields(fields, cells, row, out)?,
        _ => return Err(fault("it is of another type than the schema says")),
    }
    Ok(())
}

/// Appends an unscaled value, big-endian: in as few bytes as it needs, or in `size`.
fn write_decimal(
    value: i128,
    size: Option<usize>,
    out: &mut Vec<u8>,
) -> std::result::Result<(), Fault> {
    let bytes = value.to_be_bytes();
    let fill = if value < 0 { 0xff } else { 0 };
    // The first byte that is kept must say the sign.
    let spare = bytes.windows(2).take_while(|pair| pair[0] == fill && (pair[1] ^ fill) < 0x80);
    let bytes = &bytes[spare.count()..];
    match size {
        None => write_bytes(bytes, out),
        Some(size) => {
            let more = size.checked_sub(bytes.len());
            let more = more.ok_or_else(|| fault("the decimal has more bytes than its fixed"))?;
            out.extend(std::iter::repeat_n(fill, more));
            out.extend_from_slice(bytes);
        }
    }
    Ok(())
}
