//! SUM: integers keep their type and wrap, DECIMAL sums have 38 digits and overflow to NULL, as in Flink.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes as dt;
use arrow::datatypes::DataType;
use tidegate_types::{Error, Result, SqlType, TypeKind};

use super::{Accumulator, rows};

/// Largest unscaled value of 38 digits, plus one.
pub(super) const DECIMAL_LIMIT: i128 = 10i128.pow(38);

/// The accumulator for an argument type.
pub(super) fn accumulator(argument: &SqlType) -> Result<Box<dyn Accumulator>> {
    Ok(match &argument.kind {
        TypeKind::TinyInt => {
            Box::new(Sum::<dt::Int8Type>::new(|a, b| Some(a.wrapping_add(b)), DataType::Int8))
        }
        TypeKind::SmallInt => {
            Box::new(Sum::<dt::Int16Type>::new(|a, b| Some(a.wrapping_add(b)), DataType::Int16))
        }
        TypeKind::Int => {
            Box::new(Sum::<dt::Int32Type>::new(|a, b| Some(a.wrapping_add(b)), DataType::Int32))
        }
        TypeKind::BigInt => {
            Box::new(Sum::<dt::Int64Type>::new(|a, b| Some(a.wrapping_add(b)), DataType::Int64))
        }
        TypeKind::Float => {
            Box::new(Sum::<dt::Float32Type>::new(|a, b| Some(a + b), DataType::Float32))
        }
        TypeKind::Double => {
            Box::new(Sum::<dt::Float64Type>::new(|a, b| Some(a + b), DataType::Float64))
        }
        TypeKind::Decimal { scale, .. } => Box::new(Sum::<dt::Decimal128Type>::new(
            |a, b| a.checked_add(b).filter(|sum| sum.abs() < DECIMAL_LIMIT),
            DataType::Decimal128(38, *scale as i8),
        )),
        other => return Err(Error::unsupported(format!("SUM does not take {other}"))),
    })
}

struct Sum<T: ArrowPrimitiveType> {
    sums: Vec<T::Native>,
    seen: Vec<bool>,
    add: fn(T::Native, T::Native) -> Option<T::Native>,
    ty: DataType,
}

impl<T: ArrowPrimitiveType> Sum<T> {
    fn new(add: fn(T::Native, T::Native) -> Option<T::Native>, ty: DataType) -> Self {
        Self { sums: Vec::new(), seen: Vec::new(), add, ty }
    }

    fn add_all(
        &mut self,
        slots: &[u32],
        values: &PrimitiveArray<T>,
        filter: Option<&BooleanArray>,
    ) {
        let (sums, seen, add) = (&mut self.sums, &mut self.seen, self.add);
        let input = values.values();
        rows::for_each(slots, values.nulls(), filter, |row, slot| {
            let sum = if seen[slot] { add(sums[slot], input[row]) } else { Some(input[row]) };
            seen[slot] = sum.is_some();
            sums[slot] = sum.unwrap_or_default();
        });
    }
}

impl<T: ArrowPrimitiveType> Accumulator for Sum<T> {
    fn resize(&mut self, slots: usize) {
        self.sums.resize(slots, T::Native::default());
        self.seen.resize(slots, false);
    }

    fn update(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let values = argument
            .and_then(|argument| argument.as_primitive_opt::<T>())
            .ok_or_else(|| Error::internal("SUM argument has an unexpected type"))?;
        self.add_all(slots, values, filter);
        Ok(())
    }

    fn merge(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<()> {
        self.update(slots, state.first(), None)
    }

    fn reset(&mut self, slot: u32) {
        self.seen[slot as usize] = false;
        self.sums[slot as usize] = T::Native::default();
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.result(slots)?])
    }

    fn result(&self, slots: &[u32]) -> Result<ArrayRef> {
        let values = slots.iter().map(|slot| self.sums[*slot as usize]).collect::<Vec<_>>();
        let nulls = slots.iter().map(|slot| self.seen[*slot as usize]).collect::<NullBuffer>();
        let array = PrimitiveArray::<T>::new(values.into(), Some(nulls));
        Ok(Arc::new(array.with_data_type(self.ty.clone())))
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.ty.clone()]
    }

    fn memory_size(&self) -> usize {
        self.sums.capacity() * size_of::<T::Native>() + self.seen.capacity()
    }
}
