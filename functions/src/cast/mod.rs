//! `CAST` and `TRY_CAST` between all types, and Flink's text of every type ([`render`]).
//!
//! A value that cannot be converted fails under `CAST` and is NULL under `TRY_CAST`. As in Flink,
//! some things are neither: integers wrap, floats saturate when they become integers, and a number
//! with too many digits for a DECIMAL is NULL. Where Flink itself differs between its folding of
//! constants and its evaluation, this is the evaluation.
//!
//! | file | converts |
//! |---|---|
//! | `numeric` | numbers and BOOLEAN |
//! | `from_text` | texts to everything else |
//! | `to_text` | everything to text |
//! | `temporal` | dates, times, timestamps |
//! | `nested` | ARRAY, MAP, MULTISET, ROW, element by element |

mod from_text;
mod nested;
mod numeric;
mod temporal;
#[cfg(test)]
mod tests;
mod to_text;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryViewBuilder, StringViewArray, new_null_array};
use tidegate_plan::CastMode;
use tidegate_plan::arrow_type::{data_type, time_unit};
use tidegate_types::{Error, ErrorCode, Result, SqlType, TypeKind};

pub(crate) use temporal::{millis, to_local};

use crate::coercion;
use crate::datetime::zone::Zone;
use crate::vector::{self, arrow_error};

/// Converts a column.
///
/// # Errors
/// `EVALUATION` naming the value and the type, under [`CastMode::Cast`]; `SQL_SEMANTIC` if there
/// is no such conversion; `INTERNAL` if the array is not of type `from`.
pub fn cast(
    array: &ArrayRef,
    from: &SqlType,
    to: &SqlType,
    mode: CastMode,
    zone: &Zone,
) -> Result<ArrayRef> {
    if from.same_kind(to) {
        return vector::retype(array, &data_type(to));
    }
    let (source, target) = (&from.kind, &to.kind);
    if *source == TypeKind::Null {
        return Ok(new_null_array(&data_type(to), array.len()));
    }
    if !coercion::can_cast(from, to) {
        return Err(Error::new(
            ErrorCode::SqlSemantic,
            format!("a value of type {source} cannot be cast to {target}"),
        ));
    }
    let failures = Failures { to, mode };
    match (source, target) {
        (_, TypeKind::Char { .. } | TypeKind::VarChar { .. }) => {
            to_text::cast(array, from, to, zone)
        }
        (a, b) if a.is_text() && b.is_binary() => {
            let bytes: ArrayRef = Arc::new(vector::texts(array)?.clone().to_binary_view());
            resize_binary(&bytes, target)
        }
        (a, _) if a.is_text() => from_text::cast(array, to, zone, &failures),
        (a, b) if (a.is_binary() || *a == TypeKind::Bitmap) && b.is_binary() => {
            resize_binary(array, target)
        }
        (a, b) if a.is_temporal() && b.is_temporal() => {
            temporal::cast(array, source, to, zone, &failures)
        }
        (
            TypeKind::Array(_)
            | TypeKind::Map(..)
            | TypeKind::Multiset(_)
            | TypeKind::Row(_)
            | TypeKind::Structured { .. },
            _,
        ) => nested::cast(array, from, to, mode, zone),
        _ => numeric::cast(array, source, to, &failures),
    }
}

/// The text of every value, as `CAST(x AS STRING)` gives it; NULL stays NULL.
///
/// # Errors
/// `INTERNAL` if the array is not of the type.
pub fn render(array: &ArrayRef, ty: &SqlType, zone: &Zone) -> Result<StringViewArray> {
    to_text::render(array, ty, zone)
}

/// Whether some value of type `from` makes `CAST(… AS to)` fail.
pub fn is_fallible(from: &SqlType, to: &SqlType) -> bool {
    use TypeKind as K;
    if from.same_kind(to) {
        // A NULL inside may stand where the other type has none.
        return from != to && !has_literal_shape(&to.kind);
    }
    match (&from.kind, &to.kind) {
        (K::Null, _) | (_, K::Char { .. } | K::VarChar { .. }) => false,
        (a, b) if a.is_text() => !b.is_binary(),
        (a, K::Decimal { .. }) => a.is_approximate(),
        // Nanoseconds hold years 1677 to 2262 only.
        (_, K::Timestamp { precision, .. } | K::TimestampLtz { precision, .. }) => {
            time_unit(*precision) == arrow::datatypes::TimeUnit::Nanosecond
        }
        (_, b) => !has_literal_shape(b),
    }
}

fn has_literal_shape(kind: &TypeKind) -> bool {
    !matches!(
        kind,
        TypeKind::Array(_)
            | TypeKind::Map(..)
            | TypeKind::Multiset(_)
            | TypeKind::Row(_)
            | TypeKind::Structured { .. }
    )
}

/// What becomes of values that cannot be converted.
struct Failures<'a> {
    to: &'a SqlType,
    mode: CastMode,
}

impl Failures<'_> {
    /// NULL, or the error that names the value.
    fn refuse<T>(&self, value: &str) -> Result<Option<T>> {
        match self.mode {
            CastMode::TryCast => Ok(None),
            CastMode::Cast => Err(bad_cast(value, self.to)),
        }
    }

    /// The value, or NULL, or the error that names the text it was made from.
    fn check<T>(&self, converted: Option<T>, value: impl Fn() -> String) -> Result<Option<T>> {
        match converted {
            Some(converted) => Ok(Some(converted)),
            None if self.mode == CastMode::TryCast => Ok(None),
            None => Err(bad_cast(&value(), self.to)),
        }
    }
}

fn bad_cast(value: &str, to: &SqlType) -> Error {
    const SHOWN: usize = 100;
    let shown: String = value.chars().take(SHOWN).collect();
    let dots = if shown.len() < value.len() { "…" } else { "" };
    Error::new(
        ErrorCode::Evaluation,
        format!("the value '{shown}{dots}' cannot be cast to {}", to.kind),
    )
    .help("TRY_CAST gives NULL for such values")
}

/// BINARY(n) is padded with zeros, and both kinds are cut to their length.
fn resize_binary(array: &ArrayRef, to: &TypeKind) -> Result<ArrayRef> {
    let (length, pads) = match to {
        TypeKind::Binary { length } => (*length as usize, true),
        TypeKind::VarBinary { length } => (*length as usize, false),
        other => return Err(Error::internal(format!("{other} is not a binary type"))),
    };
    let values = vector::binaries(array)?;
    let fits = |bytes: &[u8]| bytes.len() == length || bytes.len() < length && !pads;
    if values.iter().flatten().all(fits) {
        return Ok(Arc::clone(array));
    }
    let mut builder = BinaryViewBuilder::with_capacity(values.len());
    let mut padded = Vec::new();
    for bytes in values.iter() {
        match bytes {
            None => builder.append_null(),
            Some(bytes) if bytes.len() < length && pads => {
                padded.clear();
                padded.extend_from_slice(bytes);
                padded.resize(length, 0);
                builder.try_append_value(&padded).map_err(arrow_error)?;
            }
            Some(bytes) => {
                let cut = &bytes[..bytes.len().min(length)];
                builder.try_append_value(cut).map_err(arrow_error)?;
            }
        }
    }
    Ok(Arc::new(builder.finish()))
}
