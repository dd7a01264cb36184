//! Rows with texts of their own: without those of rows that are not among them, and each text once. Rows of an earlier
//! join repeat the texts of a partner that many of them have; they still point to the same bytes, which is how that is
//! found out.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, GenericByteViewArray, RecordBatch, UInt32Array};
use arrow::buffer::Buffer;
use arrow::compute::take;
use arrow::datatypes::{ByteViewType, DataType};
use hashbrown::{HashMap, HashSet};
use tidegate_types::{Error, Result};

/// Buffers of a text column from which on the texts of a full chunk are copied together.
const MANY_BUFFERS: usize = 16;
/// Texts that are looked at to find out whether they repeat.
const SAMPLE: usize = 256;
/// Longest text that is held in its view.
const INLINE: u32 = 12;

/// Which columns of texts are copied.
#[derive(Clone, Copy)]
enum Copied {
    All,
    /// Those in many buffers.
    OfMany,
    /// Those whose buffers hold mostly other rows' texts.
    Sparse,
}

/// The same rows with texts of their own.
///
/// # Errors
/// `INTERNAL` on a defect of Arrow building.
pub(crate) fn own(rows: &RecordBatch) -> Result<RecordBatch> {
    compacted(rows, Copied::All)
}

/// The same if texts are in many buffers.
///
/// # Errors
/// As [`own`].
pub(crate) fn own_if_many(rows: &RecordBatch) -> Result<RecordBatch> {
    compacted(rows, Copied::OfMany)
}

/// The same for texts whose buffers hold mostly other rows'.
///
/// # Errors
/// As [`own`].
pub(crate) fn own_if_sparse(rows: &RecordBatch) -> Result<RecordBatch> {
    compacted(rows, Copied::Sparse)
}

fn compacted(rows: &RecordBatch, which: Copied) -> Result<RecordBatch> {
    let columns = rows.columns().iter().map(|column| match column.data_type() {
        DataType::Utf8View => copied(column, column.as_string_view(), which),
        DataType::BinaryView => copied(column, column.as_binary_view(), which),
        _ => Ok(column.clone()),
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    if columns.is_empty() {
        return Ok(rows.clone());
    }
    RecordBatch::try_new(rows.schema(), columns).map_err(|error| Error::internal(error.to_string()))
}

fn copied<T: ByteViewType>(
    column: &ArrayRef,
    texts: &GenericByteViewArray<T>,
    which: Copied,
) -> Result<ArrayRef> {
    let buffers = texts.data_buffers();
    let copies = match which {
        Copied::All => !buffers.is_empty(),
        Copied::OfMany => buffers.len() > MANY_BUFFERS,
        Copied::Sparse => {
            let lengths = texts.views().iter().map(|view| *view as u32);
            let long = lengths.filter(|length| *length > INLINE);
            let used: usize = long.map(|length| length as usize).sum();
            used * 2 < buffers.iter().map(Buffer::capacity).sum()
        }
    };
    if !copies {
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

    #[test]
    fn texts_are_copied_where_most_of_their_buffers_is_not_used() {
        let texts = (0..1000).map(|number| Some(format!("a text of some length, {number}")));
        let all = rows(texts.collect());
        let few = all.slice(0, 100);
        let held = |rows: &RecordBatch| -> usize {
            rows.column(0).as_string_view().data_buffers().iter().map(Buffer::capacity).sum()
        };
        assert_eq!(held(&few), held(&all));
        let copied = own_if_sparse(&few).unwrap();
        assert_eq!(copied, few);
        assert!(held(&copied) < held(&all) / 5, "{}", held(&copied));
        assert_eq!(held(&own_if_sparse(&copied).unwrap()), held(&copied));
    }
}
