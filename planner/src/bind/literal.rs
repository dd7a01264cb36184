//! Literals with the types that Flink gives them.

use sqlparser::ast::{self, DataType, TypedString, Value};
use tidegate_plan::{Expr, Literal, Scalar};
use tidegate_types::sql_type::MAX_DECIMAL_PRECISION;
use tidegate_types::{Error, Result, Span, SqlType, TypeKind};

use super::{semantic, temporal};
use crate::parser::dialect::FLINK_TYPE;

fn literal(value: Scalar, kind: TypeKind) -> Expr {
    Expr::Literal(Literal { value, ty: kind.not_null() })
}

/// `'text'`: CHAR of its length.
pub(crate) fn text(text: &str) -> Expr {
    // In units of UTF-16, as Flink's types count.
    let length = u32::try_from(text.encode_utf16().count()).unwrap_or(u32::MAX);
    literal(Scalar::Text(text.to_owned()), TypeKind::Char { length })
}

/// A STRING.
pub(crate) fn typed_text(text: &str) -> Expr {
    literal(Scalar::Text(text.to_owned()), TypeKind::STRING)
}

/// `12` is INT or BIGINT, `1.5` is DECIMAL(2, 1), `1e0` is DOUBLE.
pub(crate) fn number(text: &str, span: Span) -> Result<Expr> {
    let wrong = || semantic(format!("'{text}' is not a number"), span);
    if text.contains(['e', 'E']) {
        let value: f64 = text.parse().map_err(|_| wrong())?;
        if !value.is_finite() {
            return Err(semantic(format!("{text} does not fit DOUBLE"), span));
        }
        return Ok(literal(Scalar::Double(value), TypeKind::Double));
    }
    match text.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => decimal(whole, fraction, span),
        Some((whole, _)) => integer(whole, span),
        None => integer(text, span),
    }
}

fn integer(text: &str, span: Span) -> Result<Expr> {
    match text.parse::<i64>() {
        Ok(value) if i32::try_from(value).is_ok() => {
            Ok(literal(Scalar::Integer(value), TypeKind::Int))
        }
        Ok(value) => Ok(literal(Scalar::Integer(value), TypeKind::BigInt)),
        Err(_) => decimal(text, "", span),
    }
}

fn decimal(whole: &str, fraction: &str, span: Span) -> Result<Expr> {
    let digits = format!("{whole}{fraction}");
    let precision = digits.trim_start_matches('-').len().max(1);
    if precision > usize::from(MAX_DECIMAL_PRECISION) {
        let message =
            format!("the number has {precision} digits; DECIMAL holds {MAX_DECIMAL_PRECISION}");
        return Err(semantic(message, span));
    }
    let value: i128 =
        digits.parse().map_err(|_| semantic(format!("'{digits}' is not a number"), span))?;
    let kind = TypeKind::Decimal { precision: precision as u8, scale: fraction.len() as u8 };
    Ok(literal(Scalar::Decimal(value), kind))
}

/// `X'0aff'`: BINARY of its length.
pub(crate) fn hex(text: &str, span: Span) -> Result<Expr> {
    let wrong = || semantic(format!("X'{text}' is not made of pairs of hexadecimal digits"), span);
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return Err(wrong());
    }
    let bytes: Option<Vec<u8>> = (0..text.len())
        .step_by(2)
        .map(|at| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect();
    let bytes = bytes.ok_or_else(wrong)?;
    let length = bytes.len() as u32;
    Ok(literal(Scalar::Bytes(bytes), TypeKind::Binary { length }))
}

/// `DATE '…'`, `TIME '…'`, `TIMESTAMP '…'`, `TIMESTAMP WITH LOCAL TIME ZONE '…'`.
pub(crate) fn typed_string(typed: &TypedString, span: Span) -> Result<Expr> {
    let Value::SingleQuotedString(text) = &typed.value.value else {
        return Err(semantic("a literal with a type needs its value in single quotes", span));
    };
    let parsed = match &typed.data_type {
        DataType::Date => temporal::date(text).map(|days| (days, TypeKind::Date)),
        DataType::Time(None, _) => {
            temporal::time(text).map(|(millis, precision)| (millis, TypeKind::Time { precision }))
        }
        DataType::Timestamp(None, ast::TimezoneInfo::None) => temporal::timestamp(text)
            .map(|(value, precision)| (value, TypeKind::timestamp(precision))),
        // Of UTC, whatever the session's zone is, as in Flink.
        DataType::Timestamp(None, ast::TimezoneInfo::Tz) => temporal::timestamp(text)
            .map(|(value, precision)| (value, TypeKind::timestamp_ltz(precision))),
        other => {
            let message = format!("there is no literal of type {other}");
            return Err(semantic(message, span).help("write CAST('…' AS type)"));
        }
    };
    match parsed {
        Some((value, kind)) => Ok(literal(Scalar::Integer(value), kind)),
        None => Err(semantic(format!("'{text}' is not a {}", typed.data_type), span)
            .help("write DATE '2026-01-31', TIME '23:59:59', TIMESTAMP '2026-01-31 23:59:59.123'")),
    }
}

/// `INTERVAL '10' SECOND` and its other forms.
pub(crate) fn interval(interval: &ast::Interval, span: Span) -> Result<Expr> {
    let text = match interval.value.as_ref() {
        ast::Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::Number(text, _) => text.as_str(),
            _ => return Err(unquoted(span)),
        },
        _ => return Err(unquoted(span)),
    };
    let Some(first) = &interval.leading_field else {
        return Err(semantic("the interval needs a unit such as SECOND", span));
    };
    let first = first.to_string().to_uppercase();
    let last = interval.last_field.as_ref().map(|last| last.to_string().to_uppercase());
    interval_of(text, &first, last.as_deref(), span)
}

/// An interval of units in capital letters.
pub(crate) fn interval_of(text: &str, first: &str, last: Option<&str>, span: Span) -> Result<Expr> {
    match temporal::interval(text, first, last) {
        Some(temporal::Interval::Months(months)) => {
            Ok(literal(Scalar::Integer(months), TypeKind::IntervalYearMonth))
        }
        Some(temporal::Interval::Millis(millis)) => {
            Ok(literal(Scalar::Integer(millis), TypeKind::IntervalDayTime))
        }
        None => {
            let to = last.map(|last| format!(" TO {last}")).unwrap_or_default();
            Err(semantic(format!("'{text}' is not an interval of {first}{to}"), span)
                .help("examples: INTERVAL '10' SECOND, INTERVAL '1:30' HOUR TO MINUTE"))
        }
    }
}

fn unquoted(span: Span) -> Error {
    semantic("the number of an interval stands in quotes", span).help("write INTERVAL '10' SECOND")
}

/// The type that the parser put into a cast.
pub(crate) fn flink_type(data_type: &DataType, span: Span) -> Result<SqlType> {
    if let DataType::Custom(name, modifiers) = data_type
        && name.to_string() == FLINK_TYPE
        && let [json] = modifiers.as_slice()
    {
        return serde_json::from_str(json)
            .map_err(|error| Error::internal(format!("type of a cast: {error}")));
    }
    Err(semantic(format!("{data_type} is not a type of Flink SQL"), span))
}
