//! Finding the entry of a row that is updated or taken back: by the input's key, else by all columns.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::DataType;
use tidegate_types::Result;

use super::{Links, hashes_of};
use crate::keys::KeyTable;

/// Entries by what tells rows apart.
pub(crate) struct Identity {
    columns: Vec<usize>,
    ids: KeyTable,
    entries: Links,
    /// By entry its id.
    of: Vec<u32>,
}

impl Identity {
    /// By these columns, of these types.
    pub(crate) fn new(columns: Vec<usize>, types: &[DataType]) -> Result<Self> {
        let types: Vec<_> = columns.iter().map(|column| types[*column].clone()).collect();
        let ids = KeyTable::new(&types)?;
        Ok(Self { columns, ids, entries: Links::default(), of: Vec::new() })
    }

    /// An id per row of a batch. Those that no entry has in the end must be given back, see
    /// [`Identity::sweep`].
    pub(crate) fn ids(&mut self, rows: &RecordBatch) -> Result<Vec<u32>> {
        let columns: Vec<ArrayRef> =
            self.columns.iter().map(|column| rows.column(*column).clone()).collect();
        let mut ids = Vec::new();
        self.ids.upsert(&columns, &hashes_of(&columns, rows.num_rows())?, &mut ids)?;
        Ok(ids)
    }

    /// Notes an entry of an id.
    pub(crate) fn add(&mut self, id: u32, entry: u32) {
        self.of.resize(self.of.len().max(entry as usize + 1), 0);
        self.of[entry as usize] = id;
        self.entries.add(id, entry);
    }

    /// The entry of an id with the lowest number.
    pub(crate) fn first(&self, id: u32, number: impl Fn(u32) -> i64) -> Option<u32> {
        self.entries.of(id).min_by_key(|entry| number(*entry))
    }

    /// Forgets an entry; its id must be swept.
    pub(crate) fn remove(&mut self, entry: u32) -> u32 {
        self.entries.remove(entry);
        self.of[entry as usize]
    }

    /// Gives back ids that no entry has, of those named.
    pub(crate) fn sweep(&mut self, mut ids: Vec<u32>) {
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| self.entries.of(*id).next().is_none());
        ids.iter().for_each(|id| self.ids.remove(*id));
    }

    /// Bytes held.
    pub(crate) fn memory_size(&self) -> usize {
        self.ids.memory_size() + self.entries.memory_size() + self.of.capacity() * 4
    }
}
