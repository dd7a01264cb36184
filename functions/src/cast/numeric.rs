//! Casts among numbers and BOOLEAN.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{
    Decimal128Type, DurationMillisecondType, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, IntervalYearMonthType,
};
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Error, Result, SqlType, TypeKind};

use super::Failures;
use crate::decimal::{self, Shape};
use crate::float_text;
use crate::vector::{self, primitive};

pub(super) fn cast(
    array: &ArrayRef,
    from: &TypeKind,
    to: &SqlType,
    failures: &Failures<'_>,
) -> Result<ArrayRef> {
    match from {
        TypeKind::Boolean => from_booleans(vector::booleans(array)?, to),
        TypeKind::TinyInt => from_integers(primitive::<Int8Type>(array)?, to),
        TypeKind::SmallInt => from_integers(primitive::<Int16Type>(array)?, to),
        TypeKind::Int => from_integers(primitive::<Int32Type>(array)?, to),
        TypeKind::BigInt => from_integers(primitive::<Int64Type>(array)?, to),
        TypeKind::Float => from_floats(primitive::<Float32Type>(array)?, to, failures),
        TypeKind::Double => from_floats(primitive::<Float64Type>(array)?, to, failures),
        TypeKind::Decimal { scale, .. } => {
            from_decimals(primitive::<Decimal128Type>(array)?, *scale, to)
        }
        other => Err(unknown(other, &to.kind)),
    }
}

fn unknown(from: &TypeKind, to: &TypeKind) -> Error {
    Error::internal(format!("there is no conversion from {from} to {to}"))
}

/// Digits of the largest BIGINT.
const BIGINT_DIGITS: u8 = 19;

fn shape(to: &SqlType) -> Shape {
    decimal::shape(&to.kind).unwrap_or((38, 0))
}

fn decimals(array: PrimitiveArray<Decimal128Type>, to: &SqlType) -> ArrayRef {
    Arc::new(array.with_data_type(data_type(to)))
}

fn from_booleans(array: &BooleanArray, to: &SqlType) -> Result<ArrayRef> {
    let bytes: Vec<i8> = array.values().iter().map(i8::from).collect();
    let numbers = PrimitiveArray::<Int8Type>::new(bytes.into(), array.nulls().cloned());
    match to.kind {
        TypeKind::TinyInt => Ok(Arc::new(numbers)),
        _ => from_integers(&numbers, to),
    }
}

/// Where the number is not zero.
fn is_not_zero<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    zero: impl Fn(T::Native) -> bool,
) -> ArrayRef {
    let values = array.values();
    let bits = BooleanBuffer::collect_bool(values.len(), |row| !zero(values[row]));
    Arc::new(BooleanArray::new(bits, array.nulls().cloned()))
}

fn from_integers<T>(array: &PrimitiveArray<T>, to: &SqlType) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i64>,
{
    Ok(match &to.kind {
        TypeKind::Boolean => is_not_zero(array, |v| v.into() == 0),
        TypeKind::TinyInt => Arc::new(array.unary::<_, Int8Type>(|v| v.into() as i8)),
        TypeKind::SmallInt => Arc::new(array.unary::<_, Int16Type>(|v| v.into() as i16)),
        TypeKind::Int => Arc::new(array.unary::<_, Int32Type>(|v| v.into() as i32)),
        TypeKind::BigInt => Arc::new(array.unary::<_, Int64Type>(Into::into)),
        TypeKind::Float => Arc::new(array.unary::<_, Float32Type>(|v| v.into() as f32)),
        TypeKind::Double => Arc::new(array.unary::<_, Float64Type>(|v| v.into() as f64)),
        TypeKind::Decimal { .. } => {
            let (precision, scale) = shape(to);
            if BIGINT_DIGITS + scale <= precision {
                // Every number fits.
                let factor = decimal::pow10(u32::from(scale));
                let scaled = array.unary::<_, Decimal128Type>(|v| i128::from(v.into()) * factor);
                return Ok(decimals(scaled, to));
            }
            let scaled = array.unary_opt::<_, Decimal128Type>(|v| {
                decimal::rescale(i128::from(v.into()), 0, scale, precision)
            });
            decimals(scaled, to)
        }
        TypeKind::IntervalYearMonth => {
            Arc::new(array.unary::<_, IntervalYearMonthType>(|v| v.into() as i32))
        }
        TypeKind::IntervalDayTime => {
            Arc::new(array.unary::<_, DurationMillisecondType>(Into::into))
        }
        other => return Err(unknown(&TypeKind::BigInt, other)),
    })
}

