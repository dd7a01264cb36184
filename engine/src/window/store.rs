//! The keyed state of one slice or window: keys, accumulators, and what changed since the last snapshot.

use std::ops::Range;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use tidegate_plan::{AggregateCall, Schema};
use tidegate_types::Result;

use crate::aggregate::{AccumulatorSet, adds_up};
use crate::keys::{ChangeList, ChangedSlots, KeyTable};

/// Describes the groups of a windowed aggregate: makes empty [`Groups`].
#[derive(Clone)]
pub(super) struct GroupSpec {
    /// Types of the grouping columns.
    pub(super) key_types: Vec<DataType>,
    /// Aggregates over `input`.
    pub(super) calls: Vec<AggregateCall>,
    /// Schema that the calls' arguments index.
    pub(super) input: Schema,
    /// Whether rows may be taken back.
    pub(super) retracts: bool,
}

impl GroupSpec {
    /// No groups yet.
    pub(super) fn groups(&self) -> Result<Groups> {
        Ok(Groups {
            keys: KeyTable::new(&self.key_types)?,
            accumulators: AccumulatorSet::new(&self.calls, &self.input, self.retracts)?,
            changes: ChangedSlots::default(),
            stored: 0,
            marked: None,
        })
    }

    /// Whether groups may be split into several sets, of which each has some of the rows, and added up.
    pub(super) fn splits(&self) -> bool {
        !self.retracts || self.calls.iter().all(adds_up)
    }

    /// Types of the partial state's columns.
    pub(super) fn state_types(&self) -> Result<Vec<DataType>> {
        Ok(AccumulatorSet::new(&self.calls, &self.input, self.retracts)?.state_types())
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
    /// What the last snapshot has still to copy.
    marked: Option<Marked>,
}

/// Groups that belong to a snapshot and are copied while rows go on changing them: what is about to
/// change is *captured* before it does.
#[derive(Default)]
struct Marked {
    /// The epoch from which on changes belong to the snapshot; `None`: it takes no changes.
    since: Option<u32>,
    /// Slots that belong to it, changed or not, and have not been copied; few ranges.
    ranges: Vec<Range<u32>>,
    /// Numbers of captured groups with their keys and partial states.
    captured: Vec<(usize, Vec<ArrayRef>)>,
}

impl Marked {
    /// Whether a slot whose last change was in an epoch may have to be copied yet.
    fn holds(&self, slot: u32, last: u32) -> bool {
        self.since.is_some_and(|since| last >= since)
            || self.ranges.iter().any(|range| range.contains(&slot))
    }
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
        let Some(marked) = &mut self.marked else {
            self.changes.touch(slots);
            return Ok(());
        };
        let mut due = Vec::new();
        self.changes.touch_with(slots, |slot, last| {
            if marked.holds(slot, last) {
                due.push(slot);
            }
        });
        if !due.is_empty() {
            let columns = columns(&self.keys, &self.accumulators, &due)?;
            marked.captured.push((due.len(), columns));
        }
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

    /// Ends an epoch of changes: marks the slots that changed in it or in the `recall` ones before it,
    /// and returns their lists; and the range of new ones, which is marked and not in the lists, if they
    /// are at least `many` (else they count as changed).
    pub(super) fn mark_changes(
        &mut self,
        recall: u32,
        many: usize,
    ) -> (Vec<ChangeList>, Range<u32>) {
        let stored = std::mem::replace(&mut self.stored, self.keys.len());
        let mut new = stored as u32..self.keys.len() as u32;
        if new.len() < many {
            new = 0..0;
        } else {
            self.changes.forget_from(new.start);
        }
        let since = self.changes.now().saturating_sub(recall);
        self.marked = Some(Marked { since: Some(since.max(1)), ..Marked::default() });
        self.mark(new.clone());
        (self.changes.end_epoch(recall), new)
    }

    /// Ends an epoch of changes: marks everything.
    pub(super) fn mark_all(&mut self) {
        self.stored = self.keys.len();
        self.changes.take_all();
        self.marked = Some(Marked::default());
        self.mark(0..self.stored as u32);
    }

    /// Marks a range besides: from now on to be taken with [`Groups::take_range`].
    pub(super) fn mark(&mut self, range: Range<u32>) {
        let Some(marked) = &mut self.marked else { return };
        match marked.ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ if range.is_empty() => {}
            _ => marked.ranges.push(range),
        }
    }

    /// The slots of a part of a list that are to be copied now: those that no later list has, and that
    /// have not been captured.
    pub(super) fn take_listed(&self, list: &ChangeList, part: Range<usize>) -> Vec<u32> {
        let slots = list.slots[part].iter().copied();
        slots.filter(|slot| self.changes.last(*slot) == list.epoch).collect()
    }

    /// The slots of a marked range that are to be copied now: those that have not been captured.
    pub(super) fn take_range(&mut self, range: Range<u32>) -> Vec<u32> {
        for marked in self.marked.iter_mut().flat_map(|marked| &mut marked.ranges) {
            if marked.start == range.start {
                marked.start = range.end;
            }
        }
        let now = self.changes.now();
        range.filter(|slot| self.changes.last(*slot) != now).collect()
    }

    /// Ends the snapshot: what was captured, numbers of groups with keys and partial states side by side.
    pub(super) fn take_captured(&mut self) -> Vec<(usize, Vec<ArrayRef>)> {
        self.marked.take().map_or_else(Vec::new, |marked| marked.captured)
    }

    /// What was just restored is stored already.
    pub(super) fn mark_stored(&mut self) {
        self.stored = self.keys.len();
        self.changes.forget_current();
    }

    /// Keys and partial states of slots, side by side.
    pub(super) fn columns(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        columns(&self.keys, &self.accumulators, slots)
    }

    /// How far back [`Groups::mark_changes`] can go.
    pub(super) fn recallable(&self) -> u32 {
        self.changes.recallable()
    }

    pub(super) fn memory_size(&self) -> usize {
        let captured =
            self.marked.iter().flat_map(|marked| marked.captured.iter().flat_map(|(_, c)| c));
        self.keys.memory_size()
            + self.accumulators.memory_size()
            + self.changes.memory_size()
            + captured.map(|column| column.get_array_memory_size()).sum::<usize>()
    }
}

/// Keys and partial states of slots, side by side.
fn columns(keys: &KeyTable, accumulators: &AccumulatorSet, slots: &[u32]) -> Result<Vec<ArrayRef>> {
    let mut columns = keys.columns(slots)?;
    columns.extend(accumulators.state(slots)?);
    Ok(columns)
}
