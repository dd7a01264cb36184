//! Splitting a batch by slice or window, so that each part is added to one set of groups.

use arrow::array::{Array, ArrayRef, AsArray, Int8Array, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::TimestampMillisecondType;
use hashbrown::HashMap;
use tidegate_types::{Error, ErrorCode, Result};

/// The rows of a batch that belong to one slice.
pub(crate) struct Part {
    /// The slice's end (or the window's).
    pub(crate) end: i64,
    /// Its start.
    pub(crate) start: i64,
    /// The rows.
    pub(crate) rows: RecordBatch,
    /// Their kinds, if they are not all inserts.
    pub(crate) kinds: Option<Int8Array>,
    /// Their key hashes.
    pub(crate) hashes: Vec<u64>,
}

/// The values of a rowtime or window column.
///
/// # Errors
/// `BAD_RECORD` if a value is NULL: such a row has no place in time.
pub(crate) fn times<'a>(column: &'a ArrayRef, what: &str) -> Result<&'a [i64]> {
    if column.null_count() > 0 {
        return Err(Error::new(
            ErrorCode::BadRecord,
            format!("{what} is NULL; filter such rows out or replace the value before the window"),
        ));
    }
    column
        .as_primitive_opt::<TimestampMillisecondType>()
        .map(|array| array.values().as_ref())
        .ok_or_else(|| Error::internal(format!("{what} is not a TIMESTAMP of precision 0 to 3")))
}

/// Splits rows by `(end, start)`; rows for which `window` is `None` are left out.
pub(crate) fn split(
    rows: &RecordBatch,
    hashes: &[u64],
    window: impl Fn(usize) -> Option<(i64, i64)>,
) -> Result<Vec<Part>> {
    split_changes(rows, None, hashes, window)
}

/// As [`split`], of rows of these kinds.
pub(crate) fn split_changes(
    rows: &RecordBatch,
    kinds: Option<&Int8Array>,
    hashes: &[u64],
    window: impl Fn(usize) -> Option<(i64, i64)>,
) -> Result<Vec<Part>> {
    let count = rows.num_rows();
    let Some(first) = (count > 0).then(|| window(0)) else { return Ok(Vec::new()) };
    if (1..count).all(|row| window(row) == first) {
        let (hashes, kinds) = (|| hashes.to_vec(), || kinds.cloned());
        let whole = |(end, start)| Part {
            end,
            start,
            rows: rows.clone(),
            kinds: kinds(),
            hashes: hashes(),
        };
        return Ok(first.map(whole).into_iter().collect());
    }
    let mut order: Vec<((i64, i64), Vec<u32>)> = Vec::new();
    let mut known: HashMap<(i64, i64), usize> = HashMap::new();
    for row in 0..count {
        let Some(key) = window(row) else { continue };
        let index = *known.entry(key).or_insert_with(|| {
            order.push((key, Vec::new()));
            order.len() - 1
        });
        order[index].1.push(row as u32);
    }
    order
        .into_iter()
        .map(|((end, start), indices)| {
            let hashes = indices.iter().map(|row| hashes[*row as usize]).collect();
            let kinds = kinds.map(|kinds| indices.iter().map(|row| kinds.value(*row as usize)));
            let kinds = kinds.map(Int8Array::from_iter_values);
            let rows = take_record_batch(rows, &UInt32Array::from(indices))
                .map_err(|error| Error::internal(error.to_string()))?;
            Ok(Part { end, start, rows, kinds, hashes })
        })
        .collect()
}
