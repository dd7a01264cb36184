//! The keyed table: keys with slots, their changes, their last use, and their way to files and back.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::DataType;
use hashbrown::HashSet;
use tidegate_types::{Error, KeyGroupRange, Result};

use super::ttl::Ttl;
use super::{Copier, EntryLayout, Journal};
use crate::keys::{KeyTable, NO_SLOT};
use crate::operator::{Copied, OperatorContext, SnapshotRequest, TableSnapshot};

/// Slots that one sweep for old ones looks at.
const SWEEP: usize = if cfg!(test) { 16 } else { 4096 };
/// Shortest time between sweeps that a timer starts, ms.
const SWEEP_EVERY: i64 = 1_000;

/// What an operator keeps by slot.
pub(crate) trait SlotValues {
    /// Types of the columns of [`SlotValues::columns`].
    fn types(&self) -> Vec<DataType>;

    /// Makes room for slots `0..slots`; new ones are empty.
    fn resize(&mut self, slots: usize);

    /// Everything that is kept of slots.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    fn columns(&self, slots: &[u32]) -> Result<Vec<ArrayRef>>;

    /// Replaces what is kept of slots, each named once.
    ///
    /// # Errors
    /// `INTERNAL` if the columns are not of the right types.
    fn put(&mut self, slots: &[u32], columns: &[ArrayRef]) -> Result<()>;

    /// Empties a slot.
    fn clear(&mut self, slot: u32);
}

/// Keys with slots.
pub(crate) struct Keyed {
    layout: EntryLayout,
    keys: KeyTable,
    journal: Journal,
    copier: Copier,
    ttl: Option<Ttl>,
    swept_at: Option<i64>,
    /// Slots of keys that are gone as far as was restored.
    restored_gone: HashSet<u32>,
    context: Option<OperatorContext>,
}

impl Keyed {
    /// An empty table with keys and values of these types; `ttl_ms`: how long a key lives after its last use,
    /// 0 is for ever.
    ///
    /// # Errors
    /// `UNSUPPORTED` if a type cannot be a key.
    pub(crate) fn new(
        table: &'static str,
        keys: &[DataType],
        values: &[DataType],
        ttl_ms: u64,
    ) -> Result<Self> {
        Ok(Self {
            layout: EntryLayout::new(table, keys, keys.len(), values),
            keys: KeyTable::new(keys)?,
            journal: Journal::default(),
            copier: Copier::default(),
            ttl: Ttl::new(ttl_ms),
            swept_at: None,
            restored_gone: HashSet::new(),
            context: None,
        })
    }

    /// Learns the key groups.
    pub(crate) fn open(&mut self, context: &OperatorContext) {
        self.context = Some(context.clone());
    }

