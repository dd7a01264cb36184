//! Per partition the value behind which rows are beyond: most rows of a Top-N over added rows fail one
//! comparison of integers. Only where the first sort column fits 64 bits; others are compared in full.

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::datatypes::DataType;
use tidegate_plan::operator::{RankFunction, SortKey};
use tidegate_types::Result;

use crate::keys::{is_native, native_values};

/// Bounds by partition.
pub(super) struct Bounds {
    column: usize,
    descending: bool,
    /// Whether rows equal to the bound are beyond too: there is no further sort column.
    strict: bool,
    /// The largest value that may still be kept, in ascending terms.
    largest: Vec<i64>,
}

impl Bounds {
    /// For a sort order over a column of type `ty`.
    pub(super) fn new(function: RankFunction, order: &[SortKey], ty: &DataType) -> Option<Self> {
        let first = order.first().filter(|_| is_native(ty))?;
        Some(Self {
            column: first.column,
            descending: first.descending,
            strict: order.len() == 1 && function == RankFunction::RowNumber,
            largest: Vec::new(),
        })
    }

    /// Makes room for partitions.
    pub(super) fn resize(&mut self, partitions: usize) {
        self.largest.resize(partitions.max(self.largest.len()), i64::MAX);
    }

    /// The values that are compared.
    pub(super) fn values(&self, column: impl Fn(usize) -> ArrayRef) -> Result<Int64Array> {
        let values = native_values(&column(self.column))?;
        Ok(if self.descending { values.unary(|value| !value) } else { values })
    }

    /// The rows that may be kept. NULL may always be: where it sorts is for the full comparison.
    pub(super) fn passing(&self, values: &Int64Array, partitions: &[u32]) -> Vec<u32> {
        let rows = (0u32..).zip(values.values().iter().zip(partitions));
        let passes = |value: &i64, partition: &u32| *value <= self.largest[*partition as usize];
        match values.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => rows.filter(|(_, (v, p))| passes(v, p)).map(|(row, _)| row).collect(),
            Some(nulls) => rows
                .filter(|(row, (v, p))| nulls.is_null(*row as usize) || passes(v, p))
                .map(|(row, _)| row)
                .collect(),
        }
    }

    /// Sets the bound of a partition from the value of its last entry; none: it is not full, or the value
    /// is NULL.
    pub(super) fn set(&mut self, partition: u32, last: Option<i64>) {
        let bound = last.map_or(i64::MAX, |last| match self.strict {
            true => last.saturating_sub(1),
            false => last,
        });
        self.largest[partition as usize] = bound;
    }

    /// Bytes held.
    pub(super) fn memory_size(&self) -> usize {
        self.largest.capacity() * 8
    }
}
