//! What an operator implements: synchronous, vectorised work on batches, watermarks and timers,
//! and its part of a snapshot.
//!
//! Order of calls: `open`, then (after a restore) `restore` for every batch of every table and
//! `restored`, then any of `process`, `watermark`, `timer`; before a snapshot `before_barrier` and
//! `drain` until it is done, then `snapshot`. After each of `watermark`, `timer` and
//! `before_barrier` the chain calls `drain` until it returns [`Progress::Done`], sending what was
//! emitted in between, so that no call has to emit more than a few batches.

use std::sync::Arc;

use arrow::array::RecordBatch;
use tidegate_types::{Error, KeyGroupRange, Result, Watermark};

use crate::element::Changes;
use crate::metrics::OperatorMetrics;

/// Where an operator puts its output, and what it may ask.
pub struct Output {
    batches: Vec<Changes>,
    /// Wall-clock time at the start of the call, milliseconds since the epoch.
    pub now_ms: i64,
}

impl Output {
    /// An empty output at a time.
    pub fn new(now_ms: i64) -> Self {
        Self { batches: Vec::new(), now_ms }
    }

    /// Emits rows; empty batches are dropped.
    pub fn emit(&mut self, changes: Changes) {
        if !changes.is_empty() {
            self.batches.push(changes);
        }
    }

    /// Takes what was emitted.
    pub fn take(&mut self) -> Vec<Changes> {
        std::mem::take(&mut self.batches)
    }
}

/// Whether an operator has more to emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Call `drain` again.
    More,
    /// Nothing is pending.
    Done,
}

/// What an operator learns when it is opened.
#[derive(Clone)]
pub struct OperatorContext {
    /// Index of the subtask.
    pub subtask: u32,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Key groups of the job.
    pub key_groups: u16,
    /// The key groups that this subtask owns.
    pub owned: KeyGroupRange,
    /// The restored watermark, `MIN_WATERMARK` at a fresh start.
    pub watermark: Watermark,
    /// Most rows in an emitted batch.
    pub batch_rows: usize,
    /// Counters.
    pub metrics: Arc<OperatorMetrics>,
}

/// What a snapshot is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotMode {
    /// Only what changed since the last snapshot.
    Incremental,
    /// Everything: earlier files of the operator are dropped from the manifest.
    Full,
}

/// Changed or all entries of one state table. Later entries replace earlier ones of the same key.
#[derive(Debug, Clone)]
pub struct TableSnapshot {
    /// Name of the table, unique within the operator.
    pub table: &'static str,
    /// Version of the table's layout.
    pub version: u16,
    /// Watermark from which no entry is needed any more, if the table forgets by time.
    pub expires: Option<Watermark>,
    /// Entries as typed Arrow columns.
    pub batches: Vec<RecordBatch>,
}

/// A synchronous operator with one or more inputs.
pub trait Operator: Send {
    /// Learns its place.
    ///
    /// # Errors
    /// Fails the start.
    fn open(&mut self, _context: &OperatorContext) -> Result<()> {
        Ok(())
    }

    /// Takes entries of a state table, of several tables in the order of their names; those of key groups outside `groups` are skipped: the subtask
    /// does not own them, or the writer of the file had given them away by the checkpoint.
    ///
    /// # Errors
    /// `INCOMPATIBLE` if the table is unknown or its columns differ.
    fn restore(
        &mut self,
        table: &str,
        _version: u16,
        _entries: &RecordBatch,
        _groups: KeyGroupRange,
    ) -> Result<()> {
        Err(Error::new(
            tidegate_types::ErrorCode::Incompatible,
            format!("the checkpoint has state table '{table}', which this operator does not keep"),
        ))
    }

    /// Every entry of the restored state has been given.
    ///
    /// # Errors
    /// Fails the start.
    fn restored(&mut self) -> Result<()> {
        Ok(())
    }

    /// Processes rows of an input.
    ///
    /// # Errors
    /// Fails the job.
    fn process(&mut self, input: usize, changes: Changes, out: &mut Output) -> Result<()>;

    /// Event time of the combined inputs has advanced.
    ///
    /// # Errors
    /// Fails the job.
    fn watermark(&mut self, _watermark: Watermark, _out: &mut Output) -> Result<()> {
        Ok(())
    }

    /// Wall-clock time of the next timer, if one is set.
    fn next_timer(&self) -> Option<i64> {
        None
    }

    /// The clock has reached [`Operator::next_timer`].
    ///
    /// # Errors
    /// Fails the job.
    fn timer(&mut self, _out: &mut Output) -> Result<()> {
        Ok(())
    }

    /// Emits the next part of pending output.
    ///
    /// # Errors
    /// Fails the job.
    fn drain(&mut self, _out: &mut Output) -> Result<Progress> {
        Ok(Progress::Done)
    }

    /// Emits whatever is buffered outside state: before a barrier, before idleness and the end.
    ///
    /// # Errors
    /// Fails the job.
    fn before_barrier(&mut self, _out: &mut Output) -> Result<()> {
        Ok(())
    }

    /// State tables with changes (or all entries).
    ///
    /// # Errors
    /// Fails the job.
    fn snapshot(&mut self, _mode: SnapshotMode) -> Result<Vec<TableSnapshot>> {
        Ok(Vec::new())
    }

    /// Bytes of state in memory.
    fn state_bytes(&self) -> usize {
        0
    }
}
