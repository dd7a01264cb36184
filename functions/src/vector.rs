//! Typed access to argument columns, and the loops that kernels are made of.
//!
//! A [`Lane`] or [`TextLane`] reads row `i` of a column or of a constant without a branch.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryViewArray, BooleanArray,
    BooleanBufferBuilder, ListArray, MapArray, PrimitiveArray, StringViewArray, StructArray,
    UInt32Array, new_null_array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Fields};
use arrow::error::ArrowError;
use tidegate_types::{Error, Result};

use crate::function::Value;
pub(crate) use crate::text_array::{map_slice, map_text};

/// A defect: an array is not of the type that the plan promised.
fn mismatch(array: &dyn Array, expected: &str) -> Error {
    Error::internal(format!("expected an array of {expected}, found {}", array.data_type()))
}

/// An error of an Arrow kernel that can only come from a defect here.
pub(crate) fn arrow_error(error: ArrowError) -> Error {
    Error::internal(format!("an Arrow kernel failed: {error}"))
}

pub(crate) fn primitive<T: ArrowPrimitiveType>(array: &dyn Array) -> Result<&PrimitiveArray<T>> {
    array.as_primitive_opt::<T>().ok_or_else(|| mismatch(array, &T::DATA_TYPE.to_string()))
}

pub(crate) fn booleans(array: &dyn Array) -> Result<&BooleanArray> {
    array.as_boolean_opt().ok_or_else(|| mismatch(array, "Boolean"))
}

pub(crate) fn texts(array: &dyn Array) -> Result<&StringViewArray> {
    array.as_string_view_opt().ok_or_else(|| mismatch(array, "Utf8View"))
}

pub(crate) fn binaries(array: &dyn Array) -> Result<&BinaryViewArray> {
    array.as_binary_view_opt().ok_or_else(|| mismatch(array, "BinaryView"))
}

pub(crate) fn structs(array: &dyn Array) -> Result<&StructArray> {
    array.as_struct_opt().ok_or_else(|| mismatch(array, "Struct"))
}

pub(crate) fn lists(array: &dyn Array) -> Result<&ListArray> {
    array.as_list_opt::<i32>().ok_or_else(|| mismatch(array, "List"))
}

pub(crate) fn maps(array: &dyn Array) -> Result<&MapArray> {
    array.as_map_opt().ok_or_else(|| mismatch(array, "Map"))
}

/// Values of a primitive column or constant by row.
#[derive(Clone, Copy)]
pub(crate) struct Lane<'a, T> {
    values: &'a [T],
    step: usize,
}

impl<'a, T: arrow::datatypes::ArrowNativeType> Lane<'a, T> {
    pub(crate) fn new<P>(value: &'a Value) -> Result<Self>
    where
        P: ArrowPrimitiveType<Native = T>,
    {
        let array = primitive::<P>(value.array())?;
        Ok(Self { values: array.values(), step: value.step() })
    }

    #[inline]
    pub(crate) fn get(&self, row: usize) -> T {
        self.values[row * self.step]
    }
}

/// Values of a text column or constant by row.
#[derive(Clone, Copy)]
pub(crate) struct TextLane<'a> {
    array: &'a StringViewArray,
    step: usize,
}

impl<'a> TextLane<'a> {
    pub(crate) fn new(value: &'a Value) -> Result<Self> {
        Ok(Self { array: texts(value.array())?, step: value.step() })
    }

    /// The column, or the constant as one of one row.
    pub(crate) fn array(&self) -> &'a StringViewArray {
        self.array
    }

    /// Where the text of a row lies.
    #[inline]
    pub(crate) fn view(&self, row: usize) -> u128 {
        self.array.views()[row * self.step]
    }

    #[inline]
    pub(crate) fn get(&self, row: usize) -> &'a str {
        self.array.value(row * self.step)
    }
}

/// The text of a constant that is not NULL.
pub(crate) fn constant_text(value: &Value) -> Option<&str> {
    if !value.is_constant() || value.is_null_constant() {
        return None;
    }
    value.array().as_string_view_opt().map(|array| array.value(0))
}

/// Rows where some of the values is NULL, for functions that are NULL there.
pub(crate) fn strict_nulls(values: &[&Value], rows: usize) -> Option<NullBuffer> {
    let mut nulls: Option<NullBuffer> = None;
    for value in values {
        if value.is_null_constant() {
            return Some(NullBuffer::new_null(rows));
        }
        if let Value::Array(array) = value {
            nulls = NullBuffer::union(nulls.as_ref(), array.logical_nulls().as_ref());
        }
    }
    nulls
}

/// Whether row `row` is not NULL.
#[inline]
pub(crate) fn valid(nulls: Option<&NullBuffer>, row: usize) -> bool {
    nulls.is_none_or(|nulls| nulls.is_valid(row))
}

/// A value per row from two primitive columns; `op` also runs on the garbage under NULLs.
pub(crate) fn binary<A, B, O>(
    left: &Value,
    right: &Value,
    rows: usize,
    op: impl Fn(A::Native, B::Native) -> O::Native,
) -> Result<PrimitiveArray<O>>
where
    A: ArrowPrimitiveType,
    B: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
{
    let (l, r) = (primitive::<A>(left.array())?, primitive::<B>(right.array())?);
    let nulls = strict_nulls(&[left, right], rows);
    let values: Vec<O::Native> = match (left, right) {
        (Value::Array(_), Value::Array(_)) => {
            l.values().iter().zip(r.values().iter()).map(|(a, b)| op(*a, *b)).collect()
        }
        (Value::Array(_), Value::Constant(_)) => {
            let b = r.values()[0];
            l.values().iter().map(|a| op(*a, b)).collect()
        }
        (Value::Constant(_), Value::Array(_)) => {
            let a = l.values()[0];
            r.values().iter().map(|b| op(a, *b)).collect()
        }
        (Value::Constant(_), Value::Constant(_)) => {
            vec![op(l.values()[0], r.values()[0]); rows]
        }
    };
    Ok(PrimitiveArray::new(values.into(), nulls))
}