fn from_floats<T>(
    array: &PrimitiveArray<T>,
    to: &SqlType,
    failures: &Failures<'_>,
) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: Into<f64>,
{
    Ok(match &to.kind {
        TypeKind::Boolean => is_not_zero(array, |v| v.into() == 0.0),
        // Like Java: through INT, which saturates, and then wrapping.
        TypeKind::TinyInt => Arc::new(array.unary::<_, Int8Type>(|v| v.into() as i32 as i8)),
        TypeKind::SmallInt => Arc::new(array.unary::<_, Int16Type>(|v| v.into() as i32 as i16)),
        TypeKind::Int => Arc::new(array.unary::<_, Int32Type>(|v| v.into() as i32)),
        TypeKind::BigInt => Arc::new(array.unary::<_, Int64Type>(|v| v.into() as i64)),
        TypeKind::Float => Arc::new(array.unary::<_, Float32Type>(|v| v.into() as f32)),
        TypeKind::Double => Arc::new(array.unary::<_, Float64Type>(Into::into)),
        TypeKind::Decimal { .. } => {
            let (shape, mut digits) = (shape(to), String::new());
            let converted =
                vector::map_rows::<Decimal128Type>(array.len(), array.nulls().cloned(), |row| {
                    digits.clear();
                    float_text::write_f64(array.value(row).into(), &mut digits);
                    match decimal::parse(&digits, shape) {
                        Ok(value) => Ok(Some(value)),
                        Err(decimal::ParseError::Overflow) => Ok(None),
                        // NaN and the infinities.
                        Err(decimal::ParseError::Malformed) => failures.refuse(&digits),
                    }
                })?;
            decimals(converted, to)
        }
        other => return Err(unknown(&TypeKind::Double, other)),
    })
}

fn from_decimals(
    array: &PrimitiveArray<Decimal128Type>,
    scale: u8,
    to: &SqlType,
) -> Result<ArrayRef> {
    let unit = decimal::pow10(u32::from(scale));
    Ok(match &to.kind {
        TypeKind::Boolean => is_not_zero(array, |v| v == 0),
        // Digits behind the point are cut off, and the rest wraps.
        TypeKind::TinyInt => Arc::new(array.unary::<_, Int8Type>(|v| (v / unit) as i8)),
        TypeKind::SmallInt => Arc::new(array.unary::<_, Int16Type>(|v| (v / unit) as i16)),
        TypeKind::Int => Arc::new(array.unary::<_, Int32Type>(|v| (v / unit) as i32)),
        TypeKind::BigInt => Arc::new(array.unary::<_, Int64Type>(|v| (v / unit) as i64)),
        TypeKind::Float => {
            Arc::new(array.unary::<_, Float32Type>(|v| decimal::to_f64(v, scale) as f32))
        }
        TypeKind::Double => Arc::new(array.unary::<_, Float64Type>(|v| decimal::to_f64(v, scale))),
        TypeKind::Decimal { .. } => {
            let (precision, target) = shape(to);
            let scaled = array
                .unary_opt::<_, Decimal128Type>(|v| decimal::rescale(v, scale, target, precision));
            decimals(scaled, to)
        }
        other => {
            return Err(unknown(&TypeKind::Decimal { precision: 38, scale }, other));
        }
    })
}
