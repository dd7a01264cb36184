//! The counters of a run, by operator and subtask, for reports and exporters.

use std::sync::{Arc, Mutex, PoisonError};

use tidegate_engine::metrics::{OperatorMetrics, SinkMetrics, SourceMetrics, TaskMetrics};
use tidegate_types::OperatorId;

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
