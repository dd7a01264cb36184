//! Rows that wait, and rows that candidates have: entries of one state table, so that a row is written once.
//!
//! State table: the key, a number in order of arrival, the row.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use hashbrown::HashMap;
use tidegate_types::{Error, KeyGroupRange, Result};

use crate::keyed::{Copier, EntryLayout, Journal, SlotRows, SlotValues, hashes_of};
use crate::keys::{KeyTable, NO_SLOT};
use crate::operator::{Copied, OperatorContext, SnapshotRequest, TableSnapshot};

/// In place of an entry: no row.
pub(super) const NO_ROW: u32 = u32::MAX;

/// Rows by entry. Their keys are columns of theirs.
pub(super) struct RowTable {
    layout: EntryLayout,
    keys: Vec<usize>,
    rows: SlotRows,
    numbers: Vec<i64>,
    next_number: i64,
    free: Vec<u32>,
    live: usize,
    journal: Journal,
    copier: Copier,
    restoring: Option<Restoring>,
}

/// Entries by key and number.
struct Restoring {
    keys: KeyTable,
    entries: HashMap<(u32, i64), u32>,
}

impl RowTable {
    /// No rows of these columns, of which `keys` are the key.
    pub(super) fn new(table: &'static str, keys: &[usize], schema: SchemaRef) -> Self {
        let rows = SlotRows::new(schema);
        let types = rows.types();
        let of_key = keys.iter().map(|key| types[*key].clone());
        let stored: Vec<DataType> = of_key.chain([DataType::Int64]).collect();
        Self {
            layout: EntryLayout::new(table, &stored, keys.len(), &types),
            keys: keys.to_vec(),
            rows,
            numbers: Vec::new(),
            next_number: 0,
            free: Vec::new(),
            live: 0,
            journal: Journal::default(),
            copier: Copier::default(),
            restoring: None,
        }
    }

    /// Entries in use.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// The number of an entry: later ones are higher.
    pub(super) fn number(&self, entry: u32) -> i64 {
        self.numbers[entry as usize]
    }

