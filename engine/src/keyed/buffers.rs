//! What batches that are kept take.

use arrow::array::{Array, ArrayData, RecordBatch};
use hashbrown::HashSet;

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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringViewArray};

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
}
