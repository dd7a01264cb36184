//! Sources: enumerating splits and reading them.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Int8Array, RecordBatch};
use async_trait::async_trait;
use tidegate_checkpoint::manifest::Split;
use tidegate_types::Result;

use crate::metrics::SourceMetrics;

/// An input table as a whole.
#[async_trait]
pub trait Source: Send + Sync {
    /// Whether every split ends, and no more will come after the first enumeration.
    fn is_bounded(&self) -> bool;

    /// Splits that exist and are not among `known` (finished ones included). At a fresh start
    /// `known` is empty and `discovered` false: splits start at the configured position. After that
    /// `discovered` is true: new ones start at their beginning, or rows would be lost.
    ///
    /// # Errors
    /// `NOT_FOUND`, `UNAVAILABLE`, … with the thing's name.
    async fn enumerate(&self, known: &[Split], discovered: bool) -> Result<Vec<Split>>;

    /// How often to look for new splits; `None`: never.
    fn discovery_interval(&self) -> Option<Duration> {
        None
    }

    /// A reader for one subtask. Does no I/O that blocks; connecting happens in the first `next`.
    ///
    /// # Errors
    /// `INVALID_OPTION` where options contradict each other.
    fn reader(&self, context: ReaderContext) -> Result<Box<dyn SourceReader>>;
}

/// What a reader gets from its task.
#[derive(Clone)]
pub struct ReaderContext {
    /// Index of the subtask.
    pub subtask: u32,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Most rows in a batch.
    pub batch_rows: usize,
    /// In continuous mode: how long a reader may wait to fill a batch once it has a row.
    pub linger: Duration,
    /// Counters that the reader increments (bad records, bytes).
    pub metrics: Arc<SourceMetrics>,
}

/// What [`SourceReader::next`] found.
#[derive(Debug)]
pub enum Read {
    /// Rows of one split: the plan's `read` columns, then the `metadata` columns, in that order.
    Batch {
        /// Index of the split in the order in which splits were added to this reader.
        split: usize,
        /// At least one row.
        rows: RecordBatch,
        /// [`tidegate_plan::RowKind`] of each row; `None`: all are inserts.
        kinds: Option<Int8Array>,
    },
    /// The split has no more rows, ever.
    Finished {
        /// Index of the split.
        split: usize,
    },
}

/// Reads the splits of one subtask.
#[async_trait]
pub trait SourceReader: Send {
    /// Adds splits, each to be read from the position in its state.
    ///
    /// # Errors
    /// `CORRUPT` if a split's state cannot be decoded.
    fn add_splits(&mut self, splits: Vec<Split>) -> Result<()>;

    /// Waits for the next rows. Pending while there are none, and forever once all splits have
    /// finished (the task knows from the `Finished`s). Cancel-safe: a dropped future loses nothing.
    ///
    /// # Errors
    /// Anything that must fail the job; transient faults are retried inside, within a bound.
    async fn next(&mut self) -> Result<Read>;

    /// The splits with their positions behind the last row that `next` returned, in the order in
    /// which they were added. Unfinished and finished ones alike.
    fn snapshot(&mut self) -> Result<Vec<Split>>;

    /// A checkpoint that holds the given snapshot is complete (offsets may be committed for
    /// monitoring). Never needed for correctness.
    fn checkpoint_complete(&mut self, _splits: &[Split]) {}
}
