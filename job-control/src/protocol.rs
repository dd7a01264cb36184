//! What the state machine of a job is told and what it asks for: settings, events, actions, outcomes.

use std::collections::BTreeSet;
use std::time::Duration;

use tidegate_plan::settings::{RestartStrategy, Settings};
use tidegate_types::{Attempt, CompletedCheckpoint, Epoch, Error, ErrorCode, JobRecord, SubtaskId};

/// Settings of a job's control.
#[derive(Debug, Clone)]
pub struct ControlSettings {
    /// Time between checkpoints; `None`: none are taken.
    pub interval: Option<Duration>,
    /// Least time between two checkpoints.
    pub min_pause: Duration,
    /// After which a checkpoint is given up.
    pub timeout: Duration,
    /// Consecutive failed checkpoints that are tolerated.
    pub tolerable_failures: u64,
    /// Completed checkpoints that are kept.
    pub retained: usize,
    /// What happens after a failure.
    pub restart: RestartStrategy,
}

impl ControlSettings {
    /// From a job's settings.
    pub fn from_settings(settings: &Settings) -> Self {
        Self {
            interval: settings
                .duration("execution.checkpointing.interval")
                .filter(|i| !i.is_zero()),
            min_pause: settings.duration("execution.checkpointing.min-pause").unwrap_or_default(),
            timeout: settings
                .duration("execution.checkpointing.timeout")
                .unwrap_or(Duration::from_secs(600)),
            tolerable_failures: settings
                .integer("execution.checkpointing.tolerable-failed-checkpoints")
                .unwrap_or(0) as u64,
            retained: settings.retained_checkpoints(),
            restart: settings.restart_strategy(),
        }
    }
}

/// Why a checkpoint is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointKind {
    /// By the interval, or the last one of a bounded job.
    Periodic,
    /// A savepoint on request.
    Savepoint,
    /// A savepoint after which the job stops.
    StopWithSavepoint,
}

/// What happened.
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are ids that say what they are")]
pub enum Event {
    /// Start the job, from the first of these checkpoints that is intact if any are given: they may be
    /// of another place.
    Start(Vec<CompletedCheckpoint>),
    /// The tasks of the record's run exist and have their state: their driver was lost.
    Adopted(Adopted),
    /// The connection to tasks was interrupted; they are all there. Those that have processed all of their input.
    Resumed { attempt: Attempt, ended: BTreeSet<SubtaskId> },
    /// The tasks of a run exist; their ids, and those that have sinks.
    Deployed {
        attempt: Attempt,
        tasks: BTreeSet<SubtaskId>,
        sinks: BTreeSet<SubtaskId>,
        staging: bool,
    },
    /// A task has restored its state and settled its output.
    Ready { attempt: Attempt, task: SubtaskId },
    /// A task's state at a barrier is stored.
    Acknowledged { attempt: Attempt, epoch: Epoch, task: SubtaskId },
    /// A task's state at a barrier could not be stored.
    Declined { attempt: Attempt, epoch: Epoch, error: Error },
    /// A task has processed all of its input.
    Ended { attempt: Attempt, task: SubtaskId },
    /// A task's output up to an epoch is visible.
    Committed { attempt: Attempt, epoch: Epoch, task: SubtaskId },
    /// A task failed.
    Failed { attempt: Attempt, error: Error },
    /// The manifest is written.
    ManifestWritten(CompletedCheckpoint),
    /// The manifest could not be written.
    ManifestRefused { attempt: Attempt, epoch: Epoch, error: Error },
    /// Someone asks for a savepoint.
    SavepointRequested {
        stop: bool,
        /// Whether a stop ends the job without one if nothing runs at the moment.
        or_cancel: bool,
    },
    /// Someone asks for the end of the job, without a savepoint.
    CancelRequested,
    /// Another driver is to go on with the job from a checkpoint of this moment: elsewhere, or at another parallelism.
    LeaveRequested,
    /// Time has passed.
    Tick,
}

/// A run that is under way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Adopted {
    /// Its tasks.
    pub tasks: BTreeSet<SubtaskId>,
    /// Those that have sinks.
    pub sinks: BTreeSet<SubtaskId>,
    /// Whether a sink shows its output only with a checkpoint.
    pub staging: bool,
    /// Tasks that have processed all of their input.
    pub ended: BTreeSet<SubtaskId>,
}

/// What to do, in order; an action that fails becomes an event.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the fields are ids that say what they are")]
pub enum Action {
    /// Persist the record; what follows may only happen once it is persisted.
    Save(JobRecord),
    /// Make the tasks of a run, restored from a checkpoint if there is one.
    Deploy { attempt: Attempt, restore: Option<CompletedCheckpoint> },
    /// Let the sources read.
    StartSources,
    /// Tell every task to take a checkpoint.
    Trigger { epoch: Epoch, kind: CheckpointKind },
    /// Assemble and write the manifest of an acknowledged checkpoint.
    WriteManifest { attempt: Attempt, epoch: Epoch, kind: CheckpointKind, timestamp_ms: i64 },
    /// Tell every task that a checkpoint is complete.
    Complete(Epoch),
    /// Tell every task that checkpoints up to this one are given up, whether there was one or not.
    Abort(Epoch),
    /// Forget what was acknowledged for a checkpoint, and tell every task that it is given up.
    Abandon { epoch: Epoch, reason: String },
    /// Tell people that a savepoint could not be taken.
    SavepointFailed { epoch: Epoch, error: String },
    /// Write the final, self-contained form of a savepoint, whose output is now visible.
    PublishSavepoint(CompletedCheckpoint),
    /// Checkpoints that are no longer kept: delete what only they reach.
    Discard(Vec<CompletedCheckpoint>),
    /// Let the tasks end.
    StopTasks {
        /// Whether all output is in a complete checkpoint, so that nothing can be lost any more.
        safe: bool,
    },
    /// End the tasks now.
    KillTasks,
    /// Tell people that a checkpoint is damaged and an older one is used: output of sinks that was
    /// visible in between is written again.
    FallBack { damaged: Epoch, used: Epoch, error: String },
    /// The run failed and the next starts at this time.
    AwaitRestart { at_ms: i64, code: ErrorCode, error: String },
    /// The job is over.
    Done(Outcome),
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// All input was processed and all output is visible.
    Finished,
    /// Stopped with this savepoint.
    Stopped(CompletedCheckpoint),
    /// Cancelled on request.
    Cancelled,
    /// The tasks are gone and the job is not over: another driver goes on from the last checkpoint.
    Left,
    /// Failed; code and message.
    Failed(ErrorCode, String),
}
