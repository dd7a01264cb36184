//! The keyed state of one slice or window: keys, accumulators, and what changed since the last snapshot.

use std::ops::Range;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use tidegate_plan::{AggregateCall, Schema};
use tidegate_types::Result;

use crate::aggregate::AccumulatorSet;
use crate::keys::{ChangedSlots, KeyTable};

/// Describes the groups of a windowed aggregate: makes empty [`Groups`].
#[derive(Clone)]
pub(super) struct GroupSpec {
    /// Types of the grouping columns.
    pub(super) key_types: Vec<DataType>,
    /// Aggregates over `input`.
    pub(super) calls: Vec<AggregateCall>,
    /// Schema that the calls' arguments index.
    pub(super) input: Schema,
}

impl GroupSpec {
    /// No groups yet.
    pub(super) fn groups(&self) -> Result<Groups> {
        Ok(Groups {
            keys: KeyTable::new(&self.key_types)?,
            accumulators: AccumulatorSet::new(&self.calls, &self.input)?,
            changes: ChangedSlots::default(),
            stored: 0,
        })
    }

    /// Types of the partial state's columns.
    pub(super) fn state_types(&self) -> Result<Vec<DataType>> {
        Ok(AccumulatorSet::new(&self.calls, &self.input)?.state_types())
    }
}

/// Groups by key with their accumulators.
pub(super) struct Groups {
    pub(super) keys: KeyTable,
    pub(super) accumulators: AccumulatorSet,
    /// Slots by the snapshot since which they changed.
    changes: ChangedSlots,
    /// Slots at the last snapshot.
    stored: usize,
}

impl Groups {
    /// Finds or adds the groups of rows, marking them changed.
    pub(super) fn upsert(
        &mut self,
        keys: &[ArrayRef],
        hashes: &[u64],
        slots: &mut Vec<u32>,
    ) -> Result<()> {
        self.keys.upsert(keys, hashes, slots)?;
        self.accumulators.resize(self.keys.len());
        self.changes.resize(self.keys.len());
        self.changes.touch(slots);
        Ok(())
    }

    /// Adds the partial states of some groups of another set.
    pub(super) fn merge_from(&mut self, other: &Self, slots: &[u32]) -> Result<()> {
        let hashes = other.keys.hashes();
        let hashes: Vec<u64> = slots.iter().map(|slot| hashes[*slot as usize]).collect();
        let mut own = Vec::new();
        self.upsert(&other.keys.columns(slots)?, &hashes, &mut own)?;
        self.accumulators.merge(&own, &other.accumulators.state(slots)?)
    }

    /// Sets groups to partial states: the first `keys` columns are keys.
    pub(super) fn replace(
        &mut self,
        columns: &[ArrayRef],
        hashes: &[u64],
        keys: usize,
    ) -> Result<()> {
        let (keys, states) = columns.split_at(keys);
        let mut slots = Vec::new();
        self.upsert(keys, hashes, &mut slots)?;
        slots.iter().for_each(|slot| self.accumulators.reset(*slot));
        self.accumulators.merge(&slots, states)
    }

    /// Ends an epoch of changes: the slots that changed in it or in the `recall` ones before it, and
    /// those that are new, if they are at least `many` (else they count as changed).
    pub(super) fn take_changes(&mut self, recall: u32, many: usize) -> (Vec<u32>, Range<u32>) {
        let stored = std::mem::replace(&mut self.stored, self.keys.len());
        let new = stored as u32..self.keys.len() as u32;
        if new.len() < many {
            return (self.changes.take(recall), 0..0);
        }
        self.changes.forget_from(new.start);
        (self.changes.take(recall), new)
    }

    /// As [`Groups::take_changes`] for a snapshot of everything.
    pub(super) fn take_all(&mut self) {
        self.stored = self.keys.len();
        self.changes.take_all();
    }

    /// What was just restored is stored already.
    pub(super) fn mark_stored(&mut self) {
        self.stored = self.keys.len();
        self.changes.forget_current();
    }

    /// Keys and partial states of slots, side by side.
    pub(super) fn columns(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut columns = self.keys.columns(slots)?;
        columns.extend(self.accumulators.state(slots)?);
        Ok(columns)
    }

    /// How far back [`Groups::take_changes`] can go.
    pub(super) fn recallable(&self) -> u32 {
        self.changes.recallable()
    }

    pub(super) fn memory_size(&self) -> usize {
        self.keys.memory_size() + self.accumulators.memory_size() + self.changes.memory_size()
    }
}
