//! DISTINCT around another aggregate, over rows that are only added: remembers the values of each slot.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, ListArray, UInt32Array, new_empty_array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, FieldRef};
use hashbrown::HashSet;
use tidegate_types::{Error, Result};

use super::{Accumulator, rows};
use crate::keys::KeyTable;
use crate::keys::hash::{SEED, hash_array};

/// The partial state is the list of distinct values; the inner state is rebuilt from it.
pub(super) struct Distinct {
    inner: Box<dyn Accumulator>,
    ty: DataType,
    /// Every value seen in any slot, once.
    values: KeyTable,
    /// `slot << 32 | value`.
    seen: HashSet<u64>,
    by_slot: Vec<Vec<u32>>,
    /// Whether NULL is a value.
    nulls: bool,
}

impl Distinct {
    pub(super) fn new(inner: Box<dyn Accumulator>, ty: DataType, nulls: bool) -> Result<Self> {
        let values = KeyTable::new(std::slice::from_ref(&ty))?;
        Ok(Self { inner, ty, values, seen: HashSet::new(), by_slot: Vec::new(), nulls })
    }

    fn field(&self) -> FieldRef {
        Arc::new(Field::new("item", self.ty.clone(), true))
    }

    fn value_ids(&mut self, column: &ArrayRef) -> Result<Vec<u32>> {
        let mut hashes = vec![SEED; column.len()];
        hash_array(column, &mut hashes)?;
        let mut ids = Vec::new();
        self.values.upsert(std::slice::from_ref(column), &hashes, &mut ids)?;
        Ok(ids)
    }
}

impl Accumulator for Distinct {
    fn resize(&mut self, slots: usize) {
        self.inner.resize(slots);
        self.by_slot.resize(slots, Vec::new());
    }

    fn update(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let argument = argument.ok_or_else(|| Error::internal("DISTINCT has no argument"))?;
        let ids = self.value_ids(argument)?;
        let (mut new_rows, mut new_slots) = (Vec::new(), Vec::new());
        let (seen, by_slot) = (&mut self.seen, &mut self.by_slot);
        let nulls = argument.nulls().filter(|_| !self.nulls);
        rows::for_each(slots, nulls, filter, |row, slot| {
            let key = (slot as u64) << 32 | u64::from(ids[row]);
            if seen.insert(key) {
                by_slot[slot].push(ids[row]);
                new_rows.push(row as u32);
                new_slots.push(slot as u32);
            }
        });
        if new_rows.is_empty() {
            return Ok(());
        }
        let fresh = take(argument, &UInt32Array::from(new_rows), None)
            .map_err(|error| Error::internal(error.to_string()))?;
        self.inner.update(&new_slots, Some(&fresh), None)
    }

    fn merge(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<()> {
        let list = state
            .first()
            .and_then(|column| column.as_any().downcast_ref::<ListArray>())
            .ok_or_else(|| Error::internal("DISTINCT state is a list"))?;
        let offsets = list.value_offsets();
        let mut element_slots = Vec::with_capacity(list.values().len());
        for (row, slot) in slots.iter().enumerate() {
            let length = (offsets[row + 1] - offsets[row]) as usize;
            element_slots.extend(std::iter::repeat_n(*slot, length));
        }
        let first = offsets[0] as usize;
        let elements = list.values().slice(first, element_slots.len());
        self.update(&element_slots, Some(&elements), None)
    }

    fn reset(&mut self, slot: u32) {
        for value in std::mem::take(&mut self.by_slot[slot as usize]) {
            let key = u64::from(slot) << 32 | u64::from(value);
            self.seen.remove(&key);
        }
        self.inner.reset(slot);
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let lists = slots.iter().map(|slot| &self.by_slot[*slot as usize]);
        let offsets = OffsetBuffer::from_lengths(lists.clone().map(Vec::len));
        let ids = lists.flatten().copied().collect::<Vec<_>>();
        let values = if ids.is_empty() {
            new_empty_array(&self.ty)
        } else {
            self.values.columns(&ids)?.pop().unwrap_or_else(|| new_empty_array(&self.ty))
        };
        // Row-format decoding may share buffers with other values: keep only what is listed.
        let values = concat(&[values.as_ref()]).map_err(|e| Error::internal(e.to_string()))?;
        let list = ListArray::try_new(self.field(), offsets, values, None)
            .map_err(|error| Error::internal(error.to_string()))?;
        Ok(vec![Arc::new(list)])
    }

    fn result(&self, slots: &[u32]) -> Result<ArrayRef> {
        self.inner.result(slots)
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::List(self.field())]
    }

    fn memory_size(&self) -> usize {
        self.inner.memory_size()
            + self.values.memory_size()
            + self.seen.capacity() * 9
            + self.by_slot.iter().map(|ids| 24 + ids.capacity() * 4).sum::<usize>()
    }
}
