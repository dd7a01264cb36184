//! The values of one argument by group, for all DISTINCT calls of it: how often each occurs, by FILTER.
//! Calls with the same filter share a counter; where no row is ever taken back a bit is enough.
//!
//! A state table of its own (`distinct0`, …), an entry per group and value, so that a snapshot writes the
//! values that changed and not all of a group's.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Int64Type};
use tidegate_types::{Error, KeyGroupRange, Result};

use crate::aggregate::{Accumulator, boolean};
use crate::keyed::{Copier, EntryLayout, Journal, Keyed, Links, SlotValues, hashes_of};
use crate::keys::hash::{SEED, hash_array};
use crate::keys::{KeyTable, NO_SLOT};
use crate::operator::{Copied, OperatorContext, SnapshotRequest, TableSnapshot};

/// Names of the state tables.
pub(crate) const NAMES: [&str; 16] = [
    "distinct0",
    "distinct1",
    "distinct2",
    "distinct3",
    "distinct4",
    "distinct5",
    "distinct6",
    "distinct7",
    "distinct8",
    "distinct9",
    "distinct10",
    "distinct11",
    "distinct12",
    "distinct13",
    "distinct14",
    "distinct15",
];

/// Values of an argument.
pub(crate) struct DistinctValues {
    pub(crate) argument: usize,
    /// Whether NULL is a value.
    pub(crate) nulls: bool,
    retracts: bool,
    table: KeyTable,
    journal: Journal,
    copier: Copier,
    layout: EntryLayout,
    /// Number of the group's key columns.
    keys: usize,
    /// FILTER columns; each has a counter.
    variants: Vec<Option<usize>>,
    /// Calls: index and variant.
    calls: Vec<(usize, usize)>,
    /// By entry, `variants` each (one of bits where nothing is taken back).
    counts: Vec<i64>,
    links: Links,
}

/// Rows of a batch with what becomes of them.
pub(crate) struct Rows<'a> {
    pub(crate) slots: &'a [u32],
    pub(crate) batch: &'a RecordBatch,
    /// Rows that are added; none: all.
    pub(crate) adds: Option<&'a BooleanArray>,
}

impl DistinctValues {
    /// For the argument of these calls (index and FILTER) over groups with keys of types `keys`, of which
    /// the first `partition` decide the key group.
    pub(crate) fn new(
        table: &'static str,
        (keys, partition): (&[DataType], usize),
        (argument, ty): (usize, &DataType),
        nulls: bool,
        calls: &[(usize, Option<usize>)],
        retracts: bool,
    ) -> Result<Self> {
        let mut variants: Vec<Option<usize>> = calls.iter().map(|(_, filter)| *filter).collect();
        variants.sort_unstable();
        variants.dedup();
        if !retracts && variants.len() > 63 {
            return Err(Error::unsupported("more than 63 filters of one DISTINCT argument"));
        }
        let of = |filter| variants.iter().position(|variant| *variant == filter).unwrap_or(0);
        let calls = calls.iter().map(|(call, filter)| (*call, of(*filter))).collect();
        let mut types = vec![DataType::UInt32, ty.clone()];
        if nulls {
            // Native keys below a slot know no NULL.
            types.push(DataType::Boolean);
        }
        let stored: Vec<DataType> = keys.iter().cloned().chain([ty.clone()]).collect();
        let width = if retracts { variants.len() } else { 1 };
        let counters = vec![DataType::Int64; width];
        Ok(Self {
            argument,
            nulls,
            retracts,
            table: KeyTable::new(&types)?,
            journal: Journal::default(),
            copier: Copier::default(),
            layout: EntryLayout::new(table, &stored, partition, &counters),
            keys: keys.len(),
            variants,
            calls,
            counts: Vec::new(),
            links: Links::default(),
        })
    }

