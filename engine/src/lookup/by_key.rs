//! Rows of an outside table, found by key.

use arrow::array::{ArrayRef, RecordBatch};
use tidegate_types::Result;

use crate::connector::Found;
use crate::keys::KeyTable;
use crate::keys::hash::{SEED, hash_array};

/// The rows by key.
pub struct RowsByKey {
    rows: RecordBatch,
    keys: KeyTable,
    starts: Vec<u32>,
    order: Vec<u32>,
}

/// Memory for searches, used again.
#[derive(Default)]
pub struct Search {
    hashes: Vec<u64>,
    slots: Vec<u32>,
}

impl RowsByKey {
    /// Rows by the key columns with these indices.
    ///
    /// # Errors
    /// `UNSUPPORTED` for types that cannot be keys.
    pub fn new(rows: RecordBatch, keys: &[usize]) -> Result<Self> {
        let columns: Vec<ArrayRef> = keys.iter().map(|key| rows.column(*key).clone()).collect();
        let types: Vec<_> = columns.iter().map(|column| column.data_type().clone()).collect();
        let mut table = KeyTable::new(&types)?;
        let (mut hashes, mut slots) = (vec![SEED; rows.num_rows()], Vec::new());
        columns.iter().try_for_each(|column| hash_array(column, &mut hashes))?;
        table.upsert(&columns, &hashes, &mut slots)?;
        // A counting sort of the rows by key, in their order.
        let mut starts = vec![0_u32; table.len() + 1];
        slots.iter().for_each(|slot| starts[*slot as usize + 1] += 1);
        for slot in 1..starts.len() {
            starts[slot] += starts[slot - 1];
        }
        let mut place = starts.clone();
        let mut order = vec![0; slots.len()];
        for (row, slot) in slots.iter().enumerate() {
            let next = &mut place[*slot as usize];
            order[*next as usize] = row as u32;
            *next += 1;
        }
        Ok(Self { rows, keys: table, starts, order })
    }

    /// The rows of each of some keys: one array per key column, of its type.
    ///
    /// # Errors
    /// `INTERNAL` for arrays of other types.
    pub fn find(&self, keys: &[ArrayRef], search: &mut Search) -> Result<Found> {
        let count = keys.first().map_or(0, |key| key.len());
        search.hashes.clear();
        search.hashes.resize(count, SEED);
        keys.iter().try_for_each(|key| hash_array(key, &mut search.hashes))?;
        self.keys.find(keys, &search.hashes, &mut search.slots)?;
        let mut starts = Vec::with_capacity(count + 1);
        let mut order = Vec::with_capacity(count);
        starts.push(0);
        for slot in search.slots.iter().map(|slot| *slot as usize) {
            // A key that is not there has a slot behind the last.
            if slot < self.keys.len() {
                let rows = self.starts[slot] as usize..self.starts[slot + 1] as usize;
                order.extend_from_slice(&self.order[rows]);
            }
            starts.push(order.len() as u32);
        }
        Ok(Found { rows: self.rows.clone(), starts, order })
    }
}
