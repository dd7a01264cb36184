//! Scalars into columns, with Flink's leniencies: what is a string may hold a number, and the other
//! way round.

use super::compact::compact;
use crate::format::column::{Column, Data};
use crate::format::text::base64;
use crate::format::text::datetime_parse::{
    Standard, parse_iso_date, parse_sql_time, parse_timestamp,
};
use crate::format::text::number::{parse_double, parse_float, parse_integer, trim};
use tidegate_functions::decimal;
use tidegate_json::cursor::{Cursor, Fault, Parse};
use tidegate_json::string::unescape;

/// Memory for strings with escapes, and for values that are rewritten.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    string: Vec<u8>,
    text: Vec<u8>,
}

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is in the column.
    Pushed,
    /// It is NULL for this type (a DECIMAL that has too many digits).
    Null,
    /// It is not of the column's type; the cursor may stand anywhere.
    Mismatch,
}

/// Appends the scalar that begins here to a column of a scalar type. `null` is not handled here.
#[inline]
pub(super) fn scalar(
    column: &mut Column,
    cursor: &mut Cursor<'_>,
    standard: Standard,
    scratch: &mut Scratch,
) -> Parse<Outcome> {
    let pushed = match &mut column.data {
        Data::BigInt(values) => push(values, integer(cursor, scratch, Floats::Truncate)?),
        Data::Int(values) => push(
            values,
            integer(cursor, scratch, Floats::Truncate)?.and_then(|value| i32::try_from(value).ok()),
        ),
        Data::Text(values) => {
            let text = text(cursor, scratch)?;
            values.append_value(text);
            true
        }
        Data::Timestamp { values, per_second, zoned } => {
            let (per_second, zoned) = (*per_second, *zoned);
            push(
                values,
                string(cursor, scratch)?
                    .and_then(|text| parse_timestamp(text, standard, zoned, per_second)),
            )
        }
        Data::Double(values) => push(values, number_text(cursor, scratch)?.and_then(parse_double)),
        Data::Float(values) => push(values, number_text(cursor, scratch)?.and_then(parse_float)),
        Data::Boolean(values) => {
            values.append(boolean(cursor, scratch)?);
            true
        }
        Data::TinyInt(values) => push(
            values,
            integer(cursor, scratch, Floats::Refuse)?.and_then(|value| i8::try_from(value).ok()),
        ),
        Data::SmallInt(values) => push(
            values,
            integer(cursor, scratch, Floats::Refuse)?.and_then(|value| i16::try_from(value).ok()),
        ),
        Data::Decimal { values, precision, scale } => {
            let shape = (*precision, *scale);
            match number_text(cursor, scratch)?.map(|text| parse_decimal(text, shape)) {
                Some(Ok(value)) => push(values, Some(value)),
                Some(Err(decimal::ParseError::Overflow)) => return Ok(Outcome::Null),
                Some(Err(decimal::ParseError::Malformed)) | None => false,
            }
        }
        Data::Bytes(values) => match string_and_spare(cursor, scratch)? {
            Some(StringParts { inside, spare }) => {
                spare.clear();
                let valid = base64::decode(inside, spare);
                if valid {
                    values.append_value(&*spare);
                }
                valid
            }
            None => false,
        },
        Data::Date(values) => push(values, string(cursor, scratch)?.and_then(parse_iso_date)),
        Data::Time(values) => push(values, string(cursor, scratch)?.and_then(parse_sql_time)),
        Data::Array { .. } | Data::Map { .. } | Data::Row(_) => false,
    };
    if !pushed {
        return Ok(Outcome::Mismatch);
    }
    column.pushed();
    Ok(Outcome::Pushed)
}

/// A decimal of a precision and scale; what is no text is malformed.
fn parse_decimal(text: &[u8], shape: (u8, u8)) -> Result<i128, decimal::ParseError> {
    let text = std::str::from_utf8(text).map_err(|_| decimal::ParseError::Malformed)?;
    decimal::parse(text, shape)
}

#[inline]
fn push<T>(values: &mut Vec<T>, value: Option<T>) -> bool {
    let pushed = value.is_some();
    values.extend(value);
    pushed
}

/// What integer types do with a number that has a point or an exponent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Floats {
    /// INT and BIGINT cut the fraction off.
    Truncate,
    /// TINYINT and SMALLINT do not take it.
    Refuse,
}

/// Most digits that cannot overflow 64 bits.
const SAFE_DIGITS: usize = 18;

