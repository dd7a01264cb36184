//! Key columns that fit 64 bits: to integers and back.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Int64Array, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes as dt;
use arrow::datatypes::{DataType, TimeUnit};
use tidegate_types::{Error, Result};

/// Whether values of a type are kept as integers.
pub(crate) fn is_native(ty: &DataType) -> bool {
    matches!(
        ty,
        DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Date32
            | DataType::Time32(TimeUnit::Millisecond)
            | DataType::Timestamp(_, _)
    )
}

/// The integers of a column.
pub(crate) fn native_values(column: &ArrayRef) -> Result<Int64Array> {
    fn widen<T: ArrowPrimitiveType>(column: &ArrayRef) -> Int64Array
    where
        T::Native: Into<i64>,
    {
        let array = column.as_primitive::<T>();
        array.unary(Into::into)
    }
    Ok(match column.data_type() {
        DataType::Int64 => column.as_primitive::<dt::Int64Type>().clone(),
        DataType::Int8 => widen::<dt::Int8Type>(column),
        DataType::Int16 => widen::<dt::Int16Type>(column),
        DataType::Int32 => widen::<dt::Int32Type>(column),
        DataType::Date32 => widen::<dt::Date32Type>(column),
        DataType::Time32(TimeUnit::Millisecond) => widen::<dt::Time32MillisecondType>(column),
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Millisecond => reinterpret::<dt::TimestampMillisecondType>(column),
            TimeUnit::Microsecond => reinterpret::<dt::TimestampMicrosecondType>(column),
            TimeUnit::Nanosecond => reinterpret::<dt::TimestampNanosecondType>(column),
            TimeUnit::Second => reinterpret::<dt::TimestampSecondType>(column),
        },
        other => return Err(Error::internal(format!("{other} is not a native key type"))),
    })
}

fn reinterpret<T: ArrowPrimitiveType<Native = i64>>(column: &ArrayRef) -> Int64Array {
    let array: &PrimitiveArray<T> = column.as_primitive::<T>();
    Int64Array::new(array.values().clone(), array.nulls().cloned())
}

/// A column of a type from its integers.
pub(super) fn native_array(values: Int64Array, ty: &DataType) -> Result<ArrayRef> {
    Ok(match ty {
        DataType::Int64 => Arc::new(values),
        DataType::Timestamp(..) => Arc::new(values)
            .to_data()
            .into_builder()
            .data_type(ty.clone())
            .build()
            .map(arrow::array::make_array)
            .map_err(|error| Error::internal(error.to_string()))?,
        DataType::Date32 | DataType::Time32(_) => {
            let narrow =
                cast(&values, &DataType::Int32).map_err(|e| Error::internal(e.to_string()))?;
            cast(&narrow, ty).map_err(|e| Error::internal(e.to_string()))?
        }
        _ => cast(&values, ty).map_err(|e| Error::internal(e.to_string()))?,
    })
}
