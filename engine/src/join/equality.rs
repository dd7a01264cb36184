//! Equality of rows, NULL being equal to NULL: what decides where hashes are equal.

use arrow::array::{Array, ArrayRef, BooleanArray, make_comparator};
use arrow::buffer::BooleanBuffer;
use arrow::compute::SortOptions;
use arrow::compute::kernels::cmp::not_distinct;
use tidegate_types::{Error, Result};

/// Per row whether all columns are equal.
///
/// # Errors
/// `UNSUPPORTED` if values of a type cannot be compared.
pub(super) fn equal_rows(
    left: &[ArrayRef],
    right: &[ArrayRef],
    rows: usize,
) -> Result<BooleanBuffer> {
    let mut equal = BooleanBuffer::new_set(rows);
    for (left, right) in left.iter().zip(right) {
        let columns = if left.data_type().is_nested() {
            nested(left, right, rows)?
        } else {
            not_distinct(left, right).map_err(unsupported)?
        };
        equal = &equal & columns.values();
    }
    Ok(equal)
}

fn nested(left: &ArrayRef, right: &ArrayRef, rows: usize) -> Result<BooleanArray> {
    let compare = make_comparator(left, right, SortOptions::default()).map_err(unsupported)?;
    Ok((0..rows).map(|row| Some(compare(row, row).is_eq())).collect())
}

fn unsupported(error: arrow::error::ArrowError) -> Error {
    Error::unsupported(format!("these values cannot be compared in a join: {error}"))
}
