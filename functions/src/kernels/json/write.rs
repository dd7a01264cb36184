//! SQL values as JSON.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Float32Type, Float64Type};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidegate_json::number;
use tidegate_json::tree::write_text;
use tidegate_types::{Result, SqlType, TypeKind};

use crate::cast;
use crate::datetime::zone::Zone;
use crate::float_text::{write_f32, write_f64};
use crate::rules::fail;
use crate::vector;

/// Refuses types that have no JSON, as Flink does.
pub(super) fn check(ty: &SqlType) -> Result<()> {
    use TypeKind as K;
    match &ty.kind {
        K::Null | K::Boolean | K::Variant => Ok(()),
        K::Char { .. } | K::VarChar { .. } => Ok(()),
        K::Binary { .. } | K::VarBinary { .. } => Ok(()),
        K::Timestamp { .. } | K::TimestampLtz { .. } => Ok(()),
        kind if kind.is_numeric() => Ok(()),
        K::Array(element) => check(element),
        K::Map(key, value) if key.kind.is_text() => check(value),
        K::Map(key, _) => {
            Err(fail(format!("the keys of a JSON object are texts, not {}", key.kind)))
        }
        K::Multiset(element) if element.kind.is_text() => Ok(()),
        K::Row(fields) | K::Structured { fields, .. } => {
            fields.iter().try_for_each(|field| check(&field.ty))
        }
        kind => Err(fail(format!("{kind} cannot be converted into JSON"))
            .help("convert it with CAST(… AS STRING)")),
    }
}

