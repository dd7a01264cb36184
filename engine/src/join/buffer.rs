//! Rows that wait, in the order in which they came.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use tidegate_types::{Error, Result};

use crate::texts::own;

/// Rows of a batch that is not made longer.
const ENOUGH: usize = 8_192;

/// Batches of rows: those that a snapshot holds, then the others.
#[derive(Default)]
pub(super) struct Buffer {
    saved: Vec<RecordBatch>,
    /// Each at least twice as long as the next, up to [`ENOUGH`].
    fresh: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

impl Buffer {
    /// Adds rows; `saved`: a snapshot holds them.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(super) fn push(&mut self, rows: RecordBatch, saved: bool) -> Result<()> {
        let rows = own(&rows)?;
        self.rows += rows.num_rows();
        self.bytes += rows.get_array_memory_size();
        if saved {
            self.saved.push(rows);
            return Ok(());
        }
        self.fresh.push(rows);
        while let [.., one, other] = self.fresh.as_slice()
            && one.num_rows() <= 2 * other.num_rows()
            && one.num_rows() + other.num_rows() <= ENOUGH
        {
            let parts = self.fresh.split_off(self.fresh.len() - 2);
            let before: usize = parts.iter().map(RecordBatch::get_array_memory_size).sum();
            let joined = concat_batches(&parts[0].schema(), &parts)
                .map_err(|error| Error::internal(error.to_string()))?;
            self.bytes = self.bytes - before + joined.get_array_memory_size();
            self.fresh.push(joined);
        }
        Ok(())
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes held.
    pub(super) fn memory_size(&self) -> usize {
        self.bytes + (self.saved.len() + self.fresh.len()) * size_of::<RecordBatch>()
    }

    /// What no snapshot holds (or everything), which then one does.
    pub(super) fn take_unsaved(&mut self, all: bool) -> Vec<RecordBatch> {
        let from = if all { 0 } else { self.saved.len() };
        self.saved.append(&mut self.fresh);
        self.saved[from..].to_vec()
    }

    /// The rows.
    pub(super) fn into_batches(mut self) -> Vec<RecordBatch> {
        self.saved.append(&mut self.fresh);
        self.saved
    }
}
