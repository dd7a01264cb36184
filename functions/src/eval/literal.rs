//! Literals of plans as arrays of one element, and back.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array,
    DurationMillisecondArray, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array,
    Int64Array, IntervalYearMonthArray, StringViewArray, Time32MillisecondArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, new_null_array,
};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DurationMillisecondType, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, IntervalYearMonthType, Time32MillisecondType,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use tidegate_plan::arrow_type::data_type;
use tidegate_plan::{Literal, Scalar};
use tidegate_types::{Error, Result, SqlType, TypeKind};

use crate::vector;

/// Whether values of a type can be written as a literal: all but nested ones.
pub fn has_literal(ty: &SqlType) -> bool {
    !matches!(
        ty.kind,
        TypeKind::Array(_)
            | TypeKind::Map(..)
            | TypeKind::Multiset(_)
            | TypeKind::Row(_)
            | TypeKind::Structured { .. }
            | TypeKind::Variant
            | TypeKind::Bitmap
    )
}

/// The literal as an array of one element, of its type's Arrow type.
///
/// # Errors
/// `INTERNAL` if the value is not one of the type.
pub fn to_array(literal: &Literal) -> Result<ArrayRef> {
    let ty = data_type(&literal.ty);
    match &literal.value {
        Scalar::Null => Ok(new_null_array(&ty, 1)),
        Scalar::Boolean(value) if ty == DataType::Boolean => {
            Ok(Arc::new(BooleanArray::from(vec![*value])))
        }
        Scalar::Integer(value) => integer(*value, &ty),
        Scalar::Double(value) => match ty {
            DataType::Float32 => Ok(Arc::new(Float32Array::from(vec![*value as f32]))),
            DataType::Float64 => Ok(Arc::new(Float64Array::from(vec![*value]))),
            _ => Err(unfit(literal)),
        },
        Scalar::Decimal(value) if matches!(ty, DataType::Decimal128(..)) => {
            Ok(Arc::new(Decimal128Array::from(vec![*value]).with_data_type(ty)))
        }
        Scalar::Text(value) if ty == DataType::Utf8View => {
            Ok(Arc::new(StringViewArray::from(vec![value.as_str()])))
        }
        Scalar::Bytes(value) if ty == DataType::BinaryView => {
            Ok(Arc::new(BinaryViewArray::from(vec![value.as_slice()])))
        }
        _ => Err(unfit(literal)),
    }
}

fn unfit(literal: &Literal) -> Error {
    Error::internal(format!("the literal {:?} is not a {}", literal.value, literal.ty))
}

fn integer(value: i64, ty: &DataType) -> Result<ArrayRef> {
    let small = |_| Error::internal(format!("the literal {value} does not fit {ty}"));
    Ok(match ty {
        DataType::Int8 => Arc::new(Int8Array::from(vec![i8::try_from(value).map_err(small)?])),
        DataType::Int16 => Arc::new(Int16Array::from(vec![i16::try_from(value).map_err(small)?])),
        DataType::Int32 => Arc::new(Int32Array::from(vec![i32::try_from(value).map_err(small)?])),
        DataType::Int64 => Arc::new(Int64Array::from(vec![value])),
        DataType::Date32 => Arc::new(Date32Array::from(vec![i32::try_from(value).map_err(small)?])),
        DataType::Time32(_) => {
            Arc::new(Time32MillisecondArray::from(vec![i32::try_from(value).map_err(small)?]))
        }
        DataType::Interval(_) => {
            Arc::new(IntervalYearMonthArray::from(vec![i32::try_from(value).map_err(small)?]))
        }
        DataType::Duration(_) => Arc::new(DurationMillisecondArray::from(vec![value])),
        DataType::Timestamp(unit, zone) => {
            let zone = zone.clone();
            match unit {
                TimeUnit::Millisecond => {
                    Arc::new(TimestampMillisecondArray::from(vec![value]).with_timezone_opt(zone))
                        as ArrayRef
                }
                TimeUnit::Microsecond => {
                    Arc::new(TimestampMicrosecondArray::from(vec![value]).with_timezone_opt(zone))
                }
                _ => Arc::new(TimestampNanosecondArray::from(vec![value]).with_timezone_opt(zone)),
            }
        }
        _ => return Err(Error::internal(format!("an integer literal is not a {ty}"))),
    })
}

