//! Columns: what their options say, and their arrays for a range of rows.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, BooleanBufferBuilder};
use arrow::compute::nullif;
use tidegate_functions::Zone;
use tidegate_plan::arrow_type::units_per_second;
use tidegate_types::{Error, ErrorCode, Result, SqlType, TypeKind};

use super::field_options::{FieldOptions, key};
use super::nested::{Collection, Nested};
use super::scalar::{Length, Scalar};
use crate::counter_random::{Stream, unit};

/// Elements of a collection unless its length is given, as in Flink.
const DEFAULT_ELEMENTS: i64 = 3;
/// Characters or bytes of a text without declared length unless it is given, as in Flink.
const DEFAULT_LENGTH: i64 = 100;
/// Longest text, and most elements.
const MAX_LENGTH: i64 = 16 << 20;

const DAY_MS: i64 = 86_400_000;

/// Largest number of times that an element stands in a MULTISET.
const MOST_OFTEN: i64 = 10;

/// The time that a batch is generated at.
pub(super) struct Moment {
    /// Milliseconds since the epoch.
    pub(super) now_ms: i64,
    /// Days since 1970-01-01 in the session's zone.
    pub(super) date: i32,
    /// Milliseconds of the day in the session's zone, whole seconds.
    pub(super) time_ms: i32,
}

impl Moment {
    pub(super) fn new(now_ms: i64, zone: Zone) -> Self {
        let local = zone.to_local(now_ms);
        let second = local.rem_euclid(DAY_MS) / 1000 * 1000;
        Self {
            now_ms,
            date: i32::try_from(local.div_euclid(DAY_MS)).unwrap_or(0),
            time_ms: i32::try_from(second).unwrap_or(0),
        }
    }
}

/// A column, field or element.
#[derive(Debug)]
pub(super) struct Column {
    values: Values,
    null_rate: f64,
    nulls: Stream,
    /// Rows that a sequence in it has.
    rows: Option<u64>,
}

#[derive(Debug)]
enum Values {
    Scalar(Scalar),
    Nested(Nested),
}

impl Column {
    /// The column at `path` with its options.
    ///
    /// # Errors
    /// `INVALID_OPTION` for options that do not fit the type.
    pub(super) fn new(
        seed: u64,
        path: &str,
        ty: &SqlType,
        options: &FieldOptions<'_>,
    ) -> Result<Self> {
        let stream = Stream::new(seed, field_number(path, "value"));
        let kind = options.text(path, "kind").unwrap_or("random");
        let (values, rows) = if kind.eq_ignore_ascii_case("sequence") {
            let (start, end) = sequence(path, options)?;
            let rows = end
                .checked_sub(start)
                .and_then(|last| u64::try_from(last).ok())
                .and_then(|last| last.checked_add(1));
            let rows = rows.ok_or_else(|| {
                invalid(
                    path,
                    "end",
                    format!("{end} is below the start {start}, or too far from it"),
                )
            })?;
            (Values::Scalar(Scalar::sequence(path, &ty.kind, start, end)?), Some(rows))
        } else if kind.eq_ignore_ascii_case("random") {
            random(seed, path, ty, stream, options)?
        } else {
            return Err(invalid(path, "kind", format!("'{kind}' is neither random nor sequence")));
        };
        let null_rate = options.float(path, "null-rate")?.unwrap_or(0.0);
        if !(0.0..=1.0).contains(&null_rate) {
            return Err(invalid(path, "null-rate", format!("{null_rate} is not between 0 and 1")));
        }
        if null_rate > 0.0 && !ty.nullable {
            return Err(invalid(path, "null-rate", "the column is declared NOT NULL".to_owned()));
        }
        Ok(Self { values, null_rate, nulls: Stream::new(seed, field_number(path, "null")), rows })
    }

    /// How often elements stand in a MULTISET.
    fn counts(seed: u64, path: &str) -> Self {
        let stream = Stream::new(seed, field_number(path, "count"));
        let scalar = Scalar::Integer { stream, kind: TypeKind::Int, min: 1, max: MOST_OFTEN };
        Self { values: Values::Scalar(scalar), null_rate: 0.0, nulls: stream, rows: None }
    }

    /// Rows after which a sequence ends, if there is one.
    pub(super) fn rows(&self) -> Option<u64> {
        self.rows
    }

    /// Estimated bytes of a value.
    pub(super) fn bytes(&self) -> u64 {
        match &self.values {
            Values::Scalar(scalar) => scalar.bytes(),
            Values::Nested(nested) => nested.bytes(),
        }
    }

