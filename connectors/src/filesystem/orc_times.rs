//! Timestamps of ORC files. The format has nanoseconds, and seconds from a wide range: the library's columns of timestamps hold one
//! or the other, and fail where a value has both. So they are read as numbers, and brought into the unit that is asked for here.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, TimestampMicrosecondArray,
    TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use tidegate_types::TypeKind;

/// Seconds with nine digits behind the point.
const NUMBER: DataType = DataType::Decimal128(38, 9);

/// The columns with numbers in place of timestamps.
pub(super) fn as_numbers(schema: &Schema) -> SchemaRef {
    Arc::new(Schema::new(schema.fields().iter().map(number_field).collect::<Vec<_>>()))
}

fn number_field(field: &FieldRef) -> FieldRef {
    Arc::new(field.as_ref().clone().with_data_type(number_type(field.data_type())))
}

fn number_type(ty: &DataType) -> DataType {
    match ty {
        DataType::Timestamp(_, _) => NUMBER,
        DataType::List(element) => DataType::List(number_field(element)),
        DataType::Map(entries, sorted) => DataType::Map(number_field(entries), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(number_field).collect()),
        other => other.clone(),
    }
}

/// Whether a type has timestamps of more than microseconds.
pub(super) fn has_nanoseconds(kind: &TypeKind) -> bool {
    match kind {
        TypeKind::Timestamp { precision, .. } | TypeKind::TimestampLtz { precision, .. } => {
            *precision > 6
        }
        TypeKind::Array(element) | TypeKind::Multiset(element) => has_nanoseconds(&element.kind),
        TypeKind::Map(key, value) => has_nanoseconds(&key.kind) || has_nanoseconds(&value.kind),
        TypeKind::Row(fields) => fields.iter().any(|field| has_nanoseconds(&field.ty.kind)),
        _ => false,
    }
}

/// A column of numbers as one of timestamps again, where `ty` has those: in nanoseconds, or in microseconds.
///
/// # Errors
/// A timestamp that has no place in the unit.
pub(super) fn as_times(
    array: &ArrayRef,
    ty: &DataType,
    nanoseconds: bool,
) -> Result<ArrayRef, ArrowError> {
    if array.data_type() == ty {
        return Ok(Arc::clone(array));
    }
    match (ty, array.data_type()) {
        (DataType::Timestamp(_, zone), DataType::Decimal128(_, _)) => {
            let numbers = array.as_primitive::<Decimal128Type>();
            let per_unit = if nanoseconds { 1 } else { 1_000 };
            let time = |number: i128| {
                i64::try_from(number.div_euclid(per_unit)).map_err(|_| {
                    let seconds = number.div_euclid(1_000_000_000);
                    let message = format!("the timestamp {seconds} s after 1970 is out of range");
                    ArrowError::CastError(message)
                })
            };
            Ok(match nanoseconds {
                true => {
                    let times: TimestampNanosecondArray = numbers.try_unary(time)?;
                    Arc::new(times.with_timezone_opt(zone.clone()))
                }
                false => {
                    let times: TimestampMicrosecondArray = numbers.try_unary(time)?;
                    Arc::new(times.with_timezone_opt(zone.clone()))
                }
            })
        }
        (DataType::List(element), DataType::List(_)) => {
            let lists = array.as_list::<i32>();
            let values = as_times(lists.values(), element.data_type(), nanoseconds)?;
            let nulls = lists.nulls().cloned();
            let lists = ListArray::try_new(
                typed(element, &values),
                lists.offsets().clone(),
                values,
                nulls,
            )?;
            Ok(Arc::new(lists))
        }
        (DataType::Map(entries, sorted), DataType::Map(_, _)) => {
            let maps = array.as_map();
            let inner: ArrayRef = Arc::new(maps.entries().clone());
            let inner = as_times(&inner, entries.data_type(), nanoseconds)?;
            let maps = MapArray::try_new(
                typed(entries, &inner),
                maps.offsets().clone(),
                inner.as_struct().clone(),
                maps.nulls().cloned(),
                *sorted,
            )?;
            Ok(Arc::new(maps))
        }
        (DataType::Struct(fields), DataType::Struct(_)) => {
            let rows = array.as_struct();
            let columns = fields.iter().zip(rows.columns());
            let columns = columns
                .map(|(field, column)| as_times(column, field.data_type(), nanoseconds))
                .collect::<Result<Vec<_>, _>>()?;
            let fields = fields.iter().zip(&columns).map(|(field, column)| typed(field, column));
            let rows = StructArray::try_new_with_length(
                fields.collect(),
                columns,
                rows.nulls().cloned(),
                rows.len(),
            )?;
            Ok(Arc::new(rows))
        }
        _ => Ok(Arc::clone(array)),
    }
}

/// The field with the type that an array has.
pub(super) fn typed(field: &Field, array: &ArrayRef) -> FieldRef {
    Arc::new(field.clone().with_data_type(array.data_type().clone()))
}
