//! Scalar values by row number.

use std::ops::Range;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryViewBuilder, BooleanArray, Decimal128Array, PrimitiveArray,
    StringViewBuilder,
};
use arrow::datatypes::{
    ArrowTimestampType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType,
};
use tidegate_functions::decimal;
use tidegate_types::{Error, Result, TypeKind};

use super::generator::{Moment, invalid, shared};
use crate::counter_random::{Stream, below, unit};

/// How long texts and bytes are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Length {
    pub(super) longest: u64,
    /// From 1 to one less than the longest, as in Flink.
    pub(super) varies: bool,
}

impl Length {
    fn of(self, draw: u64) -> usize {
        if self.varies && self.longest > 1 {
            1 + below(draw, self.longest - 1) as usize
        } else {
            self.longest as usize
        }
    }
}

/// How values are made.
#[derive(Debug)]
pub(super) enum Scalar {
    Boolean(Stream),
    /// Both bounds are among the values, which fit `kind`.
    Integer {
        stream: Stream,
        kind: TypeKind,
        min: i64,
        max: i64,
    },
    Float {
        stream: Stream,
        single: bool,
        min: f64,
        max: f64,
    },
    Decimal {
        stream: Stream,
        precision: u8,
        scale: u8,
        min: i128,
        max: i128,
    },
    /// Hexadecimal digits.
    Text {
        stream: Stream,
        length: Length,
    },
    Bytes {
        stream: Stream,
        length: Length,
    },
    /// The current date.
    Date,
    /// The current time of the day.
    Time,
    /// The current time, or up to so much before.
    Timestamp {
        stream: Stream,
        per_second: i64,
        zoned: bool,
        max_past_ms: u64,
    },
    /// `start` plus the row's number; all values fit `kind`.
    Sequence {
        kind: TypeKind,
        start: i64,
    },
}

impl Scalar {
    /// The sequence of a column.
    ///
    /// # Errors
    /// `INVALID_OPTION` for types without sequences, and bounds that do not fit the type.
    pub(super) fn sequence(path: &str, kind: &TypeKind, start: i64, end: i64) -> Result<Self> {
        let fits = |value: i64| match kind {
            TypeKind::TinyInt => i8::try_from(value).is_ok(),
            TypeKind::SmallInt => i16::try_from(value).is_ok(),
            TypeKind::Int => i32::try_from(value).is_ok(),
            TypeKind::Decimal { precision, scale } => {
                decimal_of(value, *scale, *precision).is_some()
            }
            _ => true,
        };
        let known = kind.is_integer()
            || kind.is_approximate()
            || kind.is_text()
            || matches!(kind, TypeKind::Decimal { .. });
        if !known {
            return Err(invalid(path, "kind", format!("there are no sequences of type {kind}")));
        }
        for (what, value) in [("start", start), ("end", end)] {
            if !fits(value) {
                return Err(invalid(path, what, format!("{value} is out of the range of {kind}")));
            }
        }
        Ok(Self::Sequence { kind: kind.clone(), start })
    }

    /// Estimated bytes of a value.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Text { length, .. } | Self::Bytes { length, .. } => length.longest + 16,
            _ => 16,
        }
    }

    /// The values of some rows.
    ///
    /// # Errors
    /// `INTERNAL` only.
    pub(super) fn generate(&self, rows: Range<u64>, moment: &Moment) -> Result<ArrayRef> {
        Ok(match self {
            Self::Boolean(stream) => {
                let values: Vec<bool> = rows.map(|row| stream.draw(row) >> 63 == 1).collect();
                shared(BooleanArray::from(values))
            }
            Self::Integer { stream, kind, min, max } => {
                let span = max.wrapping_sub(*min) as u64;
                let value = |row| {
                    let draw = stream.draw(row);
                    let bounded = span.checked_add(1).map(|span| below(draw, span));
                    min.wrapping_add_unsigned(bounded.unwrap_or(draw))
                };
                integers(kind, rows.map(value))
            }
            Self::Float { stream, single, min, max } => {
                // Not `min + u * (max - min)`: that difference may overflow.
                let values = rows.map(|row| {
                    let u = unit(stream.draw(row));
                    (min * (1.0 - u) + max * u).clamp(*min, *max)
                });
                if *single {
                    primitive::<Float32Type>(values.map(|v| v as f32))
                } else {
                    primitive::<Float64Type>(values)
                }
            }
            Self::Decimal { stream, precision, scale, min, max } => {
                let span = max.wrapping_sub(*min) as u128 + 1;
                let values = rows.map(|row| {
                    let (high, low) = (stream.draw(row << 1), stream.draw(row << 1 | 1));
                    min + ((u128::from(high) << 64 | u128::from(low)) % span) as i128
                });
                decimals(values, *precision, *scale)?
            }
            Self::Text { stream, length } => texts(*stream, *length, rows),
            Self::Bytes { stream, length } => bytes(*stream, *length, rows),
            Self::Date => primitive::<Date32Type>(rows.map(|_| moment.date)),
            Self::Time => primitive::<Time32MillisecondType>(rows.map(|_| moment.time_ms)),
            Self::Timestamp { stream, per_second, zoned, max_past_ms } => {
                let times = rows.map(|row| {
                    let past = below(stream.draw(row), *max_past_ms);
                    moment.now_ms.saturating_sub_unsigned(past)
                });
                timestamps_of(times, *per_second, *zoned)
            }
            Self::Sequence { kind, start } => {
                sequence(kind, rows.map(|row| start.saturating_add_unsigned(row)))?
            }
        })
    }
}