    /// Name of the table.
    pub(crate) fn name(&self) -> &'static str {
        self.layout.table()
    }

    /// The keys.
    pub(crate) fn keys(&self) -> &KeyTable {
        &self.keys
    }

    /// Whether keys are forgotten after a time.
    pub(crate) fn has_ttl(&self) -> bool {
        self.ttl.is_some()
    }

    /// Finds or adds the keys of rows, and notes their use: one slot per row. [`KeyTable::added`] has those
    /// that are new. Slots whose time was over when they were found go to `expired`: what they kept
    /// must be forgotten.
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
        values: &impl SlotValues,
    ) -> Result<()> {
        self.keys.upsert(columns, hashes, slots)?;
        self.journal.add(self.keys.added(), self.keys.len());
        self.capture(slots, values)?;
        self.journal.touch(slots);
        expired.clear();
        if let Some(ttl) = &mut self.ttl {
            ttl.resize(self.keys.len());
            ttl.touch(slots, now_ms, expired);
        }
        Ok(())
    }

    /// As [`Keyed::upsert`], but only new slots count as used and changed: see [`Keyed::touch`].
    ///
    /// # Errors
    /// `INTERNAL` if the columns are not of the table's types.
    pub(crate) fn locate(
        &mut self,
        columns: &[ArrayRef],
        hashes: &[u64],
        now_ms: i64,
        slots: &mut Vec<u32>,
        expired: &mut Vec<u32>,
        values: &impl SlotValues,
    ) -> Result<()> {
        self.keys.upsert(columns, hashes, slots)?;
        self.journal.add(self.keys.added(), self.keys.len());
        self.journal.touch(self.keys.added());
        expired.clear();
        if let Some(ttl) = &mut self.ttl {
            ttl.resize(self.keys.len());
            ttl.touch(self.keys.added(), now_ms, expired);
            ttl.check(slots, now_ms, expired);
        }
        self.capture(expired, values)
    }

    /// Finds the keys of rows: one slot per row, [`NO_SLOT`] for a key that is not there. Their use is
    /// not noted, see [`Keyed::touch`].
    ///
    /// # Errors
    /// `INTERNAL` if the columns are not of the table's types.
    pub(crate) fn find(
        &self,
        columns: &[ArrayRef],
        hashes: &[u64],
        slots: &mut Vec<u32>,
    ) -> Result<()> {
        self.keys.find(columns, hashes, slots)
    }

    /// Notes that slots change, and their use.
    ///
    /// # Errors
    /// As [`SlotValues::columns`].
    pub(crate) fn touch(
        &mut self,
        slots: &[u32],
        now_ms: i64,
        values: &impl SlotValues,
    ) -> Result<()> {
        self.capture(slots, values)?;
        self.journal.touch(slots);
        if let Some(ttl) = &mut self.ttl {
            ttl.touch(slots, now_ms, &mut Vec::new());
        }
        Ok(())
    }

    /// Copies slots that the last snapshot holds and that are about to change or go.
    ///
    /// # Errors
    /// As [`SlotValues::columns`].
    pub(crate) fn capture(&mut self, slots: &[u32], values: &impl SlotValues) -> Result<()> {
        let (keys, ttl, layout) = (&self.keys, &self.ttl, &self.layout);
        self.copier.capture(slots, |slots| entries(layout, keys, ttl.as_ref(), slots, values))
    }

    /// Copies about `count` more entries of the last snapshot.
    ///
    /// # Errors
    /// As [`SlotValues::columns`].
    pub(crate) fn copy(&mut self, count: usize, values: &impl SlotValues) -> Result<Copied> {
        let (keys, ttl, layout) = (&self.keys, &self.ttl, &self.layout);
        let entries = |slots: &[u32]| entries(layout, keys, ttl.as_ref(), slots, values);
        self.copier.copy(layout.table(), count, entries)
    }

    /// The last snapshot is not wanted any more.
    pub(crate) fn abandon_copy(&mut self) {
        self.copier.abandon();
    }

    /// Removes the keys of slots, each named once. What was kept of them is the operator's to clear, after
    /// [`Keyed::capture`] and before this.
    ///
    /// # Errors
    /// `INTERNAL` if a stored key cannot be decoded.
    pub(crate) fn remove(&mut self, slots: &[u32]) -> Result<()> {
        let mut stored = Vec::new();
        for slot in slots {
            if self.journal.vacate(*slot) {
                stored.push(*slot);
            }
            if let Some(ttl) = &mut self.ttl {
                ttl.vacate(*slot);
            }
        }
        if !stored.is_empty() {
            self.journal.gone(stored.len(), self.keys.columns(&stored)?);
        }
        slots.iter().for_each(|slot| self.keys.remove(*slot));
        Ok(())
    }

    /// The next slots whose time is over; the operator then forgets and removes them. Each call looks
    /// at a bounded part of the table.
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

    /// Begins a snapshot of the table as asked; [`Keyed::copy`] goes on with it.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(crate) fn snapshot(&mut self, request: &SnapshotRequest) -> Result<TableSnapshot> {
        let live = self.keys.live();
        let due = self.journal.take(request.mode(self.name()), live);
        self.copier.start(due, &self.layout, &self.journal, live)
    }

    /// Takes restored entries of some key groups.
    ///
    /// # Errors
    /// `INCOMPATIBLE` for another layout, `INTERNAL` before `open`.
    pub(crate) fn restore(
        &mut self,
        version: u16,
        entries: &RecordBatch,
        groups: KeyGroupRange,
        values: &mut impl SlotValues,
    ) -> Result<()> {
        let context =
            self.context.as_ref().ok_or_else(|| Error::internal("restore before open"))?;
        let taken = self.layout.take(version, entries, groups, context)?;
        let mut slots = Vec::new();
        self.keys.find(&taken.gone.0, &taken.gone.1, &mut slots)?;
        for slot in slots.iter().filter(|slot| **slot != NO_SLOT) {
            values.clear(*slot);
            self.restored_gone.insert(*slot);
        }
        self.keys.upsert(&taken.keys, &taken.hashes, &mut slots)?;
        self.journal.add(self.keys.added(), self.keys.len());
        values.resize(self.keys.len());
        values.put(&slots, &taken.values)?;
        if let Some(ttl) = &mut self.ttl {
            ttl.resize(self.keys.len());
            let now = slots.iter().enumerate().filter(|(row, _)| taken.used.is_valid(*row));
            now.for_each(|(row, slot)| ttl.restore(*slot, taken.used.value(row)));
        }
        if !self.restored_gone.is_empty() {
            for slot in &slots {
                self.restored_gone.remove(slot);
            }
        }
        Ok(())
    }

    /// The slots of keys that entries of another table name, made if they are not there: their own
    /// entries may still come. Those that get none are removed in the end.
    ///
    /// # Errors
    /// `INTERNAL` if the columns are not of the table's types.
    pub(crate) fn restored_slots(
        &mut self,
        columns: &[ArrayRef],
        hashes: &[u64],
        values: &mut impl SlotValues,
    ) -> Result<Vec<u32>> {
        let mut slots = Vec::new();
        self.keys.upsert(columns, hashes, &mut slots)?;
        self.journal.add(self.keys.added(), self.keys.len());
        values.resize(self.keys.len());
        if let Some(ttl) = &mut self.ttl {
            ttl.resize(self.keys.len());
        }
        self.restored_gone.extend(self.keys.added());
        Ok(slots)
    }

    /// Everything has been restored.
    ///
    /// # Errors
    /// `INTERNAL` if a stored key cannot be decoded.
    pub(crate) fn restored(&mut self) -> Result<()> {
        let mut gone: Vec<u32> = std::mem::take(&mut self.restored_gone).into_iter().collect();
        gone.sort_unstable();
        self.remove(&gone)?;
        self.journal.mark_stored();
        // What has grown old meanwhile goes even if no rows come.
        self.swept_at = Some(0);
        Ok(())
    }

    /// Bytes held, without the values.
    pub(crate) fn memory_size(&self) -> usize {
        self.keys.memory_size()
            + self.journal.memory_size()
            + self.copier.memory_size()
            + self.ttl.as_ref().map_or(0, Ttl::memory_size)
    }
}

/// The entries of slots as they are.
fn entries(
    layout: &EntryLayout,
    keys: &KeyTable,
    ttl: Option<&Ttl>,
    slots: &[u32],
    values: &impl SlotValues,
) -> Result<RecordBatch> {
    let used = slots.iter().map(|slot| ttl.and_then(|ttl| ttl.used_ms(*slot))).collect();
    layout.live(keys.columns(slots)?, used, values.columns(slots)?)
}
