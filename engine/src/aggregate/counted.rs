//! DISTINCT around another aggregate where rows may be taken back: how often each value is in each slot.
//!
//! A value that was taken back before it came has a negative count and does not show, so that the
//! partial states of a slot add up in any order.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::new_empty_array;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, Int64Type};
use tidegate_types::{Error, Result};

use super::{Accumulator, rows};
use crate::keys::KeyTable;
use crate::keys::hash::{SEED, hash_array};

/// The partial state is the values with their counts; the inner state is rebuilt from it.
pub(super) struct CountedDistinct {
    inner: Box<dyn Accumulator>,
    ty: DataType,
    /// Every value of any slot, once, and in how many slots it is.
    values: KeyTable,
    uses: Vec<u32>,
    /// Slot and value → how often; never 0.
    counts: BTreeMap<(u32, u32), i64>,
    /// Whether NULL is a value.
    nulls: bool,
}

/// What an aggregate without DISTINCT is to be given: rows of the values' column, and their slots.
#[derive(Default)]
struct Shown {
    rows: Vec<u32>,
    slots: Vec<u32>,
}

impl Shown {
    fn push(&mut self, row: usize, slot: u32) {
        self.rows.push(row as u32);
        self.slots.push(slot);
    }
}

impl CountedDistinct {
    pub(super) fn new(inner: Box<dyn Accumulator>, ty: DataType, nulls: bool) -> Result<Self> {
        let values = KeyTable::new(std::slice::from_ref(&ty))?;
        Ok(Self { inner, ty, values, uses: Vec::new(), counts: BTreeMap::new(), nulls })
    }

    fn value_ids(&mut self, column: &ArrayRef) -> Result<Vec<u32>> {
        let mut hashes = vec![SEED; column.len()];
        hash_array(column, &mut hashes)?;
        let mut ids = Vec::new();
        self.values.upsert(std::slice::from_ref(column), &hashes, &mut ids)?;
        self.uses.resize(self.values.len(), 0);
        Ok(ids)
    }

    /// Changes a count; answers whether the value was shown before, and is now.
    fn change(&mut self, slot: u32, value: u32, by: i64) -> (bool, bool) {
        let count = self.counts.entry((slot, value)).or_insert_with(|| {
            self.uses[value as usize] += 1;
            0
        });
        let before = *count;
        *count += by;
        let after = *count;
        if after == 0 {
            self.counts.remove(&(slot, value));
            self.uses[value as usize] -= 1;
        }
        (before > 0, after > 0)
    }

    /// Changes the counts of the values of rows.
    fn each(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
        by: impl Fn(usize) -> i64,
    ) -> Result<()> {
        let argument = argument.ok_or_else(|| Error::internal("DISTINCT has no argument"))?;
        let ids = self.value_ids(argument)?;
        let (mut came, mut gone) = (Shown::default(), Shown::default());
        let nulls = argument.logical_nulls().filter(|_| !self.nulls);
        rows::for_each(slots, nulls.as_ref(), filter, |row, slot| {
            match self.change(slot as u32, ids[row], by(row)) {
                (false, true) => came.push(row, slot as u32),
                (true, false) => gone.push(row, slot as u32),
                _ => {}
            }
        });
        let column = |shown: &Shown| {
            take(argument, &UInt32Array::from(shown.rows.clone()), None)
                .map_err(|error| Error::internal(error.to_string()))
        };
        if !came.rows.is_empty() {
            self.inner.update(&came.slots, Some(&column(&came)?), None)?;
        }
        if !gone.rows.is_empty() {
            self.inner.retract(&gone.slots, Some(&column(&gone)?), None)?;
        }
        self.sweep(ids);
        Ok(())
    }

    /// Forgets values that no slot has, of those named.
    fn sweep(&mut self, mut ids: Vec<u32>) {
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| self.uses[*id as usize] == 0);
        ids.iter().for_each(|id| self.values.remove(*id));
    }

    fn of(&self, slot: u32) -> impl Iterator<Item = (u32, i64)> {
        let range = self.counts.range((slot, 0)..=(slot, u32::MAX));
        range.map(|((_, value), count)| (*value, *count))
    }
}

impl Accumulator for CountedDistinct {
    fn resize(&mut self, slots: usize) {
        self.inner.resize(slots);
    }

    fn update(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        self.each(slots, argument, filter, |_| 1)
    }

    fn retract(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        self.each(slots, argument, filter, |_| -1)
    }

    fn merge(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<()> {
        let lists = |index: usize| state.get(index).and_then(|column| column.as_list_opt::<i32>());
        let (Some(values), Some(counts)) = (lists(0), lists(1)) else {
            return Err(Error::internal("the state of DISTINCT is two lists"));
        };
        let elements = |list: &ListArray| {
            let offsets = list.value_offsets();
            let (first, last) = (offsets[0] as usize, offsets[offsets.len() - 1] as usize);
            list.values().slice(first, last - first)
        };
        let lengths = values.value_offsets().windows(2).map(|pair| (pair[1] - pair[0]) as usize);
        let slots = slots.iter().zip(lengths);
        let slots: Vec<u32> =
            slots.flat_map(|(slot, length)| std::iter::repeat_n(*slot, length)).collect();
        let counts = elements(counts);
        let counts = counts.as_primitive::<Int64Type>().values();
        self.each(&slots, Some(&elements(values)), None, |row| counts[row])
    }

    fn reset(&mut self, slot: u32) {
        let values: Vec<u32> = self.of(slot).map(|(value, _)| value).collect();
        for value in &values {
            self.counts.remove(&(slot, *value));
            self.uses[*value as usize] -= 1;
        }
        self.sweep(values);
        self.inner.reset(slot);
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let (mut ids, mut counts, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for slot in slots {
            let before = ids.len();
            for (value, count) in self.of(*slot) {
                ids.push(value);
                counts.push(count);
            }
            lengths.push(ids.len() - before);
        }
        let values = match ids.is_empty() {
            true => None,
            false => self.values.columns(&ids)?.pop(),
        };
        let values = values.unwrap_or_else(|| new_empty_array(&self.ty));
        // Decoding may share buffers with more than is listed.
        let values = concat(&[values.as_ref()]).map_err(|e| Error::internal(e.to_string()))?;
        let columns = [values, Arc::new(Int64Array::from(counts)) as ArrayRef];
        let lists = columns.into_iter().map(|column| {
            let field = Arc::new(Field::new("item", column.data_type().clone(), true));
            let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
            let list = ListArray::try_new(field, offsets, column, None);
            list.map(|list| Arc::new(list) as ArrayRef)
                .map_err(|error| Error::internal(error.to_string()))
        });
        lists.collect()
    }

    fn result(&self, slots: &[u32]) -> Result<ArrayRef> {
        self.inner.result(slots)
    }

    fn state_types(&self) -> Vec<DataType> {
        let list = |ty: &DataType| DataType::List(Arc::new(Field::new("item", ty.clone(), true)));
        vec![list(&self.ty), list(&DataType::Int64)]
    }

    fn memory_size(&self) -> usize {
        self.inner.memory_size()
            + self.values.memory_size()
            + self.uses.capacity() * 4
            + self.counts.len() * 24
    }
}
