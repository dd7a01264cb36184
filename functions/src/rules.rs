//! What type rules are made of: checks of argument counts and families, and shared rules.
//!
//! Errors here say which argument is wrong; `Function::signature` adds the call they belong to.

use std::ops::RangeInclusive;

use tidegate_plan::Scalar;
use tidegate_types::{Error, ErrorCode, Result, SqlType, TypeKind};

use crate::function::{Argument, Signature};

/// A semantic error.
pub(crate) fn fail(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::SqlSemantic, message)
}

/// Checks the number of arguments.
pub(crate) fn count(args: &[Argument], expected: RangeInclusive<usize>) -> Result<()> {
    if expected.contains(&args.len()) {
        return Ok(());
    }
    let (low, high) = (*expected.start(), *expected.end());
    let wanted = match (low, high) {
        (low, usize::MAX) => format!("at least {low}"),
        (low, high) if low == high => low.to_string(),
        (low, high) => format!("{low} to {high}"),
    };
    Err(fail(format!("expected {wanted} arguments, found {}", args.len())))
}

/// Whether the result is NULL for some argument being NULL.
pub(crate) fn any_nullable(args: &[Argument]) -> bool {
    args.iter().any(|arg| arg.ty.nullable)
}

fn wrong(args: &[Argument], index: usize, expected: &str) -> Error {
    let found = args.get(index).map_or_else(|| "nothing".to_owned(), |a| a.ty.kind.to_string());
    fail(format!("argument {} is {found}, expected {expected}", index + 1))
        .help("convert it with CAST")
}

fn accept(
    args: &[Argument],
    index: usize,
    expected: &str,
    kind: impl FnOnce(&TypeKind) -> Option<TypeKind>,
) -> Result<SqlType> {
    let arg = args.get(index).ok_or_else(|| wrong(args, index, expected))?;
    let kind = kind(&arg.ty.kind).ok_or_else(|| wrong(args, index, expected))?;
    Ok(SqlType { kind, nullable: arg.ty.nullable })
}

/// A text, kept as it is; an untyped NULL becomes STRING.
pub(crate) fn text(args: &[Argument], index: usize) -> Result<SqlType> {
    accept(args, index, "a text", |kind| match kind {
        TypeKind::Null => Some(TypeKind::STRING),
        kind if kind.is_text() => Some(kind.clone()),
        _ => None,
    })
}

/// Bytes, kept as they are; an untyped NULL becomes BYTES.
pub(crate) fn bytes(args: &[Argument], index: usize) -> Result<SqlType> {
    accept(args, index, "bytes", |kind| match kind {
        TypeKind::Null => Some(TypeKind::BYTES),
        kind if kind.is_binary() => Some(kind.clone()),
        _ => None,
    })
}

/// A number that becomes INT: TINYINT, SMALLINT, INT, and BIGINT where the planner narrows it.
pub(crate) fn int(args: &[Argument], index: usize) -> Result<SqlType> {
    accept(args, index, "an INT", |kind| {
        (kind.is_integer() || matches!(kind, TypeKind::Null)).then_some(TypeKind::Int)
    })
}

/// An integer of any width, as BIGINT.
pub(crate) fn bigint(args: &[Argument], index: usize) -> Result<SqlType> {
    accept(args, index, "an integer", |kind| {
        (kind.is_integer() || matches!(kind, TypeKind::Null)).then_some(TypeKind::BigInt)
    })
}

/// Any number, as DOUBLE.
pub(crate) fn double(args: &[Argument], index: usize) -> Result<SqlType> {
    accept(args, index, "a number", |kind| {
        (kind.is_numeric() || matches!(kind, TypeKind::Null)).then_some(TypeKind::Double)
    })
}

/// Any number, kept as it is; an untyped NULL becomes INT.
pub(crate) fn number(args: &[Argument], index: usize) -> Result<SqlType> {
    accept(args, index, "a number", |kind| match kind {
        TypeKind::Null => Some(TypeKind::Int),
        kind if kind.is_numeric() => Some(kind.clone()),
        _ => None,
    })
}

/// A BOOLEAN.
pub(crate) fn boolean(args: &[Argument], index: usize) -> Result<SqlType> {
    accept(args, index, "a BOOLEAN", |kind| {
        matches!(kind, TypeKind::Boolean | TypeKind::Null).then_some(TypeKind::Boolean)
    })
}

/// An argument of any type, as it is.
pub(crate) fn any(args: &[Argument], index: usize) -> Result<SqlType> {
    args.get(index).map(|arg| arg.ty.clone()).ok_or_else(|| wrong(args, index, "a value"))
}

/// A DATE, TIME or timestamp without its time attribute; a text becomes TIMESTAMP(3).
pub(crate) fn temporal(args: &[Argument], index: usize) -> Result<SqlType> {
    accept(args, index, "a date, time or timestamp", |kind| match kind {
        TypeKind::Null => Some(TypeKind::timestamp(3)),
        kind if kind.is_text() => Some(TypeKind::timestamp(3)),
        kind if kind.is_temporal() => {
            Some(kind.clone().with_time_attribute(tidegate_types::TimeAttribute::None))
        }
        _ => None,
    })
}

/// The type of an array's elements.
pub(crate) fn element(args: &[Argument], index: usize) -> Result<&SqlType> {
    match args.get(index).map(|arg| &arg.ty.kind) {
        Some(TypeKind::Array(element)) => Ok(element),
        _ => Err(wrong(args, index, "an array")),
    }
}

/// Key and value of a map.
pub(crate) fn map(args: &[Argument], index: usize) -> Result<(&SqlType, &SqlType)> {
    match args.get(index).map(|arg| &arg.ty.kind) {
        Some(TypeKind::Map(key, value)) => Ok((key, value)),
        _ => Err(wrong(args, index, "a map")),
    }
}

/// The text of an argument that must be a constant, such as a unit.
pub(crate) fn literal_text(args: &[Argument], index: usize) -> Result<&str> {
    match args.get(index).and_then(|arg| arg.literal.as_ref()).map(|literal| &literal.value) {
        Some(Scalar::Text(text)) => Ok(text),
        _ => Err(wrong(args, index, "a constant text")),
    }
}

/// The value of an argument that is an integer constant.
pub(crate) fn literal_integer(args: &[Argument], index: usize) -> Option<i64> {
    match args.get(index)?.literal.as_ref()?.value {
        Scalar::Integer(value) => Some(value),
        _ => None,
    }
}

/// Every argument a text, the result of this kind, NULL where an argument is.
pub(crate) fn texts_to(args: &[Argument], result: TypeKind) -> Result<Signature> {
    let arguments = (0..args.len()).map(|i| text(args, i)).collect::<Result<Vec<_>>>()?;
    Ok(Signature { arguments, result: result.nullable().with_nullable(any_nullable(args)) })
}

/// A result of this kind that is NULL where an argument is.
pub(crate) fn strict(args: &[Argument], arguments: Vec<SqlType>, result: TypeKind) -> Signature {
    Signature { arguments, result: SqlType { kind: result, nullable: any_nullable(args) } }
}

/// A result of this kind that may always be NULL.
pub(crate) fn may_be_null(arguments: Vec<SqlType>, result: TypeKind) -> Signature {
    Signature { arguments, result: result.nullable() }
}

/// VARCHAR of the length of a text type.
pub(crate) fn varying(kind: &TypeKind) -> TypeKind {
    match kind {
        TypeKind::Char { length } | TypeKind::VarChar { length } => {
            TypeKind::VarChar { length: *length }
        }
        _ => TypeKind::STRING,
    }
}
