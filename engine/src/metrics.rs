//! Counters of sources, sinks and operators. Names under which they are exported are here too.
//!
//! Naming rule: `tidegate_<object>_<what>_<unit or total>`, labels `job`, `operator`, `subtask`.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Rows that an operator received.
pub const RECORDS_IN: &str = "tidegate_operator_records_in_total";
/// Rows that an operator emitted.
pub const RECORDS_OUT: &str = "tidegate_operator_records_out_total";
/// Rows dropped because their window had closed.
pub const LATE_RECORDS: &str = "tidegate_operator_late_records_total";
/// Records that could not be decoded and were skipped.
pub const BAD_RECORDS: &str = "tidegate_operator_bad_records_total";
/// Bytes read from or written to the outside system.
pub const BYTES: &str = "tidegate_operator_bytes_total";
/// Current watermark, milliseconds since the epoch.
pub const WATERMARK: &str = "tidegate_operator_watermark_ms";
/// Bytes of keyed state in memory.
pub const STATE_BYTES: &str = "tidegate_operator_state_bytes";
/// Bytes of keyed state on local disk.
pub const SPILLED_BYTES: &str = "tidegate_operator_spilled_bytes";
/// Bytes of keyed state that were written to local disk.
pub const SPILL_WRITTEN: &str = "tidegate_operator_spill_written_bytes_total";
/// Time that a task spent computing.
pub const BUSY: &str = "tidegate_task_busy_nanoseconds_total";
/// Time that a task waited for room in its outputs.
pub const BACKPRESSURED: &str = "tidegate_task_backpressured_nanoseconds_total";
/// Time that a task waited for input.
pub const IDLE: &str = "tidegate_task_idle_nanoseconds_total";

/// Checkpoints that a job has completed.
pub const CHECKPOINTS: &str = "tidegate_job_checkpoints_total";

/// A counter that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The sum so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A value that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Sets the value.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The last value set.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters of a source reader.
#[derive(Debug, Default)]
pub struct SourceMetrics {
    /// Records that could not be decoded and were skipped.
    pub bad_records: Counter,
    /// Bytes fetched.
    pub bytes: Counter,
}

/// Counters of a sink writer.
#[derive(Debug, Default)]
pub struct SinkMetrics {
    /// Rows handed to the outside system.
    pub records: Counter,
    /// Bytes written.
    pub bytes: Counter,
}

/// Counters of an operator instance.
#[derive(Debug, Default)]
pub struct OperatorMetrics {
    /// Rows received.
    pub records_in: Counter,
    /// Rows emitted.
    pub records_out: Counter,
    /// Rows dropped because their window had closed.
    pub late_records: Counter,
    /// Combined watermark.
    pub watermark: Gauge,
    /// Bytes of keyed state in memory.
    pub state_bytes: Gauge,
    /// Bytes of keyed state on local disk.
    pub spilled_bytes: Gauge,
    /// Bytes of keyed state that were written to local disk.
    pub spill_written: Counter,
}

/// Times of a task, nanoseconds, and what it read to restore its state.
#[derive(Debug, Default)]
pub struct TaskMetrics {
    /// Computing.
    pub busy: Counter,
    /// Waiting for room in outputs.
    pub backpressured: Counter,
    /// Waiting for input.
    pub idle: Counter,
    /// Making the task's operators and restoring their state, once.
    pub restored: Counter,
    /// Bytes of state files read for that.
    pub restored_bytes: Counter,
}
