//! What a task is told, and what it reports: the protocol between tasks and whoever drives their job, in one process or
//! over the network.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidegate_types::{Attempt, Epoch, Error, OperatorId, SubtaskId};

use crate::barrier::Barrier;
use crate::manifest::{Split, SubtaskState};

/// An instruction to a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// All tasks are ready: sources may read.
    Start,
    /// Take this checkpoint: sources emit the barrier, tasks whose inputs have ended take it at once.
    Trigger(Barrier),
    /// A checkpoint is complete: staged output up to it becomes visible.
    Complete(Epoch),
    /// Checkpoints up to this one are not waited for any more: tasks end alignments of their barriers, some of which may
    /// never come.
    Aborted(Epoch),
    /// More splits for a source; `last`: no more will come.
    Splits {
        /// The new splits.
        splits: Vec<Split>,
        /// Whether the source's splits are now all known.
        last: bool,
    },
    /// End now; nothing more is emitted.
    Stop,
}

/// State of a chain's operators at a barrier.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskState {
    /// By operator.
    pub operators: Vec<(OperatorId, SubtaskState)>,
    /// Bytes uploaded for this checkpoint.
    pub uploaded_bytes: u64,
    /// What it cost the task.
    pub cost: SnapshotCost,
}

/// What a checkpoint costs a task: time in which it does not process. The upload is not among it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotCost {
    /// The longest pause in one go: the barrier (flushing what is buffered, marking what belongs to
    /// the snapshot), or one step of copying.
    pub pause: Duration,
    /// All pauses together.
    pub total: Duration,
}

impl SnapshotCost {
    /// Adds a pause.
    pub fn add(&mut self, pause: Duration) {
        self.pause = self.pause.max(pause);
        self.total += pause;
    }
}

/// A report of a task.
#[derive(Debug)]
pub struct Report {
    /// Which.
    pub subtask: SubtaskId,
    /// What.
    pub kind: ReportKind,
}

/// A report with the run that it belongs to.
#[derive(Debug)]
pub struct TaskEvent {
    /// The run.
    pub attempt: Attempt,
    /// The report.
    pub report: Report,
}

/// What a task reports.
#[derive(Debug)]
pub enum ReportKind {
    /// State is restored, staged output is settled.
    Ready,
    /// The state at a barrier is safe in storage.
    Snapshot {
        /// The checkpoint.
        epoch: Epoch,
        /// Its state.
        state: TaskState,
    },
    /// The state at a barrier could not be stored; the task goes on.
    Declined {
        /// The checkpoint.
        epoch: Epoch,
        /// Why.
        error: Error,
    },
    /// All input is processed; the task still answers triggers.
    Ended,
    /// Staged output up to this checkpoint is visible.
    Committed(Epoch),
    /// The task is gone.
    Failed(Error),
}
