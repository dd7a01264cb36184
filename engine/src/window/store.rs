//! The keyed state of one slice or window: keys, accumulators, and what changed since the last snapshot.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use tidegate_plan::{AggregateCall, Schema};
use tidegate_types::Result;

use crate::aggregate::AccumulatorSet;
use crate::keys::KeyTable;

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
            dirty: Vec::new(),
            clean: true,
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
    /// Per slot: changed since the last snapshot.
    dirty: Vec<bool>,
    clean: bool,
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
        self.dirty.resize(self.keys.len(), false);
        for slot in slots.iter() {
            self.dirty[*slot as usize] = true;
        }
        self.clean &= slots.is_empty();
        Ok(())
    }

    /// Adds the partial states of all groups of another slice.
    pub(super) fn merge_from(&mut self, other: &Self, slots: &mut Vec<u32>) -> Result<()> {
        let all: Vec<u32> = (0..other.keys.len() as u32).collect();
        self.upsert(&other.keys.columns(&all)?, other.keys.hashes(), slots)?;
        self.accumulators.merge(slots, &other.accumulators.state(&all)?)
    }

    /// Slots that changed since the last call (or all), which are then clean.
    pub(super) fn take_dirty(&mut self, all: bool) -> Vec<u32> {
        if all {
            self.dirty.iter_mut().for_each(|flag| *flag = false);
            self.clean = true;
            return (0..self.keys.len() as u32).collect();
        }
        if std::mem::replace(&mut self.clean, true) {
            return Vec::new();
        }
        let mut slots = Vec::new();
        for (slot, flag) in self.dirty.iter_mut().enumerate() {
            if std::mem::take(flag) {
                slots.push(slot as u32);
            }
        }
        slots
    }

    /// Marks everything clean: what was just restored is in the checkpoint already.
    pub(super) fn mark_clean(&mut self) {
        self.dirty.iter_mut().for_each(|flag| *flag = false);
        self.clean = true;
    }

    pub(super) fn memory_size(&self) -> usize {
        self.keys.memory_size() + self.accumulators.memory_size() + self.dirty.capacity()
    }
}