    /// Name of the state table.
    pub(crate) fn name(&self) -> &'static str {
        self.layout.table()
    }

    fn width(&self) -> usize {
        if self.retracts { self.variants.len() } else { 1 }
    }

    /// Adds and takes back rows: `accumulators` of the calls get each value when it first comes, and
    /// lose it when its last one goes.
    pub(crate) fn apply(
        &mut self,
        rows: &Rows<'_>,
        groups: &Keyed,
        accumulators: &mut [Box<dyn Accumulator>],
    ) -> Result<()> {
        let filters = self.filters(rows.batch)?;
        let column = rows.batch.column(self.argument);
        let picked = self.pick(column, &filters);
        let (values, parents) = match &picked {
            None => (column.clone(), rows.slots.to_vec()),
            Some(picked) => {
                let values = take(column, picked, None).map_err(internal)?;
                let parents = picked.values().iter().map(|row| rows.slots[*row as usize]);
                (values, parents.collect())
            }
        };
        if values.is_empty() {
            return Ok(());
        }
        let entries = self.upsert(&values, parents.clone())?;
        if self.copier.is_active() {
            self.capture(&entries, groups)?;
            self.journal.touch(&entries);
        }
        let row_of = |i: usize| picked.as_ref().map_or(i, |picked| picked.value(i) as usize);
        let (mut touched, mut emptied) = (Vec::new(), Vec::new());
        for (variant, filter) in filters.iter().enumerate() {
            let mut changes = Changes::default();
            for (i, entry) in entries.iter().enumerate() {
                let row = row_of(i);
                if filter.is_some_and(|filter| !(filter.is_valid(row) && filter.value(row))) {
                    continue;
                }
                let adds = rows.adds.is_none_or(|adds| adds.value(row));
                self.count(*entry, variant, adds, i as u32, &mut changes);
            }
            touched.append(&mut changes.touched);
            emptied.append(&mut changes.zero);
            self.tell(variant, &changes, &values, &parents, accumulators)?;
        }
        self.journal.touch(&touched);
        emptied.sort_unstable();
        emptied.dedup();
        let width = self.width();
        emptied.retain(|entry| {
            let from = *entry as usize * width;
            self.counts[from..from + width].iter().all(|count| *count == 0)
        });
        self.remove(&emptied, groups)
    }

    #[inline]
    fn count(&mut self, entry: u32, variant: usize, adds: bool, i: u32, changes: &mut Changes) {
        if !self.retracts {
            let (bits, bit) = (&mut self.counts[entry as usize], 1 << variant);
            if *bits & bit == 0 {
                *bits |= bit;
                changes.fresh.push(i);
                changes.touched.push(entry);
            }
            return;
        }
        let count = &mut self.counts[entry as usize * self.variants.len() + variant];
        let before = *count;
        *count += if adds { 1 } else { -1 };
        changes.touched.push(entry);
        if before <= 0 && *count > 0 {
            changes.fresh.push(i);
        } else if before > 0 && *count <= 0 {
            changes.gone.push(i);
        }
        if *count == 0 {
            changes.zero.push(entry);
        }
    }

    fn tell(
        &mut self,
        variant: usize,
        changes: &Changes,
        values: &ArrayRef,
        parents: &[u32],
        accumulators: &mut [Box<dyn Accumulator>],
    ) -> Result<()> {
        let part = |rows: &[u32]| -> Result<(Vec<u32>, ArrayRef)> {
            let slots = rows.iter().map(|row| parents[*row as usize]).collect();
            let values = take(values, &UInt32Array::from(rows.to_vec()), None).map_err(internal)?;
            Ok((slots, values))
        };
        let (fresh, gone) = (part(&changes.fresh)?, part(&changes.gone)?);
        for (call, _) in self.calls.iter().filter(|(_, of)| *of == variant) {
            if !fresh.0.is_empty() {
                accumulators[*call].update(&fresh.0, Some(&fresh.1), None)?;
            }
            if !gone.0.is_empty() {
                accumulators[*call].retract(&gone.0, Some(&gone.1), None)?;
            }
        }
        Ok(())
    }

    fn filters<'a>(&self, batch: &'a RecordBatch) -> Result<Vec<Option<&'a BooleanArray>>> {
        let filter = |column: &Option<usize>| match column {
            Some(column) => boolean(batch.column(*column)).map(Some),
            None => Ok(None),
        };
        self.variants.iter().map(filter).collect()
    }

    /// The rows whose value counts for some call; `None`: all.
    fn pick(&self, column: &ArrayRef, filters: &[Option<&BooleanArray>]) -> Option<UInt32Array> {
        let nulls = column.logical_nulls().filter(|nulls| !self.nulls && nulls.null_count() > 0);
        if nulls.is_none() && filters.iter().any(Option::is_none) {
            return None;
        }
        let passes = |row: usize| {
            nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))
                && filters.iter().any(|filter| {
                    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
                })
        };
        Some((0..column.len()).filter(|row| passes(*row)).map(|row| row as u32).collect())
    }

    fn key(&self, values: &ArrayRef, parents: Vec<u32>) -> Result<(Vec<ArrayRef>, Vec<u64>)> {
        let mut hashes: Vec<u64> = parents
            .iter()
            .map(|parent| SEED ^ u64::from(*parent).wrapping_mul(0x9E37_79B9_7F4A_7C15))
            .collect();
        hash_array(values, &mut hashes)?;
        let mut columns: Vec<ArrayRef> = vec![Arc::new(UInt32Array::from(parents)), values.clone()];
        if self.nulls {
            columns.push(Arc::new(BooleanArray::from(vec![false; values.len()])));
        }
        Ok((columns, hashes))
    }

    fn upsert(&mut self, values: &ArrayRef, parents: Vec<u32>) -> Result<Vec<u32>> {
        let (columns, hashes) = self.key(values, parents)?;
        let mut entries = Vec::new();
        self.table.upsert(&columns, &hashes, &mut entries)?;
        if !self.table.added().is_empty() {
            let added = self.table.added().to_vec();
            self.journal.add(&added, self.table.len());
            self.counts.resize(self.table.len() * self.width(), 0);
            let of = self.table.columns(&added)?;
            let of = of[0].as_primitive::<arrow::datatypes::UInt32Type>();
            added.iter().zip(of.values()).for_each(|(entry, of)| self.links.add(*of, *entry));
            self.journal.touch(&added);
        }
        Ok(entries)
    }

    /// The stored key of entries: that of the group, then the value.
    fn stored_keys(&self, entries: &[u32], groups: &KeyTable) -> Result<Vec<ArrayRef>> {
        let mut own = self.table.columns(entries)?;
        own.truncate(2);
        let (Some(value), Some(parents)) = (own.pop(), own.pop()) else {
            return Err(Error::internal("a distinct value without its group"));
        };
        let parents = parents.as_primitive::<arrow::datatypes::UInt32Type>();
        let mut columns = groups.columns(parents.values())?;
        columns.push(value);
        Ok(columns)
    }

    fn remove(&mut self, entries: &[u32], groups: &Keyed) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        self.capture(entries, groups)?;
        let stored: Vec<u32> =
            entries.iter().copied().filter(|entry| self.journal.vacate(*entry)).collect();
        if !stored.is_empty() {
            self.journal.gone(stored.len(), self.stored_keys(&stored, groups.keys())?);
        }
        let width = self.width();
        for entry in entries {
            self.links.remove(*entry);
            let from = *entry as usize * width;
            self.counts[from..from + width].fill(0);
            self.table.remove(*entry);
        }
        Ok(())
    }

    /// Forgets the values of groups, which must still be there.
    pub(crate) fn clear(&mut self, slots: &[u32], groups: &Keyed) -> Result<()> {
        let entries: Vec<u32> = slots.iter().flat_map(|slot| self.links.of(*slot)).collect();
        self.remove(&entries, groups)
    }

    fn batch(&self, entries: &[u32], groups: &Keyed) -> Result<RecordBatch> {
        let width = self.width();
        let counter = |variant: usize| -> ArrayRef {
            let counts = entries.iter().map(|e| self.counts[*e as usize * width + variant]);
            Arc::new(Int64Array::from_iter_values(counts))
        };
        let keys = self.stored_keys(entries, groups.keys())?;
        let used = Int64Array::new_null(entries.len());
        self.layout.live(keys, used, (0..width).map(counter).collect())
    }

    /// Copies entries that the last snapshot holds and that are about to change or go.
    fn capture(&mut self, entries: &[u32], groups: &Keyed) -> Result<()> {
        let mut copier = std::mem::take(&mut self.copier);
        let captured = copier.capture(entries, |entries| self.batch(entries, groups));
        self.copier = copier;
        captured
    }

    /// Begins a snapshot of the table as asked; [`DistinctValues::copy`] goes on with it.
    pub(crate) fn snapshot(&mut self, request: &SnapshotRequest) -> Result<TableSnapshot> {
        let live = self.table.live();
        let due = self.journal.take(request.mode(self.name()), live);
        self.copier.start(due, &self.layout, &self.journal, live)
    }

    /// Copies about `count` more entries of the last snapshot.
    pub(crate) fn copy(&mut self, count: usize, groups: &Keyed) -> Result<Copied> {
        let mut copier = std::mem::take(&mut self.copier);
        let copied = copier.copy(self.name(), count, |entries| self.batch(entries, groups));
        self.copier = copier;
        copied
    }

    /// The last snapshot is not wanted any more.
    pub(crate) fn abandon_copy(&mut self) {
        self.copier.abandon();
    }

    /// Takes restored entries of some key groups.
    pub(crate) fn restore(
        &mut self,
        (version, entries): (u16, &RecordBatch),
        key_groups: KeyGroupRange,
        context: &OperatorContext,
        groups: &mut Keyed,
        values: &mut impl SlotValues,
    ) -> Result<()> {
        let taken = self.layout.take(version, entries, key_groups, context)?;
        self.restore_gone(&taken.gone.0, groups)?;
        let (keys, value) = taken.keys.split_at(self.keys);
        let parents = groups.restored_slots(keys, &hashes_of(keys, value[0].len())?, values)?;
        let entries = self.upsert(&value[0], parents)?;
        let width = self.width();
        for (variant, column) in taken.values.iter().enumerate() {
            let counts = column.as_primitive::<Int64Type>().values();
            for (entry, count) in entries.iter().zip(counts) {
                self.counts[*entry as usize * width + variant] = *count;
            }
        }
        Ok(())
    }

    fn restore_gone(&mut self, columns: &[ArrayRef], groups: &Keyed) -> Result<()> {
        let (keys, value) = columns.split_at(self.keys);
        let mut parents = Vec::new();
        groups.find(keys, &hashes_of(keys, value[0].len())?, &mut parents)?;
        let known = |row: &u32| parents[*row as usize] != NO_SLOT;
        let rows: Vec<u32> = (0..parents.len() as u32).filter(known).collect();
        let parents = rows.iter().map(|row| parents[*row as usize]).collect();
        let values = take(&value[0], &UInt32Array::from(rows), None).map_err(internal)?;
        let (columns, hashes) = self.key(&values, parents)?;
        let mut entries = Vec::new();
        self.table.find(&columns, &hashes, &mut entries)?;
        entries.retain(|entry| *entry != NO_SLOT);
        self.remove(&entries, groups)
    }

    /// What was just restored is stored already.
    pub(crate) fn restored(&mut self) {
        self.journal.mark_stored();
    }

    /// Bytes held.
    pub(crate) fn memory_size(&self) -> usize {
        self.table.memory_size()
            + self.journal.memory_size()
            + self.copier.memory_size()
            + self.counts.capacity() * 8
            + self.links.memory_size()
    }
}

/// What rows of a batch did to a counter: indices of rows, and entries.
#[derive(Default)]
struct Changes {
    fresh: Vec<u32>,
    gone: Vec<u32>,
    touched: Vec<u32>,
    /// Entries whose counter came to 0.
    zero: Vec<u32>,
}

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::internal(error.to_string())
}
