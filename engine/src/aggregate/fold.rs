//! Aggregates whose state is one value of a primitive type, folded over the rows: SUM, MIN, MAX.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use tidegate_types::{Error, Result};

use super::{Accumulator, rows};

/// A value per slot: the first that was seen, with every later one combined into it.
pub(super) struct Fold<T: ArrowPrimitiveType, F> {
    name: &'static str,
    values: Vec<T::Native>,
    seen: Vec<bool>,
    /// The held value with another; `None` if there is no such value: the slot is NULL then.
    combine: F,
    ty: DataType,
}

impl<T: ArrowPrimitiveType, F> Fold<T, F>
where
    F: Fn(T::Native, T::Native) -> Option<T::Native> + Send,
{
    /// No slots. `ty` is the result's type, with Arrow's type `T`; `name` is for messages.
    pub(super) fn new(name: &'static str, ty: DataType, combine: F) -> Self {
        Self { name, values: Vec::new(), seen: Vec::new(), combine, ty }
    }
}

impl<T: ArrowPrimitiveType, F> Accumulator for Fold<T, F>
where
    F: Fn(T::Native, T::Native) -> Option<T::Native> + Send,
{
    fn resize(&mut self, slots: usize) {
        self.values.resize(slots, T::Native::default());
        self.seen.resize(slots, false);
    }

    fn update(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let input =
            argument.and_then(|argument| argument.as_primitive_opt::<T>()).ok_or_else(|| {
                Error::internal(format!("the argument of {} has an unexpected type", self.name))
            })?;
        let (values, seen, combine) = (&mut self.values, &mut self.seen, &self.combine);
        let column = input.values();
        rows::for_each(slots, input.nulls(), filter, |row, slot| {
            let value = column[row];
            let folded = if seen[slot] { combine(values[slot], value) } else { Some(value) };
            seen[slot] = folded.is_some();
            values[slot] = folded.unwrap_or_default();
        });
        Ok(())
    }

    fn merge(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<()> {
        self.update(slots, state.first(), None)
    }

    fn reset(&mut self, slot: u32) {
        self.seen[slot as usize] = false;
        self.values[slot as usize] = T::Native::default();
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.result(slots)?])
    }

    fn result(&self, slots: &[u32]) -> Result<ArrayRef> {
        let values = slots.iter().map(|slot| self.values[*slot as usize]).collect::<Vec<_>>();
        let nulls = slots.iter().map(|slot| self.seen[*slot as usize]).collect::<NullBuffer>();
        let array = PrimitiveArray::<T>::new(values.into(), Some(nulls));
        Ok(Arc::new(array.with_data_type(self.ty.clone())))
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.ty.clone()]
    }

    fn memory_size(&self) -> usize {
        self.values.capacity() * size_of::<T::Native>() + self.seen.capacity()
    }
}