    /// The values of some rows.
    ///
    /// # Errors
    /// `INTERNAL` only.
    pub(super) fn generate(&self, rows: Range<u64>, moment: &Moment) -> Result<ArrayRef> {
        let array = match &self.values {
            Values::Scalar(scalar) => scalar.generate(rows.clone(), moment)?,
            Values::Nested(nested) => nested.generate(rows.clone(), moment)?,
        };
        if self.null_rate == 0.0 {
            return Ok(array);
        }
        let mut null = BooleanBufferBuilder::new(array.len());
        for row in rows {
            null.append(unit(self.nulls.draw(row)) < self.null_rate);
        }
        let null = BooleanArray::new(null.finish(), None);
        nullif(&array, &null).map_err(|error| Error::internal(format!("generate NULLs: {error}")))
    }
}

fn random(
    seed: u64,
    path: &str,
    ty: &SqlType,
    stream: Stream,
    options: &FieldOptions<'_>,
) -> Result<(Values, Option<u64>)> {
    let child =
        |name: &str, ty: &SqlType| Column::new(seed, &format!("{path}.{name}"), ty, options);
    let nested = match &ty.kind {
        TypeKind::Array(element) => {
            let length = elements(path, options)?;
            Nested::Array(Collection {
                length,
                ty: ty.clone(),
                parts: vec![child("element", element)?],
            })
        }
        TypeKind::Map(key, value) => {
            let length = elements(path, options)?;
            let parts = vec![
                child("key", &key.as_ref().clone().with_nullable(false))?,
                child("value", value)?,
            ];
            Nested::Map(Collection { length, ty: ty.clone(), parts })
        }
        TypeKind::Multiset(element) => {
            let length = elements(path, options)?;
            let parts = vec![
                child("element", &element.as_ref().clone().with_nullable(false))?,
                Column::counts(seed, path),
            ];
            Nested::Map(Collection { length, ty: ty.clone(), parts })
        }
        TypeKind::Row(fields) | TypeKind::Structured { fields, .. } => {
            let parts =
                fields.iter().map(|field| child(&field.name, &field.ty)).collect::<Result<_>>()?;
            Nested::Row(Collection { length: 1, ty: ty.clone(), parts })
        }
        _ => {
            return Ok((Values::Scalar(scalar(path, &ty.kind, stream, options)?), None));
        }
    };
    let rows = nested.rows();
    Ok((Values::Nested(nested), rows))
}

fn scalar(
    path: &str,
    kind: &TypeKind,
    stream: Stream,
    options: &FieldOptions<'_>,
) -> Result<Scalar> {
    let integers = |low: i64, high: i64| integers(path, kind, stream, options, low, high);
    Ok(match kind {
        TypeKind::Boolean => Scalar::Boolean(stream),
        TypeKind::TinyInt => integers(i64::from(i8::MIN), i64::from(i8::MAX))?,
        TypeKind::SmallInt => integers(i64::from(i16::MIN), i64::from(i16::MAX))?,
        TypeKind::Int => integers(i64::from(i32::MIN), i64::from(i32::MAX))?,
        TypeKind::BigInt => integers(i64::MIN, i64::MAX)?,
        TypeKind::Float => floats(path, kind, stream, options, f64::from(f32::MAX))?,
        TypeKind::Double => floats(path, kind, stream, options, f64::MAX)?,
        TypeKind::Decimal { precision, scale } => {
            decimals(path, *precision, *scale, stream, options)?
        }
        TypeKind::Char { length } | TypeKind::Binary { length } => {
            if options.text(path, "length").is_some() {
                return Err(invalid(
                    path,
                    "length",
                    format!("a column of type {kind} has a fixed length"),
                ));
            }
            let length =
                Length { longest: i64::from(*length).min(MAX_LENGTH) as u64, varies: false };
            text(kind, stream, length)
        }
        TypeKind::VarChar { length } | TypeKind::VarBinary { length } => {
            text(kind, stream, text_length(path, kind, i64::from(*length), options)?)
        }
        TypeKind::Date => Scalar::Date,
        TypeKind::Time { .. } => Scalar::Time,
        TypeKind::Timestamp { precision, .. } => {
            timestamps(path, *precision, false, stream, options)?
        }
        TypeKind::TimestampLtz { precision, .. } => {
            timestamps(path, *precision, true, stream, options)?
        }
        other => {
            let message =
                format!("column {path}: the datagen connector makes no values of type {other}");
            return Err(Error::new(ErrorCode::InvalidOption, message));
        }
    })
}

