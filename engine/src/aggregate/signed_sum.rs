//! SUM over an input that takes rows back, and `$SUM0`: the sum and the number of values.
//!
//! Sums wrap in their own width, so that what is taken back leaves exactly what was there before; a DECIMAL
//! sum of more than 38 digits is NULL as long as it is.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Int64Array, PrimitiveArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes as dt;
use arrow::datatypes::{ArrowNativeTypeOp, DataType, Int64Type};
use tidegate_types::{Error, Result, SqlType, TypeKind};

use super::sum::DECIMAL_LIMIT;
use super::{Accumulator, rows};

/// The accumulator for an argument type; `zero`: 0 instead of NULL over no values.
pub(super) fn accumulator(argument: &SqlType, zero: bool) -> Result<Box<dyn Accumulator>> {
    macro_rules! sum {
        ($arrow:ty, $ty:expr) => {
            Box::new(SignedSum::<$arrow> {
                sums: Vec::new(),
                counts: Vec::new(),
                zero,
                fits: |_| true,
                ty: $ty,
            })
        };
    }
    Ok(match &argument.kind {
        TypeKind::TinyInt => sum!(dt::Int8Type, DataType::Int8),
        TypeKind::SmallInt => sum!(dt::Int16Type, DataType::Int16),
        TypeKind::Int => sum!(dt::Int32Type, DataType::Int32),
        TypeKind::BigInt => sum!(dt::Int64Type, DataType::Int64),
        TypeKind::Float => sum!(dt::Float32Type, DataType::Float32),
        TypeKind::Double => sum!(dt::Float64Type, DataType::Float64),
        TypeKind::Decimal { scale, .. } => Box::new(SignedSum::<dt::Decimal128Type> {
            sums: Vec::new(),
            counts: Vec::new(),
            zero,
            fits: |sum| sum.unsigned_abs() < DECIMAL_LIMIT.unsigned_abs(),
            ty: DataType::Decimal128(38, *scale as i8),
        }),
        other => return Err(Error::unsupported(format!("SUM does not take {other}"))),
    })
}

struct SignedSum<T: ArrowPrimitiveType> {
    sums: Vec<T::Native>,
    counts: Vec<i64>,
    zero: bool,
    /// Whether a sum is a value of the result's type.
    fits: fn(T::Native) -> bool,
    ty: DataType,
}

impl<T: ArrowPrimitiveType> SignedSum<T> {
    fn column(argument: Option<&ArrayRef>) -> Result<&PrimitiveArray<T>> {
        argument
            .and_then(|argument| argument.as_primitive_opt::<T>())
            .ok_or_else(|| Error::internal("the argument of SUM has an unexpected type"))
    }

    fn raw(&self, slots: &[u32]) -> PrimitiveArray<T> {
        let sums = slots.iter().map(|slot| self.sums[*slot as usize]);
        PrimitiveArray::<T>::from_iter_values(sums)
    }
}

impl<T: ArrowPrimitiveType> Accumulator for SignedSum<T> {
    fn resize(&mut self, slots: usize) {
        self.sums.resize(slots, T::Native::default());
        self.counts.resize(slots, 0);
    }

    fn update(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let input = Self::column(argument)?;
        let (sums, counts, values) = (&mut self.sums, &mut self.counts, input.values());
        rows::for_each(slots, input.nulls(), filter, |row, slot| {
            sums[slot] = sums[slot].add_wrapping(values[row]);
            counts[slot] += 1;
        });
        Ok(())
    }

    fn retract(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let input = Self::column(argument)?;
        let (sums, counts, values) = (&mut self.sums, &mut self.counts, input.values());
        rows::for_each(slots, input.nulls(), filter, |row, slot| {
            sums[slot] = sums[slot].sub_wrapping(values[row]);
            counts[slot] -= 1;
        });
        Ok(())
    }

    fn merge(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<()> {
        let [sums, counts] = state else {
            return Err(Error::internal("SUM state is two columns"));
        };
        let sums = Self::column(Some(sums))?.values();
        let counts = counts.as_primitive::<Int64Type>().values();
        for ((slot, sum), count) in slots.iter().zip(sums).zip(counts) {
            let slot = *slot as usize;
            self.sums[slot] = self.sums[slot].add_wrapping(*sum);
            self.counts[slot] += count;
        }
        Ok(())
    }

    fn reset(&mut self, slot: u32) {
        self.sums[slot as usize] = T::Native::default();
        self.counts[slot as usize] = 0;
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let counts = slots.iter().map(|slot| self.counts[*slot as usize]);
        let sums = self.raw(slots).with_data_type(self.ty.clone());
        Ok(vec![Arc::new(sums), Arc::new(Int64Array::from_iter_values(counts))])
    }

    fn result(&self, slots: &[u32]) -> Result<ArrayRef> {
        let valid =
            |slot: usize| (self.zero || self.counts[slot] != 0) && (self.fits)(self.sums[slot]);
        let nulls: NullBuffer = slots.iter().map(|slot| valid(*slot as usize)).collect();
        let sums = PrimitiveArray::<T>::new(self.raw(slots).values().clone(), Some(nulls));
        Ok(Arc::new(sums.with_data_type(self.ty.clone())))
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.ty.clone(), DataType::Int64]
    }

    fn memory_size(&self) -> usize {
        self.sums.capacity() * size_of::<T::Native>() + self.counts.capacity() * 8
    }
}
