//! Output rows in the making: which row of the batch, which kept row of the other side, and the kind of change.

use arrow::array::{ArrayRef, Int8Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use tidegate_types::Result;

use super::residual::take_columns;
#[cfg(doc)]
use super::rows::NONE;
use super::rows::{RowId, Rows, batch};
use crate::element::Changes;
use crate::operator::Output;

/// Rows of the output.
#[derive(Default)]
pub(super) struct Emission {
    /// Rows of the batch; [`NONE`]: NULLs.
    rows: Vec<u32>,
    /// Rows of the other side; [`NONE`]: NULLs.
    others: Vec<RowId>,
    /// Kinds; empty: all are inserts.
    kinds: Vec<i8>,
}

/// How output rows look.
pub(super) struct Layout {
    /// Output columns.
    pub(super) schema: SchemaRef,
    /// Columns of each side that come out, which are its first.
    pub(super) columns: [Vec<usize>; 2],
    /// Whether batches carry kinds.
    pub(super) kinds: bool,
    /// Most rows of a batch.
    pub(super) batch_rows: usize,
}

impl Emission {
    /// Inserted rows.
    pub(super) fn inserts(rows: Vec<u32>, others: Vec<RowId>) -> Self {
        Self { rows, others, kinds: Vec::new() }
    }

    /// Adds a row.
    #[inline]
    pub(super) fn push(&mut self, row: u32, other: RowId, kind: i8) {
        self.rows.push(row);
        self.others.push(other);
        self.kinds.push(kind);
    }

    /// Emits the rows. `input` is the side of the batch, whose columns are `probe`.
    ///
    /// # Errors
    /// `INTERNAL` if a row is gone.
    pub(super) fn flush(
        &self,
        input: usize,
        probe: &[ArrayRef],
        other: &Rows,
        layout: &Layout,
        out: &mut Output,
    ) -> Result<()> {
        let mut from = 0;
        while from < self.rows.len() {
            let until = self.rows.len().min(from + layout.batch_rows);
            let (rows, others) = (&self.rows[from..until], &self.others[from..until]);
            let mine = take_columns(probe, &layout.columns[input], rows)?;
            let theirs = other.gather(&layout.columns[1 - input], others)?;
            let (mut columns, right) = if input == 0 { (mine, theirs) } else { (theirs, mine) };
            columns.extend(right);
            let rows: RecordBatch = batch(&layout.schema, columns, until - from)?;
            let kinds = layout.kinds.then(|| match self.kinds.get(from..until) {
                Some(kinds) => Int8Array::from(kinds.to_vec()),
                None => Int8Array::from(vec![0; until - from]),
            });
            out.emit(Changes { kinds, rows });
            from = until;
        }
        Ok(())
    }

    /// Whether there is no row.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
