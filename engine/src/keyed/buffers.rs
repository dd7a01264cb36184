//! What batches that are kept take, and copies of them that take no more than they need.

use std::sync::Arc;

use arrow::array::{Array, ArrayData, ArrayRef, AsArray, GenericByteViewArray, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::{ByteViewType, DataType};
use arrow::error::ArrowError;
use hashbrown::HashSet;

/// Longest text that is held in its view.
const INLINE: u32 = 12;

/// Bytes that batches hold together: they may share buffers, each of which counts once.
#[derive(Debug, Default)]
pub(crate) struct SharedBytes {
    /// Addresses of buffers that are counted.
    known: HashSet<usize>,
    bytes: usize,
}

impl SharedBytes {
    /// Counts a batch.
    pub(crate) fn add(&mut self, rows: &RecordBatch) {
        rows.columns().iter().for_each(|column| self.add_data(&column.to_data()));
    }

    fn add_data(&mut self, data: &ArrayData) {
        let nulls = data.nulls().map(|nulls| nulls.buffer());
        for buffer in data.buffers().iter().chain(nulls) {
            if self.known.insert(buffer.data_ptr().as_ptr() as usize) {
                self.bytes += buffer.capacity();
            }
        }
        data.child_data().iter().for_each(|child| self.add_data(child));
    }

    /// Bytes counted.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.known.capacity() * size_of::<usize>()
    }
}

/// The same rows with texts of their own.
///
/// # Errors
/// On a defect of Arrow building.
pub(crate) fn own(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    with_texts(rows, |_, _| true)
}

/// The same rows; columns of texts whose buffers hold mostly other rows' get buffers of their own.
///
/// # Errors
/// On a defect of Arrow building.
pub(crate) fn own_if_sparse(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    with_texts(rows, |held, used| used * 2 < held)
}

/// Copies the columns of texts of whose buffers' bytes, and of those that its rows use, `copies` is true.
fn with_texts(
    rows: &RecordBatch,
    copies: impl Fn(usize, usize) -> bool,
) -> Result<RecordBatch, ArrowError> {
    fn gc<T: ByteViewType>(
        column: &ArrayRef,
        texts: &GenericByteViewArray<T>,
        copies: impl Fn(usize, usize) -> bool,
    ) -> ArrayRef {
        let held = texts.data_buffers().iter().map(Buffer::capacity).sum();
        let lengths = texts.views().iter().map(|view| *view as u32);
        let used = lengths.filter(|length| *length > INLINE).map(|length| length as usize).sum();
        if copies(held, used) { Arc::new(texts.gc()) } else { column.clone() }
    }
    let columns = rows.columns().iter().map(|column| match column.data_type() {
        DataType::Utf8View => gc(column, column.as_string_view(), &copies),
        DataType::BinaryView => gc(column, column.as_binary_view(), &copies),
        _ => column.clone(),
    });
    let columns: Vec<ArrayRef> = columns.collect();
    if columns.is_empty() {
        return Ok(rows.clone());
    }
    RecordBatch::try_new(rows.schema(), columns)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringViewArray};

    use super::*;

    fn rows() -> RecordBatch {
        let texts: StringViewArray =
            (0..1000).map(|number| Some(format!("a text of some length, {number}"))).collect();
        let numbers = Int64Array::from_iter_values(0..1000);
        let columns: Vec<(&str, ArrayRef)> =
            vec![("texts", Arc::new(texts)), ("numbers", Arc::new(numbers))];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn bytes(batches: &[RecordBatch]) -> usize {
        let mut shared = SharedBytes::default();
        batches.iter().for_each(|rows| shared.add(rows));
        shared.bytes
    }

    #[test]
    fn a_buffer_of_many_batches_counts_once() {
        let rows = rows();
        let parts: Vec<RecordBatch> = (0..10).map(|part| rows.slice(part * 100, 100)).collect();
        let all = bytes(std::slice::from_ref(&rows));
        assert!(all > 24_000 + 24_000, "{all}");
        assert_eq!(bytes(&parts), all);
    }

    #[test]
    fn texts_are_copied_where_most_of_their_buffers_is_not_used() {
        let rows = rows();
        let few = rows.slice(0, 100);
        let held = |rows: &RecordBatch| -> usize {
            rows.column(0).as_string_view().data_buffers().iter().map(Buffer::capacity).sum()
        };
        assert_eq!(held(&few), held(&rows));
        let copied = own_if_sparse(&few).unwrap();
        assert_eq!(copied, few);
        assert!(held(&copied) < held(&rows) / 5, "{}", held(&copied));
        assert_eq!(held(&own_if_sparse(&copied).unwrap()), held(&copied));
    }
}
