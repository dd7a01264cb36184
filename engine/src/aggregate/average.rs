//! AVG: sum and count; the result has the type that Flink derives (integers truncate, DECIMAL rounds half up).

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float64Array, Int64Array,
};
use arrow::compute::cast;
use arrow::datatypes as dt;
use arrow::datatypes::{DataType, Int64Type};
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Error, Result, SqlType, TypeKind};

use super::sum::DECIMAL_LIMIT;
use super::{Accumulator, rows};

/// The accumulator for an argument and result type.
pub(super) fn accumulator(argument: &SqlType, result: &SqlType) -> Result<Box<dyn Accumulator>> {
    let sum = match &argument.kind {
        kind if kind.is_integer() => Sums::Integer(Vec::new()),
        TypeKind::Float | TypeKind::Double => Sums::Double(Vec::new()),
        TypeKind::Decimal { scale, .. } => Sums::Decimal { sums: Vec::new(), scale: *scale },
        other => return Err(Error::unsupported(format!("AVG does not take {other}"))),
    };
    Ok(Box::new(Average { sums: sum, counts: Vec::new(), result: result.clone() }))
}

enum Sums {
    Integer(Vec<i64>),
    Double(Vec<f64>),
    /// `None`: the sum overflowed.
    Decimal {
        sums: Vec<Option<i128>>,
        scale: u8,
    },
}

struct Average {
    sums: Sums,
    counts: Vec<i64>,
    result: SqlType,
}

impl Average {
    fn sum_type(&self) -> DataType {
        match &self.sums {
            Sums::Integer(_) => DataType::Int64,
            Sums::Double(_) => DataType::Float64,
            Sums::Decimal { scale, .. } => DataType::Decimal128(38, *scale as i8),
        }
    }

    fn add(
        &mut self,
        slots: &[u32],
        values: &ArrayRef,
        filter: Option<&BooleanArray>,
        sign: i64,
    ) -> Result<()> {
        let values = cast(values, &self.sum_type()).map_err(|e| Error::internal(e.to_string()))?;
        match &mut self.sums {
            Sums::Integer(sums) => {
                let input = values.as_primitive::<Int64Type>().values();
                rows::for_each(slots, values.nulls(), filter, |row, slot| {
                    sums[slot] = sums[slot].wrapping_add(sign.wrapping_mul(input[row]));
                });
            }
            Sums::Double(sums) => {
                let input = values.as_primitive::<dt::Float64Type>().values();
                let sign = sign as f64;
                rows::for_each(slots, values.nulls(), filter, |row, slot| {
                    sums[slot] += sign * input[row];
                });
            }
            Sums::Decimal { sums, .. } => {
                let input = values.as_primitive::<dt::Decimal128Type>().values();
                rows::for_each(slots, values.nulls(), filter, |row, slot| {
                    sums[slot] = sums[slot]
                        .and_then(|sum| sum.checked_add(i128::from(sign) * input[row]))
                        .filter(|sum| sum.abs() < DECIMAL_LIMIT);
                });
            }
        }
        Ok(())
    }

    fn change(
        &mut self,
        slots: &[u32],
        argument: &ArrayRef,
        filter: Option<&BooleanArray>,
        sign: i64,
    ) -> Result<()> {
        self.add(slots, argument, filter, sign)?;
        let counts = &mut self.counts;
        rows::for_each(slots, argument.nulls(), filter, |_, slot| counts[slot] += sign);
        Ok(())
    }

    fn sum_column(&self, slots: &[u32]) -> Result<ArrayRef> {
        let slots = slots.iter().map(|slot| *slot as usize);
        Ok(match &self.sums {
            Sums::Integer(sums) => Arc::new(Int64Array::from_iter_values(slots.map(|s| sums[s]))),
            Sums::Double(sums) => Arc::new(Float64Array::from_iter_values(slots.map(|s| sums[s]))),
            Sums::Decimal { sums, .. } => Arc::new(
                slots.map(|s| sums[s]).collect::<Decimal128Array>().with_data_type(self.sum_type()),
            ),
        })
    }

