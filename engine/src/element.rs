//! What flows between operators and tasks: changes, watermarks, barriers.

use arrow::array::{Array, Int8Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take, take_record_batch};
pub use tidegate_checkpoint::barrier::{Barrier, BarrierKind};
use tidegate_types::{Error, Result, Watermark};

/// A batch of changes. An append-only batch has no kinds and pays nothing for them.
#[derive(Debug, Clone)]
pub struct Changes {
    /// [`tidegate_plan::RowKind`] of each row as `i8`, without nulls; `None`: all are inserts.
    pub kinds: Option<Int8Array>,
    /// The rows.
    pub rows: RecordBatch,
}

impl Changes {
    /// Inserted rows.
    pub fn append(rows: RecordBatch) -> Self {
        Self { kinds: None, rows }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.num_rows()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held by the rows' buffers (shared buffers count whole).
    pub fn memory_size(&self) -> usize {
        self.rows.get_array_memory_size() + self.kinds.as_ref().map_or(0, |k| k.len())
    }

    /// The rows at `indices`, in that order.
    ///
    /// # Errors
    /// `INTERNAL` if an index is out of bounds.
    pub fn take(&self, indices: &UInt32Array) -> Result<Self> {
        let rows = take_record_batch(&self.rows, indices).map_err(internal)?;
        let kinds = match &self.kinds {
            Some(kinds) => Some(as_kinds(take(kinds, indices, None).map_err(internal)?.as_ref())?),
            None => None,
        };
        Ok(Self { kinds, rows })
    }

    /// One batch of all rows of non-empty `parts`, in order.
    ///
    /// # Errors
    /// `INTERNAL` if schemas differ or `parts` is empty.
    pub fn concat(parts: &[Self]) -> Result<Self> {
        let first = parts.first().ok_or_else(|| Error::internal("concatenate no batches"))?;
        if parts.len() == 1 {
            return Ok(first.clone());
        }
        let rows = concat_batches(&first.rows.schema(), parts.iter().map(|p| &p.rows))
            .map_err(internal)?;
        let kinds = parts.iter().any(|part| part.kinds.is_some()).then(|| {
            parts.iter().flat_map(|part| (0..part.len()).map(|row| part.kind(row))).collect()
        });
        Ok(Self { kinds, rows })
    }

    /// The encoded kind of a row.
    pub fn kind(&self, row: usize) -> i8 {
        self.kinds.as_ref().map_or(0, |kinds| kinds.value(row))
    }

    /// A zero-copy slice of the rows.
    #[must_use]
    pub fn slice(&self, offset: usize, length: usize) -> Self {
        Self {
            kinds: self.kinds.as_ref().map(|kinds| kinds.slice(offset, length)),
            rows: self.rows.slice(offset, length),
        }
    }
}

fn as_kinds(array: &dyn Array) -> Result<Int8Array> {
    array
        .as_any()
        .downcast_ref::<Int8Array>()
        .cloned()
        .ok_or_else(|| Error::internal("row kinds are not Int8"))
}

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::internal(error.to_string())
}

/// An item of the ordered stream that a task reads or writes.
#[derive(Debug, Clone)]
pub enum Element {
    /// Rows.
    Batch(Changes),
    /// Event time has reached this; also says that the stream is not idle.
    Watermark(Watermark),
    /// The stream has no rows for now: watermarks need not wait for it.
    Idle,
    /// A checkpoint's border.
    Barrier(Barrier),
    /// No more elements.
    End,
}
