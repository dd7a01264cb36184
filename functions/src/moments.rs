//! Dates, times, timestamps and intervals as 64-bit numbers, whatever their Arrow type.
//!
//! DATE is days, TIME milliseconds of the day, a timestamp units of its precision, an interval
//! months or milliseconds.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, DurationMillisecondType, Int32Type, Int64Type, IntervalUnit,
    IntervalYearMonthType, Time32MillisecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType,
};
use tidegate_plan::arrow_type::{data_type, units_per_second};
use tidegate_types::{Error, Result, SqlType, TypeKind};

use crate::function::Value;
use crate::vector::{self, primitive};

/// Values of a temporal column or constant by row.
#[derive(Clone, Copy)]
pub(crate) struct Moments<'a> {
    values: Values<'a>,
    step: usize,
}

#[derive(Clone, Copy)]
enum Values<'a> {
    Narrow(&'a [i32]),
    Wide(&'a [i64]),
}

impl<'a> Moments<'a> {
    pub(crate) fn new(value: &'a Value) -> Result<Self> {
        Ok(Self { values: Values::of(value.array())?, step: value.step() })
    }

    pub(crate) fn of_array(array: &'a dyn Array) -> Result<Self> {
        Ok(Self { values: Values::of(array)?, step: 1 })
    }

    #[inline]
    pub(crate) fn get(&self, row: usize) -> i64 {
        match self.values {
            Values::Narrow(values) => i64::from(values[row * self.step]),
            Values::Wide(values) => values[row * self.step],
        }
    }
}

impl<'a> Values<'a> {
    fn of(array: &'a dyn Array) -> Result<Self> {
        use TimeUnit::{Microsecond, Millisecond, Nanosecond};
        Ok(match array.data_type() {
            DataType::Date32 => Self::Narrow(primitive::<Date32Type>(array)?.values()),
            DataType::Time32(Millisecond) => {
                Self::Narrow(primitive::<Time32MillisecondType>(array)?.values())
            }
            DataType::Interval(IntervalUnit::YearMonth) => {
                Self::Narrow(primitive::<IntervalYearMonthType>(array)?.values())
            }
            DataType::Int32 => Self::Narrow(primitive::<Int32Type>(array)?.values()),
            DataType::Int64 => Self::Wide(primitive::<Int64Type>(array)?.values()),
            DataType::Duration(Millisecond) => {
                Self::Wide(primitive::<DurationMillisecondType>(array)?.values())
            }
            DataType::Timestamp(Millisecond, _) => {
                Self::Wide(primitive::<TimestampMillisecondType>(array)?.values())
            }
            DataType::Timestamp(Microsecond, _) => {
                Self::Wide(primitive::<TimestampMicrosecondType>(array)?.values())
            }
            DataType::Timestamp(Nanosecond, _) => {
                Self::Wide(primitive::<TimestampNanosecondType>(array)?.values())
            }
            other => return Err(Error::internal(format!("{other} is not a date or time"))),
        })
    }
}

/// Units of a second in values of a temporal type, as far as it has a time: 1 000 for all but
/// timestamps of a finer precision.
pub(crate) fn per_second(kind: &TypeKind) -> i64 {
    match kind {
        TypeKind::Timestamp { precision, .. } | TypeKind::TimestampLtz { precision, .. } => {
            units_per_second(*precision)
        }
        _ => 1_000,
    }
}

/// A column of a temporal or integer type; `op` runs on rows that are not NULL.
pub(crate) fn collect(
    ty: &SqlType,
    rows: usize,
    nulls: Option<NullBuffer>,
    op: impl FnMut(usize) -> Result<Option<i64>>,
) -> Result<ArrayRef> {
    from_numbers(vector::map_rows::<Int64Type>(rows, nulls, op)?, ty)
}

/// A number for every row, as [`collect`] does; also for rows that are NULL.
pub(crate) fn collect_all(
    ty: &SqlType,
    rows: usize,
    nulls: Option<NullBuffer>,
    op: impl FnMut(usize) -> i64,
) -> Result<ArrayRef> {
    let values: Vec<i64> = (0..rows).map(op).collect();
    from_numbers(Int64Array::new(values.into(), nulls), ty)
}

/// Numbers as an array of a temporal or integer type.
pub(crate) fn from_numbers(numbers: Int64Array, ty: &SqlType) -> Result<ArrayRef> {
    Ok(match data_type(ty) {
        DataType::Int64 => Arc::new(numbers),
        DataType::Int32 => Arc::new(numbers.unary::<_, Int32Type>(|value| value as i32)),
        DataType::Date32 => Arc::new(numbers.unary::<_, Date32Type>(|value| value as i32)),
        DataType::Time32(_) => {
            Arc::new(numbers.unary::<_, Time32MillisecondType>(|value| value as i32))
        }
        DataType::Interval(_) => {
            Arc::new(numbers.unary::<_, IntervalYearMonthType>(|value| value as i32))
        }
        DataType::Duration(_) => Arc::new(numbers.reinterpret_cast::<DurationMillisecondType>()),
        DataType::Timestamp(unit, zone) => match unit {
            TimeUnit::Millisecond => Arc::new(
                numbers.reinterpret_cast::<TimestampMillisecondType>().with_timezone_opt(zone),
            ),
            TimeUnit::Microsecond => Arc::new(
                numbers.reinterpret_cast::<TimestampMicrosecondType>().with_timezone_opt(zone),
            ),
            _ => Arc::new(
                numbers.reinterpret_cast::<TimestampNanosecondType>().with_timezone_opt(zone),
            ),
        },
        other => return Err(Error::internal(format!("{other} is not a date or time"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_temporal_type_goes_both_ways() {
        for kind in [
            TypeKind::Date,
            TypeKind::Time { precision: 0 },
            TypeKind::timestamp(3),
            TypeKind::timestamp(6),
            TypeKind::timestamp_ltz(9),
            TypeKind::IntervalDayTime,
            TypeKind::IntervalYearMonth,
        ] {
            let ty = kind.nullable();
            let nulls = NullBuffer::from(vec![true, false, true]);
            let array = collect(&ty, 3, Some(nulls), |row| Ok(Some(row as i64 * 10))).unwrap();
            assert_eq!(array.data_type(), &data_type(&ty));
            assert!(array.is_null(1));
            assert_eq!(Moments::of_array(&array).unwrap().get(2), 20);
        }
    }
}
