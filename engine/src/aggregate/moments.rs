//! STDDEV_POP, STDDEV_SAMP, VAR_POP, VAR_SAMP: count, mean and the sum of squared distances from it
//! (Welford), which stay exact where sums of squares would cancel. A value is taken back by the same steps
//! in reverse. As in Flink the result has the argument's type (a DECIMAL its average's): integers are cut.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use tidegate_plan::AggregateFunction;
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Error, Result, SqlType};

use super::sum::DECIMAL_LIMIT;
use super::{Accumulator, rows};

/// The accumulator of a function for an argument and result type.
pub(super) fn accumulator(
    function: AggregateFunction,
    argument: &SqlType,
    result: &SqlType,
) -> Result<Box<dyn Accumulator>> {
    use AggregateFunction as F;
    if !argument.kind.is_numeric() {
        return Err(Error::unsupported(format!("{} does not take {argument}", function.name())));
    }
    Ok(Box::new(Moments {
        slots: Vec::new(),
        sample: matches!(function, F::StddevSamp | F::VarSamp),
        root: matches!(function, F::StddevPop | F::StddevSamp),
        result: data_type(result),
    }))
}

#[derive(Clone, Copy, Default)]
struct Moment {
    count: i64,
    mean: f64,
    /// Sum of squared distances from the mean.
    squares: f64,
}

impl Moment {
    #[inline]
    fn add(&mut self, value: f64) {
        self.count += 1;
        if self.count == 0 {
            // What was taken back too early has come.
            *self = Self::default();
            return;
        }
        let distance = value - self.mean;
        self.mean += distance / self.count as f64;
        self.squares += distance * (value - self.mean);
    }

    #[inline]
    fn take(&mut self, value: f64) {
        self.count -= 1;
        if self.count == 0 {
            *self = Self::default();
            return;
        }
        let distance = value - self.mean;
        self.mean -= distance / self.count as f64;
        self.squares -= distance * (value - self.mean);
    }

    fn merge(&mut self, other: Self) {
        let count = self.count + other.count;
        if count == 0 || other.count == 0 {
            *self = if count == 0 { Self::default() } else { *self };
            return;
        }
        let distance = other.mean - self.mean;
        let (own, theirs, all) = (self.count as f64, other.count as f64, count as f64);
        self.mean += distance * theirs / all;
        self.squares += other.squares + distance * distance * own * theirs / all;
        self.count = count;
    }
}

struct Moments {
    slots: Vec<Moment>,
    sample: bool,
    root: bool,
    result: DataType,
}

impl Moments {
    fn each(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
        act: impl Fn(&mut Moment, f64),
    ) -> Result<()> {
        let argument = argument.ok_or_else(|| Error::internal("VAR/STDDEV has no argument"))?;
        let values =
            cast(argument, &DataType::Float64).map_err(|e| Error::internal(e.to_string()))?;
        let (values, moments) = (values.as_primitive::<Float64Type>(), &mut self.slots);
        rows::for_each(slots, values.nulls(), filter, |row, slot| {
            act(&mut moments[slot], values.value(row));
        });
        Ok(())
    }
}

impl Accumulator for Moments {
    fn resize(&mut self, slots: usize) {
        self.slots.resize(slots, Moment::default());
    }

    fn update(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        self.each(slots, argument, filter, Moment::add)
    }

    fn retract(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        self.each(slots, argument, filter, Moment::take)
    }