/// Timestamps in units of a second's `per_second`th part, from milliseconds.
fn timestamps_of(times_ms: impl Iterator<Item = i64>, per_second: i64, zoned: bool) -> ArrayRef {
    let values = times_ms.map(|time| time.saturating_mul(per_second / 1_000));
    match per_second {
        1_000 => timestamps::<TimestampMillisecondType>(values, zoned),
        1_000_000 => timestamps::<TimestampMicrosecondType>(values, zoned),
        _ => timestamps::<TimestampNanosecondType>(values, zoned),
    }
}

fn primitive<T: ArrowPrimitiveType>(values: impl Iterator<Item = T::Native>) -> ArrayRef {
    let values: Vec<T::Native> = values.collect();
    shared(PrimitiveArray::<T>::new(values.into(), None))
}

/// Values that fit `kind` as an array of it.
fn integers(kind: &TypeKind, values: impl Iterator<Item = i64>) -> ArrayRef {
    match kind {
        TypeKind::TinyInt => primitive::<Int8Type>(values.map(|value| value as i8)),
        TypeKind::SmallInt => primitive::<Int16Type>(values.map(|value| value as i16)),
        TypeKind::Int => primitive::<Int32Type>(values.map(|value| value as i32)),
        _ => primitive::<Int64Type>(values),
    }
}

fn timestamps<T: ArrowTimestampType>(values: impl Iterator<Item = i64>, zoned: bool) -> ArrayRef {
    let values: Vec<i64> = values.collect();
    shared(PrimitiveArray::<T>::new(values.into(), None).with_timezone_opt(zoned.then_some("UTC")))
}

fn decimals(values: impl Iterator<Item = i128>, precision: u8, scale: u8) -> Result<ArrayRef> {
    let values: Vec<i128> = values.collect();
    let array =
        Decimal128Array::new(values.into(), None).with_precision_and_scale(precision, scale as i8);
    array.map(shared).map_err(|error| Error::internal(format!("generate decimals: {error}")))
}

/// A whole number as the unscaled value of a DECIMAL, if it fits.
fn decimal_of(value: i64, scale: u8, precision: u8) -> Option<i128> {
    let unscaled = i128::from(value).checked_mul(decimal::pow10(u32::from(scale)))?;
    decimal::fits(unscaled, precision).then_some(unscaled)
}

fn sequence(kind: &TypeKind, values: impl Iterator<Item = i64>) -> Result<ArrayRef> {
    Ok(match kind {
        TypeKind::Float => primitive::<Float32Type>(values.map(|value| value as f32)),
        TypeKind::Double => primitive::<Float64Type>(values.map(|value| value as f64)),
        TypeKind::Decimal { precision, scale } => {
            let values =
                values.map(|value| decimal_of(value, *scale, *precision).unwrap_or_default());
            decimals(values, *precision, *scale)?
        }
        TypeKind::Char { .. } | TypeKind::VarChar { .. } => {
            let mut texts = StringViewBuilder::new();
            let mut text = Vec::new();
            for value in values {
                text.clear();
                crate::format::text::number::write_integer(value, &mut text);
                texts.append_value(std::str::from_utf8(&text).unwrap_or_default());
            }
            shared(texts.finish())
        }
        integer => integers(integer, values),
    })
}

/// Random bits of a value that is longer than one draw: draw *j* of row *n* has a number of its own.
const DRAWS_PER_ROW: u64 = 1 << 24;

fn texts(stream: Stream, length: Length, rows: Range<u64>) -> ArrayRef {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut texts = StringViewBuilder::with_capacity((rows.end - rows.start) as usize);
    let mut text = Vec::with_capacity(length.longest as usize);
    for row in rows {
        let first = row.wrapping_mul(DRAWS_PER_ROW);
        let length = length.of(stream.draw(first));
        text.clear();
        for (place, digits) in (0..length).step_by(16).zip(1..) {
            let mut draw = stream.draw(first.wrapping_add(digits));
            for _ in 0..16_usize.min(length - place) {
                text.push(DIGITS[(draw & 15) as usize]);
                draw >>= 4;
            }
        }
        texts.append_value(std::str::from_utf8(&text).unwrap_or_default());
    }
    shared(texts.finish())
}

fn bytes(stream: Stream, length: Length, rows: Range<u64>) -> ArrayRef {
    let mut values = BinaryViewBuilder::with_capacity((rows.end - rows.start) as usize);
    let mut value = Vec::with_capacity(length.longest as usize);
    for row in rows {
        let first = row.wrapping_mul(DRAWS_PER_ROW);
        let length = length.of(stream.draw(first));
        value.clear();
        for (place, word) in (0..length).step_by(8).zip(1..) {
            let draw = stream.draw(first.wrapping_add(word));
            value.extend_from_slice(&draw.to_le_bytes()[..8_usize.min(length - place)]);
        }
        values.append_value(&value);
    }
    shared(values.finish())
}
