//! The counters of a run, by operator and subtask and of its shuffle, for reports and exporters, and
//! the names that the shuffle's are exported under.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tidegate_engine::metrics::{Counter, OperatorMetrics, SinkMetrics, SourceMetrics, TaskMetrics};
use tidegate_types::OperatorId;

/// Bytes of elements sent to other workers.
pub const SHUFFLE_BYTES_SENT: &str = "tidegate_shuffle_sent_bytes_total";
/// Batches sent to other workers, after small ones were joined.
pub const SHUFFLE_BATCHES_SENT: &str = "tidegate_shuffle_sent_batches_total";
/// Bytes of elements received from other workers.
pub const SHUFFLE_BYTES_RECEIVED: &str = "tidegate_shuffle_received_bytes_total";
/// Batches received from other workers.
pub const SHUFFLE_BATCHES_RECEIVED: &str = "tidegate_shuffle_received_batches_total";
/// Time that tasks waited for credit of readers on other workers, summed over channels.
pub const SHUFFLE_BLOCKED: &str = "tidegate_shuffle_blocked_nanoseconds_total";
/// Bytes that wait in this worker's queues: to be sent, or to be taken by a task.
pub const SHUFFLE_BUFFERED: &str = "tidegate_shuffle_buffered_bytes";

/// What a run exchanges with other workers, counted on one worker.
#[derive(Debug, Default)]
pub struct ShuffleMetrics {
    /// [`SHUFFLE_BYTES_SENT`].
    pub bytes_sent: Counter,
    /// [`SHUFFLE_BATCHES_SENT`].
    pub batches_sent: Counter,
    /// [`SHUFFLE_BYTES_RECEIVED`].
    pub bytes_received: Counter,
    /// [`SHUFFLE_BATCHES_RECEIVED`].
    pub batches_received: Counter,
    /// [`SHUFFLE_BLOCKED`].
    pub blocked: Counter,
    /// [`SHUFFLE_BUFFERED`].
    pub buffered: Level,
}

/// An amount that rises and falls, and the highest that it has been.
#[derive(Debug, Default)]
pub struct Level {
    now: AtomicU64,
    peak: AtomicU64,
}

impl Level {
    /// Rises by `n`.
    pub fn add(&self, n: u64) {
        let now = self.now.fetch_add(n, Ordering::Relaxed) + n;
        self.peak.fetch_max(now, Ordering::Relaxed);
    }

    /// Falls by `n`.
    pub fn subtract(&self, n: u64) {
        self.now.fetch_sub(n, Ordering::Relaxed);
    }

    /// The amount.
    pub fn get(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    /// The highest amount so far.
    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }
}

/// The counters of one operator instance.
#[derive(Debug, Clone)]
pub struct OperatorEntry {
    /// Index of the node in the graph.
    pub node: usize,
    /// The operator.
    pub id: OperatorId,
    /// Its name.
    pub name: String,
    /// Subtask.
    pub subtask: u32,
    /// Counters.
    pub metrics: Arc<OperatorMetrics>,
    /// Of a source.
    pub source: Option<Arc<SourceMetrics>>,
    /// Of a sink.
    pub sink: Option<Arc<SinkMetrics>>,
    /// Of the task that it runs in.
    pub task: Arc<TaskMetrics>,
}

/// The counters of all operator instances of a run.
#[derive(Debug, Clone, Default)]
pub struct RunMetrics(Arc<Mutex<Vec<OperatorEntry>>>);

impl RunMetrics {
    /// Adds an instance.
    pub fn register(&self, entry: OperatorEntry) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// All instances.
    pub fn entries(&self) -> Vec<OperatorEntry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