/// The value of a row as a literal. Texts are cut to the length of a CHAR or VARCHAR type.
///
/// # Errors
/// `INTERNAL` for a nested type, or an array that is not of the type.
pub fn from_array(array: &dyn Array, row: usize, ty: &SqlType) -> Result<Literal> {
    if array.is_null(row) || array.data_type() == &DataType::Null {
        return Ok(Literal::null(ty.kind.clone()));
    }
    let value = match array.data_type() {
        DataType::Boolean => Scalar::Boolean(vector::booleans(array)?.value(row)),
        DataType::Float32 => {
            Scalar::Double(f64::from(array.as_primitive::<Float32Type>().value(row)))
        }
        DataType::Float64 => Scalar::Double(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(..) => {
            Scalar::Decimal(array.as_primitive::<Decimal128Type>().value(row))
        }
        DataType::Utf8View => {
            let text = vector::texts(array)?.value(row);
            Scalar::Text(match ty.kind {
                TypeKind::Char { length } | TypeKind::VarChar { length } => {
                    text.chars().take(length as usize).collect()
                }
                _ => text.to_owned(),
            })
        }
        DataType::BinaryView => Scalar::Bytes(vector::binaries(array)?.value(row).to_vec()),
        _ => Scalar::Integer(integer_at(array, row)?),
    };
    Ok(Literal { value, ty: ty.clone().with_nullable(false) })
}

fn integer_at(array: &dyn Array, row: usize) -> Result<i64> {
    Ok(match array.data_type() {
        DataType::Int8 => i64::from(array.as_primitive::<Int8Type>().value(row)),
        DataType::Int16 => i64::from(array.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => i64::from(array.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row),
        DataType::Date32 => i64::from(array.as_primitive::<Date32Type>().value(row)),
        DataType::Time32(TimeUnit::Millisecond) => {
            i64::from(array.as_primitive::<Time32MillisecondType>().value(row))
        }
        DataType::Interval(arrow::datatypes::IntervalUnit::YearMonth) => {
            i64::from(array.as_primitive::<IntervalYearMonthType>().value(row))
        }
        DataType::Duration(TimeUnit::Millisecond) => {
            array.as_primitive::<DurationMillisecondType>().value(row)
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            array.as_primitive::<TimestampMillisecondType>().value(row)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            array.as_primitive::<TimestampMicrosecondType>().value(row)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            array.as_primitive::<TimestampNanosecondType>().value(row)
        }
        other => return Err(Error::internal(format!("{other} has no literals"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_round_trip() {
        let literals = [
            (Scalar::Boolean(true), TypeKind::Boolean),
            (Scalar::Integer(-7), TypeKind::TinyInt),
            (Scalar::Integer(i64::MIN), TypeKind::BigInt),
            (Scalar::Double(1.5), TypeKind::Float),
            (Scalar::Decimal(12_345), TypeKind::Decimal { precision: 10, scale: 2 }),
            (Scalar::Text("日本語 and more".to_owned()), TypeKind::STRING),
            (Scalar::Bytes(vec![0, 255]), TypeKind::BYTES),
            (Scalar::Integer(19_782), TypeKind::Date),
            (Scalar::Integer(1_000), TypeKind::Time { precision: 3 }),
            (Scalar::Integer(1), TypeKind::timestamp(9)),
            (Scalar::Integer(1), TypeKind::timestamp_ltz(3)),
            (Scalar::Integer(14), TypeKind::IntervalYearMonth),
            (Scalar::Integer(-5), TypeKind::IntervalDayTime),
        ];
        for (value, kind) in literals {
            let literal = Literal { value, ty: kind.not_null() };
            let array = to_array(&literal).unwrap();
            assert_eq!(array.data_type(), &data_type(&literal.ty));
            assert_eq!(from_array(&array, 0, &literal.ty).unwrap(), literal);
        }
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        let literal = Literal { value: Scalar::Integer(300), ty: TypeKind::TinyInt.not_null() };
        assert!(to_array(&literal).is_err());
        let literal = Literal { value: Scalar::Boolean(true), ty: TypeKind::Int.not_null() };
        assert!(to_array(&literal).is_err());
    }
}
