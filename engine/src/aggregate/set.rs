//! The accumulators of an operator: all of its calls driven together, and the number of rows by slot where
//! rows may be taken back.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int8Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use tidegate_plan::{AggregateCall, Schema};
use tidegate_types::{Error, Result};

use super::{Accumulator, accumulator, boolean, changes};

/// The accumulators of all calls of an operator, driven together.
pub struct AccumulatorSet {
    calls: Vec<AggregateCall>,
    accumulators: Vec<Box<dyn Accumulator>>,
    /// Rows of each slot, if any may be taken back: the last column of the partial state.
    rows: Option<Vec<i64>>,
}

impl AccumulatorSet {
    /// Fresh accumulators of the calls over an input schema; `retracts`: rows may be taken back.
    ///
    /// # Errors
    /// As [`accumulator`].
    pub fn new(calls: &[AggregateCall], input: &Schema, retracts: bool) -> Result<Self> {
        let accumulators =
            calls.iter().map(|call| accumulator(call, input, retracts)).collect::<Result<_>>()?;
        Ok(Self { calls: calls.to_vec(), accumulators, rows: retracts.then(Vec::new) })
    }

    /// Makes room for slots `0..slots`.
    pub fn resize(&mut self, slots: usize) {
        self.accumulators.iter_mut().for_each(|accumulator| accumulator.resize(slots));
        if let Some(rows) = &mut self.rows {
            rows.resize(slots, 0);
        }
    }

    /// Adds the rows of a batch, or those of `kinds` that are added, and takes the others back.
    ///
    /// # Errors
    /// As [`Accumulator::update`] and [`Accumulator::retract`].
    pub fn apply(
        &mut self,
        slots: &[u32],
        batch: &RecordBatch,
        kinds: Option<&Int8Array>,
    ) -> Result<()> {
        let Some(rows) = &mut self.rows else {
            return self.update(slots, batch);
        };
        let adds = changes::added(kinds);
        changes::count(rows, slots, adds.as_ref());
        for (call, accumulator) in self.calls.iter().zip(&mut self.accumulators) {
            changes::apply(call, accumulator.as_mut(), slots, batch, adds.as_ref())?;
        }
        Ok(())
    }

    /// Adds the rows of a batch, where none is ever taken back.
    ///
    /// # Errors
    /// As [`Accumulator::update`].
    pub fn update(&mut self, slots: &[u32], batch: &RecordBatch) -> Result<()> {
        for (call, accumulator) in self.calls.iter().zip(&mut self.accumulators) {
            let argument = call.argument.map(|index| batch.column(index));
            let filter = match call.filter {
                Some(index) => Some(boolean(batch.column(index))?),
                None => None,
            };
            accumulator.update(slots, argument, filter)?;
        }
        Ok(())
    }

    /// Adds partial states: the columns of all calls side by side.
    ///
    /// # Errors
    /// As [`Accumulator::merge`].
    pub fn merge(&mut self, slots: &[u32], mut state: &[ArrayRef]) -> Result<()> {
        let missing = || Error::internal("partial state has too few columns");
        for accumulator in &mut self.accumulators {
            let width = accumulator.state_types().len();
            let (own, rest) = state.split_at_checked(width).ok_or_else(missing)?;
            accumulator.merge(slots, own)?;
            state = rest;
        }
        if let Some(rows) = &mut self.rows {
            let counts = state.first().and_then(|column| column.as_primitive_opt::<Int64Type>());
            let counts = counts.ok_or_else(missing)?;
            for (slot, count) in slots.iter().zip(counts.values()) {
                rows[*slot as usize] += count;
            }
        }
        Ok(())
    }

    /// Leaves those of some slots that have rows.
    pub fn retain_live(&self, slots: &mut Vec<u32>) {
        if let Some(rows) = &self.rows {
            slots.retain(|slot| rows[*slot as usize] > 0);
        }
    }

    /// Empties a slot.
    pub fn reset(&mut self, slot: u32) {
        self.accumulators.iter_mut().for_each(|accumulator| accumulator.reset(slot));
        if let Some(rows) = &mut self.rows {
            rows[slot as usize] = 0;
        }
    }

    /// The partial states of slots, all calls side by side.
    ///
    /// # Errors
    /// As [`Accumulator::state`].
    pub fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut columns = Vec::new();
        for accumulator in &self.accumulators {
            columns.extend(accumulator.state(slots)?);
        }
        if let Some(rows) = &self.rows {
            let rows = slots.iter().map(|slot| rows[*slot as usize]);
            columns.push(Arc::new(Int64Array::from_iter_values(rows)));
        }
        Ok(columns)
    }

    /// The results of slots, one column per call.
    ///
    /// # Errors
    /// As [`Accumulator::result`].
    pub fn results(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        self.accumulators.iter().map(|accumulator| accumulator.result(slots)).collect()
    }

    /// Types of the partial state's columns, all calls side by side.
    pub fn state_types(&self) -> Vec<DataType> {
        let states = self.accumulators.iter().flat_map(|accumulator| accumulator.state_types());
        states.chain(self.rows.is_some().then_some(DataType::Int64)).collect()
    }

    /// Bytes held.
    pub fn memory_size(&self) -> usize {
        self.accumulators.iter().map(|accumulator| accumulator.memory_size()).sum::<usize>()
            + self.rows.as_ref().map_or(0, |rows| rows.capacity() * 8)
    }
}
