//! How a job goes, as its driver sees it.

use std::collections::BTreeMap;

use tidegate_checkpoint::task::TaskState;
use tidegate_types::SubtaskId;

/// Completed checkpoints whose cost is kept.
const MAX_SAMPLES: usize = 100_000;

/// What can be watched of a driver.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Progress {
    /// Completed checkpoints.
    pub checkpoints: u64,
    /// Duration of the last one, milliseconds.
    pub last_checkpoint_ms: f64,
    /// Restarts so far.
    pub restarts: u64,
}

/// What a checkpoint cost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CheckpointSample {
    /// From trigger to completion, milliseconds.
    pub duration_ms: f64,
    /// The longest that it kept a task from processing in one go, milliseconds.
    pub pause_ms: f64,
    /// What it took from the processing of the task that it cost most, milliseconds.
    pub cost_ms: f64,
    /// Bytes of state uploaded.
    pub uploaded_bytes: u64,
}

/// What the checkpoints of a driver cost.
#[derive(Debug, Clone, Default)]
pub struct CheckpointReport {
    /// Checkpoints that were completed.
    pub completed: u64,
    /// Of each, up to a bound.
    pub samples: Vec<CheckpointSample>,
}

impl CheckpointReport {
    /// Adds a completed checkpoint.
    pub(super) fn add(&mut self, sample: CheckpointSample) {
        self.completed += 1;
        if self.samples.len() < MAX_SAMPLES {
            self.samples.push(sample);
        }
    }
}

/// What the tasks of a checkpoint spent on it.
pub(super) fn cost(states: &BTreeMap<SubtaskId, TaskState>) -> CheckpointSample {
    let pause = states.values().map(|state| state.cost.pause).max().unwrap_or_default();
    let total = states.values().map(|state| state.cost.total).max().unwrap_or_default();
    CheckpointSample {
        duration_ms: 0.0,
        pause_ms: pause.as_secs_f64() * 1e3,
        cost_ms: total.as_secs_f64() * 1e3,
        uploaded_bytes: states.values().map(|state| state.uploaded_bytes).sum(),
    }
}
