//! Open sessions with the partial aggregates of each, and their entries in the state table.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Int64Type};
use tidegate_plan::{AggregateCall, Schema};
use tidegate_types::{Error, Result};

use super::chunks::{CHUNK_ROWS, Chunks};
use super::layout::RunLayout;
use super::session_spill::SessionState;
use super::sessions::{NONE, Sessions};
use crate::aggregate::{AccumulatorSet, adds_up};
use crate::element::Changes;
use crate::spill::SpillWriter;

/// What an empty [`SessionTable`] is made from, and how entries look.
pub(super) struct SessionSpec {
    key_types: Vec<DataType>,
    calls: Vec<AggregateCall>,
    input: Schema,
    /// Whether rows may be taken back.
    retracts: bool,
    pub(super) layout: RunLayout,
}

impl SessionSpec {
    /// For keys of these types and aggregates over `input`, which `retracts` rows or not.
    pub(super) fn new(
        key_types: Vec<DataType>,
        calls: &[AggregateCall],
        input: &Schema,
        retracts: bool,
    ) -> Result<Self> {
        let states = AccumulatorSet::new(calls, input, retracts)?.state_types();
        let layout = RunLayout::new(&key_types, &states);
        Ok(Self { key_types, calls: calls.to_vec(), input: input.clone(), retracts, layout })
    }

    /// Whether a session may be split into parts, of which each has some of the rows, and added up.
    pub(super) fn splits(&self) -> bool {
        !self.retracts || self.calls.iter().all(adds_up)
    }

    /// No sessions.
    pub(super) fn table(self: &Arc<Self>) -> Result<SessionTable> {
        Ok(SessionTable {
            spec: self.clone(),
            sessions: Sessions::new(self.key_types.clone())?,
            accumulators: AccumulatorSet::new(&self.calls, &self.input, self.retracts)?,
        })
    }
}

/// Sessions, and by session what its rows add up to.
pub(super) struct SessionTable {
    pub(super) spec: Arc<SessionSpec>,
    pub(super) sessions: Sessions,
    pub(super) accumulators: AccumulatorSet,
}

impl SessionTable {
    /// Adds rows to sessions.
    pub(super) fn accumulate(
        &mut self,
        changes: &Changes,
        taken: &[u32],
        targets: &[u32],
    ) -> Result<()> {
        self.accumulators.resize(self.sessions.capacity());
        if taken.is_empty() {
            return Ok(());
        }
        if taken.len() == changes.len() {
            return self.accumulators.apply(targets, &changes.rows, changes.kinds.as_ref());
        }
        let part = changes.take(&UInt32Array::from(taken.to_vec()))?;
        self.accumulators.apply(targets, &part.rows, part.kinds.as_ref())
    }

    /// Closes a session.
    pub(super) fn close(&mut self, id: u32) {
        self.sessions.close(id);
        self.accumulators.reset(id);
    }

    fn merge_states(
        &mut self,
        states: &[ArrayRef],
        from: &mut usize,
        targets: &mut Vec<u32>,
    ) -> Result<()> {
        let states: Vec<ArrayRef> =
            states.iter().map(|state| state.slice(*from, targets.len())).collect();
        self.accumulators.merge(targets, &states)?;
        *from += targets.len();
        targets.clear();
        Ok(())
    }

    /// The slots of the entries' keys.
    fn key_slots(&mut self, entries: &RecordBatch) -> Result<Vec<u32>> {
        let columns: Vec<usize> = self.spec.layout.key_columns().collect();
        let mut keys = Vec::new();
        self.sessions.key_slots(entries, &columns, &mut keys)?;
        Ok(keys)
    }

