//! Rows with texts of their own: without those of rows that are not among them, and each text once. Rows of an earlier
//! join repeat the texts of a partner that many of them have; they still point to the same bytes, which is how that is
//! found out.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, GenericByteViewArray, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{ByteViewType, DataType};
use hashbrown::{HashMap, HashSet};
use tidegate_types::{Error, Result};

use super::rows::batch;

/// Buffers of a text column from which on the texts of a full chunk are copied together.
const MANY_BUFFERS: usize = 16;
/// Texts that are looked at to find out whether they repeat.
const SAMPLE: usize = 256;
/// Longest text that is held in its view.
const INLINE: u32 = 12;

/// The same rows with texts of their own.
///
/// # Errors
/// `INTERNAL` on a defect of Arrow building.
pub(super) fn own(rows: &RecordBatch) -> Result<RecordBatch> {
    compacted(rows, 0)
}

/// The same if texts are in many buffers.
///
/// # Errors
/// As [`own`].
pub(super) fn own_if_many(rows: &RecordBatch) -> Result<RecordBatch> {
    compacted(rows, MANY_BUFFERS)
}

/// The same rows; text columns of more than so many buffers are copied.
fn compacted(rows: &RecordBatch, buffers: usize) -> Result<RecordBatch> {
    let columns = rows.columns().iter().map(|column| match column.data_type() {
        DataType::Utf8View => copied(column, column.as_string_view(), buffers),
        DataType::BinaryView => copied(column, column.as_binary_view(), buffers),
        _ => Ok(column.clone()),
    });
    batch(&rows.schema(), columns.collect::<Result<_>>()?, rows.num_rows())
}

fn copied<T: ByteViewType>(
    column: &ArrayRef,
    texts: &GenericByteViewArray<T>,
    buffers: usize,
) -> Result<ArrayRef> {
    if texts.data_buffers().len() <= buffers {
        return Ok(column.clone());
    }
    if repeats(texts) { once(column, texts) } else { Ok(Arc::new(texts.gc())) }
}

/// Whether many of the first long texts are the same bytes.
fn repeats<T: ByteViewType>(texts: &GenericByteViewArray<T>) -> bool {
    let long = texts.views().iter().filter(|view| **view as u32 > INLINE).take(SAMPLE);
    let (mut seen, mut count) = (HashSet::with_capacity(SAMPLE), 0);
    for view in long {
        seen.insert(*view);
        count += 1;
    }
    count >= 4 && seen.len() * 4 <= count * 3
}

/// The column with each text once.
fn once<T: ByteViewType>(column: &ArrayRef, texts: &GenericByteViewArray<T>) -> Result<ArrayRef> {
    let internal = |error: arrow::error::ArrowError| Error::internal(error.to_string());
    let mut known: HashMap<u128, u32> = HashMap::new();
    let mut first = Vec::new();
    let place = |(row, view): (u32, &u128)| {
        texts.is_valid(row as usize).then(|| {
            *known.entry(*view).or_insert_with(|| {
                first.push(row);
                first.len() as u32 - 1
            })
        })
    };
    let places: UInt32Array = (0u32..).zip(texts.views().iter()).map(place).collect();
    let distinct = take(column, &UInt32Array::from(first), None).map_err(internal)?;
    let distinct: ArrayRef = match distinct.data_type() {
        DataType::Utf8View => Arc::new(distinct.as_string_view().gc()),
        _ => Arc::new(distinct.as_binary_view().gc()),
    };
    take(&distinct, &places, None).map_err(internal)
}

#[cfg(test)]
mod tests {
    use arrow::array::StringViewArray;

    use super::*;

    fn rows(texts: StringViewArray) -> RecordBatch {
        RecordBatch::try_from_iter([("t", Arc::new(texts) as ArrayRef)]).unwrap()
    }

    #[test]
    fn texts_that_rows_share_are_copied_once() {
        let long = |number: u32| format!("{number:0>1000}");
        let some: StringViewArray = (0..100).map(|row| (row % 10 > 0).then(|| long(row))).collect();
        let shared =
            take(&some, &UInt32Array::from_iter_values((0..1_000).map(|row| row % 7)), None);
        let shared = rows(shared.unwrap().as_string_view().clone());
        let owned = own(&shared).unwrap();
        assert_eq!(owned, shared);
        assert!(owned.get_array_memory_size() < 30_000, "{}", owned.get_array_memory_size());
        let few = rows(some.slice(0, 5));
        let owned = own(&few).unwrap();
        assert_eq!(owned, few);
        assert!(owned.get_array_memory_size() < 6_000, "{}", owned.get_array_memory_size());
    }
}