#[inline]
fn integer(cursor: &mut Cursor<'_>, scratch: &mut Scratch, floats: Floats) -> Parse<Option<i64>> {
    match cursor.peek() {
        Some(b'-' | b'0'..=b'9') => {}
        Some(b'"') => {
            return Ok(string(cursor, scratch)?.and_then(|text| parse_integer(trim(text))));
        }
        _ => return Ok(None),
    }
    let rest = cursor.rest();
    let negative = rest[0] == b'-';
    let digits = &rest[usize::from(negative)..];
    let (mut value, mut length) = (0_i64, 0);
    while let Some(digit) =
        digits.get(length).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10)
    {
        if length == SAFE_DIGITS {
            return unusual_integer(cursor, floats);
        }
        value = value * 10 + i64::from(digit);
        length += 1;
    }
    // A point, an exponent, no digits, a zero in front: all rare.
    let plain = matches!(digits.get(length), Some(b',' | b'}' | b']' | b' ' | b'\n' | b'\r'))
        && (digits[0] != b'0' || length == 1)
        && length > 0;
    if !plain {
        return unusual_integer(cursor, floats);
    }
    cursor.position += usize::from(negative) + length;
    Ok(Some(if negative { -value } else { value }))
}

#[cold]
fn unusual_integer(cursor: &mut Cursor<'_>, floats: Floats) -> Parse<Option<i64>> {
    let number = cursor.number()?;
    if number.integral {
        return Ok(parse_integer(number.text));
    }
    let value = if floats == Floats::Truncate { parse_double(number.text) } else { None };
    // Both bounds are exact: −2⁶³ is in range, 2⁶³ is not.
    Ok(value
        .filter(|value| (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(value))
        .map(|v| v as i64))
}

/// The text of a number, or of a string without white space around.
fn number_text<'a: 's, 's>(
    cursor: &mut Cursor<'a>,
    scratch: &'s mut Scratch,
) -> Parse<Option<&'s [u8]>> {
    match cursor.peek() {
        Some(b'-' | b'0'..=b'9') => Ok(Some(cursor.number()?.text)),
        Some(b'"') => Ok(string(cursor, scratch)?.map(trim)),
        _ => Ok(None),
    }
}

/// `true` in any case, as a word or in a string; everything else is false, as in Flink.
fn boolean(cursor: &mut Cursor<'_>, scratch: &mut Scratch) -> Parse<bool> {
    match cursor.peek() {
        Some(b't') => cursor.word(b"true").map(|()| true),
        Some(b'"') => {
            Ok(string(cursor, scratch)?
                .is_some_and(|text| trim(text).eq_ignore_ascii_case(b"true")))
        }
        _ => cursor.skip_value().map(|()| false),
    }
}

/// What a string means, if the value is one.
#[inline]
fn string<'a: 's, 's>(
    cursor: &mut Cursor<'a>,
    scratch: &'s mut Scratch,
) -> Parse<Option<&'s [u8]>> {
    Ok(string_and_spare(cursor, scratch)?.map(|parts| parts.inside))
}

/// A string, and memory that it does not use.
struct StringParts<'s> {
    inside: &'s [u8],
    spare: &'s mut Vec<u8>,
}

#[inline]
fn string_and_spare<'a: 's, 's>(
    cursor: &mut Cursor<'a>,
    scratch: &'s mut Scratch,
) -> Parse<Option<StringParts<'s>>> {
    if cursor.peek() != Some(b'"') {
        return Ok(None);
    }
    let start = cursor.position;
    let token = cursor.string()?;
    let Scratch { string, text: spare } = scratch;
    if !token.escaped {
        return Ok(Some(StringParts { inside: token.raw, spare }));
    }
    string.clear();
    if let Err(offset) = unescape(token.raw, string) {
        cursor.position = start + 1 + offset;
        return cursor.fault("an escape in a string is malformed");
    }
    Ok(Some(StringParts { inside: string, spare }))
}

/// Any value as text: what a string means, the characters of a number or word, an array or object
/// without white space.
#[inline]
fn text<'a: 's, 's>(cursor: &mut Cursor<'a>, scratch: &'s mut Scratch) -> Parse<&'s str> {
    let start = cursor.position;
    let bytes: &'s [u8] = match cursor.peek() {
        Some(b'"') => match string(cursor, scratch)? {
            Some(inside) => inside,
            None => return cursor.unexpected("a string"),
        },
        Some(b'{' | b'[') => {
            let Scratch { string, text } = scratch;
            text.clear();
            compact(cursor, string, text)?;
            text
        }
        _ => {
            cursor.skip_value()?;
            &cursor.bytes[start..cursor.position]
        }
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(_) => Err(Box::new(Fault {
            offset: start,
            message: "a string is not valid UTF-8".to_owned(),
        })),
    }
}

/// The text that a key means; `raw` is what stands between its quotes.
///
/// # Errors
/// The offset of a malformed escape.
pub(super) fn key_text<'s>(
    raw: &'s [u8],
    escaped: bool,
    scratch: &'s mut Scratch,
) -> Result<&'s [u8], usize> {
    if !escaped {
        return Ok(raw);
    }
    scratch.string.clear();
    unescape(raw, &mut scratch.string)?;
    Ok(&scratch.string)
}
