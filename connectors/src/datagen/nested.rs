//! ARRAY, MAP, MULTISET and ROW values by row number.
//!
//! Element *j* of row *n* of a collection with *m* elements is value *n* · *m* + *j* of the element's
//! column, so nested values are as independent of batches as others.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, MapArray, StructArray, UInt32Array, make_comparator};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{SortOptions, take};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Error, Result, SqlType};

use super::generator::{Column, Moment};

/// A value that consists of others.
#[derive(Debug)]
pub(super) enum Nested {
    /// One part: the element.
    Array(Collection),
    /// Two parts: key and value.
    Map(Collection),
    /// The fields; the length is 1.
    Row(Collection),
}

/// What a value consists of.
#[derive(Debug)]
pub(super) struct Collection {
    /// Elements per value.
    pub(super) length: u64,
    pub(super) ty: SqlType,
    pub(super) parts: Vec<Column>,
}

impl Nested {
    fn collection(&self) -> &Collection {
        match self {
            Self::Array(collection) | Self::Map(collection) | Self::Row(collection) => collection,
        }
    }

    /// Rows after which a sequence in it ends: an element's sequence gives each row as many values as
    /// there are elements.
    pub(super) fn rows(&self) -> Option<u64> {
        let Collection { length, parts, .. } = self.collection();
        let shortest = parts.iter().filter_map(Column::rows).min()?;
        shortest.checked_div(*length)
    }

    /// Estimated bytes of a value.
    pub(super) fn bytes(&self) -> u64 {
        let Collection { length, parts, .. } = self.collection();
        let element: u64 = parts.iter().map(Column::bytes).sum();
        length.saturating_mul(element).saturating_add(8)
    }

    /// The values of some rows.
    ///
    /// # Errors
    /// `INTERNAL` only.
    pub(super) fn generate(&self, rows: Range<u64>, moment: &Moment) -> Result<ArrayRef> {
        let Collection { length, ty, parts } = self.collection();
        let elements = rows.start.wrapping_mul(*length)..rows.end.wrapping_mul(*length);
        let count = (rows.end - rows.start) as usize;
        let parts: Vec<ArrayRef> = parts
            .iter()
            .map(|part| part.generate(elements.clone(), moment))
            .collect::<Result<_>>()?;
        let array = match (self, data_type(ty)) {
            (Self::Array(_), DataType::List(field)) => {
                let [element] = take_parts(parts)?;
                let offsets = OffsetBuffer::from_repeated_length(*length as usize, count);
                ListArray::try_new(field, offsets, element, None)
                    .map(|array| Arc::new(array) as ArrayRef)
            }
            (Self::Map(_), DataType::Map(field, _)) => {
                let [keys, values] = take_parts(parts)?;
                let (keys, values, offsets) =
                    distinct(keys, values, *length as usize, count).map_err(internal)?;
                let DataType::Struct(fields) = field.data_type().clone() else {
                    return Err(Error::internal("entries of a map are no rows"));
                };
                StructArray::try_new(fields, vec![keys, values], None)
                    .and_then(|entries| MapArray::try_new(field, offsets, entries, None, false))
                    .map(|array| Arc::new(array) as ArrayRef)
            }
            (Self::Row(_), DataType::Struct(fields)) => {
                StructArray::try_new_with_length(fields, parts, None, count)
                    .map(|array| Arc::new(array) as ArrayRef)
            }
            (_, other) => {
                return Err(Error::internal(format!("generated values are held as {other}")));
            }
        };
        array.map_err(internal)
    }
}

fn take_parts<const N: usize>(parts: Vec<ArrayRef>) -> Result<[ArrayRef; N]> {
    parts.try_into().map_err(|_| Error::internal(format!("a collection has not {N} parts")))
}

/// Entries of maps of `length` entries each without those whose key stands in the map already.
fn distinct(
    keys: ArrayRef,
    values: ArrayRef,
    length: usize,
    maps: usize,
) -> Result<(ArrayRef, ArrayRef, OffsetBuffer<i32>), ArrowError> {
    let compare = make_comparator(&keys, &keys, SortOptions::default())?;
    let mut kept: Vec<u32> = Vec::with_capacity(keys.len());
    let mut lengths = Vec::with_capacity(maps);
    for map in 0..maps {
        let first = kept.len();
        for entry in map * length..(map + 1) * length {
            let known = kept[first..].iter().any(|other| compare(*other as usize, entry).is_eq());
            if !known {
                kept.push(entry as u32);
            }
        }
        lengths.push(kept.len() - first);
    }
    let offsets = OffsetBuffer::from_lengths(lengths);
    if kept.len() == keys.len() {
        return Ok((keys, values, offsets));
    }
    let kept = UInt32Array::from(kept);
    Ok((take(&keys, &kept, None)?, take(&values, &kept, None)?, offsets))
}

fn internal(error: ArrowError) -> Error {
    Error::internal(format!("generate nested values: {error}"))
}
