//! Keys that gave nothing, and what they give later.

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use tidegate_types::{Error, Result};

use crate::connector::Found;

/// The keys without rows.
pub(super) fn missed(found: &Found) -> Vec<u32> {
    let count = found.starts.len().saturating_sub(1);
    (0..count as u32).filter(|key| found.of(*key as usize).is_empty()).collect()
}

/// What was found, and for the keys that were missed what was found for them `again`.
///
/// # Errors
/// `INTERNAL` for rows of another schema.
pub(super) fn with_missed(found: &Found, missed: &[u32], again: &Found) -> Result<Found> {
    let first = of_keys(found)?;
    let second = of_keys(again)?;
    let offset = first.num_rows() as u32;
    let rows = concat_batches(&found.rows.schema(), [&first, &second])
        .map_err(|error| Error::internal(format!("rows that were looked up again: {error}")))?;
    let count = found.starts.len() - 1;
    let (mut starts, mut order) = (Vec::with_capacity(count + 1), Vec::new());
    starts.push(0);
    let mut places = missed.iter().zip(again.starts.windows(2)).peekable();
    for (key, window) in found.starts.windows(2).enumerate() {
        match places.next_if(|(missed, _)| **missed as usize == key) {
            Some((_, again)) => order.extend((again[0]..again[1]).map(|row| offset + row)),
            None => order.extend(window[0]..window[1]),
        }
        starts.push(order.len() as u32);
    }
    Ok(Found { rows, starts, order })
}

/// Only the rows that some key has, in the order of the keys: what was searched may be a whole table.
fn of_keys(found: &Found) -> Result<RecordBatch> {
    take_record_batch(&found.rows, &UInt32Array::from(found.order.clone()))
        .map_err(|error| Error::internal(format!("rows that were looked up: {error}")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array, AsArray, Int64Array};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};

    use super::*;

    fn found(rows: Vec<i64>, starts: Vec<u32>, order: Vec<u32>) -> Found {
        let schema = Arc::new(Schema::new(vec![Field::new("v", DataType::Int64, true)]));
        let rows = RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(rows))]).unwrap();
        Found { rows, starts, order }
    }

    fn values(found: &Found, key: usize) -> Vec<i64> {
        let column = found.rows.column(0).as_primitive::<Int64Type>();
        assert_eq!(column.null_count(), 0);
        found.of(key).iter().map(|row| column.value(*row as usize)).collect()
    }

    #[test]
    fn what_was_missed_takes_its_place_among_what_was_not() {
        // Keys a (none), b (20, 10), c (none), d (30), out of a table with rows of other keys too.
        let first = found(vec![10, 99, 20, 30], vec![0, 0, 2, 2, 3], vec![2, 0, 3]);
        assert_eq!(missed(&first), [0, 2]);
        let all = with_missed(&first, &[0, 2], &found(vec![5, 6], vec![0, 0, 2], vec![1, 0]));
        let all = all.unwrap();
        let rows: Vec<Vec<i64>> = (0..4).map(|key| values(&all, key)).collect();
        assert_eq!(rows, [vec![], vec![20, 10], vec![6, 5], vec![30]]);
        assert_eq!((missed(&all), all.rows.num_rows()), (vec![0], 5));
    }
}
