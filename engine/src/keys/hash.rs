//! The hash of typed keys: decides key group, subtask and hash-table slot, so it may never change.
//!
//! xxh3-64 with a fixed seed. A column's value is hashed with the hash of the columns before it as
//! seed; integers, dates, times and timestamps as 8-byte little-endian integers, floats by their bits with −0
//! as 0 and one NaN, decimals as 16 bytes, text and binary by their bytes, NULL as a constant,
//! rows field by field, arrays and maps by length and elements. Golden vectors are in the tests.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes as dt;
use arrow::datatypes::{DataType, IntervalUnit, IntervalYearMonthType, TimeUnit};
use tidegate_types::{Error, Result};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Seed of the first column.
pub const SEED: u64 = 0x7469_6465_6761_7465;
const NULL_MARK: u64 = 0x9E37_79B9_7F4A_7C15;

/// Hashes of the rows' values in `columns`; `hashes` is overwritten.
///
/// # Errors
/// `UNSUPPORTED` for a type that cannot be a key.
pub fn hash_columns(batch: &RecordBatch, columns: &[usize], hashes: &mut Vec<u64>) -> Result<()> {
    hashes.clear();
    hashes.resize(batch.num_rows(), SEED);
    for column in columns {
        hash_array(batch.column(*column), hashes)?;
    }
    Ok(())
}

/// Folds a column into the rows' hashes.
///
/// # Errors
/// `UNSUPPORTED` for a type that cannot be a key.
pub fn hash_array(array: &ArrayRef, hashes: &mut [u64]) -> Result<()> {
    macro_rules! integers {
        ($ty:ty) => {{
            let array = array.as_primitive::<$ty>();
            let values = array.values();
            fold(array, hashes, |row, seed| hash_i64(values[row] as i64, seed))
        }};
    }
    match array.data_type() {
        DataType::Null => hashes.iter_mut().for_each(|hash| *hash = mark(*hash)),
        DataType::Boolean => {
            let values = array.as_boolean();
            fold(values, hashes, |row, seed| hash_i64(i64::from(values.value(row)), seed));
        }
        DataType::Int8 => integers!(dt::Int8Type),
        DataType::Int16 => integers!(dt::Int16Type),
        DataType::Int32 => integers!(dt::Int32Type),
        DataType::Int64 => integers!(dt::Int64Type),
        DataType::Date32 => integers!(dt::Date32Type),
        DataType::Time32(TimeUnit::Millisecond) => integers!(dt::Time32MillisecondType),
        DataType::Timestamp(TimeUnit::Millisecond, _) => integers!(dt::TimestampMillisecondType),
        DataType::Timestamp(TimeUnit::Microsecond, _) => integers!(dt::TimestampMicrosecondType),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => integers!(dt::TimestampNanosecondType),
        DataType::Interval(IntervalUnit::YearMonth) => integers!(IntervalYearMonthType),
        DataType::Duration(TimeUnit::Millisecond) => integers!(dt::DurationMillisecondType),
        DataType::Float32 => {
            let values = array.as_primitive::<dt::Float32Type>();
            fold(values, hashes, |row, seed| hash_f64(f64::from(values.value(row)), seed));
        }
        DataType::Float64 => {
            let values = array.as_primitive::<dt::Float64Type>();
            fold(values, hashes, |row, seed| hash_f64(values.value(row), seed));
        }
        DataType::Decimal128(..) => {
            let values = array.as_primitive::<dt::Decimal128Type>();
            fold(values, hashes, |row, seed| {
                xxh3_64_with_seed(&values.value(row).to_le_bytes(), seed)
            });
        }
        DataType::Utf8View => {
            let values = array.as_string_view();
            fold(values, hashes, |row, seed| xxh3_64_with_seed(values.value(row).as_bytes(), seed));
        }
        DataType::BinaryView => {
            let values = array.as_binary_view();
            fold(values, hashes, |row, seed| xxh3_64_with_seed(values.value(row), seed));
        }
        DataType::Struct(_) => hash_struct(array, hashes)?,
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            hash_nested(list, hashes, |row| list.value(row))?;
        }
        other => {
            return Err(Error::unsupported(format!("values of Arrow type {other} cannot be keys")));
        }
    }
    Ok(())
}

