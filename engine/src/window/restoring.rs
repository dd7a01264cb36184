//! Restored entries that have to be seen together, by key, before state is made of them: they are
//! collected as they come, and on local disk in parts by the keys' hashes if they are too many.

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use tidegate_types::{Error, Result};

use super::slice_state::{PARTITIONS, partition_of};
use crate::keys::hash::hash_columns;
use crate::spill::{Block, SpillFolder};

/// Entries in the order in which they came.
#[derive(Default)]
pub(super) struct Restoring {
    batches: Vec<RecordBatch>,
    bytes: usize,
    /// By partition; empty if nothing is on disk.
    parts: Vec<Vec<Block>>,
}

impl Restoring {
    /// Adds entries.
    pub(super) fn push(&mut self, entries: RecordBatch) {
        if entries.num_rows() > 0 {
            self.bytes += entries.get_array_memory_size();
            self.batches.push(entries);
        }
    }

    /// Bytes in memory.
    pub(super) fn memory_size(&self) -> usize {
        self.bytes
    }

    /// Moves what is in memory to local disk.
    pub(super) fn spill(&mut self, keys: &[usize], folder: &SpillFolder) -> Result<()> {
        let mut rows: Vec<Vec<RecordBatch>> = vec![Vec::new(); PARTITIONS as usize];
        let mut hashes = Vec::new();
        for batch in std::mem::take(&mut self.batches) {
            hash_columns(&batch, keys, &mut hashes)?;
            let mut places: Vec<Vec<u32>> = vec![Vec::new(); PARTITIONS as usize];
            for (row, hash) in hashes.iter().enumerate() {
                places[partition_of(*hash) as usize].push(row as u32);
            }
            for (part, places) in rows.iter_mut().zip(places).filter(|(_, rows)| !rows.is_empty()) {
                let taken = take_record_batch(&batch, &UInt32Array::from(places));
                part.push(taken.map_err(|error| Error::internal(error.to_string()))?);
            }
        }
        self.bytes = 0;
        self.parts.resize(PARTITIONS as usize, Vec::new());
        let mut writer = folder.create()?;
        for (part, rows) in self.parts.iter_mut().zip(rows).filter(|(_, rows)| !rows.is_empty()) {
            part.push(writer.write(&rows)?);
        }
        Ok(())
    }

    /// Takes everything, in parts of which each holds all entries of its keys.
    pub(super) fn take(
        &mut self,
        keys: &[usize],
        folder: &SpillFolder,
    ) -> Result<Vec<RestoredPart>> {
        if self.parts.is_empty() {
            let batches = std::mem::take(self).batches;
            return Ok(vec![RestoredPart { batches, blocks: Vec::new() }]);
        }
        self.spill(keys, folder)?;
        let parts = std::mem::take(self).parts.into_iter();
        Ok(parts.map(|blocks| RestoredPart { batches: Vec::new(), blocks }).collect())
    }
}

/// All entries of some keys.
pub(super) struct RestoredPart {
    batches: Vec<RecordBatch>,
    blocks: Vec<Block>,
}

impl RestoredPart {
    /// The entries.
    pub(super) fn load(self) -> Result<Vec<RecordBatch>> {
        let mut batches = self.batches;
        for block in self.blocks {
            batches.extend(block.read()?);
        }
        Ok(batches)
    }
}