    /// Adds rows of a batch: their entries.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(super) fn add(&mut self, rows: &[u32], batch: &RecordBatch) -> Result<Vec<u32>> {
        let entries: Vec<u32> = rows
            .iter()
            .map(|_| {
                let number = self.next_number;
                self.next_number += 1;
                self.make(number)
            })
            .collect();
        self.journal.add(&entries, self.numbers.len());
        self.journal.touch(&entries);
        self.rows.resize(self.numbers.len());
        self.rows.set(&entries, rows, batch)?;
        Ok(entries)
    }

    fn make(&mut self, number: i64) -> u32 {
        let entry = self.free.pop().unwrap_or_else(|| {
            self.numbers.push(0);
            (self.numbers.len() - 1) as u32
        });
        self.numbers[entry as usize] = number;
        self.live += 1;
        entry
    }

    /// Removes entries, each named once.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(super) fn remove(&mut self, entries: &[u32]) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut copier = std::mem::take(&mut self.copier);
        let captured = copier.capture(entries, |entries| self.batch(entries));
        self.copier = copier;
        captured?;
        let stored: Vec<u32> =
            entries.iter().copied().filter(|entry| self.journal.vacate(*entry)).collect();
        if !stored.is_empty() {
            self.journal.gone(stored.len(), self.stored_keys(&stored)?);
        }
        for entry in entries {
            self.rows.clear(*entry);
            self.free.push(*entry);
        }
        self.live -= entries.len();
        Ok(())
    }

    /// Columns of the rows of entries, NULLs for [`NO_ROW`].
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(super) fn gather(&self, entries: &[u32], columns: &[usize]) -> Result<Vec<ArrayRef>> {
        if columns.is_empty() {
            return Ok(Vec::new());
        }
        if !entries.contains(&NO_ROW) {
            return self.rows.gather_columns(entries, columns);
        }
        let present: Vec<u32> = entries.iter().copied().filter(|entry| *entry != NO_ROW).collect();
        let gathered = self.rows.gather_columns(&present, columns)?;
        let mut next = 0_u32;
        let places = entries.iter().map(|entry| {
            (*entry != NO_ROW).then(|| {
                next += 1;
                next - 1
            })
        });
        let places: arrow::array::UInt32Array = places.collect();
        let spread = gathered.iter().map(|column| arrow::compute::take(column, &places, None));
        spread.collect::<std::result::Result<_, _>>().map_err(super::internal)
    }

    /// The keys of entries.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(super) fn keys_of(&self, entries: &[u32]) -> Result<Vec<ArrayRef>> {
        self.gather(entries, &self.keys)
    }

    fn stored_keys(&self, entries: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut columns = self.keys_of(entries)?;
        let numbers = entries.iter().map(|entry| self.number(*entry));
        columns.push(Arc::new(Int64Array::from_iter_values(numbers)));
        Ok(columns)
    }

    fn batch(&self, entries: &[u32]) -> Result<RecordBatch> {
        let used = Int64Array::new_null(entries.len());
        self.layout.live(self.stored_keys(entries)?, used, self.rows.gather(entries)?)
    }

    /// Begins a snapshot of the table as asked; [`RowTable::copy`] goes on with it.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(super) fn snapshot(&mut self, request: &SnapshotRequest) -> Result<TableSnapshot> {
        let due = self.journal.take(request.mode(self.layout.table()), self.live);
        self.copier.start(due, &self.layout, &self.journal, self.live)
    }

    /// Copies about `count` more entries of the last snapshot.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(super) fn copy(&mut self, count: usize) -> Result<Copied> {
        let mut copier = std::mem::take(&mut self.copier);
        let copied = copier.copy(self.layout.table(), count, |entries| self.batch(entries));
        self.copier = copier;
        copied
    }

    /// The last snapshot is not wanted any more.
    pub(super) fn abandon_copy(&mut self) {
        self.copier.abandon();
    }

    /// Takes restored rows of some key groups.
    ///
    /// # Errors
    /// `INCOMPATIBLE` for another layout.
    pub(super) fn restore(
        &mut self,
        (version, entries): (u16, &RecordBatch),
        groups: KeyGroupRange,
        context: Option<&OperatorContext>,
    ) -> Result<()> {
        let context = context.ok_or_else(|| Error::internal("restore before open"))?;
        let taken = self.layout.take(version, entries, groups, context)?;
        let mut restoring = match self.restoring.take() {
            Some(restoring) => restoring,
            None => {
                let types = self.rows.types();
                let types: Vec<DataType> =
                    self.keys.iter().map(|key| types[*key].clone()).collect();
                Restoring { keys: KeyTable::new(&types)?, entries: HashMap::new() }
            }
        };
        let mut slots = Vec::new();
        let (keys, number) = taken.gone.0.split_at(self.keys.len());
        restoring.keys.find(keys, &hashes_of(keys, number[0].len())?, &mut slots)?;
        let mut gone = Vec::new();
        for (slot, number) in slots.iter().zip(number[0].as_primitive::<Int64Type>().values()) {
            if *slot != NO_SLOT {
                gone.extend(restoring.entries.remove(&(*slot, *number)));
            }
        }
        self.remove(&gone)?;
        let (keys, number) = taken.keys.split_at(self.keys.len());
        restoring.keys.upsert(keys, &hashes_of(keys, number[0].len())?, &mut slots)?;
        let numbers = number[0].as_primitive::<Int64Type>().values();
        let mut made = Vec::with_capacity(slots.len());
        for (slot, number) in slots.iter().zip(numbers) {
            let known = restoring.entries.get(&(*slot, *number)).copied();
            let entry = known.unwrap_or_else(|| self.make(*number));
            restoring.entries.insert((*slot, *number), entry);
            self.next_number = self.next_number.max(number.saturating_add(1));
            made.push(entry);
        }
        self.journal.add(&made, self.numbers.len());
        self.journal.touch(&made);
        self.rows.resize(self.numbers.len());
        self.rows.put(&made, &taken.values)?;
        self.restoring = Some(restoring);
        Ok(())
    }

    /// Everything has been restored: the entries.
    pub(super) fn restored(&mut self) -> Vec<u32> {
        self.journal.mark_stored();
        let Some(restoring) = self.restoring.take() else { return Vec::new() };
        let mut entries: Vec<u32> = restoring.entries.into_values().collect();
        entries.sort_unstable();
        entries
    }

    /// Bytes held.
    pub(super) fn memory_size(&self) -> usize {
        self.rows.memory_size()
            + self.journal.memory_size()
            + self.copier.memory_size()
            + (self.numbers.capacity() + self.free.capacity()) * 8
    }
}
