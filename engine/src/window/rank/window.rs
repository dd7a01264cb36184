//! The first rows of each partition of one window: in memory, and in blocks on local disk. The rows
//! of a partition may be in several places; those in memory came after those on disk.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::{interleave_record_batch, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::row::{OwnedRow, RowConverter};
use tidegate_types::{Error, Result};

use super::super::row_store::own;
use super::super::slice_state::{PARTITIONS, partition_of};
use crate::keys::KeyTable;
use crate::keys::hash::hash_columns;
use crate::spill::{Block, SpillWriter};

/// Rows in a window's batches below which compaction is not worth it.
const COMPACT_MIN: usize = 16_384;
/// Rows below which what is spilled is not cut into parts.
const PARTITION_MIN: usize = if cfg!(test) { 4 } else { 16 << 10 };
/// What a small allocation takes beyond its length.
const ALLOCATION: usize = 16;

/// How rows are partitioned and ordered, and how they look on disk.
pub(super) struct RankSpec {
    pub(super) keys: Vec<usize>,
    pub(super) key_types: Vec<DataType>,
    /// Columns of the order.
    pub(super) order: Vec<usize>,
    pub(super) sort: RowConverter,
    /// Most rows of a partition.
    pub(super) limit: usize,
    pub(super) input: SchemaRef,
    /// `window_end`, `window_start`, then the input's columns.
    pub(super) state: SchemaRef,
}

impl RankSpec {
    /// Rows of the input from entries of the state table.
    pub(super) fn rows(&self, entries: &RecordBatch) -> Result<RecordBatch> {
        RecordBatch::try_new(self.input.clone(), entries.columns()[2..].to_vec())
            .map_err(|error| Error::internal(format!("rows of a rank: {error}")))
    }

    /// Entries of the state table from rows of a window `(end, start)`.
    pub(super) fn entries(
        &self,
        (end, start): (i64, i64),
        rows: &RecordBatch,
    ) -> Result<RecordBatch> {
        let bounds = [end, start]
            .map(|bound| Arc::new(Int64Array::from_value(bound, rows.num_rows())) as ArrayRef);
        let columns = bounds.into_iter().chain(rows.columns().iter().cloned()).collect();
        RecordBatch::try_new(self.state.clone(), columns)
            .map_err(|error| Error::internal(format!("window rank state: {error}")))
    }
}

/// The first rows of one window.
pub(super) struct Window {
    keys: KeyTable,
    pub(super) partitions: Vec<Vec<Entry>>,
    batches: Vec<RecordBatch>,
    /// Rows in `batches`, and how many of them are referenced.
    rows: usize,
    live: usize,
    /// Bytes of `batches`, and of what is in `partitions`.
    batch_bytes: usize,
    entry_bytes: usize,
    /// Older rows first.
    blocks: Vec<RankBlock>,
}

/// A row among the first.
pub(super) struct Entry {
    sort: OwnedRow,
    batch: u32,
    row: u32,
    /// A snapshot holds it.
    saved: bool,
}

struct RankBlock {
    block: Block,
    /// The part of all its rows; `None`: any.
    part: Option<u32>,
    saved: bool,
}

impl Window {
    pub(super) fn new(spec: &RankSpec) -> Result<Self> {
        Ok(Self {
            keys: KeyTable::new(&spec.key_types)?,
            partitions: Vec::new(),
            batches: Vec::new(),
            rows: 0,
            live: 0,
            batch_bytes: 0,
            entry_bytes: 0,
            blocks: Vec::new(),
        })
    }

