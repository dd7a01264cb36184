//! Rows to records: one JSON object per row, without white space, as Flink writes it.

use arrow::array::RecordBatch;
use tidegate_types::{Error, ErrorCode, Field, Result, SqlType, TypeKind};

use crate::format::text::base64;
use crate::format::text::cells::{self, Cells, Values, entries};
use crate::format::text::datetime::{Style, write_date, write_time, write_timestamp};
use crate::format::text::datetime_parse::Standard;
use crate::format::text::number::{
    write_double, write_float, write_integer, write_plain_decimal, write_stripped_decimal,
};
use crate::format::{Encoder, EncoderContext, Records};
use tidegate_json::string::write_string_into_bytes;

/// The encoder.
pub(super) struct JsonEncoder {
    columns: Vec<Field>,
    /// The columns as an object.
    object: Node,
    writer: Writer,
}

/// What is known of a value before there is one: the keys of objects, encoded.
enum Node {
    Scalar,
    Array(Box<Node>),
    Map(Box<Node>),
    /// `"name":` and the value of each field.
    Object(Vec<(Vec<u8>, Node)>),
}

/// What happens to an entry of a map whose key is NULL.
enum NullKey {
    Fail,
    Drop,
    /// This is written, a JSON string.
    Literal(Vec<u8>),
}

/// How values are written.
struct Writer {
    style: Style,
    null_key: NullKey,
    plain_decimals: bool,
    ignore_nulls: bool,
}

impl JsonEncoder {
    pub(super) fn new(context: &EncoderContext<'_>) -> Result<Self> {
        let options = context.options;
        let style = match super::standard(options)? {
            Standard::Sql => Style::Sql,
            Standard::Iso => Style::Iso,
        };
        let mode = options.text("map-null-key.mode").unwrap_or("FAIL");
        let null_key = match mode.to_ascii_uppercase().as_str() {
            "FAIL" => NullKey::Fail,
            "DROP" => NullKey::Drop,
            "LITERAL" => {
                let mut literal = Vec::new();
                write_string_into_bytes(
                    options.text("map-null-key.literal").unwrap_or("null").as_bytes(),
                    &mut literal,
                );
                NullKey::Literal(literal)
            }
            _ => {
                let key = options.full_key("map-null-key.mode");
                let message = format!("option '{key}' is '{mode}': use FAIL, DROP or LITERAL");
                return Err(Error::new(ErrorCode::InvalidOption, message));
            }
        };
        let writer = Writer {
            style,
            null_key,
            plain_decimals: options.boolean("encode.decimal-as-plain-number")?,
            ignore_nulls: options.boolean("encode.ignore-null-fields")?,
        };
        Ok(Self { columns: context.columns.to_vec(), object: object("", context.columns)?, writer })
    }
}

fn object(prefix: &str, fields: &[Field]) -> Result<Node> {
    let field = |field: &Field| {
        let mut key = Vec::new();
        write_string_into_bytes(field.name.as_bytes(), &mut key);
        key.push(b':');
        Ok((key, node(&format!("{prefix}{}", field.name), &field.ty)?))
    };
    fields.iter().map(field).collect::<Result<_>>().map(Node::Object)
}

fn node(path: &str, ty: &SqlType) -> Result<Node> {
    Ok(match &ty.kind {
        TypeKind::Array(element) => Node::Array(Box::new(node(path, element)?)),
        TypeKind::Map(key, value) => {
            check_key(path, ty, key)?;
            Node::Map(Box::new(node(path, value)?))
        }
        TypeKind::Multiset(element) => {
            check_key(path, ty, element)?;
            Node::Map(Box::new(Node::Scalar))
        }
        TypeKind::Row(fields) | TypeKind::Structured { fields, .. } => {
            object(&format!("{path}."), fields)?
        }
        TypeKind::IntervalYearMonth
        | TypeKind::IntervalDayTime
        | TypeKind::Variant
        | TypeKind::Bitmap => {
            let message = format!("column {path}: JSON does not hold values of type {ty}");
            return Err(Error::new(ErrorCode::InvalidOption, message));
        }
        _ => Node::Scalar,
    })
}

fn check_key(path: &str, ty: &SqlType, key: &SqlType) -> Result<()> {
    if key.kind.is_text() {
        return Ok(());
    }
    let message = format!(
        "column {path}: JSON objects have text keys, so a map of type {ty} cannot be written"
    );
    Err(Error::new(ErrorCode::InvalidOption, message))
}