    fn merge(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<()> {
        let [counts, means, squares] = state else {
            return Err(Error::internal("VAR/STDDEV state is three columns"));
        };
        let counts = counts.as_primitive::<Int64Type>().values();
        let means = means.as_primitive::<Float64Type>().values();
        let squares = squares.as_primitive::<Float64Type>().values();
        for (row, slot) in slots.iter().enumerate() {
            let (count, mean, squares) = (counts[row], means[row], squares[row]);
            self.slots[*slot as usize].merge(Moment { count, mean, squares });
        }
        Ok(())
    }

    fn reset(&mut self, slot: u32) {
        self.slots[slot as usize] = Moment::default();
    }

    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>> {
        let moments = || slots.iter().map(|slot| self.slots[*slot as usize]);
        Ok(vec![
            Arc::new(Int64Array::from_iter_values(moments().map(|moment| moment.count))),
            Arc::new(Float64Array::from_iter_values(moments().map(|moment| moment.mean))),
            Arc::new(Float64Array::from_iter_values(moments().map(|moment| moment.squares))),
        ])
    }

    fn result(&self, slots: &[u32]) -> Result<ArrayRef> {
        let value = |slot: &u32| {
            let moment = self.slots[*slot as usize];
            let divisor = moment.count - i64::from(self.sample);
            let variance = moment.squares.max(0.0) / divisor as f64;
            (divisor > 0).then_some(if self.root { variance.sqrt() } else { variance })
        };
        let values = slots.iter().map(value);
        // Narrowed as Java does it; a DECIMAL has the digits that a DOUBLE is shown with.
        Ok(match self.result {
            DataType::Int8 => {
                Arc::new(values.map(|v| Some(v? as i32 as i8)).collect::<Int8Array>())
            }
            DataType::Int16 => {
                Arc::new(values.map(|v| Some(v? as i32 as i16)).collect::<Int16Array>())
            }
            DataType::Int32 => Arc::new(values.map(|v| Some(v? as i32)).collect::<Int32Array>()),
            DataType::Int64 => Arc::new(values.map(|v| Some(v? as i64)).collect::<Int64Array>()),
            DataType::Float32 => {
                Arc::new(values.map(|v| Some(v? as f32)).collect::<Float32Array>())
            }
            DataType::Decimal128(_, scale) => {
                let decimals = values.map(|value| decimal(value?, i32::from(scale)));
                let decimals = decimals.collect::<Decimal128Array>();
                Arc::new(decimals.with_data_type(self.result.clone()))
            }
            _ => Arc::new(values.collect::<Float64Array>()),
        })
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Int64, DataType::Float64, DataType::Float64]
    }

    fn memory_size(&self) -> usize {
        self.slots.capacity() * size_of::<Moment>()
    }
}

/// The unscaled value of a number's shortest digits, rounded half up; none if it has more than 38 digits.
fn decimal(value: f64, scale: i32) -> Option<i128> {
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e')?;
    let fraction = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len() as i32);
    let unscaled: i128 = digits.replace('.', "").parse().ok()?;
    let shift = exponent.parse::<i32>().ok()? - fraction + scale;
    let power = |shift: i32| 10i128.checked_pow(shift.unsigned_abs());
    let shifted = match shift {
        0.. => unscaled.checked_mul(power(shift)?)?,
        _ => match power(shift) {
            Some(power) => {
                let half = unscaled.signum() * (power / 2);
                (unscaled + half) / power
            }
            None => 0,
        },
    };
    Some(shifted).filter(|value| value.abs() < DECIMAL_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_the_digits_that_a_double_is_shown_with() {
        assert_eq!(decimal(13.462912017836262, 18), Some(13_462_912_017_836_262_000));
        assert_eq!(decimal(2_500_000_025_500_000.5, 6), Some(2_500_000_025_500_000_500_000));
        assert_eq!((decimal(0.25, 1), decimal(1e-60, 6)), (Some(3), Some(0)));
        assert_eq!((decimal(1e38, 0), decimal(f64::NAN, 0)), (None, None));
    }

    #[test]
    fn taking_back_leaves_the_moments_of_what_is_left() {
        let values: Vec<f64> = (0..1_000).map(|i| 1e9 + f64::from(i * 37 % 101)).collect();
        let mut moment = Moment::default();
        values.iter().for_each(|value| moment.add(*value));
        values[100..].iter().for_each(|value| moment.take(*value));
        let mut expected = Moment::default();
        values[..100].iter().for_each(|value| expected.add(*value));
        assert_eq!(moment.count, 100);
        assert!((moment.mean - expected.mean).abs() < 1e-5);
        assert!((moment.squares / expected.squares - 1.0).abs() < 1e-6);
        let mut halves = [Moment::default(); 2];
        values[..100].iter().enumerate().for_each(|(i, value)| halves[i % 2].add(*value));
        let [mut merged, other] = halves;
        merged.merge(other);
        assert!((merged.squares / expected.squares - 1.0).abs() < 1e-9);
    }
}