/// A column that can be written value by value.
pub(super) enum Writer<'a> {
    /// Texts, to be quoted.
    Texts(arrow::array::StringViewArray),
    /// Texts that are JSON.
    Raw(arrow::array::StringViewArray),
    /// Numbers as texts, to be written as decimals.
    Decimals(arrow::array::StringViewArray),
    Doubles(&'a ArrayRef),
    Floats(&'a ArrayRef),
    Booleans(&'a ArrayRef),
    Bytes(&'a ArrayRef),
    Array(&'a ArrayRef, Box<Writer<'a>>),
    Map(&'a ArrayRef, Box<Writer<'a>>, Box<Writer<'a>>),
    Row(&'a ArrayRef, Vec<(&'a str, Writer<'a>)>),
    Nothing,
}

impl<'a> Writer<'a> {
    /// A writer of a column.
    pub(super) fn new(array: &'a ArrayRef, ty: &'a SqlType, zone: &Zone) -> Result<Self> {
        use TypeKind as K;
        let text = || cast::render(array, ty, zone);
        Ok(match &ty.kind {
            K::Null => Self::Nothing,
            K::Boolean => Self::Booleans(array),
            K::Variant => Self::raw(array)?,
            K::Double => Self::Doubles(array),
            K::Float => Self::Floats(array),
            K::Decimal { .. } => Self::Decimals(text()?),
            kind if kind.is_integer() => Self::Raw(text()?),
            K::Binary { .. } | K::VarBinary { .. } => Self::Bytes(array),
            K::Timestamp { .. } => Self::Texts(iso(&text()?, "")),
            K::TimestampLtz { .. } => {
                Self::Texts(iso(&cast::render(array, ty, &Zone::parse("UTC")?)?, "Z"))
            }
            K::Array(element) => {
                let list = vector::lists(array)?;
                Self::Array(array, Box::new(Self::new(list.values(), element, zone)?))
            }
            K::Map(key, value) => {
                let map = vector::maps(array)?;
                let keys = Self::new(map.keys(), key, zone)?;
                Self::Map(array, Box::new(keys), Box::new(Self::new(map.values(), value, zone)?))
            }
            K::Multiset(element) => {
                let map = vector::maps(array)?;
                let keys = Self::new(map.keys(), element, zone)?;
                let counts = map.values();
                let texts = counts.as_primitive::<arrow::datatypes::Int32Type>();
                let texts = texts.iter().map(|count| count.map(|count| count.to_string()));
                Self::Map(array, Box::new(keys), Box::new(Self::Raw(texts.collect())))
            }
            K::Row(fields) | K::Structured { fields, .. } => {
                let rows = vector::structs(array)?;
                let columns = rows.columns().iter().zip(fields);
                let columns = columns.map(|(column, field)| {
                    Ok((field.name.as_str(), Self::new(column, &field.ty, zone)?))
                });
                Self::Row(array, columns.collect::<Result<_>>()?)
            }
            _ => Self::Texts(text()?),
        })
    }

    /// A writer of a column of texts that are JSON already.
    pub(super) fn raw(array: &'a ArrayRef) -> Result<Self> {
        Ok(Self::Raw(vector::texts(array)?.clone()))
    }

    /// Whether a value is NULL.
    pub(super) fn is_null(&self, at: usize) -> bool {
        match self {
            Self::Texts(texts) | Self::Raw(texts) | Self::Decimals(texts) => texts.is_null(at),
            Self::Doubles(array)
            | Self::Floats(array)
            | Self::Booleans(array)
            | Self::Bytes(array)
            | Self::Array(array, _)
            | Self::Map(array, ..)
            | Self::Row(array, _) => array.is_null(at),
            Self::Nothing => true,
        }
    }

    /// Appends a value.
    pub(super) fn write(&self, at: usize, out: &mut String) -> Result<()> {
        if self.is_null(at) {
            out.push_str("null");
            return Ok(());
        }
        match self {
            Self::Texts(texts) => write_text(texts.value(at), out),
            Self::Raw(texts) => out.push_str(texts.value(at)),
            Self::Decimals(texts) => number::write(texts.value(at), out),
            Self::Doubles(array) => {
                let mut text = String::new();
                write_f64(array.as_primitive::<Float64Type>().value(at), &mut text);
                float(&text, out);
            }
            Self::Floats(array) => {
                let mut text = String::new();
                write_f32(array.as_primitive::<Float32Type>().value(at), &mut text);
                float(&text, out);
            }
            Self::Booleans(array) => {
                out.push_str(if array.as_boolean().value(at) { "true" } else { "false" });
            }
            Self::Bytes(array) => {
                out.push('"');
                STANDARD.encode_string(vector::binaries(array)?.value(at), out);
                out.push('"');
            }
            Self::Array(array, elements) => {
                let offsets = vector::lists(array)?.offsets();
                out.push('[');
                for (index, place) in (offsets[at]..offsets[at + 1]).enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    elements.write(place as usize, out)?;
                }
                out.push(']');
            }
            Self::Map(array, keys, values) => {
                let offsets = vector::maps(array)?.offsets();
                out.push('{');
                for (index, place) in (offsets[at]..offsets[at + 1]).enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    keys.write(place as usize, out)?;
                    out.push(':');
                    values.write(place as usize, out)?;
                }
                out.push('}');
            }
            Self::Row(_, fields) => {
                out.push('{');
                for (index, (name, field)) in fields.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_text(name, out);
                    out.push(':');
                    field.write(at, out)?;
                }
                out.push('}');
            }
            Self::Nothing => {}
        }
        Ok(())
    }
}

/// A DOUBLE or FLOAT as a decimal of the digits that Java writes; NaN and infinities as strings.
fn float(text: &str, out: &mut String) {
    if text.ends_with(|c: char| !c.is_ascii_digit()) {
        write_text(text, out);
    } else {
        number::write(text, out);
    }
}

/// `2024-01-01 00:00:00.123` as `2024-01-01T00:00:00.123`, without zeros at the end of the fraction.
fn iso(texts: &arrow::array::StringViewArray, zone: &str) -> arrow::array::StringViewArray {
    let one = |text: &str| {
        let text = text.replacen(' ', "T", 1);
        let text = match text.split_once('.') {
            Some((whole, fraction)) => match fraction.trim_end_matches('0') {
                "" => whole.to_owned(),
                fraction => format!("{whole}.{fraction}"),
            },
            None => text,
        };
        text + zone
    };
    texts.iter().map(|text| text.map(one)).collect()
}
