//! COUNT(*) and COUNT(x).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array};
use arrow::datatypes::{DataType, Int64Type};
use tidegate_types::{Error, Result};

use super::{Accumulator, rows};

/// Rows, or rows whose argument is not NULL.
#[derive(Default)]
pub(super) struct Count {
    counts: Vec<i64>,
}

impl Accumulator for Count {
    fn resize(&mut self, slots: usize) {
        self.counts.resize(slots, 0);
    }

    fn update(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let nulls = argument.and_then(|argument| argument.logical_nulls());
        let counts = &mut self.counts;
        rows::for_each(slots, nulls.as_ref(), filter, |_, slot| counts[slot] += 1);
        Ok(())
    }

    fn retract(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let nulls = argument.and_then(|argument| argument.logical_nulls());
        let counts = &mut self.counts;
        rows::for_each(slots, nulls.as_ref(), filter, |_, slot| counts[slot] -= 1);
        Ok(())
    }

    fn merge(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<()> {
        let [state] = state else {
            return Err(Error::internal("COUNT state is one column"));
        };
        let values = state.as_primitive::<Int64Type>().values();
        for (slot, value) in slots.iter().zip(values) {
            self.counts[*slot as usize] += value;
        }
        Ok(())
    }

    fn reset(&mut self, slot: u32) {
        self.counts[slot as usize] = 0;
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.result(slots)?])
    }

    fn result(&self, slots: &[u32]) -> Result<ArrayRef> {
        Ok(Arc::new(Int64Array::from_iter_values(slots.iter().map(|s| self.counts[*s as usize]))))
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Int64]
    }

    fn memory_size(&self) -> usize {
        self.counts.capacity() * 8
    }
}
