//! Avro's JSON encoding (`encoding` = `json`), by way of the binary one: what is read becomes binary, what was written
//! in binary becomes JSON.

use serde_json::Value;

use super::cursor::{Cursor, Read, write_bytes, write_long};
use super::schema::{Node, NodeId, Schema};
use crate::format::text::number::{write_double, write_float, write_integer};
use tidegate_json::string::write_string_into_bytes;

/// Deepest nesting of values.
const MAX_DEPTH: usize = 200;

/// The binary form of a record in JSON.
///
/// # Errors
/// What is wrong with it.
pub(super) fn record_to_binary(schema: &Schema, text: &[u8]) -> Read<Vec<u8>> {
    // What follows the record is not looked at.
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<Value>();
    let value = match values.next() {
        Some(Ok(value)) => value,
        Some(Err(error)) => return Err(format!("it is no JSON: {error}")),
        None => return Err("it is empty".to_owned()),
    };
    let mut out = Vec::with_capacity(text.len());
    encode(schema, schema.root(), &value, Unions::Named, 0, &mut out)?;
    Ok(out)
}

/// The binary form of a default in a schema, which is of the type that `node` says.
///
/// # Errors
/// What is wrong with it.
pub(super) fn to_binary(schema: &Schema, node: NodeId, value: &Value) -> Read<Vec<u8>> {
    let mut out = Vec::new();
    encode(schema, node, value, Unions::First, 0, &mut out)?;
    Ok(out)
}

/// How the values of unions stand in JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unions {
    /// `{"type": value}`, or `null`.
    Named,
    /// They are of the first branch: in defaults.
    First,
}

fn encode(
    schema: &Schema,
    node: NodeId,
    value: &Value,
    unions: Unions,
    depth: usize,
    out: &mut Vec<u8>,
) -> Read<()> {
    if depth > MAX_DEPTH {
        return Err(format!("values are nested deeper than {MAX_DEPTH}"));
    }
    let wrong = || {
        let shown: String = value.to_string().chars().take(80).collect();
        format!("{shown} is no value of type {}", schema.type_name(node))
    };
    match schema.node(node) {
        Node::Null => value.as_null().ok_or_else(wrong)?,
        Node::Boolean => out.push(u8::from(value.as_bool().ok_or_else(wrong)?)),
        Node::Int(_) => {
            let number = value.as_i64().and_then(|value| i32::try_from(value).ok());
            write_long(i64::from(number.ok_or_else(wrong)?), out);
        }
        Node::Long(_) => write_long(value.as_i64().ok_or_else(wrong)?, out),
        Node::Float => {
            let number = float(value).ok_or_else(wrong)? as f32;
            out.extend_from_slice(&number.to_le_bytes());
        }
        Node::Double => out.extend_from_slice(&float(value).ok_or_else(wrong)?.to_le_bytes()),
        Node::String => write_bytes(value.as_str().ok_or_else(wrong)?.as_bytes(), out),
        Node::Bytes(_) => {
            let bytes = value.as_str().and_then(bytes_of).ok_or_else(wrong)?;
            write_bytes(&bytes, out);
        }
        Node::Fixed { size, .. } => {
            let bytes = value.as_str().and_then(bytes_of).filter(|bytes| bytes.len() == *size);
            out.extend_from_slice(&bytes.ok_or_else(wrong)?);
        }
        Node::Enum { symbols, .. } => {
            let text = value.as_str().ok_or_else(wrong)?;
            let symbol = symbols.iter().position(|symbol| symbol == text).ok_or_else(wrong)?;
            write_long(symbol as i64, out);
        }
        Node::Array(items) => {
            let values = value.as_array().ok_or_else(wrong)?;
            if !values.is_empty() {
                write_long(values.len() as i64, out);
            }
            for value in values {
                encode(schema, *items, value, unions, depth + 1, out)?;
            }
            write_long(0, out);
        }
        Node::Map(values) => {
            let entries = value.as_object().ok_or_else(wrong)?;
            if !entries.is_empty() {
                write_long(entries.len() as i64, out);
            }
            for (key, value) in entries {
                write_bytes(key.as_bytes(), out);
                encode(schema, *values, value, unions, depth + 1, out)?;
            }
            write_long(0, out);
        }
        Node::Union(branches) => {
            let (branch, value) = match (unions, value) {
                (Unions::First, value) => (0, value),
                (Unions::Named, Value::Null) => {
                    let null =
                        branches.iter().position(|branch| *schema.node(*branch) == Node::Null);
                    (null.ok_or_else(wrong)?, value)
                }
                (Unions::Named, value) => {
                    let (name, value) = value
                        .as_object()
                        .filter(|object| object.len() == 1)
                        .and_then(|object| object.iter().next())
                        .ok_or_else(wrong)?;
                    let named =
                        branches.iter().position(|branch| schema.type_name(*branch) == name);
                    (named.ok_or_else(|| format!("the union has no type '{name}'"))?, value)
                }
            };
            let node = branches.get(branch).copied().ok_or_else(wrong)?;
            write_long(branch as i64, out);
            encode(schema, node, value, unions, depth + 1, out)?;
        }
        Node::Record { fields, .. } => {
            let object = value.as_object().ok_or_else(wrong)?;
            for field in fields {
                let inner = match (object.get(&field.name), unions) {
                    (Some(value), _) => value,
                    (None, Unions::First) => field
                        .default
                        .as_ref()
                        .ok_or_else(|| format!("there is no field '{}'", field.name))?,
                    (None, Unions::Named) => {
                        return Err(format!("there is no field '{}'", field.name));
                    }
                };
                encode(schema, field.node, inner, unions, depth + 1, out)
                    .map_err(|error| format!("field {}: {error}", field.name))?;
            }
        }
    }
    Ok(())
}

