//! Rows of which a key has many, each with a number of its own in order of arrival; and the keys.
//!
//! State table: the key, the number, the row. A row is written once, and once more when it is gone.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use hashbrown::HashMap;
use std::sync::Arc;
use tidegate_types::{Error, KeyGroupRange, Result};

use super::ttl::Ttl;
use super::{Copier, EntryLayout, Journal, Links, SlotRows, SlotValues};
use crate::keys::hash::{SEED, hash_array};
use crate::keys::{KeyTable, NO_SLOT};
use crate::operator::{Copied, OperatorContext, SnapshotRequest, TableSnapshot};

/// Slots that one sweep for old ones looks at.
const SWEEP: usize = if cfg!(test) { 16 } else { 4096 };
/// Shortest time between sweeps that a timer starts, ms.
const SWEEP_EVERY: i64 = 1_000;

/// Keys that have rows. They are stored with their rows.
pub(crate) struct Owners {
    keys: KeyTable,
    ttl: Option<Ttl>,
    swept_at: Option<i64>,
}

impl Owners {
    /// No keys, of these types; `ttl_ms`: how long one lives after its last use, 0 is for ever.
    ///
    /// # Errors
    /// `UNSUPPORTED` if a type cannot be a key.
    pub(crate) fn new(types: &[DataType], ttl_ms: u64) -> Result<Self> {
        Ok(Self { keys: KeyTable::new(types)?, ttl: Ttl::new(ttl_ms), swept_at: None })
    }

    /// The keys.
    pub(crate) fn keys(&self) -> &KeyTable {
        &self.keys
    }

    /// Finds or adds the keys of rows, and notes their use; slots whose time was over when they were
    /// found go to `expired`: their rows must be forgotten.
    ///
    /// # Errors
    /// `INTERNAL` if the columns are not of the table's types.
    pub(crate) fn upsert(
        &mut self,
        columns: &[ArrayRef],
        hashes: &[u64],
        now_ms: i64,
        slots: &mut Vec<u32>,
        expired: &mut Vec<u32>,
    ) -> Result<()> {
        self.keys.upsert(columns, hashes, slots)?;
        expired.clear();
        if let Some(ttl) = &mut self.ttl {
            ttl.resize(self.keys.len());
            ttl.touch(slots, now_ms, expired);
        }
        Ok(())
    }

    /// Removes keys without rows.
    pub(crate) fn remove(&mut self, slots: &[u32]) {
        for slot in slots {
            self.keys.remove(*slot);
            if let Some(ttl) = &mut self.ttl {
                ttl.vacate(*slot);
            }
        }
    }

    /// The next slots whose time is over.
    pub(crate) fn sweep(&mut self, now_ms: i64) -> Vec<u32> {
        let Some(ttl) = &mut self.ttl else { return Vec::new() };
        self.swept_at = Some(now_ms);
        ttl.sweep(now_ms, SWEEP)
    }

    /// When to sweep next if no rows come.
    pub(crate) fn next_sweep(&self) -> Option<i64> {
        let ttl = self.ttl.as_ref().filter(|_| self.keys.live() > 0)?;
        Some(self.swept_at? + ttl.tick_ms().clamp(1, SWEEP_EVERY))
    }

    /// Bytes held.
    pub(crate) fn memory_size(&self) -> usize {
        self.keys.memory_size() + self.ttl.as_ref().map_or(0, Ttl::memory_size)
    }
}

/// Rows by entry, each of a key.
pub(crate) struct RowEntries {
    layout: EntryLayout,
    /// Number of key columns.
    keys: usize,
    pub(crate) rows: SlotRows,
    /// By entry: the key's slot, and the number.
    owners: Vec<u32>,
    numbers: Vec<i64>,
    next_number: i64,
    free: Vec<u32>,
    live: usize,
    links: Links,
    journal: Journal,
    copier: Copier,
    /// While restoring: entries by key's slot and number.
    restoring: HashMap<(u32, i64), u32>,
}