    /// Adds rows, with the hashes of their keys.
    pub(super) fn add(
        &mut self,
        rows: RecordBatch,
        hashes: &[u64],
        saved: impl Fn(usize) -> bool,
        spec: &RankSpec,
    ) -> Result<()> {
        let columns = |places: &[usize]| -> Vec<ArrayRef> {
            places.iter().map(|column| rows.column(*column).clone()).collect()
        };
        let sort = spec.sort.convert_columns(&columns(&spec.order));
        let sort = sort.map_err(|e| Error::internal(e.to_string()))?;
        let mut slots = Vec::new();
        self.keys.upsert(&columns(&spec.keys), hashes, &mut slots)?;
        self.partitions.resize_with(self.keys.len(), Vec::new);
        let batch = self.batches.len() as u32;
        let mut used = false;
        for (row, slot) in slots.iter().enumerate() {
            let entries = &mut self.partitions[*slot as usize];
            let key = sort.row(row);
            if entries.len() >= spec.limit
                && entries.last().is_none_or(|last| last.sort.row() <= key)
            {
                continue;
            }
            let before = entries.capacity();
            let place = entries.partition_point(|entry| entry.sort.row() <= key);
            let entry = Entry { sort: key.owned(), batch, row: row as u32, saved: saved(row) };
            self.entry_bytes += entry.heap_size();
            entries.insert(place, entry);
            self.entry_bytes += (entries.capacity() - before) * size_of::<Entry>();
            self.live += 1;
            used = true;
            if entries.len() > spec.limit
                && let Some(last) = entries.pop()
            {
                self.entry_bytes -= last.heap_size();
                self.live -= 1;
            }
        }
        if used {
            self.rows += rows.num_rows();
            self.batch_bytes += rows.get_array_memory_size();
            self.batches.push(rows);
        }
        if self.rows >= COMPACT_MIN && self.live * 2 <= self.rows {
            self.compact()?;
        }
        Ok(())
    }

    /// The rows at some places `(batch, row)`.
    pub(super) fn gather(&self, places: &[(usize, usize)]) -> Result<RecordBatch> {
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        interleave_record_batch(&batches, places).map_err(|e| Error::internal(e.to_string()))
    }

    /// Keeps only referenced rows.
    fn compact(&mut self) -> Result<()> {
        if self.live == 0 {
            (self.batches, self.rows, self.batch_bytes) = (Vec::new(), 0, 0);
            return Ok(());
        }
        let places: Vec<_> = self.partitions.iter().flatten().map(Entry::place).collect();
        let kept = own(&self.gather(&places)?)?;
        for (row, entry) in self.partitions.iter_mut().flatten().enumerate() {
            entry.batch = 0;
            entry.row = row as u32;
        }
        self.rows = kept.num_rows();
        self.batch_bytes = kept.get_array_memory_size();
        self.batches = vec![kept];
        Ok(())
    }

    /// Whether rows are on disk.
    pub(super) fn has_blocks(&self) -> bool {
        !self.blocks.is_empty()
    }

    /// Rows in memory and on disk.
    pub(super) fn entries(&self) -> usize {
        self.live + self.blocks.iter().map(|block| block.block.rows()).sum::<usize>()
    }

    /// Bytes in memory (shared buffers count whole).
    pub(super) fn memory_size(&self) -> usize {
        self.batch_bytes
            + self.entry_bytes
            + self.partitions.capacity() * size_of::<Vec<Entry>>()
            + self.keys.memory_size()
            + self.blocks.capacity() * size_of::<RankBlock>()
    }

    /// Bytes on local disk.
    pub(super) fn spilled_bytes(&self) -> usize {
        self.blocks.iter().map(|block| block.block.bytes()).sum()
    }

    /// Writes the rows of parts from `from` on to local disk, about `most` rows; returns the next part,
    /// [`PARTITIONS`] after the last.
    pub(super) fn spill(
        &mut self,
        bounds: (i64, i64),
        from: u32,
        most: usize,
        spec: &RankSpec,
        writer: &mut SpillWriter,
    ) -> Result<u32> {
        let mut next = PARTITIONS;
        if from == 0 && self.live < PARTITION_MIN.min(most) {
            let all = (0..self.keys.len() as u32).collect();
            self.write(bounds, None, all, spec, writer)?;
        } else {
            let in_part = (self.live / (PARTITIONS - from.min(PARTITIONS - 1)) as usize).max(1);
            let parts = u32::try_from(most.div_ceil(in_part)).unwrap_or(PARTITIONS);
            next = from.saturating_add(parts).min(PARTITIONS);
            let mut slots = vec![Vec::new(); PARTITIONS as usize];
            for (slot, hash) in self.keys.hashes().iter().enumerate() {
                slots[partition_of(*hash) as usize].push(slot as u32);
            }
            for part in from..next {
                let slots = std::mem::take(&mut slots[part as usize]);
                self.write(bounds, Some(part), slots, spec, writer)?;
            }
        }
        if next == PARTITIONS {
            self.shrink(spec)?;
        }
        Ok(next)
    }

