//! Columns that decoders fill value by value, for all types that formats hold.
//!
//! A column can be cut back to an earlier length: a record that turns out to be malformed leaves no
//! trace. What texts mean is the formats' business.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryViewBuilder, BooleanArray, BooleanBufferBuilder,
    Decimal128Array, ListArray, MapArray, NullBufferBuilder, PrimitiveArray, StringViewBuilder,
    StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    ArrowTimestampType, DataType, Date32Type, FieldRef, Fields, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Time32MillisecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType,
};
use arrow::error::ArrowError;
use tidegate_plan::arrow_type::{data_type, units_per_second};
use tidegate_types::{Error, ErrorCode, Field, Result, SqlType, TypeKind};

use super::key_table::KeyTable;

/// A column of a batch that is being decoded.
#[derive(Debug)]
pub(super) struct Column {
    /// Where it is, for messages: `a.b`.
    pub(super) path: String,
    /// The type, for messages.
    pub(super) kind: TypeKind,
    nullable: bool,
    len: usize,
    /// Not used by texts and bytes, whose builders have their own.
    nulls: NullBufferBuilder,
    pub(super) data: Data,
}

/// The values so far.
#[derive(Debug)]
pub(super) enum Data {
    Boolean(BooleanBufferBuilder),
    TinyInt(Vec<i8>),
    SmallInt(Vec<i16>),
    Int(Vec<i32>),
    BigInt(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Decimal {
        values: Vec<i128>,
        precision: u8,
        scale: u8,
    },
    Text(StringViewBuilder),
    Bytes(BinaryViewBuilder),
    Date(Vec<i32>),
    Time(Vec<i32>),
    Timestamp {
        values: Vec<i64>,
        per_second: i64,
        zoned: bool,
    },
    /// Ends of the lists in the elements, behind a 0.
    Array {
        ends: Vec<i32>,
        element: Box<Column>,
        field: FieldRef,
    },
    /// Ends of the maps in keys and values, behind a 0.
    Map {
        ends: Vec<i32>,
        key: Box<Column>,
        value: Box<Column>,
        field: FieldRef,
    },
    Row(RowColumns),
}

/// The fields of a row, or the columns of a table.
#[derive(Debug)]
pub(super) struct RowColumns {
    pub(super) columns: Vec<Column>,
    pub(super) keys: KeyTable,
    fields: Fields,
}

/// A NULL for a column that is declared NOT NULL.
#[derive(Debug)]
pub(super) struct NotNull;

impl RowColumns {
    /// Columns for `fields`, whose paths begin with `prefix`.
    ///
    /// # Errors
    /// `INVALID_OPTION` for types that no record format holds.
    pub(super) fn new(prefix: &str, fields: &[Field]) -> Result<Self> {
        let column = |field: &Field| {
            let dot = if prefix.is_empty() { "" } else { "." };
            Column::new(format!("{prefix}{dot}{}", field.name), &field.ty)
        };
        let columns = fields.iter().map(column).collect::<Result<_>>()?;
        let keys = KeyTable::new(fields.iter().map(|field| field.name.as_str()));
        let fields = tidegate_plan::arrow_type::arrow_schema(fields).fields().clone();
        Ok(Self { columns, keys, fields })
    }

    /// The fields of a ROW type. Unlike columns, they say NOT NULL to Arrow too.
    fn of_row(path: &str, ty: &SqlType, fields: &[Field]) -> Result<Self> {
        let row = Self::new(path, fields)?;
        match data_type(ty) {
            DataType::Struct(fields) => Ok(Self { fields, ..row }),
            _ => Err(no_such_array(path)),
        }
    }

    /// Cuts all columns back to `len` values.
    pub(super) fn truncate(&mut self, len: usize) {
        for column in &mut self.columns {
            column.truncate(len);
        }
    }

    /// Makes room for `rows` more values.
    pub(super) fn reserve(&mut self, rows: usize) {
        for column in &mut self.columns {
            column.reserve(rows);
        }
    }

