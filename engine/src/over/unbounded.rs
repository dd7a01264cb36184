//! Frames that begin with the first row: accumulators by key.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Int64Type};
use tidegate_types::{Error, Result};

use super::frames::{Frames, Item, Sequence};
use crate::keyed::SlotValues;

/// Accumulators of unbounded frames by slot of the keys.
pub(super) struct Unbounded {
    pub(super) frames: Frames,
    /// The time of the last row.
    pub(super) last: Vec<i64>,
}

impl SlotValues for Unbounded {
    fn types(&self) -> Vec<DataType> {
        let mut types = self.frames.state_types();
        types.push(DataType::Int64);
        types
    }

    fn resize(&mut self, slots: usize) {
        self.frames.resize(slots);
        self.last.resize(slots.max(self.last.len()), i64::MIN);
    }

    fn columns(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut columns = self.frames.state(slots)?;
        let last = slots.iter().map(|slot| self.last[*slot as usize]);
        columns.push(Arc::new(Int64Array::from_iter_values(last)));
        Ok(columns)
    }

    fn put(&mut self, slots: &[u32], columns: &[ArrayRef]) -> Result<()> {
        let (last, own) =
            columns.split_last().ok_or_else(|| Error::internal("aggregates without a time"))?;
        self.frames.put(slots, own)?;
        let last = last.as_primitive::<Int64Type>().values();
        slots.iter().zip(last).for_each(|(slot, time)| self.last[*slot as usize] = *time);
        Ok(())
    }

    fn clear(&mut self, slot: u32) {
        self.frames.reset(slot);
        self.last[slot as usize] = i64::MIN;
    }
}

impl Unbounded {
    /// The rows of each key, without those before, which accumulators have.
    pub(super) fn sequences(&mut self, slots: &[u32], times: &[i64]) -> Vec<Sequence> {
        let mut places: hashbrown::HashMap<u32, usize> = hashbrown::HashMap::new();
        let mut sequences: Vec<Sequence> = Vec::new();
        for (row, (slot, time)) in (0_u32..).zip(slots.iter().zip(times)) {
            let place = *places.entry(*slot).or_insert_with(|| {
                let starts = vec![0; self.frames.len()];
                sequences.push(Sequence { slot: *slot, items: Vec::new(), starts });
                sequences.len() - 1
            });
            let last = &mut self.last[*slot as usize];
            let peer = *last == *time;
            *last = *time;
            sequences[place].items.push(Item { place: row, time: *time, peer, out: Some(row) });
        }
        sequences
    }
}