    /// Moves the rows of some slots to local disk: first those that a snapshot holds, which are older.
    fn write(
        &mut self,
        bounds: (i64, i64),
        part: Option<u32>,
        slots: Vec<u32>,
        spec: &RankSpec,
        writer: &mut SpillWriter,
    ) -> Result<()> {
        for saved in [true, false] {
            let entries = slots.iter().flat_map(|slot| &self.partitions[*slot as usize]);
            let places: Vec<_> =
                entries.filter(|entry| entry.saved == saved).map(Entry::place).collect();
            if !places.is_empty() {
                let rows = spec.entries(bounds, &own(&self.gather(&places)?)?)?;
                self.blocks.push(RankBlock { block: writer.write(&[rows])?, part, saved });
            }
        }
        for slot in slots {
            let entries = std::mem::take(&mut self.partitions[slot as usize]);
            let heap: usize = entries.iter().map(Entry::heap_size).sum();
            self.entry_bytes -= heap + entries.capacity() * size_of::<Entry>();
            self.live -= entries.len();
        }
        Ok(())
    }

    /// Forgets keys without rows in memory, and rows that nobody refers to.
    fn shrink(&mut self, spec: &RankSpec) -> Result<()> {
        self.compact()?;
        let kept = |slot: &u32| !self.partitions[*slot as usize].is_empty();
        let slots: Vec<u32> = (0..self.keys.len() as u32).filter(kept).collect();
        let hashes: Vec<u64> =
            slots.iter().map(|slot| self.keys.hashes()[*slot as usize]).collect();
        let mut keys = KeyTable::new(&spec.key_types)?;
        if !slots.is_empty() {
            // Keys come in the order of their slots, each once.
            keys.upsert(&self.keys.columns(&slots)?, &hashes, &mut Vec::new())?;
        }
        self.keys = keys;
        self.partitions.retain(|entries| !entries.is_empty());
        self.partitions.shrink_to_fit();
        Ok(())
    }

    /// The rows of one part, from disk and memory, as a window of their own.
    pub(super) fn part(&self, part: u32, spec: &RankSpec) -> Result<Self> {
        let mut merged = Self::new(spec)?;
        let blocks = self.blocks.iter().filter(|block| block.part.is_none_or(|of| of == part));
        for block in blocks {
            for entries in block.block.read()? {
                merged.add_part(spec.rows(&entries)?, part, spec)?;
            }
        }
        let hashes = self.keys.hashes();
        let slots = self.partitions.iter().zip(hashes);
        let own = slots.filter(|(_, hash)| partition_of(**hash) == part);
        let places: Vec<_> = own.flat_map(|(entries, _)| entries).map(Entry::place).collect();
        if !places.is_empty() {
            merged.add_part(self.gather(&places)?, part, spec)?;
        }
        Ok(merged)
    }

    fn add_part(&mut self, rows: RecordBatch, part: u32, spec: &RankSpec) -> Result<()> {
        let mut hashes = Vec::new();
        hash_columns(&rows, &spec.keys, &mut hashes)?;
        let of_part = |row: &u32| partition_of(hashes[*row as usize]) == part;
        let places: Vec<u32> = (0..rows.num_rows() as u32).filter(of_part).collect();
        if places.len() == rows.num_rows() {
            return self.add(rows, &hashes, |_| true, spec);
        }
        let hashes: Vec<u64> = places.iter().map(|row| hashes[*row as usize]).collect();
        let rows = take_record_batch(&rows, &UInt32Array::from(places))
            .map_err(|error| Error::internal(error.to_string()))?;
        self.add(rows, &hashes, |_| true, spec)
    }

    /// Rows on disk and in memory that no snapshot holds (or all); then one does.
    pub(super) fn take_unsaved(&mut self, all: bool) -> Result<(Vec<Block>, Option<RecordBatch>)> {
        let mut blocks = Vec::new();
        for block in &mut self.blocks {
            if !std::mem::replace(&mut block.saved, true) || all {
                blocks.push(block.block.clone());
            }
        }
        let mut places = Vec::new();
        for entry in self.partitions.iter_mut().flatten() {
            if !std::mem::replace(&mut entry.saved, true) || all {
                places.push(entry.place());
            }
        }
        let rows = if places.is_empty() { None } else { Some(self.gather(&places)?) };
        Ok((blocks, rows))
    }
}

impl Entry {
    pub(super) fn place(&self) -> (usize, usize) {
        (self.batch as usize, self.row as usize)
    }

    fn heap_size(&self) -> usize {
        self.sort.as_ref().len() + ALLOCATION
    }
}
