//! Flink's text of every type, and casts to CHAR and VARCHAR.
//!
//! A [`Writer`] is made once per column and writes one value at a time into a shared buffer.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, BinaryViewArray, BooleanArray, Float32Array, Float64Array,
    StringViewArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type};
use tidegate_types::{Error, Result, SqlType, TypeKind};

use super::temporal;
use crate::datetime::DAY_MS;
use crate::datetime::civil::{self, Fields};
use crate::datetime::zone::Zone;
use crate::kernels::bitmap;
use crate::moments::{self, Moments};
use crate::vector::{self, primitive};
use crate::{decimal, float_text};

pub(super) fn render(array: &ArrayRef, ty: &SqlType, zone: &Zone) -> Result<StringViewArray> {
    if ty.kind.is_text() {
        return vector::texts(array).cloned();
    }
    if ty.kind == TypeKind::Null {
        return Ok(StringViewArray::new_null(array.len()));
    }
    let writer = Writer::new(array, ty, zone)?;
    vector::map_text(array.len(), array.nulls(), |row, out| {
        writer.write_value(row, out);
        Ok(true)
    })
}

pub(super) fn cast(
    array: &ArrayRef,
    from: &SqlType,
    to: &SqlType,
    zone: &Zone,
) -> Result<ArrayRef> {
    let (length, pads) = match to.kind {
        TypeKind::Char { length } => (length as usize, true),
        TypeKind::VarChar { length } => (length as usize, false),
        _ => return Err(Error::internal(format!("{} is not a text type", to.kind))),
    };
    let texts = render(array, from, zone)?;
    if texts.iter().flatten().all(|text| has_length(text, length, pads)) {
        return Ok(Arc::new(texts));
    }
    let resized = vector::map_text(texts.len(), texts.nulls(), |row, out| {
        let text = texts.value(row);
        let end = text.char_indices().nth(length).map_or(text.len(), |(end, _)| end);
        out.push_str(&text[..end]);
        if pads && end == text.len() {
            out.extend(std::iter::repeat_n(' ', length - text.chars().count()));
        }
        Ok(true)
    })?;
    Ok(Arc::new(resized))
}

/// Whether a text is already as long as its type wants it.
fn has_length(text: &str, length: usize, pads: bool) -> bool {
    if !pads && text.len() <= length {
        return true;
    }
    let characters = text.chars().count();
    if pads { characters == length } else { characters <= length }
}

/// Writes the values of a column.
struct Writer<'a> {
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
}

