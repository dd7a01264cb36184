//! Accumulators: the state of aggregates as columns indexed by slot, updated a batch at a time.
//!
//! A *partial state* is what a local phase sends to the global one and what a checkpoint keeps: the
//! columns of [`Accumulator::state_types`]. Merging a partial state into a fresh slot restores it.

mod average;
pub(crate) mod changes;
mod count;
mod counted;
mod distinct;
mod extreme;
mod fold;
mod moments;
mod multiset;
mod rows;
mod sequence;
mod set;
mod signed_sum;
mod sketch;
mod sum;
pub(crate) mod worth;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::DataType;
use tidegate_plan::arrow_type::data_type;
use tidegate_plan::{AggregateCall, AggregateFunction, Schema};
use tidegate_types::{Error, Result, SqlType};

pub use set::AccumulatorSet;

/// The states of one aggregate call for all keys of a table.
pub trait Accumulator: Send {
    /// Makes room for slots `0..slots`; new ones are empty.
    fn resize(&mut self, slots: usize);

    /// Adds row `i` of `argument` to slot `slots[i]`, where `filter` (if any) is TRUE.
    ///
    /// # Errors
    /// `INTERNAL` if the argument is not of the expected type.
    fn update(
        &mut self,
        slots: &[u32],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
    ) -> Result<()>;

    /// Takes row `i` of `argument` back from slot `slots[i]`, where `filter` (if any) is TRUE.
    ///
    /// # Errors
    /// `INTERNAL` if the argument is not of the expected type, or the accumulator was not made for
    /// an input that takes rows back.
    fn retract(
        &mut self,
        _slots: &[u32],
        _argument: Option<&ArrayRef>,
        _filter: Option<&BooleanArray>,
    ) -> Result<()> {
        Err(Error::internal("an aggregate over an input without retractions was to retract"))
    }

    /// Adds partial state `i` to slot `slots[i]`.
    ///
    /// # Errors
    /// `INTERNAL` if the columns are not a partial state of this aggregate.
    fn merge(&mut self, slots: &[u32], state: &[ArrayRef]) -> Result<()>;

    /// Empties a slot.
    fn reset(&mut self, slot: u32);

    /// The partial states of slots.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    fn state(&self, slots: &[u32]) -> Result<Vec<ArrayRef>>;

    /// The results of slots.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    fn result(&self, slots: &[u32]) -> Result<ArrayRef>;

    /// Types of the partial state's columns.
    fn state_types(&self) -> Vec<DataType>;

    /// Bytes held.
    fn memory_size(&self) -> usize;
}

/// Makes the accumulator of a call over an input schema; `retracts`: rows may be taken back.
///
/// # Errors
/// `UNSUPPORTED` if the function does not take the argument's type, or cannot take rows back.
pub fn accumulator(
    call: &AggregateCall,
    input: &Schema,
    retracts: bool,
) -> Result<Box<dyn Accumulator>> {
    let argument = call.argument.map(|index| &input[index].ty);
    let plain = plain_accumulator(call, argument, retracts)?;
    match argument {
        Some(ty) if is_distinct(call) => {
            let (ty, nulls) = (data_type(ty), counts_nulls(call));
            Ok(match retracts {
                true => Box::new(counted::CountedDistinct::new(plain, ty, nulls)?),
                false => Box::new(distinct::Distinct::new(plain, ty, nulls)?),
            })
        }
        _ => Ok(plain),
    }
}

/// Whether a call must be given each value once: MIN and MAX do not care about doubles.
pub(crate) fn is_distinct(call: &AggregateCall) -> bool {
    call.distinct && !matches!(call.function, AggregateFunction::Min | AggregateFunction::Max)
}

/// Whether partial states of a call over rows that are taken back add up whatever each of them has: one may
/// lose rows that another one has. What depends on the order of rows does not, nor do moments.
pub(crate) fn adds_up(call: &AggregateCall) -> bool {
    use AggregateFunction as F;
    matches!(
        call.function,
        F::Count | F::Sum | F::Sum0 | F::Avg | F::Min | F::Max | F::Collect | F::Percentile
    )
}

/// Whether NULL is a value for a call.
pub(crate) fn counts_nulls(call: &AggregateCall) -> bool {
    call.function == AggregateFunction::ArrayAgg
}

/// As [`accumulator`] without DISTINCT.
pub(crate) fn plain_accumulator(
    call: &AggregateCall,
    argument: Option<&SqlType>,
    retracts: bool,
) -> Result<Box<dyn Accumulator>> {
    use AggregateFunction as F;
    let (function, result) = (call.function, &call.ty);
    if function == F::Count {
        return Ok(Box::new(count::Count::default()));
    }
    let argument =
        argument.ok_or_else(|| Error::internal(format!("{} has no argument", function.name())))?;
    match function {
        F::Sum if !retracts => sum::accumulator(argument),
        F::Sum | F::Sum0 => signed_sum::accumulator(argument, function == F::Sum0),
        F::Avg => average::accumulator(argument, result),
        F::Min | F::Max if retracts => multiset::extreme(argument, function == F::Max),
        F::Min => extreme::accumulator(argument, extreme::Pick::Smallest),
        F::Max => extreme::accumulator(argument, extreme::Pick::Largest),
        F::StddevPop | F::StddevSamp | F::VarPop | F::VarSamp => {
            moments::accumulator(function, argument, result)
        }
        F::FirstValue if !retracts => extreme::accumulator(argument, extreme::Pick::First),
        F::LastValue if !retracts => extreme::accumulator(argument, extreme::Pick::Last),
        F::FirstValue | F::LastValue | F::ListAgg | F::ArrayAgg | F::SingleValue => {
            sequence::accumulator(call, argument)
        }
        F::Collect => multiset::collect(argument, result),
        F::Percentile => multiset::percentile(call, argument),
        F::ApproxCountDistinct if retracts => Err(Error::unsupported(
            "APPROX_COUNT_DISTINCT cannot take rows back, and its input may update or delete rows",
        )
        .help("use COUNT(DISTINCT …)")),
        F::ApproxCountDistinct => Ok(Box::new(sketch::ApproxDistinct::default())),
        F::Count => Ok(Box::new(count::Count::default())),
        F::RowNumber | F::Rank | F::DenseRank | F::Lag | F::Lead => {
            Err(Error::unsupported(format!("{} is for OVER only", function.name())))
        }
    }
}

/// A FILTER column.
///
/// # Errors
/// `INTERNAL` if it is of another type.
pub(crate) fn boolean(column: &ArrayRef) -> Result<&BooleanArray> {
    column.as_any().downcast_ref().ok_or_else(|| Error::internal("FILTER column is not BOOLEAN"))
}

#[cfg(test)]
mod tests;