    /// The arrays of all columns, which are empty afterwards.
    ///
    /// # Errors
    /// `INTERNAL` only.
    pub(super) fn finish(&mut self) -> Result<Vec<ArrayRef>> {
        self.columns.iter_mut().map(Column::finish).collect()
    }
}

impl Column {
    fn new(path: String, ty: &SqlType) -> Result<Self> {
        let data = Data::new(&path, ty)?;
        let nulls = NullBufferBuilder::new(0);
        Ok(Self { path, kind: ty.kind.clone(), nullable: ty.nullable, len: 0, nulls, data })
    }

    /// Number of values.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Counts the value that was just put into `data` (texts and bytes: appended to their builder).
    #[inline]
    pub(super) fn pushed(&mut self) {
        self.len += 1;
        if !matches!(self.data, Data::Text(_) | Data::Bytes(_)) {
            self.nulls.append_non_null();
        }
    }

    /// Appends NULL.
    ///
    /// # Errors
    /// [`NotNull`] if the column is declared so; nothing is appended then.
    pub(super) fn push_null(&mut self) -> Result<(), NotNull> {
        if !self.nullable {
            return Err(NotNull);
        }
        self.push_placeholder();
        Ok(())
    }

    /// Appends NULL, also where the column is declared NOT NULL: for fields of rows that are NULL.
    fn push_placeholder(&mut self) {
        self.len += 1;
        match &mut self.data {
            Data::Boolean(values) => values.append(false),
            Data::TinyInt(values) => values.push(0),
            Data::SmallInt(values) => values.push(0),
            Data::Int(values) | Data::Date(values) | Data::Time(values) => values.push(0),
            Data::BigInt(values) | Data::Timestamp { values, .. } => values.push(0),
            Data::Float(values) => values.push(0.0),
            Data::Double(values) => values.push(0.0),
            Data::Decimal { values, .. } => values.push(0),
            Data::Text(values) => return values.append_null(),
            Data::Bytes(values) => return values.append_null(),
            Data::Array { ends, .. } | Data::Map { ends, .. } => {
                ends.push(ends.last().copied().unwrap_or(0))
            }
            Data::Row(row) => row.columns.iter_mut().for_each(Self::push_placeholder),
        }
        self.nulls.append_null();
    }

    /// Cuts the column back to `len` values, and what nested columns hold of a value that was begun.
    pub(super) fn truncate(&mut self, len: usize) {
        match &mut self.data {
            Data::Boolean(values) if values.len() > len => values.truncate(len),
            Data::Boolean(_) => {}
            Data::TinyInt(values) => values.truncate(len),
            Data::SmallInt(values) => values.truncate(len),
            Data::Int(values) | Data::Date(values) | Data::Time(values) => values.truncate(len),
            Data::BigInt(values) | Data::Timestamp { values, .. } => values.truncate(len),
            Data::Float(values) => values.truncate(len),
            Data::Double(values) => values.truncate(len),
            Data::Decimal { values, .. } => values.truncate(len),
            // View builders cannot be cut: what stays is moved to a new one.
            Data::Text(values) if self.len > len => {
                let kept = values.finish().slice(0, len);
                values.append_array(&kept);
            }
            Data::Bytes(values) if self.len > len => {
                let kept = values.finish().slice(0, len);
                values.append_array(&kept);
            }
            Data::Text(_) | Data::Bytes(_) => {}
            Data::Array { ends, element, .. } => {
                ends.truncate(len + 1);
                element.truncate(last_end(ends));
            }
            Data::Map { ends, key, value, .. } => {
                ends.truncate(len + 1);
                key.truncate(last_end(ends));
                value.truncate(last_end(ends));
            }
            Data::Row(row) => row.truncate(len),
        }
        if self.len > len {
            if !matches!(self.data, Data::Text(_) | Data::Bytes(_)) {
                self.nulls.truncate(len);
            }
            self.len = len;
        }
    }

