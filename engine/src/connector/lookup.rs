//! Outside tables that rows are looked up in by key.

use arrow::array::{ArrayRef, RecordBatch};
use async_trait::async_trait;
use tidegate_types::Result;

/// A table that can be looked up in. Shared by the subtasks of a join.
pub trait LookupTable: Send + Sync {
    /// A connection for one subtask. Does no I/O; connecting happens in the first `fetch`.
    ///
    /// # Errors
    /// `INVALID_OPTION` where options contradict each other.
    fn connect(&self) -> Result<Box<dyn Lookup>>;
}

/// Rows that were found for keys.
#[derive(Debug, Clone)]
pub struct Found {
    /// The plan's `read` columns.
    pub rows: RecordBatch,
    /// For key `i` the rows `order[starts[i]..starts[i + 1]]`; one more than there are keys.
    pub starts: Vec<u32>,
    /// Indices into `rows`.
    pub order: Vec<u32>,
}

impl Found {
    /// Places of the rows of a key.
    pub fn of(&self, key: usize) -> &[u32] {
        &self.order[self.starts[key] as usize..self.starts[key + 1] as usize]
    }
}

/// One subtask's connection.
#[async_trait]
pub trait Lookup: Send {
    /// Does what must be done before keys can be looked up and may take longer than any lookup: reading a whole
    /// table. Called before each [`Lookup::fetch`]. Cancel-safe.
    ///
    /// # Errors
    /// Anything that must fail the job.
    async fn prepare(&mut self) -> Result<()> {
        Ok(())
    }

    /// The rows for each of some distinct keys without NULL: one array per key column of the plan, of
    /// the column's type. Transient faults are retried inside, within a bound. Cancel-safe.
    ///
    /// # Errors
    /// Anything that must fail the job.
    async fn fetch(&mut self, keys: &[ArrayRef]) -> Result<Found>;
}
