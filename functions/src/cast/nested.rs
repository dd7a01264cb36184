//! Casts of ARRAY, MAP, MULTISET and ROW, element by element. Under TRY_CAST an element that
//! cannot be converted makes the whole value NULL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, ListArray, MapArray, StructArray};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow::compute::nullif;
use arrow::datatypes::DataType;
use tidegate_plan::CastMode;
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Error, Result, SqlType, TypeKind};

use super::cast as cast_values;
use crate::datetime::zone::Zone;
use crate::vector::{self, arrow_error, null_in_not_null};

pub(super) fn cast(
    array: &ArrayRef,
    from: &SqlType,
    to: &SqlType,
    mode: CastMode,
    zone: &Zone,
) -> Result<ArrayRef> {
    let convert = |values: &ArrayRef, from: &SqlType, to: &SqlType| {
        let converted = cast_values(values, from, to, mode, zone)?;
        let lost = lost_values(values, &converted, mode);
        Ok((converted, lost))
    };
    let target = data_type(to);
    match (&from.kind, &to.kind) {
        (TypeKind::Array(a), TypeKind::Array(b)) => cast_list(array, a, b, &target, &convert),
        (TypeKind::Map(k, v), TypeKind::Map(l, w)) => {
            cast_map(array, [k, v], [l, w], &target, &convert)
        }
        (TypeKind::Multiset(a), TypeKind::Multiset(b)) => {
            let count = TypeKind::Int.not_null();
            cast_map(array, [a, &count], [b, &count], &target, &convert)
        }
        (
            TypeKind::Row(a) | TypeKind::Structured { fields: a, .. },
            TypeKind::Row(b) | TypeKind::Structured { fields: b, .. },
        ) => {
            let types = a.iter().map(|f| &f.ty).zip(b.iter().map(|f| &f.ty));
            cast_row(array, types, &target, &convert)
        }
        (a, b) => Err(Error::internal(format!("there is no conversion from {a} to {b}"))),
    }
}

/// Converts a column of elements; with it the elements that were lost.
type Convert<'a> =
    dyn Fn(&ArrayRef, &SqlType, &SqlType) -> Result<(ArrayRef, Option<BooleanBuffer>)> + 'a;

/// Values that became NULL, under TRY_CAST.
fn lost_values(before: &ArrayRef, after: &ArrayRef, mode: CastMode) -> Option<BooleanBuffer> {
    if mode == CastMode::Cast || after.null_count() == before.null_count() {
        return None;
    }
    let present = |row: usize| before.is_valid(row) && after.is_null(row);
    Some(BooleanBuffer::collect_bool(after.len(), present))
}

/// NULL also for the lists of which an element was lost.
fn with_losses(
    nulls: Option<&NullBuffer>,
    offsets: &OffsetBuffer<i32>,
    lost: Option<&BooleanBuffer>,
) -> Option<NullBuffer> {
    let Some(lost) = lost else {
        return nulls.cloned();
    };
    let whole = |row: usize| {
        let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
        !(start..end).any(|element| lost.value(element))
    };
    let kept = NullBuffer::new(BooleanBuffer::collect_bool(offsets.len() - 1, whole));
    NullBuffer::union(nulls, Some(&kept))
}

fn cast_list(
    array: &ArrayRef,
    from: &SqlType,
    to: &SqlType,
    target: &DataType,
    convert: &Convert<'_>,
) -> Result<ArrayRef> {
    let list = vector::lists(array)?;
    let DataType::List(item) = target else {
        return Err(Error::internal(format!("{target} is not a list")));
    };
    let (values, lost) = convert(&referenced(list.values(), list.offsets()), from, to)?;
    let offsets = rebased(list.offsets());
    let nulls = with_losses(list.nulls(), &offsets, lost.as_ref());
    let converted = ListArray::try_new(Arc::clone(item), offsets, values, nulls);
    Ok(Arc::new(converted.map_err(null_in_not_null)?))
}

/// The elements that the offsets point at: others must not fail a cast.
fn referenced(values: &ArrayRef, offsets: &OffsetBuffer<i32>) -> ArrayRef {
    let (first, last) = (offsets[0] as usize, offsets[offsets.len() - 1] as usize);
    values.slice(first, last - first)
}

fn rebased(offsets: &OffsetBuffer<i32>) -> OffsetBuffer<i32> {
    let first = offsets[0];
    if first == 0 {
        return offsets.clone();
    }
    OffsetBuffer::new(offsets.iter().map(|offset| offset - first).collect::<Vec<i32>>().into())
}

fn cast_map(
    array: &ArrayRef,
    from: [&SqlType; 2],
    to: [&SqlType; 2],
    target: &DataType,
    convert: &Convert<'_>,
) -> Result<ArrayRef> {
    let map = vector::maps(array)?;
    let DataType::Map(entries, sorted) = target else {
        return Err(Error::internal(format!("{target} is not a map")));
    };
    let DataType::Struct(fields) = entries.data_type() else {
        return Err(Error::internal(format!("{target} has no entries")));
    };
    let (keys, lost_keys) = convert(&referenced(map.keys(), map.offsets()), from[0], to[0])?;
    let (values, lost_values) = convert(&referenced(map.values(), map.offsets()), from[1], to[1])?;
    let lost = match (lost_keys, lost_values) {
        (Some(a), Some(b)) => Some(&a | &b),
        (a, b) => a.or(b),
    };
    let offsets = rebased(map.offsets());
    let nulls = with_losses(map.nulls(), &offsets, lost.as_ref());
    let entries_array = StructArray::try_new(fields.clone(), vec![keys, values], None);
    let entries_array = entries_array.map_err(null_in_not_null)?;
    let converted = MapArray::try_new(Arc::clone(entries), offsets, entries_array, nulls, *sorted);
    Ok(Arc::new(converted.map_err(null_in_not_null)?))
}

fn cast_row<'a>(
    array: &ArrayRef,
    types: impl Iterator<Item = (&'a SqlType, &'a SqlType)>,
    target: &DataType,
    convert: &Convert<'_>,
) -> Result<ArrayRef> {
    let rows = vector::structs(array)?;
    let DataType::Struct(fields) = target else {
        return Err(Error::internal(format!("{target} is not a row")));
    };
    let mut columns = Vec::with_capacity(fields.len());
    let mut nulls = rows.nulls().cloned();
    for (column, (from, to)) in rows.columns().iter().zip(types) {
        // What stands in a field of a NULL row is no value, and must not fail.
        let column = match rows.nulls() {
            Some(nulls) => nullif(column, &BooleanArray::new(!nulls.inner(), None)),
            None => Ok(Arc::clone(column)),
        };
        let (converted, lost) = convert(&column.map_err(arrow_error)?, from, to)?;
        if let Some(lost) = lost {
            nulls = NullBuffer::union(nulls.as_ref(), Some(&NullBuffer::new(!&lost)));
        }
        columns.push(converted);
    }
    let converted = StructArray::try_new_with_length(fields.clone(), columns, nulls, rows.len());
    Ok(Arc::new(converted.map_err(null_in_not_null)?))
}
