//! Casts of texts to numbers, BOOLEAN, dates and times.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, BooleanBuilder, StringViewArray};
use arrow::datatypes::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type,
};
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Error, Result, SqlType, TypeKind};

use super::{Failures, temporal};
use crate::datetime::parse;
use crate::datetime::zone::Zone;
use crate::decimal::{self, ParseError, Shape};
use crate::vector::{self, texts};
use crate::{float_text, moments};

/// Longest text, in bytes, that Flink reads as a DECIMAL of up to 18 digits in its fast way.
const SHORT_DECIMAL: usize = 18;

pub(super) fn cast(
    array: &ArrayRef,
    to: &SqlType,
    zone: &Zone,
    failures: &Failures<'_>,
) -> Result<ArrayRef> {
    let values = texts(array)?;
    match &to.kind {
        TypeKind::Boolean => Ok(Arc::new(booleans(values, failures)?) as ArrayRef),
        TypeKind::TinyInt => integers::<Int8Type>(values, failures),
        TypeKind::SmallInt => integers::<Int16Type>(values, failures),
        TypeKind::Int => integers::<Int32Type>(values, failures),
        TypeKind::BigInt => integers::<Int64Type>(values, failures),
        TypeKind::Float => numbers::<Float32Type>(values, failures, float_text::parse_f32),
        TypeKind::Double => numbers::<Float64Type>(values, failures, float_text::parse_f64),
        TypeKind::Decimal { precision, scale } => {
            let shape = (*precision, *scale);
            let parsed =
                vector::map_rows::<Decimal128Type>(values.len(), values.nulls().cloned(), |row| {
                    let text = values.value(row);
                    failures.check(parse_decimal(text, shape).ok(), || text.to_owned())
                })?;
            Ok(Arc::new(parsed.with_data_type(data_type(to))))
        }
        kind if kind.is_temporal() => {
            moments::collect(to, values.len(), values.nulls().cloned(), |row| {
                let text = values.value(row);
                failures.check(parse_temporal(text, kind, zone), || text.to_owned())
            })
        }
        kind => Err(Error::internal(format!("texts have no conversion to {kind}"))),
    }
}

fn booleans(values: &StringViewArray, failures: &Failures<'_>) -> Result<BooleanArray> {
    let mut builder = BooleanBuilder::with_capacity(values.len());
    for text in values.iter() {
        builder.append_option(match text {
            None => None,
            Some(text) => failures.check(parse_boolean(text), || text.to_owned())?,
        });
    }
    Ok(builder.finish())
}

fn parse_boolean(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(&["true", "t", "yes", "y", "1"]) {
        Some(true)
    } else if is(&["false", "f", "no", "n", "0"]) {
        Some(false)
    } else {
        None
    }
}

fn integers<T>(values: &StringViewArray, failures: &Failures<'_>) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: TryFrom<i64>,
{
    numbers::<T>(values, failures, |text| {
        parse_integer(text).and_then(|value| T::Native::try_from(value).ok())
    })
}

fn numbers<T: ArrowPrimitiveType>(
    values: &StringViewArray,
    failures: &Failures<'_>,
    parse: impl Fn(&str) -> Option<T::Native>,
) -> Result<ArrayRef> {
    let parsed = vector::map_rows::<T>(values.len(), values.nulls().cloned(), |row| {
        let text = values.value(row);
        failures.check(parse(text), || text.to_owned())
    })?;
    Ok(Arc::new(parsed))
}

/// Blanks around it are ignored, and so are digits behind a point: `-12.7` is −12, `.` is 0.
fn parse_integer(text: &str) -> Option<i64> {
    let text = text.trim_matches(' ');
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() {
        return None;
    }
    let end = digits.iter().position(|b| *b == b'.').unwrap_or(digits.len());
    let (whole, fraction) = digits.split_at(end);
    if !fraction.iter().skip(1).all(u8::is_ascii_digit) {
        return None;
    }
    // Counted below zero, where there is one number more.
    let value = whole.iter().try_fold(0_i64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_sub(digit)
    })?;
    if negative { Some(value) } else { value.checked_neg() }
}

/// Reads a DECIMAL. Flink's fast way for short texts ignores one character that does not belong to
/// a number at the end, so that 'x' is 0; where it would keep a number of too many digits
/// (999.995 as DECIMAL(5, 2)), that is an overflow here.
fn parse_decimal(text: &str, shape: Shape) -> Result<i128, ParseError> {
    let trimmed = text.trim_matches([' ', '\n', '\t']);
    if shape.0 > 18 || text.len() > SHORT_DECIMAL {
        return decimal::parse(text.trim_matches(' '), shape);
    }
    match decimal::parse(trimmed, shape) {
        Err(ParseError::Malformed) => short_decimal(trimmed, shape),
        parsed => parsed,
    }
}

fn short_decimal(text: &str, shape: Shape) -> Result<i128, ParseError> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned.is_empty() || !text.is_ascii() {
        return Err(ParseError::Malformed);
    }
    let (body, last) = text.split_at(text.len() - 1);
    if last.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        // Only a point, which is 0, is a number without digits.
        return if unsigned == "." { Ok(0) } else { Err(ParseError::Malformed) };
    }
    match body.strip_prefix(['-', '+']).unwrap_or(body) {
        "" | "." => Ok(0),
        _ => decimal::parse(body, shape),
    }
}

fn parse_temporal(text: &str, to: &TypeKind, zone: &Zone) -> Option<i64> {
    match to {
        TypeKind::Date => parse::date(text),
        TypeKind::Time { precision } => {
            parse::time(text).map(|ms| temporal::cut_millis(ms, *precision))
        }
        TypeKind::Timestamp { precision, .. } => {
            let value = parse::timestamp(text)?.to_timestamp(moments::per_second(to))?;
            Some(temporal::cut_fraction(value, *precision))
        }
        TypeKind::TimestampLtz { precision, .. } => {
            let per_second = moments::per_second(to);
            let local = parse::timestamp(text)?.to_timestamp(per_second)?;
            let local = temporal::cut_fraction(local, *precision);
            temporal::to_utc(local, per_second, zone)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_as_flink_reads_them() {
        for (text, value) in [
            (" 5 ", Some(5)),
            ("+5", Some(5)),
            ("-12.7", Some(-12)),
            ("5.", Some(5)),
            (".", Some(0)),
            ("007", Some(7)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("", None),
            ("-", None),
            ("1e3", None),
            ("1,000", None),
            ("1 2", None),
            ("1.2.3", None),
            ("--1", None),
        ] {
            assert_eq!(parse_integer(text), value, "{text}");
        }
    }

    #[test]
    fn decimals_as_flink_reads_them() {
        let short = |text| parse_decimal(text, (5, 2)).ok();
        assert_eq!(short("123.455"), Some(12_346));
        assert_eq!(short(" 1.5 "), Some(150));
        assert_eq!(short("x"), Some(0));
        assert_eq!(short("12x"), Some(1_200));
        assert_eq!(short("12xy"), None);
        assert_eq!(short(""), None);
        assert_eq!(short("1000"), None);
        assert_eq!(short("999.995"), None);
        assert_eq!(parse_decimal("x", (38, 0)), Err(ParseError::Malformed));
        assert_eq!(parse_decimal("2024-02-29 12:34:56.789", (10, 2)), Err(ParseError::Malformed));
    }
}
