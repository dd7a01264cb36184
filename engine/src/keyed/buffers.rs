//! Bytes of batches that share buffers of texts: each buffer counts once.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::DataType;
use hashbrown::HashSet;

/// What batches hold together.
#[derive(Debug, Default)]
pub(crate) struct SharedBytes {
    /// Addresses of buffers that are counted.
    known: HashSet<usize>,
    bytes: usize,
}

impl SharedBytes {
    /// Counts a batch.
    pub(crate) fn add(&mut self, rows: &RecordBatch) {
        rows.columns().iter().for_each(|column| self.add_column(column));
    }

    fn add_column(&mut self, column: &ArrayRef) {
        let texts: &[Buffer] = match column.data_type() {
            DataType::Utf8View => column.as_string_view().data_buffers(),
            DataType::BinaryView => column.as_binary_view().data_buffers(),
            _ => &[],
        };
        let all: usize = texts.iter().map(Buffer::capacity).sum();
        self.bytes += column.get_array_memory_size() - all;
        for buffer in texts {
            if self.known.insert(buffer.data_ptr().as_ptr() as usize) {
                self.bytes += buffer.capacity();
            }
        }
    }

    /// Bytes counted.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.known.capacity() * size_of::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringViewArray};

    use super::*;

    #[test]
    fn a_buffer_of_many_batches_counts_once() {
        let texts: StringViewArray =
            (0..1000).map(|number| Some(format!("a text of some length, {number}"))).collect();
        let numbers = Int64Array::from_iter_values(0..1000);
        let columns: Vec<(&str, ArrayRef)> =
            vec![("texts", Arc::new(texts)), ("numbers", Arc::new(numbers))];
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        let mut shared = SharedBytes::default();
        (0..10).for_each(|part| shared.add(&rows.slice(part * 100, 100)));
        let texts: usize =
            rows.column(0).as_string_view().data_buffers().iter().map(Buffer::capacity).sum();
        assert!(texts > 20_000);
        // Views and numbers are counted as often as they are named, since each slice keeps all of them.
        let others = rows.get_array_memory_size() - texts;
        assert!(shared.bytes() >= others * 10 + texts, "{}", shared.bytes());
        assert!(shared.bytes() < others * 11 + texts * 2, "{}", shared.bytes());
    }
}