/// A value per row from one primitive column; `op` also runs on the garbage under NULLs.
pub(crate) fn unary<A, O>(
    value: &Value,
    rows: usize,
    op: impl Fn(A::Native) -> O::Native,
) -> Result<PrimitiveArray<O>>
where
    A: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
{
    let array = primitive::<A>(value.array())?;
    if value.is_constant() {
        let nulls = strict_nulls(&[value], rows);
        return Ok(PrimitiveArray::new(vec![op(array.values()[0]); rows].into(), nulls));
    }
    let values: Vec<O::Native> = array.values().iter().map(|a| op(*a)).collect();
    Ok(PrimitiveArray::new(values.into(), array.nulls().cloned()))
}

/// A value per row; `op` runs only on rows that are not NULL and may give NULL or fail.
pub(crate) fn map_rows<O: ArrowPrimitiveType>(
    rows: usize,
    nulls: Option<NullBuffer>,
    mut op: impl FnMut(usize) -> Result<Option<O::Native>>,
) -> Result<PrimitiveArray<O>> {
    let mut values = Vec::with_capacity(rows);
    // Few results are NULL: their rows are noted, and bits are written only for them.
    let mut missing: Vec<usize> = Vec::new();
    for row in 0..rows {
        let value = if valid(nulls.as_ref(), row) { op(row)? } else { Some(O::default_value()) };
        values.push(value.unwrap_or_else(|| {
            missing.push(row);
            O::default_value()
        }));
    }
    Ok(PrimitiveArray::new(values.into(), also_null(nulls, rows, &missing)))
}

/// The NULLs that there are, and more.
pub(crate) fn also_null(
    nulls: Option<NullBuffer>,
    rows: usize,
    more: &[usize],
) -> Option<NullBuffer> {
    if more.is_empty() {
        return nulls;
    }
    let mut bits = BooleanBufferBuilder::new(rows);
    match nulls {
        Some(nulls) => bits.append_buffer(nulls.inner()),
        None => bits.append_n(rows, true),
    }
    more.iter().for_each(|row| bits.set_bit(*row, false));
    Some(NullBuffer::new(bits.finish()))
}

/// A truth value per row; `op` runs only on rows that are not NULL.
pub(crate) fn map_boolean(
    rows: usize,
    nulls: Option<NullBuffer>,
    mut op: impl FnMut(usize) -> bool,
) -> BooleanArray {
    let values = match &nulls {
        None => BooleanBuffer::collect_bool(rows, &mut op),
        Some(nulls) => BooleanBuffer::collect_bool(rows, |row| nulls.is_valid(row) && op(row)),
    };
    BooleanArray::new(values, nulls)
}

/// One value in every row.
pub(crate) fn repeat(constant: &ArrayRef, rows: usize) -> Result<ArrayRef> {
    if constant.logical_null_count() > 0 {
        return Ok(new_null_array(constant.data_type(), rows));
    }
    let indices = UInt32Array::from(vec![0; rows]);
    arrow::compute::take(constant, &indices, None).map_err(arrow_error)
}

/// The same values under another declaration of nested fields (names and nullability): types of
/// plan and array may differ there after a common type was found.
pub(crate) fn retype(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    match to {
        DataType::Struct(fields) => {
            let rows = structs(array)?;
            let columns = retype_columns(rows, fields)?;
            let retyped = StructArray::try_new_with_length(
                fields.clone(),
                columns,
                rows.nulls().cloned(),
                rows.len(),
            );
            Ok(Arc::new(retyped.map_err(null_in_not_null)?))
        }
        DataType::List(item) => {
            let list = lists(array)?;
            let values = retype(list.values(), item.data_type())?;
            let retyped = ListArray::try_new(
                Arc::clone(item),
                list.offsets().clone(),
                values,
                list.nulls().cloned(),
            );
            Ok(Arc::new(retyped.map_err(null_in_not_null)?))
        }
        DataType::Map(entries, sorted) => {
            let map = maps(array)?;
            let source: ArrayRef = Arc::new(map.entries().clone());
            let values = retype(&source, entries.data_type())?;
            let retyped = MapArray::try_new(
                Arc::clone(entries),
                map.offsets().clone(),
                structs(&values)?.clone(),
                map.nulls().cloned(),
                *sorted,
            );
            Ok(Arc::new(retyped.map_err(null_in_not_null)?))
        }
        _ if array.null_count() == array.len() || array.data_type() == &DataType::Null => {
            Ok(new_null_array(to, array.len()))
        }
        _ => Err(mismatch(array, &to.to_string())),
    }
}

fn retype_columns(rows: &StructArray, fields: &Fields) -> Result<Vec<ArrayRef>> {
    if rows.num_columns() != fields.len() {
        return Err(mismatch(rows, &format!("a struct of {} fields", fields.len())));
    }
    rows.columns()
        .iter()
        .zip(fields)
        .map(|(column, field)| retype(column, field.data_type()))
        .collect()
}

/// Building a nested array failed because a NULL stands where its type has none.
pub(crate) fn null_in_not_null(error: ArrowError) -> Error {
    Error::new(
        tidegate_types::ErrorCode::Evaluation,
        format!("a NULL stands in a place that is declared NOT NULL: {error}"),
    )
}