    fn reserve(&mut self, rows: usize) {
        match &mut self.data {
            Data::Boolean(values) => values.reserve(rows),
            Data::TinyInt(values) => values.reserve(rows),
            Data::SmallInt(values) => values.reserve(rows),
            Data::Int(values) | Data::Date(values) | Data::Time(values) => values.reserve(rows),
            Data::BigInt(values) | Data::Timestamp { values, .. } => values.reserve(rows),
            Data::Float(values) => values.reserve(rows),
            Data::Double(values) => values.reserve(rows),
            Data::Decimal { values, .. } => values.reserve(rows),
            Data::Text(values) if self.len == 0 => *values = StringViewBuilder::with_capacity(rows),
            Data::Bytes(values) if self.len == 0 => {
                *values = BinaryViewBuilder::with_capacity(rows)
            }
            Data::Text(_) | Data::Bytes(_) => {}
            Data::Array { ends, .. } | Data::Map { ends, .. } => ends.reserve(rows),
            Data::Row(row) => row.reserve(rows),
        }
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let (nulls, len) = (self.nulls.finish(), self.len);
        self.len = 0;
        self.data.finish(nulls, len)
    }
}

impl Data {
    fn new(path: &str, ty: &SqlType) -> Result<Self> {
        Ok(match &ty.kind {
            TypeKind::Boolean => Self::Boolean(BooleanBufferBuilder::new(0)),
            TypeKind::TinyInt => Self::TinyInt(Vec::new()),
            TypeKind::SmallInt => Self::SmallInt(Vec::new()),
            TypeKind::Int => Self::Int(Vec::new()),
            TypeKind::BigInt => Self::BigInt(Vec::new()),
            TypeKind::Float => Self::Float(Vec::new()),
            TypeKind::Double => Self::Double(Vec::new()),
            TypeKind::Decimal { precision, scale } => {
                Self::Decimal { values: Vec::new(), precision: *precision, scale: *scale }
            }
            TypeKind::Char { .. } | TypeKind::VarChar { .. } => {
                Self::Text(StringViewBuilder::with_capacity(0))
            }
            TypeKind::Binary { .. } | TypeKind::VarBinary { .. } => {
                Self::Bytes(BinaryViewBuilder::with_capacity(0))
            }
            TypeKind::Date => Self::Date(Vec::new()),
            TypeKind::Time { .. } => Self::Time(Vec::new()),
            TypeKind::Timestamp { precision, .. } => Self::timestamp(*precision, false),
            TypeKind::TimestampLtz { precision, .. } => Self::timestamp(*precision, true),
            TypeKind::Array(element) => {
                let DataType::List(field) = data_type(ty) else {
                    return Err(no_such_array(path));
                };
                let element = Box::new(Column::new(format!("{path}[]"), element)?);
                Self::Array { ends: vec![0], element, field }
            }
            TypeKind::Map(key, value) => Self::map(path, ty, key, value)?,
            TypeKind::Multiset(element) => Self::map(path, ty, element, &TypeKind::Int.not_null())?,
            TypeKind::Row(fields) | TypeKind::Structured { fields, .. } => {
                Self::Row(RowColumns::of_row(path, ty, fields)?)
            }
            TypeKind::Null
            | TypeKind::IntervalYearMonth
            | TypeKind::IntervalDayTime
            | TypeKind::Variant
            | TypeKind::Bitmap => {
                let message = format!(
                    "column {path}: values of type {} cannot be read from records",
                    ty.kind
                );
                return Err(Error::new(ErrorCode::InvalidOption, message));
            }
        })
    }

    fn timestamp(precision: u8, zoned: bool) -> Self {
        Self::Timestamp { values: Vec::new(), per_second: units_per_second(precision), zoned }
    }

    fn map(path: &str, ty: &SqlType, key: &SqlType, value: &SqlType) -> Result<Self> {
        let DataType::Map(field, _) = data_type(ty) else {
            return Err(no_such_array(path));
        };
        let key =
            Box::new(Column::new(format!("{path} (key)"), &key.clone().with_nullable(false))?);
        let value = Box::new(Column::new(format!("{path}{{}}"), value)?);
        Ok(Self::Map { ends: vec![0], key, value, field })
    }