fn integers(
    path: &str,
    kind: &TypeKind,
    stream: Stream,
    options: &FieldOptions<'_>,
    least: i64,
    most: i64,
) -> Result<Scalar> {
    let min = options.integer(path, "min")?.unwrap_or(least);
    let max = options.integer(path, "max")?.unwrap_or(most);
    check_bounds(path, min, max)?;
    if min < least || max > most {
        let what = if min < least { "min" } else { "max" };
        return Err(invalid(path, what, format!("it is out of the range of {kind}")));
    }
    Ok(Scalar::Integer { stream, kind: kind.clone(), min, max })
}

fn floats(
    path: &str,
    kind: &TypeKind,
    stream: Stream,
    options: &FieldOptions<'_>,
    most: f64,
) -> Result<Scalar> {
    let min = options.float(path, "min")?.unwrap_or(0.0);
    let max = options.float(path, "max")?.unwrap_or(most);
    check_bounds(path, min, max)?;
    Ok(Scalar::Float { stream, single: *kind == TypeKind::Float, min, max })
}

fn decimals(
    path: &str,
    precision: u8,
    scale: u8,
    stream: Stream,
    options: &FieldOptions<'_>,
) -> Result<Scalar> {
    let bound = |what: &str, default: i128| match options.text(path, what) {
        None => Ok(default),
        Some(text) => {
            tidegate_functions::decimal::parse(text.trim(), (precision, scale)).map_err(|_| {
                invalid(path, what, format!("'{text}' is no DECIMAL({precision}, {scale})"))
            })
        }
    };
    let largest = tidegate_functions::decimal::pow10(u32::from(precision)) - 1;
    let (min, max) = (bound("min", 0)?, bound("max", largest)?);
    check_bounds(path, min, max)?;
    Ok(Scalar::Decimal { stream, precision, scale, min, max })
}

fn timestamps(
    path: &str,
    precision: u8,
    zoned: bool,
    stream: Stream,
    options: &FieldOptions<'_>,
) -> Result<Scalar> {
    let max_past = options.duration(path, "max-past")?.unwrap_or_default();
    let max_past_ms = u64::try_from(max_past.as_millis()).unwrap_or(u64::MAX);
    Ok(Scalar::Timestamp { stream, per_second: units_per_second(precision), zoned, max_past_ms })
}

fn text(kind: &TypeKind, stream: Stream, length: Length) -> Scalar {
    if kind.is_text() { Scalar::Text { stream, length } } else { Scalar::Bytes { stream, length } }
}

fn text_length(
    path: &str,
    kind: &TypeKind,
    declared: i64,
    options: &FieldOptions<'_>,
) -> Result<Length> {
    let varies = options.boolean(path, "var-len")?;
    let length = options.integer(path, "length")?;
    if let Some(length) = length.filter(|length| *length > declared) {
        let message = format!("{length} is longer than the column's type {kind}");
        return Err(invalid(path, "length", message));
    }
    let unlimited = declared == i64::from(tidegate_types::sql_type::MAX_LENGTH);
    let length = length.unwrap_or(if unlimited { DEFAULT_LENGTH } else { declared });
    if !(0..=MAX_LENGTH).contains(&length) {
        return Err(invalid(path, "length", format!("{length} is not between 0 and {MAX_LENGTH}")));
    }
    Ok(Length { longest: length as u64, varies })
}

fn elements(path: &str, options: &FieldOptions<'_>) -> Result<u64> {
    let length = options.integer(path, "length")?.unwrap_or(DEFAULT_ELEMENTS);
    if !(0..=MAX_LENGTH).contains(&length) {
        return Err(invalid(path, "length", format!("{length} is not between 0 and {MAX_LENGTH}")));
    }
    Ok(length as u64)
}

/// First and last value of a sequence.
fn sequence(path: &str, options: &FieldOptions<'_>) -> Result<(i64, i64)> {
    let bound = |what| {
        let value = options.integer(path, what)?;
        value.ok_or_else(|| invalid(path, what, "a sequence needs it".to_owned()))
    };
    Ok((bound("start")?, bound("end")?))
}

fn check_bounds<T: PartialOrd + std::fmt::Display>(path: &str, min: T, max: T) -> Result<()> {
    if min <= max {
        return Ok(());
    }
    Err(invalid(path, "max", format!("{max} is below the minimum {min}")))
}

pub(super) fn invalid(path: &str, what: &str, message: String) -> Error {
    Error::new(ErrorCode::InvalidOption, format!("option '{}': {message}", key(path, what)))
}

/// The number of a random stream: of a column's values or NULLs.
fn field_number(path: &str, what: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(format!("{path}\0{what}").as_bytes())
}

/// One array of several, for the parts of a collection.
pub(super) fn shared(array: impl Array + 'static) -> ArrayRef {
    Arc::new(array)
}