impl Encoder for JsonEncoder {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Records) -> Result<()> {
        let cells = cells::of_batch(rows, &self.columns, "JSON")?;
        let Node::Object(fields) = &self.object else {
            return Err(Error::internal("JSON records are objects"));
        };
        for row in 0..rows.num_rows() {
            if let Err(error) = self.writer.object(fields, &cells, row, out.buffer()) {
                // What was begun of the record does not stay.
                out.end_null();
                return Err(error);
            }
            out.end_record();
        }
        Ok(())
    }
}

impl Writer {
    fn object(
        &self,
        fields: &[(Vec<u8>, Node)],
        cells: &[Cells<'_>],
        row: usize,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        out.push(b'{');
        let mut first = true;
        for ((key, node), cells) in fields.iter().zip(cells) {
            if self.ignore_nulls && cells.is_null(row) {
                continue;
            }
            if !first {
                out.push(b',');
            }
            first = false;
            out.extend_from_slice(key);
            self.value(node, cells, row, out)?;
        }
        out.push(b'}');
        Ok(())
    }

    #[inline]
    fn value(&self, node: &Node, cells: &Cells<'_>, row: usize, out: &mut Vec<u8>) -> Result<()> {
        if cells.is_null(row) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        match (&cells.values, node) {
            (Values::Array { offsets, elements }, Node::Array(element)) => {
                out.push(b'[');
                for (index, entry) in entries(offsets, row).enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    self.value(element, elements, entry, out)?;
                }
                out.push(b']');
                Ok(())
            }
            (Values::Map { offsets, keys, values }, Node::Map(value)) => {
                self.map(value, keys, values, entries(offsets, row), out)
            }
            (Values::Row(cells), Node::Object(fields)) => self.object(fields, cells, row, out),
            (scalar, _) => {
                self.scalar(scalar, row, out);
                Ok(())
            }
        }
    }

    fn map(
        &self,
        node: &Node,
        keys: &Cells<'_>,
        values: &Cells<'_>,
        entries: std::ops::Range<usize>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        out.push(b'{');
        let mut first = true;
        for entry in entries {
            let null = keys.is_null(entry);
            match &self.null_key {
                NullKey::Drop if null => continue,
                NullKey::Fail if null => {
                    let message = "a map has a NULL key, which JSON cannot hold";
                    return Err(Error::new(ErrorCode::BadRecord, message)
                        .help("set the format's option 'map-null-key.mode' to DROP or LITERAL"));
                }
                _ => {}
            }
            if !first {
                out.push(b',');
            }
            first = false;
            match (&self.null_key, &keys.values) {
                (NullKey::Literal(literal), _) if null => out.extend_from_slice(literal),
                (_, Values::Text(texts)) => {
                    write_string_into_bytes(texts.value(entry).as_bytes(), out)
                }
                _ => return Err(Error::internal("keys of a JSON object are texts")),
            }
            out.push(b':');
            self.value(node, values, entry, out)?;
        }
        out.push(b'}');
        Ok(())
    }

    fn scalar(&self, values: &Values<'_>, row: usize, out: &mut Vec<u8>) {
        match values {
            Values::Boolean(values) => {
                out.extend_from_slice(if values.value(row) { b"true" } else { b"false" })
            }
            Values::TinyInt(values) => write_integer(i64::from(values[row]), out),
            Values::SmallInt(values) => write_integer(i64::from(values[row]), out),
            Values::Int(values) => write_integer(i64::from(values[row]), out),
            Values::BigInt(values) => write_integer(values[row], out),
            Values::Float(values) if values[row].is_finite() => write_float(values[row], out),
            Values::Float(values) => quoted(out, |out| write_float(values[row], out)),
            Values::Double(values) if values[row].is_finite() => write_double(values[row], out),
            Values::Double(values) => quoted(out, |out| write_double(values[row], out)),
            Values::Decimal { values, scale } if self.plain_decimals => {
                write_plain_decimal(values[row], *scale, out)
            }
            Values::Decimal { values, scale } => write_stripped_decimal(values[row], *scale, out),
            Values::Text(values) => write_string_into_bytes(values.value(row).as_bytes(), out),
            Values::Bytes(values) => quoted(out, |out| base64::encode(values.value(row), out)),
            Values::Date(values) => quoted(out, |out| write_date(values[row], out)),
            Values::Time(values) => quoted(out, |out| write_time(values[row], out)),
            Values::Timestamp { values, per_second, zoned } => {
                quoted(out, |out| {
                    write_timestamp(values[row], *per_second, *zoned, self.style, out)
                });
            }
            Values::Null | Values::Array { .. } | Values::Map { .. } | Values::Row(_) => {
                out.extend_from_slice(b"null");
            }
        }
    }
}

fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}
