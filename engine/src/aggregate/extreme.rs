//! MIN and MAX over every comparable type. NaN is larger than any number, as in Java's ordering.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryViewArray, BooleanArray, StringViewBuilder,
};
use arrow::compute::cast;
use arrow::datatypes as dt;
use arrow::datatypes::{ArrowNativeTypeOp, DataType, TimeUnit};
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Error, Result, SqlType};

use super::fold::Fold;
use super::{Accumulator, rows};

/// The accumulator for an argument type; `largest`: MAX.
pub(super) fn accumulator(argument: &SqlType, largest: bool) -> Result<Box<dyn Accumulator>> {
    let ty = data_type(argument);
    let name = if largest { "MAX" } else { "MIN" };
    let wanted = if largest { Ordering::Greater } else { Ordering::Less };
    macro_rules! primitive {
        ($arrow:ty) => {{
            type Native = <$arrow as ArrowPrimitiveType>::Native;
            Box::new(Fold::<$arrow, _>::new(name, ty, move |held: Native, value: Native| {
                Some(if value.compare(held) == wanted { value } else { held })
            }))
        }};
    }
    Ok(match &ty {
        DataType::Int8 => primitive!(dt::Int8Type),
        DataType::Int16 => primitive!(dt::Int16Type),
        DataType::Int32 => primitive!(dt::Int32Type),
        DataType::Int64 => primitive!(dt::Int64Type),
        DataType::Float32 => primitive!(dt::Float32Type),
        DataType::Float64 => primitive!(dt::Float64Type),
        DataType::Decimal128(..) => primitive!(dt::Decimal128Type),
        DataType::Date32 => primitive!(dt::Date32Type),
        DataType::Time32(TimeUnit::Millisecond) => primitive!(dt::Time32MillisecondType),
        DataType::Timestamp(TimeUnit::Millisecond, _) => primitive!(dt::TimestampMillisecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => primitive!(dt::TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => primitive!(dt::TimestampNanosecondType),
        DataType::Boolean | DataType::Utf8View | DataType::BinaryView => {
            Box::new(ExtremeBytes { best: Vec::new(), bytes: 0, largest, ty })
        }
        _ => return Err(Error::unsupported(format!("{name} does not take {argument}"))),
    })
}

/// Text, binary and booleans, compared by their bytes.
struct ExtremeBytes {
    best: Vec<Option<Box<[u8]>>>,
    bytes: usize,
    largest: bool,
    ty: DataType,
}

impl Accumulator for ExtremeBytes {
    fn resize(&mut self, slots: usize) {
        self.best.resize(slots, None);
    }

    fn update(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let argument = argument.ok_or_else(|| Error::internal("MIN/MAX has no argument"))?;
        let input = as_bytes(argument)?;
        let (best, largest, total) = (&mut self.best, self.largest, &mut self.bytes);
        rows::for_each(slots, input.nulls(), filter, |row, slot| {
            let value = input.value(row);
            let better = match &best[slot] {
                None => true,
                Some(held) if largest => value > held.as_ref(),
                Some(held) => value < held.as_ref(),
            };
            if better {
                *total += value.len();
                *total -= best[slot].as_ref().map_or(0, |held| held.len());
                best[slot] = Some(value.into());
            }
        });
        Ok(())
    }

    fn merge(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<()> {
        self.update(slots, state.first(), None)
    }

    fn reset(&mut self, slot: u32) {
        if let Some(held) = self.best[slot as usize].take() {
            self.bytes -= held.len();
        }
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.result(slots)?])
    }

    fn result(&self, slots: &[u32]) -> Result<ArrayRef> {
        let values = slots.iter().map(|slot| self.best[*slot as usize].as_deref());
        Ok(match self.ty {
            DataType::Boolean => {
                Arc::new(values.map(|value| value.map(|v| v == [1])).collect::<BooleanArray>())
            }
            DataType::Utf8View => {
                let mut builder = StringViewBuilder::with_capacity(slots.len());
                for value in values {
                    let text = value.map(std::str::from_utf8).transpose();
                    builder.append_option(text.map_err(|e| Error::internal(e.to_string()))?);
                }
                Arc::new(builder.finish())
            }
            _ => Arc::new(values.collect::<BinaryViewArray>()),
        })
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.ty.clone()]
    }

    fn memory_size(&self) -> usize {
        self.best.capacity() * size_of::<Option<Box<[u8]>>>() + self.bytes
    }
}

fn as_bytes(argument: &ArrayRef) -> Result<BinaryViewArray> {
    if let DataType::Boolean = argument.data_type() {
        let flags = argument.as_boolean();
        let byte = |flag: bool| if flag { &[1u8][..] } else { &[0u8][..] };
        return Ok(flags.iter().map(|flag| flag.map(byte)).collect());
    }
    let binary =
        cast(argument, &DataType::BinaryView).map_err(|e| Error::internal(e.to_string()))?;
    Ok(binary.as_binary_view().clone())
}