    fn finish(&mut self, nulls: Option<NullBuffer>, len: usize) -> Result<ArrayRef> {
        Ok(match self {
            Self::Boolean(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Self::TinyInt(values) => primitive::<Int8Type>(values, nulls),
            Self::SmallInt(values) => primitive::<Int16Type>(values, nulls),
            Self::Int(values) => primitive::<Int32Type>(values, nulls),
            Self::BigInt(values) => primitive::<Int64Type>(values, nulls),
            Self::Float(values) => primitive::<Float32Type>(values, nulls),
            Self::Double(values) => primitive::<Float64Type>(values, nulls),
            Self::Decimal { values, precision, scale } => {
                let array = Decimal128Array::new(std::mem::take(values).into(), nulls);
                Arc::new(
                    array.with_precision_and_scale(*precision, *scale as i8).map_err(internal)?,
                )
            }
            Self::Text(values) => Arc::new(values.finish()),
            Self::Bytes(values) => Arc::new(values.finish()),
            Self::Date(values) => primitive::<Date32Type>(values, nulls),
            Self::Time(values) => primitive::<Time32MillisecondType>(values, nulls),
            Self::Timestamp { values, per_second, zoned } => match per_second {
                1_000 => timestamps::<TimestampMillisecondType>(values, nulls, *zoned),
                1_000_000 => timestamps::<TimestampMicrosecondType>(values, nulls, *zoned),
                _ => timestamps::<TimestampNanosecondType>(values, nulls, *zoned),
            },
            Self::Array { ends, element, field } => {
                let offsets = OffsetBuffer::new(std::mem::replace(ends, vec![0]).into());
                let array =
                    ListArray::try_new(Arc::clone(field), offsets, element.finish()?, nulls);
                Arc::new(array.map_err(internal)?)
            }
            Self::Map { ends, key, value, field } => {
                let DataType::Struct(fields) = field.data_type().clone() else {
                    return Err(Error::internal("entries of a map are no rows"));
                };
                let entries =
                    StructArray::try_new(fields, vec![key.finish()?, value.finish()?], None);
                let offsets = OffsetBuffer::new(std::mem::replace(ends, vec![0]).into());
                let entries = entries.map_err(internal)?;
                let array = MapArray::try_new(Arc::clone(field), offsets, entries, nulls, false);
                Arc::new(array.map_err(internal)?)
            }
            Self::Row(row) => {
                let (fields, arrays) = (row.fields.clone(), row.finish()?);
                let array = StructArray::try_new_with_length(fields, arrays, nulls, len);
                Arc::new(array.map_err(internal)?)
            }
        })
    }
}

/// The end of the last list or map.
fn last_end(ends: &[i32]) -> usize {
    ends.last().map_or(0, |end| *end as usize)
}

/// The end of a list or map behind `len` elements. Records hold too few bytes for more than 2³¹.
pub(super) fn end_of(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX)
}

fn primitive<T: ArrowPrimitiveType>(
    values: &mut Vec<T::Native>,
    nulls: Option<NullBuffer>,
) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(std::mem::take(values).into(), nulls))
}

fn timestamps<T: ArrowTimestampType>(
    values: &mut Vec<i64>,
    nulls: Option<NullBuffer>,
    zoned: bool,
) -> ArrayRef {
    let array = PrimitiveArray::<T>::new(std::mem::take(values).into(), nulls);
    Arc::new(array.with_timezone_opt(zoned.then_some("UTC")))
}

fn no_such_array(path: &str) -> Error {
    Error::internal(format!("column {path} has another Arrow type than its SQL type says"))
}

fn internal(error: ArrowError) -> Error {
    Error::internal(format!("finish decoded columns: {error}"))
}

#[cfg(test)]
mod tests;