enum Values<'a> {
    Null,
    Boolean(&'a BooleanArray),
    Tiny(&'a [i8]),
    Small(&'a [i16]),
    Integer(Moments<'a>),
    Float(&'a Float32Array),
    Double(&'a Float64Array),
    Decimal(&'a [i128], u8),
    Text(&'a StringViewArray),
    Bytes(&'a BinaryViewArray),
    Bitmap(&'a BinaryViewArray),
    Date(Moments<'a>),
    Time(Moments<'a>, u8),
    Timestamp {
        moments: Moments<'a>,
        per_second: i64,
        precision: u8,
        zone: Option<Zone>,
    },
    Months(Moments<'a>),
    Millis(Moments<'a>),
    List(&'a OffsetBuffer<i32>, Box<Writer<'a>>),
    Map(&'a OffsetBuffer<i32>, Box<Writer<'a>>, Box<Writer<'a>>),
    Row(Vec<Writer<'a>>),
    /// With the names of the attributes.
    Object(Vec<(String, Writer<'a>)>),
}

impl<'a> Writer<'a> {
    fn new(array: &'a dyn Array, ty: &SqlType, zone: &Zone) -> Result<Self> {
        use TypeKind as K;
        let values = match &ty.kind {
            K::Null => Values::Null,
            K::Boolean => Values::Boolean(vector::booleans(array)?),
            K::TinyInt => Values::Tiny(primitive::<Int8Type>(array)?.values()),
            K::SmallInt => Values::Small(primitive::<Int16Type>(array)?.values()),
            K::Int | K::BigInt => Values::Integer(Moments::of_array(array)?),
            K::Float => Values::Float(primitive::<Float32Type>(array)?),
            K::Double => Values::Double(primitive::<Float64Type>(array)?),
            K::Decimal { scale, .. } => {
                Values::Decimal(primitive::<Decimal128Type>(array)?.values(), *scale)
            }
            K::Char { .. } | K::VarChar { .. } | K::Variant => Values::Text(vector::texts(array)?),
            K::Bitmap => Values::Bitmap(vector::binaries(array)?),
            K::Binary { .. } | K::VarBinary { .. } => Values::Bytes(vector::binaries(array)?),
            K::Date => Values::Date(Moments::of_array(array)?),
            K::Time { precision } => Values::Time(Moments::of_array(array)?, *precision),
            K::Timestamp { precision, .. } => Values::Timestamp {
                moments: Moments::of_array(array)?,
                per_second: moments::per_second(&ty.kind),
                precision: *precision,
                zone: None,
            },
            K::TimestampLtz { precision, .. } => Values::Timestamp {
                moments: Moments::of_array(array)?,
                per_second: moments::per_second(&ty.kind),
                precision: *precision,
                zone: Some(*zone),
            },
            K::IntervalYearMonth => Values::Months(Moments::of_array(array)?),
            K::IntervalDayTime => Values::Millis(Moments::of_array(array)?),
            K::Array(element) => {
                let list = vector::lists(array)?;
                let values = Writer::new(list.values().as_ref(), element, zone)?;
                Values::List(list.offsets(), Box::new(values))
            }
            K::Map(key, value) => Self::map(array, key, value, zone)?,
            K::Multiset(element) => Self::map(array, element, &K::Int.not_null(), zone)?,
            K::Row(fields) => {
                let columns = vector::structs(array)?.columns().iter().zip(fields);
                let writers = columns.map(|(column, f)| Writer::new(column.as_ref(), &f.ty, zone));
                Values::Row(writers.collect::<Result<_>>()?)
            }
            K::Structured { fields, .. } => {
                let columns = vector::structs(array)?.columns().iter().zip(fields);
                let writers = columns.map(|(column, field)| {
                    Ok((field.name.clone(), Writer::new(column.as_ref(), &field.ty, zone)?))
                });
                Values::Object(writers.collect::<Result<_>>()?)
            }
        };
        Ok(Self { nulls: array.nulls(), values })
    }

    fn map(
        array: &'a dyn Array,
        key: &SqlType,
        value: &SqlType,
        zone: &Zone,
    ) -> Result<Values<'a>> {
        let map = array.as_map_opt().ok_or_else(|| Error::internal("a map is not a map array"))?;
        Ok(Values::Map(
            map.offsets(),
            Box::new(Writer::new(map.keys().as_ref(), key, zone)?),
            Box::new(Writer::new(map.values().as_ref(), value, zone)?),
        ))
    }

    /// A value inside another: `NULL` is written out.
    fn write(&self, row: usize, out: &mut String) {
        if vector::valid(self.nulls, row) && !matches!(self.values, Values::Null) {
            self.write_value(row, out);
        } else {
            out.push_str("NULL");
        }
    }

    /// A value that is not NULL.
    fn write_value(&self, row: usize, out: &mut String) {
        // Writing to a string cannot fail.
        let _ = match &self.values {
            Values::Null => return,
            Values::Boolean(values) => {
                return out.push_str(if values.value(row) { "TRUE" } else { "FALSE" });
            }
            Values::Tiny(values) => write!(out, "{}", values[row]),
            Values::Small(values) => write!(out, "{}", values[row]),
            Values::Integer(values) => {
                return out.push_str(itoa::Buffer::new().format(values.get(row)));
            }
            Values::Float(values) => return float_text::write_f32(values.value(row), out),
            Values::Double(values) => return float_text::write_f64(values.value(row), out),
            Values::Decimal(values, scale) => return decimal::write(values[row], *scale, out),
            Values::Text(values) => return out.push_str(values.value(row)),
            Values::Bitmap(values) => {
                // Bytes that were checked when they became a bitmap.
                if let Ok(bitmap) = bitmap::read(values.value(row)) {
                    bitmap::write_numbers(&bitmap, out);
                }
                Ok(())
            }
            Values::Bytes(values) => {
                return out.push_str(&String::from_utf8_lossy(values.value(row)));
            }
            Values::Date(values) => return write_date(values.get(row), out),
            Values::Time(values, precision) => {
                return write_time(values.get(row), *precision, out);
            }
            Values::Timestamp { moments, per_second, precision, zone } => {
                return write_timestamp(moments.get(row), *per_second, *precision, *zone, out);
            }
            Values::Months(values) => write_months(values.get(row), out),
            Values::Millis(values) => write_millis(values.get(row), out),
            Values::List(offsets, elements) => {
                return write_elements(offsets, row, ('[', ']'), out, |element, out| {
                    elements.write(element, out);
                });
            }
            Values::Map(offsets, keys, values) => {
                return write_elements(offsets, row, ('{', '}'), out, |entry, out| {
                    keys.write(entry, out);
                    out.push('=');
                    values.write(entry, out);
                });
            }
            Values::Row(fields) => {
                return write_fields(fields, out, |field, out| field.write(row, out));
            }
            Values::Object(fields) => {
                return write_fields(fields, out, |(name, field), out| {
                    out.push_str(name);
                    out.push('=');
                    field.write(row, out);
                });
            }
        };
    }
}

fn write_elements(
    offsets: &OffsetBuffer<i32>,
    row: usize,
    (open, close): (char, char),
    out: &mut String,
    write: impl Fn(usize, &mut String),
) {
    let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
    out.push(open);
    for element in start..end {
        if element > start {
            out.push_str(", ");
        }
        write(element, out);
    }
    out.push(close);
}

fn write_fields<F>(fields: &[F], out: &mut String, write: impl Fn(&F, &mut String)) {
    out.push('(');
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write(field, out);
    }
    out.push(')');
}

fn write_date(days: i64, out: &mut String) {
    let (year, month, day) = civil::civil_from_days(days);
    civil::write_date(year, month, day, out);
}

fn write_time(millis: i64, precision: u8, out: &mut String) {
    let fields = Fields::from_timestamp(millis.rem_euclid(DAY_MS), 1_000);
    civil::write_time(fields.hour, fields.minute, fields.second, out);
    if precision > 0 {
        // As Flink writes it: the digits of the milliseconds, at least one.
        let from = out.len();
        civil::write_fraction(fields.nanos, 3, out);
        let kept = out[from..].trim_end_matches('0').len().max(2);
        out.truncate(from + kept);
    }
}

fn write_timestamp(
    value: i64,
    per_second: i64,
    precision: u8,
    zone: Option<Zone>,
    out: &mut String,
) {
    let local = zone.and_then(|zone| temporal::to_local(value, per_second, &zone)).unwrap_or(value);
    let fields = Fields::from_timestamp(local, per_second);
    civil::write_date(fields.year, fields.month, fields.day, out);
    out.push(' ');
    civil::write_time(fields.hour, fields.minute, fields.second, out);
    civil::write_fraction(fields.nanos, precision, out);
}

fn sign(value: i64) -> char {
    if value < 0 { '-' } else { '+' }
}

/// `+1-02`: years and months.
fn write_months(months: i64, out: &mut String) -> std::fmt::Result {
    let count = months.unsigned_abs();
    write!(out, "{}{}-{:02}", sign(months), count / 12, count % 12)
}

/// `+1 02:03:04.567`: days and time.
fn write_millis(millis: i64, out: &mut String) -> std::fmt::Result {
    let count = millis.unsigned_abs();
    let (days, rest) = (count / DAY_MS as u64, count % DAY_MS as u64);
    let (hours, minutes) = (rest / 3_600_000, rest / 60_000 % 60);
    let (seconds, fraction) = (rest / 1_000 % 60, rest % 1_000);
    write!(out, "{}{days} {hours:02}:{minutes:02}:{seconds:02}.{fraction:03}", sign(millis))
}
