//! Rows that wait for the end of their session: they stay in the batches they came in until most
//! rows of the store are dead. Which row belongs to what is kept by the owner, as references.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::compute::{filter_record_batch, interleave_record_batch};
use arrow::datatypes::DataType;
use hashbrown::HashMap;
use tidegate_types::{Error, Result};

/// Rows in the store below which compaction is not worth it.
const COMPACT_MIN: usize = 16_384;
/// Rows of a batch that compaction makes.
const COMPACT_ROWS: usize = 8_192;

/// A row of a [`RowStore`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowRef {
    /// Place of the batch.
    pub(super) batch: u32,
    /// Row in it.
    pub(super) row: u32,
}

/// Batches with live and dead rows.
#[derive(Default)]
pub(super) struct RowStore {
    batches: Vec<Option<Stored>>,
    free: Vec<u32>,
    /// Rows in the batches, and how many of them are live.
    rows: usize,
    live: usize,
    /// Least rows that are worth compaction.
    compact_min: usize,
    /// Bytes of the batches.
    bytes: usize,
}

struct Stored {
    rows: RecordBatch,
    alive: BooleanBufferBuilder,
    live: usize,
    /// A snapshot holds the rows.
    saved: bool,
}

impl RowStore {
    /// An empty store.
    pub(super) fn new() -> Self {
        Self { compact_min: COMPACT_MIN, ..Self::default() }
    }

    /// The same, compacted from so many rows on.
    #[cfg(test)]
    pub(super) fn compacting_from(rows: usize) -> Self {
        Self { compact_min: rows, ..Self::default() }
    }

    /// No rows, and compacted as this one.
    pub(super) fn empty(&self) -> Self {
        Self { compact_min: self.compact_min, ..Self::default() }
    }

    /// Whether a snapshot holds a row.
    pub(super) fn is_saved(&self, row: RowRef) -> bool {
        self.batches[row.batch as usize].as_ref().is_some_and(|stored| stored.saved)
    }

    /// Whether every batch is gone.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0 && self.live == 0 && self.batches.iter().all(Option::is_none)
    }

    /// Rows that are referred to.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// A place for a batch, so that references can be made before it is known which rows live.
    pub(super) fn reserve(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.batches.push(None);
            (self.batches.len() - 1) as u32
        })
    }

    /// Puts a batch into its place; rows of `alive` are live.
    pub(super) fn fill(&mut self, batch: u32, rows: RecordBatch, alive: &[u32], saved: bool) {
        if alive.is_empty() {
            self.free.push(batch);
            return;
        }
        let mut bits = BooleanBufferBuilder::new(rows.num_rows());
        bits.append_n(rows.num_rows(), false);
        alive.iter().for_each(|row| bits.set_bit(*row as usize, true));
        self.rows += rows.num_rows();
        self.live += alive.len();
        let stored = Stored { rows, alive: bits, live: alive.len(), saved };
        self.bytes += stored.memory_size();
        self.batches[batch as usize] = Some(stored);
    }

    /// The rows that are referred to, in that order.
    pub(super) fn gather(&self, refs: &[RowRef]) -> Result<RecordBatch> {
        let mut batches: Vec<&RecordBatch> = Vec::new();
        let mut dense: HashMap<u32, usize> = HashMap::new();
        let mut places = Vec::with_capacity(refs.len());
        for RowRef { batch, row } in refs {
            let index = match dense.get(batch) {
                Some(index) => *index,
                None => {
                    let stored = self.batches[*batch as usize].as_ref();
                    batches.push(&stored.ok_or_else(|| Error::internal("a row is gone"))?.rows);
                    dense.insert(*batch, batches.len() - 1);
                    batches.len() - 1
                }
            };
            places.push((index, *row as usize));
        }
        interleave_record_batch(&batches, &places).map_err(|e| Error::internal(e.to_string()))
    }

    /// Rows are dead: nobody refers to them any more.
    pub(super) fn release(&mut self, refs: &[RowRef]) {
        for RowRef { batch, row } in refs {
            let Some(stored) = &mut self.batches[*batch as usize] else { continue };
            stored.alive.set_bit(*row as usize, false);
            stored.live -= 1;
            self.live -= 1;
            if stored.live == 0 {
                self.rows -= stored.rows.num_rows();
                self.bytes -= stored.memory_size();
                self.batches[*batch as usize] = None;
                self.free.push(*batch);
            }
        }
    }

    /// Whether less than half of the rows are live, and enough of them are dead.
    pub(super) fn is_sparse(&self) -> bool {
        self.rows >= self.compact_min && self.live * 2 < self.rows
    }

    /// Keeps only live rows; `refs` are all references, which then point to their new places.
    pub(super) fn compact<'a>(&mut self, refs: impl Iterator<Item = &'a mut RowRef>) -> Result<()> {
        let saved =
            |r: &RowRef| self.batches[r.batch as usize].as_ref().is_some_and(|stored| stored.saved);
        let (mut old, mut new): (Vec<_>, Vec<_>) = refs.partition(|r| saved(r));
        let mut compacted = Self::default();
        for (group, saved) in [(&mut old, true), (&mut new, false)] {
            for chunk in group.chunks_mut(COMPACT_ROWS) {
                let places: Vec<RowRef> = chunk.iter().map(|r| **r).collect();
                let kept = own(&self.gather(&places)?)?;
                let all: Vec<u32> = (0..kept.num_rows() as u32).collect();
                let batch = compacted.reserve();
                chunk.iter_mut().zip(&all).for_each(|(r, row)| **r = RowRef { batch, row: *row });
                compacted.fill(batch, kept, &all, saved);
            }
        }
        *self = Self { compact_min: self.compact_min, ..compacted };
        Ok(())
    }

    /// The live rows that no snapshot holds yet (or all live rows), which one then does.
    pub(super) fn take_unsaved(&mut self, all: bool) -> Result<Vec<RecordBatch>> {
        let mut taken = Vec::new();
        for stored in self.batches.iter_mut().flatten() {
            if std::mem::replace(&mut stored.saved, true) && !all {
                continue;
            }
            if stored.live == stored.rows.num_rows() {
                taken.push(stored.rows.clone());
                continue;
            }
            let alive = BooleanArray::new(stored.alive.finish_cloned(), None);
            let live = filter_record_batch(&stored.rows, &alive);
            taken.push(live.map_err(|e| Error::internal(e.to_string()))?);
        }
        Ok(taken)
    }

    /// Bytes held (shared buffers count whole).
    pub(super) fn memory_size(&self) -> usize {
        self.bytes + self.batches.capacity() * size_of::<Option<Stored>>()
    }
}

impl Stored {
    fn memory_size(&self) -> usize {
        self.rows.get_array_memory_size() + self.alive.capacity() / 8
    }
}

/// The same rows without the text of rows that are not among them.
pub(super) fn own(rows: &RecordBatch) -> Result<RecordBatch> {
    let owned = |column: &ArrayRef| -> ArrayRef {
        match column.data_type() {
            DataType::Utf8View => Arc::new(column.as_string_view().gc()),
            DataType::BinaryView => Arc::new(column.as_binary_view().gc()),
            _ => column.clone(),
        }
    };
    RecordBatch::try_new(rows.schema(), rows.columns().iter().map(owned).collect())
        .map_err(|error| Error::internal(error.to_string()))
}