    fn decimal_result(&self, slot: usize, sum: Option<i128>, scale: u8) -> Option<i128> {
        let TypeKind::Decimal { scale: result_scale, .. } = self.result.kind else { return None };
        let shift = 10i128.checked_pow(u32::from(result_scale.saturating_sub(scale)))?;
        let count = i128::from(self.counts[slot]);
        let scaled = sum?.checked_mul(shift)?;
        let half_up = (scaled.abs() * 2 + count) / (count * 2);
        Some(half_up * scaled.signum()).filter(|value| value.abs() < DECIMAL_LIMIT)
    }
}

impl Accumulator for Average {
    fn resize(&mut self, slots: usize) {
        self.counts.resize(slots, 0);
        match &mut self.sums {
            Sums::Integer(sums) => sums.resize(slots, 0),
            Sums::Double(sums) => sums.resize(slots, 0.0),
            Sums::Decimal { sums, .. } => sums.resize(slots, Some(0)),
        }
    }

    fn update(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let argument = argument.ok_or_else(|| Error::internal("AVG has no argument"))?;
        self.change(slots, argument, filter, 1)
    }

    fn retract(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let argument = argument.ok_or_else(|| Error::internal("AVG has no argument"))?;
        self.change(slots, argument, filter, -1)
    }

    fn merge(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<()> {
        let [sums, counts] = state else {
            return Err(Error::internal("AVG state is two columns"));
        };
        if let Sums::Decimal { sums: own, .. } = &mut self.sums {
            for (row, slot) in slots.iter().enumerate().filter(|(row, _)| sums.is_null(*row)) {
                debug_assert!(sums.is_null(row));
                own[*slot as usize] = None;
            }
        }
        self.add(slots, sums, None, 1)?;
        let values = counts.as_primitive::<Int64Type>().values();
        for (slot, value) in slots.iter().zip(values) {
            self.counts[*slot as usize] += value;
        }
        Ok(())
    }

    fn reset(&mut self, slot: u32) {
        let slot = slot as usize;
        self.counts[slot] = 0;
        match &mut self.sums {
            Sums::Integer(sums) => sums[slot] = 0,
            Sums::Double(sums) => sums[slot] = 0.0,
            Sums::Decimal { sums, .. } => sums[slot] = Some(0),
        }
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let counts = Int64Array::from_iter_values(slots.iter().map(|s| self.counts[*s as usize]));
        Ok(vec![self.sum_column(slots)?, Arc::new(counts)])
    }

    fn result(&self, slots: &[u32]) -> Result<ArrayRef> {
        let ty = data_type(&self.result);
        let slots = slots.iter().map(|slot| *slot as usize);
        let used = |slot: usize| self.counts[slot] > 0;
        let raw: ArrayRef =
            match &self.sums {
                Sums::Integer(sums) => Arc::new(
                    slots
                        .map(|s| used(s).then(|| sums[s].wrapping_div(self.counts[s])))
                        .collect::<Int64Array>(),
                ),
                Sums::Double(sums) => Arc::new(
                    slots
                        .map(|s| used(s).then(|| sums[s] / self.counts[s] as f64))
                        .collect::<Float64Array>(),
                ),
                Sums::Decimal { sums, scale } => {
                    return Ok(Arc::new(
                        slots
                            .map(|s| {
                                if used(s) { self.decimal_result(s, sums[s], *scale) } else { None }
                            })
                            .collect::<Decimal128Array>()
                            .with_data_type(ty),
                    ));
                }
            };
        cast(&raw, &ty).map_err(|error| Error::internal(error.to_string()))
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.sum_type(), DataType::Int64]
    }

    fn memory_size(&self) -> usize {
        let sums = match &self.sums {
            Sums::Integer(sums) => sums.capacity() * 8,
            Sums::Double(sums) => sums.capacity() * 8,
            Sums::Decimal { sums, .. } => sums.capacity() * size_of::<Option<i128>>(),
        };
        sums + self.counts.capacity() * 8
    }
}