fn hash_struct(array: &ArrayRef, hashes: &mut [u64]) -> Result<()> {
    let rows = array.as_struct();
    let before = hashes.to_vec();
    for column in rows.columns() {
        hash_array(column, hashes)?;
    }
    for (row, hash) in hashes.iter_mut().enumerate() {
        if rows.is_null(row) {
            *hash = mark(before[row]);
        }
    }
    Ok(())
}

fn hash_nested(
    array: &dyn Array,
    hashes: &mut [u64],
    value: impl Fn(usize) -> ArrayRef,
) -> Result<()> {
    for (row, hash) in hashes.iter_mut().enumerate() {
        if array.is_null(row) {
            *hash = mark(*hash);
            continue;
        }
        let elements = value(row);
        let mut inner = vec![SEED; elements.len()];
        hash_array(&elements, &mut inner)?;
        *hash = hash_i64(elements.len() as i64, *hash);
        for element in inner {
            *hash = hash_i64(element as i64, *hash);
        }
    }
    Ok(())
}

/// The hash of one integer-like key value, as [`hash_array`] computes it.
#[inline(always)]
pub fn hash_i64(value: i64, seed: u64) -> u64 {
    xxh3_64_with_seed(&value.to_le_bytes(), seed)
}

fn hash_f64(value: f64, seed: u64) -> u64 {
    let normal = if value == 0.0 {
        0.0
    } else if value.is_nan() {
        f64::NAN
    } else {
        value
    };
    hash_i64(normal.to_bits() as i64, seed)
}

#[inline]
fn mark(seed: u64) -> u64 {
    hash_i64(NULL_MARK as i64, seed)
}

#[inline(always)]
fn fold(array: &dyn Array, hashes: &mut [u64], hash: impl Fn(usize, u64) -> u64) {
    match array.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => {
            for (row, seed) in hashes.iter_mut().enumerate() {
                *seed = hash(row, *seed);
            }
        }
        Some(nulls) => {
            for (row, seed) in hashes.iter_mut().enumerate() {
                *seed = if nulls.is_valid(row) { hash(row, *seed) } else { mark(*seed) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int32Array, Int64Array, StringViewArray};

    use super::*;

    fn hashes(columns: Vec<ArrayRef>) -> Vec<u64> {
        let mut hashes = vec![SEED; columns[0].len()];
        for column in &columns {
            hash_array(column, &mut hashes).unwrap();
        }
        hashes
    }

    /// These values are in checkpoints: a change here loses state.
    #[test]
    fn golden_vectors() {
        let integers =
            hashes(vec![Arc::new(Int64Array::from(vec![Some(0), Some(1), Some(-1), None]))]);
        let texts =
            hashes(vec![Arc::new(StringViewArray::from(vec![Some(""), Some("tide"), None]))]);
        let pair = hashes(vec![
            Arc::new(Int32Array::from(vec![7])),
            Arc::new(StringViewArray::from(vec!["x"])),
        ]);
        assert_eq!(
            (integers, texts, pair),
            (GOLDEN.0.to_vec(), GOLDEN.1.to_vec(), GOLDEN.2.to_vec())
        );
    }

    const GOLDEN: ([u64; 4], [u64; 3], [u64; 1]) = (
        [
            1_350_652_571_605_885_453,
            1_309_978_113_614_123_360,
            10_081_820_503_186_870_437,
            9_811_983_871_614_430_966,
        ],
        [17_467_874_848_261_537_648, 79_177_196_306_126_206, 9_811_983_871_614_430_966],
        [6_939_050_772_788_253_189],
    );

    #[test]
    fn equal_values_of_different_widths_and_zeros_hash_alike() {
        let narrow = hashes(vec![Arc::new(Int32Array::from(vec![42]))]);
        let wide = hashes(vec![Arc::new(Int64Array::from(vec![42]))]);
        assert_eq!(narrow, wide);
        let zeros = hashes(vec![Arc::new(Float64Array::from(vec![0.0, -0.0]))]);
        assert_eq!(zeros[0], zeros[1]);
        let nans = hashes(vec![Arc::new(Float64Array::from(vec![f64::NAN, -f64::NAN]))]);
        assert_eq!(nans[0], nans[1]);
    }
}
