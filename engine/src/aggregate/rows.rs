//! Which rows of a batch count for an aggregate: not NULL and passing the filter.

use arrow::array::{Array, BooleanArray};
use arrow::buffer::NullBuffer;

/// Calls `visit(row, slot)` for every row that is valid in `nulls` and TRUE in `filter`.
#[inline(always)]
pub(super) fn for_each(
    slots: &[u32],
    nulls: Option<&NullBuffer>,
    filter: Option<&BooleanArray>,
    mut visit: impl FnMut(usize, usize),
) {
    let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
    match (nulls, filter) {
        (None, None) => {
            for (row, slot) in slots.iter().enumerate() {
                visit(row, *slot as usize);
            }
        }
        (Some(nulls), None) => {
            for (row, slot) in slots.iter().enumerate() {
                if nulls.is_valid(row) {
                    visit(row, *slot as usize);
                }
            }
        }
        (nulls, Some(filter)) => {
            let passes = |row: usize| {
                filter.value(row)
                    && filter.nulls().is_none_or(|nulls| nulls.is_valid(row))
                    && nulls.is_none_or(|nulls| nulls.is_valid(row))
            };
            for (row, slot) in slots.iter().enumerate() {
                if passes(row) {
                    visit(row, *slot as usize);
                }
            }
        }
    }
}