/// A number, or the text of one that JSON does not have.
fn float(value: &Value) -> Option<f64> {
    match value.as_str() {
        None => value.as_f64(),
        Some("NaN") => Some(f64::NAN),
        Some("Infinity" | "INF") => Some(f64::INFINITY),
        Some("-Infinity" | "-INF") => Some(f64::NEG_INFINITY),
        Some(_) => None,
    }
}

/// Bytes that stand in a text, one in each character.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect()
}

/// Appends the JSON of a record that was written in binary.
///
/// # Errors
/// What is wrong with it; what was just written is right.
pub(super) fn record_to_json(schema: &Schema, binary: &[u8], out: &mut Vec<u8>) -> Read<()> {
    decode(schema, schema.root(), &mut Cursor::new(binary), out)
}

fn decode(schema: &Schema, node: NodeId, cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Read<()> {
    match schema.node(node) {
        Node::Null => out.extend_from_slice(b"null"),
        Node::Boolean => {
            out.extend_from_slice(if cursor.boolean()? { b"true" } else { b"false" });
        }
        Node::Int(_) | Node::Long(_) => write_integer(cursor.long()?, out),
        Node::Float => match cursor.float()? {
            value if value.is_finite() => write_float(value, out),
            value => quoted(out, |out| write_float(value, out)),
        },
        Node::Double => match cursor.double()? {
            value if value.is_finite() => write_double(value, out),
            value => quoted(out, |out| write_double(value, out)),
        },
        Node::String => write_string_into_bytes(cursor.bytes()?, out),
        Node::Bytes(_) => write_text_of(cursor.bytes()?, out),
        Node::Fixed { size, .. } => write_text_of(cursor.take(*size)?, out),
        Node::Enum { symbols, .. } => {
            let index = usize::try_from(cursor.long()?).unwrap_or(usize::MAX);
            let symbol = symbols.get(index).ok_or("an enum has no such symbol")?;
            write_string_into_bytes(symbol.as_bytes(), out);
        }
        Node::Array(items) => {
            out.push(b'[');
            items_of(cursor, out, |cursor, out| decode(schema, *items, cursor, out))?;
            out.push(b']');
        }
        Node::Map(values) => {
            out.push(b'{');
            items_of(cursor, out, |cursor, out| {
                write_string_into_bytes(cursor.bytes()?, out);
                out.push(b':');
                decode(schema, *values, cursor, out)
            })?;
            out.push(b'}');
        }
        Node::Union(branches) => {
            let branch = usize::try_from(cursor.long()?).unwrap_or(usize::MAX);
            let node = *branches.get(branch).ok_or("a union has no such branch")?;
            if *schema.node(node) == Node::Null {
                out.extend_from_slice(b"null");
                return Ok(());
            }
            out.push(b'{');
            write_string_into_bytes(schema.type_name(node).as_bytes(), out);
            out.push(b':');
            decode(schema, node, cursor, out)?;
            out.push(b'}');
        }
        Node::Record { fields, .. } => {
            out.push(b'{');
            for (index, field) in fields.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_string_into_bytes(field.name.as_bytes(), out);
                out.push(b':');
                decode(schema, field.node, cursor, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn items_of(
    cursor: &mut Cursor<'_>,
    out: &mut Vec<u8>,
    mut item: impl FnMut(&mut Cursor<'_>, &mut Vec<u8>) -> Read<()>,
) -> Read<()> {
    let mut first = true;
    loop {
        let (count, _) = cursor.block()?;
        if count == 0 {
            return Ok(());
        }
        for _ in 0..count {
            if !first {
                out.push(b',');
            }
            first = false;
            item(cursor, out)?;
        }
    }
}

fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}

/// Bytes as a text that has one in each character.
fn write_text_of(bytes: &[u8], out: &mut Vec<u8>) {
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    write_string_into_bytes(text.as_bytes(), out);
}
