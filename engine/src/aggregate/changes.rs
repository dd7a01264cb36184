//! Aggregates over batches of changes: which rows are added to a call and which are taken back.

use arrow::array::{Array, BooleanArray, Int8Array, RecordBatch};
use arrow::compute::kernels::boolean::{and, and_kleene, not};
use tidegate_plan::{AggregateCall, RowKind};
use tidegate_types::{Error, Result};

use super::{Accumulator, boolean};

/// Which rows of these kinds are added; `None`: all of them.
pub(crate) fn added(kinds: Option<&Int8Array>) -> Option<BooleanArray> {
    let adds = kinds?.values().iter().map(|kind| RowKind::adds(*kind));
    let adds = BooleanArray::from(adds.collect::<Vec<_>>());
    (adds.false_count() > 0).then_some(adds)
}

/// Gives a call the rows of a batch: those of `adds` are added (all if there is none), the others are
/// taken back.
///
/// # Errors
/// As [`Accumulator::update`] and [`Accumulator::retract`].
pub(crate) fn apply(
    call: &AggregateCall,
    accumulator: &mut dyn Accumulator,
    slots: &[u32],
    batch: &RecordBatch,
    adds: Option<&BooleanArray>,
) -> Result<()> {
    let argument = call.argument.map(|index| batch.column(index));
    let filter = match call.filter {
        Some(index) => Some(boolean(batch.column(index))?),
        None => None,
    };
    let Some(adds) = adds else {
        return accumulator.update(slots, argument, filter);
    };
    let (added, taken) = masks(filter, adds)?;
    if added.true_count() > 0 {
        accumulator.update(slots, argument, Some(&added))?;
    }
    if taken.true_count() > 0 {
        accumulator.retract(slots, argument, Some(&taken))?;
    }
    Ok(())
}

/// Counts rows by slot: those of `adds` (or all) are more, the others are fewer.
pub(crate) fn count(rows: &mut [i64], slots: &[u32], adds: Option<&BooleanArray>) {
    match adds {
        None => slots.iter().for_each(|slot| rows[*slot as usize] += 1),
        Some(adds) => {
            for (row, slot) in slots.iter().enumerate() {
                rows[*slot as usize] += if adds.value(row) { 1 } else { -1 };
            }
        }
    }
}

/// The rows that pass a filter and are added, and those that are taken back.
fn masks(
    filter: Option<&BooleanArray>,
    adds: &BooleanArray,
) -> Result<(BooleanArray, BooleanArray)> {
    let internal = |error: arrow::error::ArrowError| Error::internal(error.to_string());
    let takes = not(adds).map_err(internal)?;
    Ok(match filter {
        None => (adds.clone(), takes),
        Some(filter) if filter.null_count() == 0 => {
            (and(filter, adds).map_err(internal)?, and(filter, &takes).map_err(internal)?)
        }
        Some(filter) => (
            and_kleene(filter, adds).map_err(internal)?,
            and_kleene(filter, &takes).map_err(internal)?,
        ),
    })
}
