//! Typed access to the cells of a column, bound once per batch, so that writing a row needs no
//! downcasts.

use arrow::array::{
    Array, ArrowPrimitiveType, AsArray, BinaryViewArray, BooleanArray, RecordBatch, StringViewArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DurationMillisecondType, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, IntervalYearMonthType, Time32MillisecondType,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use tidegate_plan::arrow_type::{time_unit, units_per_second};
use tidegate_types::{Error, Field, Result, SqlType, TypeKind};

/// A column.
pub(crate) struct Cells<'a> {
    nulls: Option<&'a NullBuffer>,
    pub(crate) values: Values<'a>,
}

/// The values of a column; those under NULLs mean nothing.
pub(crate) enum Values<'a> {
    /// All NULL.
    Null,
    Boolean(&'a BooleanArray),
    TinyInt(&'a [i8]),
    SmallInt(&'a [i16]),
    /// INT, and INTERVAL YEAR TO MONTH in months.
    Int(&'a [i32]),
    /// BIGINT, and INTERVAL DAY TO SECOND in milliseconds.
    BigInt(&'a [i64]),
    Float(&'a [f32]),
    Double(&'a [f64]),
    Decimal {
        values: &'a [i128],
        scale: u8,
    },
    Text(&'a StringViewArray),
    Bytes(&'a BinaryViewArray),
    /// Days since 1970-01-01.
    Date(&'a [i32]),
    /// Milliseconds of the day.
    Time(&'a [i32]),
    Timestamp {
        values: &'a [i64],
        per_second: i64,
        zoned: bool,
    },
    /// Elements of row *i*: `offsets[i]..offsets[i + 1]`.
    Array {
        offsets: &'a [i32],
        elements: Box<Cells<'a>>,
    },
    /// Entries of row *i*: `offsets[i]..offsets[i + 1]`.
    Map {
        offsets: &'a [i32],
        keys: Box<Cells<'a>>,
        values: Box<Cells<'a>>,
    },
    Row(Vec<Cells<'a>>),
}

/// The cells of a batch with the declared columns; `format` is for the message.
///
/// # Errors
/// `INTERNAL` if the batch has other columns.
pub(crate) fn of_batch<'a>(
    rows: &'a RecordBatch,
    columns: &[Field],
    format: &str,
) -> Result<Vec<Cells<'a>>> {
    if rows.num_columns() != columns.len() {
        let (arrived, declared) = (rows.num_columns(), columns.len());
        let message =
            format!("encode {format}: {arrived} columns arrived, {declared} are declared");
        return Err(Error::internal(message));
    }
    let columns = rows.columns().iter().zip(columns);
    columns.map(|(array, field)| Cells::new(array.as_ref(), &field.ty)).collect()
}

impl<'a> Cells<'a> {
    /// The cells of a column of SQL type `ty`.
    ///
    /// # Errors
    /// `INTERNAL` if the array is not of that type.
    pub(crate) fn new(array: &'a dyn Array, ty: &SqlType) -> Result<Self> {
        Ok(Self { nulls: array.nulls(), values: Values::new(array, &ty.kind)? })
    }

    /// Whether a cell is NULL.
    #[inline]
    pub(crate) fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row)) || matches!(self.values, Values::Null)
    }
}

impl<'a> Values<'a> {
    fn new(array: &'a dyn Array, kind: &TypeKind) -> Result<Self> {
        let wrong = || mismatch(array, kind);
        Ok(match kind {
            TypeKind::Null => Self::Null,
            TypeKind::Boolean => Self::Boolean(array.as_boolean_opt().ok_or_else(wrong)?),
            TypeKind::TinyInt => Self::TinyInt(slice::<Int8Type>(array, kind)?),
            TypeKind::SmallInt => Self::SmallInt(slice::<Int16Type>(array, kind)?),
            TypeKind::Int => Self::Int(slice::<Int32Type>(array, kind)?),
            TypeKind::BigInt => Self::BigInt(slice::<Int64Type>(array, kind)?),
            TypeKind::Float => Self::Float(slice::<Float32Type>(array, kind)?),
            TypeKind::Double => Self::Double(slice::<Float64Type>(array, kind)?),
            TypeKind::Decimal { scale, .. } => {
                Self::Decimal { values: slice::<Decimal128Type>(array, kind)?, scale: *scale }
            }
            // A VARIANT is held as its JSON text.
            TypeKind::Char { .. } | TypeKind::VarChar { .. } | TypeKind::Variant => {
                Self::Text(array.as_string_view_opt().ok_or_else(wrong)?)
            }
            TypeKind::Binary { .. } | TypeKind::VarBinary { .. } | TypeKind::Bitmap => {
                Self::Bytes(array.as_binary_view_opt().ok_or_else(wrong)?)
            }
            TypeKind::Date => Self::Date(slice::<Date32Type>(array, kind)?),
            TypeKind::Time { .. } => Self::Time(slice::<Time32MillisecondType>(array, kind)?),
            TypeKind::Timestamp { precision, .. } => {
                Self::timestamps(array, kind, *precision, false)?
            }
            TypeKind::TimestampLtz { precision, .. } => {
                Self::timestamps(array, kind, *precision, true)?
            }
            TypeKind::IntervalYearMonth => Self::Int(slice::<IntervalYearMonthType>(array, kind)?),
            TypeKind::IntervalDayTime => {
                Self::BigInt(slice::<DurationMillisecondType>(array, kind)?)
            }
            TypeKind::Array(element) => {
                let list = array.as_list_opt::<i32>().ok_or_else(wrong)?;
                let elements = Box::new(Cells::new(list.values().as_ref(), element)?);
                Self::Array { offsets: list.value_offsets(), elements }
            }
            TypeKind::Map(key, value) => Self::map(array, kind, key, value)?,
            TypeKind::Multiset(element) => {
                Self::map(array, kind, element, &TypeKind::Int.not_null())?
            }
            TypeKind::Row(fields) | TypeKind::Structured { fields, .. } => {
                let row = array.as_struct_opt().ok_or_else(|| mismatch(array, kind))?;
                if row.num_columns() != fields.len() {
                    return Err(mismatch(array, kind));
                }
                let bind =
                    |(column, field): (&'a arrow::array::ArrayRef, &tidegate_types::Field)| {
                        Cells::new(column.as_ref(), &field.ty)
                    };
                Self::Row(row.columns().iter().zip(fields).map(bind).collect::<Result<_>>()?)
            }
        })
    }

    fn timestamps(
        array: &'a dyn Array,
        kind: &TypeKind,
        precision: u8,
        zoned: bool,
    ) -> Result<Self> {
        let values = match time_unit(precision) {
            TimeUnit::Microsecond => slice::<TimestampMicrosecondType>(array, kind)?,
            TimeUnit::Nanosecond => slice::<TimestampNanosecondType>(array, kind)?,
            _ => slice::<TimestampMillisecondType>(array, kind)?,
        };
        Ok(Self::Timestamp { values, per_second: units_per_second(precision), zoned })
    }

    fn map(array: &'a dyn Array, kind: &TypeKind, key: &SqlType, value: &SqlType) -> Result<Self> {
        let map = array.as_map_opt().ok_or_else(|| mismatch(array, kind))?;
        Ok(Self::Map {
            offsets: map.value_offsets(),
            keys: Box::new(Cells::new(map.keys().as_ref(), key)?),
            values: Box::new(Cells::new(map.values().as_ref(), value)?),
        })
    }
}

fn slice<'a, T: ArrowPrimitiveType>(
    array: &'a dyn Array,
    kind: &TypeKind,
) -> Result<&'a [T::Native]> {
    array
        .as_primitive_opt::<T>()
        .map(|array| array.values().as_ref())
        .ok_or_else(|| mismatch(array, kind))
}

fn mismatch(array: &dyn Array, kind: &TypeKind) -> Error {
    let found: &DataType = array.data_type();
    Error::internal(format!("a column of type {kind} is held as {found}"))
}

/// The rows of a list or map cell in its elements.
#[inline]
pub(crate) fn entries(offsets: &[i32], row: usize) -> std::ops::Range<usize> {
    offsets[row] as usize..offsets[row + 1] as usize
}