impl RowEntries {
    /// No rows of these columns, of keys of these types.
    pub(crate) fn new(table: &'static str, keys: &[DataType], schema: SchemaRef) -> Self {
        let rows = SlotRows::new(schema);
        let stored: Vec<DataType> = keys.iter().cloned().chain([DataType::Int64]).collect();
        Self {
            layout: EntryLayout::new(table, &stored, keys.len(), &rows.types()),
            keys: keys.len(),
            rows,
            owners: Vec::new(),
            numbers: Vec::new(),
            next_number: 0,
            free: Vec::new(),
            live: 0,
            links: Links::default(),
            journal: Journal::default(),
            copier: Copier::default(),
            restoring: HashMap::new(),
        }
    }

    /// Name of the state table.
    pub(crate) fn table(&self) -> &'static str {
        self.layout.table()
    }

    /// Entries in use.
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// The slot of an entry's key.
    #[inline]
    pub(crate) fn owner(&self, entry: u32) -> u32 {
        self.owners[entry as usize]
    }

    /// The number of an entry: later ones are higher.
    #[inline]
    pub(crate) fn number(&self, entry: u32) -> i64 {
        self.numbers[entry as usize]
    }

    /// The number that the next entry gets.
    pub(crate) fn next_number(&self) -> i64 {
        self.next_number
    }

    /// The entries of a key, the last added first.
    pub(crate) fn of(&self, owner: u32) -> impl Iterator<Item = u32> + '_ {
        self.links.of(owner)
    }

    /// Makes an entry of a key; its row is set with [`RowEntries::fill`].
    pub(crate) fn add(&mut self, owner: u32) -> u32 {
        let number = self.next_number;
        self.next_number += 1;
        self.make(owner, number)
    }

    fn make(&mut self, owner: u32, number: i64) -> u32 {
        let entry = self.free.pop().unwrap_or_else(|| {
            self.owners.push(0);
            self.numbers.push(0);
            (self.owners.len() - 1) as u32
        });
        self.owners[entry as usize] = owner;
        self.numbers[entry as usize] = number;
        self.links.add(owner, entry);
        self.live += 1;
        self.journal.add(&[entry], self.owners.len());
        self.journal.touch(&[entry]);
        entry
    }

    /// Sets the rows of entries to rows of a batch.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(crate) fn fill(
        &mut self,
        entries: &[u32],
        rows: &[u32],
        batch: &RecordBatch,
    ) -> Result<()> {
        self.rows.resize(self.owners.len());
        self.rows.set(entries, rows, batch)
    }

    /// Removes entries of keys that are still there, each named once.
    ///
    /// # Errors
    /// `INTERNAL` if a stored key cannot be decoded.
    pub(crate) fn remove(&mut self, entries: &[u32], owners: &Owners) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        self.rows.resize(self.owners.len());
        let mut copier = std::mem::take(&mut self.copier);
        let captured = copier.capture(entries, |entries| self.batch(entries, owners));
        self.copier = copier;
        captured?;
        let stored: Vec<u32> =
            entries.iter().copied().filter(|entry| self.journal.vacate(*entry)).collect();
        if !stored.is_empty() {
            self.journal.gone(stored.len(), self.stored_keys(&stored, &owners.keys)?);
        }
        for entry in entries {
            self.links.remove(*entry);
            self.rows.clear(*entry);
            self.free.push(*entry);
        }
        self.live -= entries.len();
        Ok(())
    }

    fn stored_keys(&self, entries: &[u32], keys: &KeyTable) -> Result<Vec<ArrayRef>> {
        let owners: Vec<u32> = entries.iter().map(|entry| self.owner(*entry)).collect();
        let mut columns = keys.columns(&owners)?;
        let numbers = entries.iter().map(|entry| self.number(*entry));
        columns.push(Arc::new(Int64Array::from_iter_values(numbers)));
        Ok(columns)
    }

    fn batch(&self, entries: &[u32], owners: &Owners) -> Result<RecordBatch> {
        let ttl = owners.ttl.as_ref();
        let used = entries.iter().map(|entry| ttl.and_then(|ttl| ttl.used_ms(self.owner(*entry))));
        let keys = self.stored_keys(entries, &owners.keys)?;
        self.layout.live(keys, used.collect(), self.rows.gather(entries)?)
    }

    /// Begins a snapshot of the table as asked; [`RowEntries::copy`] goes on with it.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(crate) fn snapshot(&mut self, request: &SnapshotRequest) -> Result<TableSnapshot> {
        let due = self.journal.take(request.mode(self.table()), self.live);
        self.copier.start(due, &self.layout, &self.journal, self.live)
    }

    /// Copies about `count` more entries of the last snapshot.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(crate) fn copy(&mut self, count: usize, owners: &Owners) -> Result<Copied> {
        let mut copier = std::mem::take(&mut self.copier);
        let copied = copier.copy(self.table(), count, |entries| self.batch(entries, owners));
        self.copier = copier;
        copied
    }

    /// The last snapshot is not wanted any more.
    pub(crate) fn abandon_copy(&mut self) {
        self.copier.abandon();
    }

    /// Takes restored rows of some key groups. What the operator knows of rows beyond this it makes
    /// when all are there, see [`RowEntries::restored`].
    ///
    /// # Errors
    /// `INCOMPATIBLE` for another layout.
    pub(crate) fn restore(
        &mut self,
        (version, entries): (u16, &RecordBatch),
        groups: KeyGroupRange,
        context: Option<&OperatorContext>,
        owners: &mut Owners,
    ) -> Result<()> {
        let context = context.ok_or_else(|| Error::internal("restore before open"))?;
        let taken = self.layout.take(version, entries, groups, context)?;
        let (keys, number) = taken.gone.0.split_at(self.keys);
        let mut slots = Vec::new();
        owners.keys.find(keys, &hashes_of(keys, number[0].len())?, &mut slots)?;
        let mut gone = Vec::new();
        for (slot, number) in slots.iter().zip(number[0].as_primitive::<Int64Type>().values()) {
            if *slot != NO_SLOT {
                gone.extend(self.restoring.remove(&(*slot, *number)));
            }
        }
        self.remove(&gone, owners)?;
        let (keys, number) = taken.keys.split_at(self.keys);
        owners.keys.upsert(keys, &hashes_of(keys, number[0].len())?, &mut slots)?;
        let numbers = number[0].as_primitive::<Int64Type>().values();
        let mut made = Vec::with_capacity(slots.len());
        for (slot, number) in slots.iter().zip(numbers) {
            let known = self.restoring.get(&(*slot, *number)).copied();
            let entry = known.unwrap_or_else(|| self.make(*slot, *number));
            self.restoring.insert((*slot, *number), entry);
            self.next_number = self.next_number.max(number.saturating_add(1));
            made.push(entry);
        }
        self.rows.resize(self.owners.len());
        self.rows.put(&made, &taken.values)?;
        if let Some(ttl) = &mut owners.ttl {
            ttl.resize(owners.keys.len());
            let used = slots.iter().enumerate().filter(|(row, _)| taken.used.is_valid(*row));
            used.for_each(|(row, slot)| ttl.restore(*slot, taken.used.value(row)));
        }
        Ok(())
    }

    /// Everything has been restored: the entries, by key and in order of arrival. Keys without rows go.
    pub(crate) fn restored(&mut self, owners: &mut Owners) -> Vec<u32> {
        self.journal.mark_stored();
        let restored = std::mem::take(&mut self.restoring);
        let mut entries: Vec<u32> = restored.into_values().collect();
        entries.sort_unstable_by_key(|entry| (self.owner(*entry), self.number(*entry)));
        self.links = Links::default();
        entries.iter().for_each(|entry| self.links.add(self.owners[*entry as usize], *entry));
        let empty = |slot: &u32| self.links.of(*slot).next().is_none();
        let empty: Vec<u32> = (0..owners.keys.len() as u32).filter(empty).collect();
        owners.remove(&empty);
        // What has grown old meanwhile goes even if no rows come.
        owners.swept_at = Some(0);
        entries
    }

    /// Bytes held.
    pub(crate) fn memory_size(&self) -> usize {
        self.rows.memory_size()
            + self.links.memory_size()
            + self.journal.memory_size()
            + self.copier.memory_size()
            + self.owners.capacity() * 12
    }
}

/// Hashes of keys, as the exchange computes them.
pub(crate) fn hashes_of(keys: &[ArrayRef], rows: usize) -> Result<Vec<u64>> {
    let mut hashes = vec![SEED; rows];
    keys.iter().try_for_each(|column| hash_array(column, &mut hashes))?;
    Ok(hashes)
}