    /// Takes entries of one run: a later one replaces every earlier one of its key that it touches.
    pub(super) fn replace(&mut self, entries: &RecordBatch) -> Result<()> {
        let keys = self.key_slots(entries)?;
        let states = &entries.columns()[self.spec.layout.key_columns().end..];
        let (mut from, mut targets) = (0, Vec::new());
        for (key, (end, start)) in keys.iter().zip(bounds(entries)) {
            if self.sessions.touching(*key, start, end).0 != NONE {
                self.merge_states(states, &mut from, &mut targets)?;
            }
            while let (id, _) = self.sessions.touching(*key, start, end)
                && id != NONE
            {
                self.close(id);
            }
            targets.push(self.sessions.open(*key, start, end));
            self.accumulators.resize(self.sessions.capacity());
        }
        self.merge_states(states, &mut from, &mut targets)
    }

    /// Sessions as entries of a run.
    pub(super) fn entries(&self, ids: &[u32], run: i64) -> Result<RecordBatch> {
        let sessions = ids.iter().map(|id| self.sessions.get(*id));
        let ends = sessions.clone().map(|session| session.end);
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(ends)),
            Arc::new(Int64Array::from_iter_values(sessions.map(|session| session.start))),
            Arc::new(Int64Array::from_value(run, ids.len())),
        ];
        columns.extend(self.sessions.key_columns(ids)?);
        columns.extend(self.accumulators.state(ids)?);
        RecordBatch::try_new(self.spec.layout.schema.clone(), columns)
            .map_err(|error| Error::internal(format!("session state: {error}")))
    }
}

impl SessionState for SessionTable {
    /// Whether a snapshot holds it.
    type Extra = bool;

    fn empty(&self) -> Result<Self> {
        self.spec.table()
    }

    fn layout(&self) -> &RunLayout {
        &self.spec.layout
    }

    fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    fn sessions_mut(&mut self) -> &mut Sessions {
        &mut self.sessions
    }

    fn merge_into(&mut self, target: u32, start: i64, end: i64) -> Result<()> {
        self.sessions.extend(target, start, end);
        while let Some(other) = self.sessions.neighbour(target) {
            let state = self.accumulators.state(&[other])?;
            self.accumulators.merge(&[target], &state)?;
            self.accumulators.reset(other);
            self.sessions.absorb(target, other);
        }
        Ok(())
    }

    fn fit(&self, _ids: &[u32]) -> usize {
        CHUNK_ROWS
    }

    fn write(
        &self,
        ids: &[u32],
        run: i64,
        chunks: &mut Chunks<bool>,
        writer: &mut SpillWriter,
    ) -> Result<()> {
        chunks.write(&self.entries(ids, run)?, &self.spec.layout, writer, false)
    }

    fn add(&mut self, entries: &RecordBatch, _stored: &mut bool) -> Result<()> {
        let keys = self.key_slots(entries)?;
        let states = &entries.columns()[self.spec.layout.key_columns().end..];
        let (mut from, mut targets) = (0, Vec::new());
        for (key, (end, start)) in keys.iter().zip(bounds(entries)) {
            let (mut target, more) = self.sessions.touching(*key, start, end);
            if target == NONE {
                target = self.sessions.open(*key, start, end);
                self.accumulators.resize(self.sessions.capacity());
            } else if more {
                // Parts before this one go to the sessions that they joined, then these merge.
                self.merge_states(states, &mut from, &mut targets)?;
                self.merge_into(target, start, end)?;
            } else {
                self.sessions.extend(target, start, end);
            }
            targets.push(target);
        }
        self.merge_states(states, &mut from, &mut targets)
    }

    fn memory_size(&self) -> usize {
        self.sessions.memory_size() + self.accumulators.memory_size()
    }
}

/// `(end, start)` of entries.
pub(super) fn bounds(entries: &RecordBatch) -> impl Iterator<Item = (i64, i64)> {
    let bound = |column: usize| entries.column(column).as_primitive::<Int64Type>().values();
    bound(0).iter().copied().zip(bound(1).iter().copied())
}

/// Some rows of a batch.
pub(super) fn part(rows: &RecordBatch, taken: &[u32]) -> Result<RecordBatch> {
    take_record_batch(rows, &UInt32Array::from(taken.to_vec()))
        .map_err(|error| Error::internal(error.to_string()))
}
