//! The state machine of one job.

use std::collections::BTreeSet;
use std::time::Duration;

use tidegate_plan::settings::{RestartStrategy, Settings};
use tidegate_types::{Attempt, Epoch, Error, ErrorCode, SubtaskId};

use crate::record::{CompletedCheckpoint, JobRecord, JobStatus};
use crate::restart::Restarts;

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
            interval: settings.duration("execution.checkpointing.interval").filter(|i| !i.is_zero()),
            min_pause: settings.duration("execution.checkpointing.min-pause").unwrap_or_default(),
            timeout: settings.duration("execution.checkpointing.timeout").unwrap_or(Duration::from_secs(600)),
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
    /// Start the job, from a checkpoint of another job or place if one is given.
    Start(Option<CompletedCheckpoint>),
    /// The tasks of a run exist; their ids, and those that have sinks.
    Deployed { attempt: Attempt, tasks: BTreeSet<SubtaskId>, sinks: BTreeSet<SubtaskId>, staging: bool },
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
    SavepointRequested { stop: bool },
    /// Someone asks for the end of the job, without a savepoint.
    CancelRequested,
    /// Time has passed.
    Tick,
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
    /// Forget what was acknowledged for a checkpoint.
    Abandon { epoch: Epoch, reason: String },
    /// Write the final, self-contained form of a savepoint, whose output is now visible.
    PublishSavepoint(CompletedCheckpoint),
    /// Checkpoints that are no longer kept: delete what only they reach.
    Discard(Vec<CompletedCheckpoint>),
    /// Let the tasks end.
    StopTasks,
    /// End the tasks now.
    KillTasks,
    /// The run failed and the next starts at this time.
    AwaitRestart { at_ms: i64, error: String },
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
    /// Failed; code and message.
    Failed(ErrorCode, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Deploying,
    Running,
    Restarting(i64),
    Over,
}

#[derive(Debug)]
struct InFlight {
    epoch: Epoch,
    kind: CheckpointKind,
    triggered_ms: i64,
    waiting: BTreeSet<SubtaskId>,
    /// Every task had ended when it was triggered: nothing can follow it.
    last: bool,
    completed: Option<CompletedCheckpoint>,
    committing: BTreeSet<SubtaskId>,
}

/// A job under control.
#[derive(Debug)]
pub struct Job {
    settings: ControlSettings,
    record: JobRecord,
    restarts: Restarts,
    phase: Phase,
    initial: Option<CompletedCheckpoint>,
    /// The first run of this start.
    first_attempt: Attempt,
    tasks: BTreeSet<SubtaskId>,
    sinks: BTreeSet<SubtaskId>,
    staging: bool,
    not_ready: BTreeSet<SubtaskId>,
    running: BTreeSet<SubtaskId>,
    checkpoint: Option<InFlight>,
    requested: Option<CheckpointKind>,
    next_trigger_ms: Option<i64>,
    failed_checkpoints: u64,
}

impl Job {
    /// A job with its last record.
    pub fn new(record: JobRecord, settings: ControlSettings) -> Self {
        Self {
            restarts: Restarts::new(settings.restart),
            settings,
            record,
            phase: Phase::Idle,
            initial: None,
            first_attempt: Attempt(0),
            tasks: BTreeSet::new(),
            sinks: BTreeSet::new(),
            staging: false,
            not_ready: BTreeSet::new(),
            running: BTreeSet::new(),
            checkpoint: None,
            requested: None,
            next_trigger_ms: None,
            failed_checkpoints: 0,
        }
    }

    /// The record as last saved.
    pub fn record(&self) -> &JobRecord {
        &self.record
    }

    /// When `Tick` is needed next.
    pub fn next_tick_ms(&self) -> Option<i64> {
        match self.phase {
            Phase::Restarting(at) => Some(at),
            Phase::Running => match &self.checkpoint {
                Some(checkpoint) => Some(checkpoint.triggered_ms + self.settings.timeout.as_millis() as i64),
                None => self.next_trigger_ms,
            },
            _ => None,
        }
    }

    /// Handles an event at a time; `jitter` in −1 ..= 1 varies restart delays.
    pub fn handle(&mut self, now_ms: i64, jitter: f64, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Start(restore) => self.start(restore, &mut actions),
            Event::Deployed { attempt, tasks, sinks, staging } if attempt == self.record.attempt => {
                self.not_ready = tasks.clone();
                self.running = tasks.clone();
                (self.tasks, self.sinks, self.staging) = (tasks, sinks, staging);
            }
            Event::Ready { attempt, task } if attempt == self.record.attempt => {
                self.on_ready(now_ms, task, &mut actions);
            }
            Event::Acknowledged { attempt, epoch, task } if attempt == self.record.attempt => {
                self.on_acknowledged(epoch, task, &mut actions);
            }
            Event::Declined { attempt, epoch, error } | Event::ManifestRefused { attempt, epoch, error }
                if attempt == self.record.attempt =>
            {
                self.fail_checkpoint(now_ms, jitter, epoch, &error, &mut actions);
            }
            Event::Ended { attempt, task } if attempt == self.record.attempt => {
                self.running.remove(&task);
                self.settle(now_ms, &mut actions);
            }
            Event::Committed { attempt, epoch, task } if attempt == self.record.attempt => {
                self.on_committed(now_ms, epoch, task, &mut actions);
            }
            Event::Failed { attempt, error } if attempt == self.record.attempt => {
                self.fail(now_ms, jitter, &error, &mut actions);
            }
            Event::ManifestWritten(checkpoint) if checkpoint.attempt == self.record.attempt => {
                self.on_manifest(now_ms, checkpoint, &mut actions);
            }
            Event::SavepointRequested { stop } => {
                let kind =
                    if stop { CheckpointKind::StopWithSavepoint } else { CheckpointKind::Savepoint };
                self.requested = Some(kind);
                self.settle(now_ms, &mut actions);
            }
            Event::CancelRequested => {
                actions.push(Action::KillTasks);
                self.end(JobStatus::Cancelled, Outcome::Cancelled, &mut actions);
            }
            Event::Tick => self.on_tick(now_ms, jitter, &mut actions),
            // Anything of an older attempt is refused.
            _ => {}
        }
        actions
    }

    fn save(&mut self, actions: &mut Vec<Action>) {
        self.record.revision += 1;
        actions.push(Action::Save(self.record.clone()));
    }

    fn start(&mut self, restore: Option<CompletedCheckpoint>, actions: &mut Vec<Action>) {
        if self.phase == Phase::Idle {
            self.initial = restore;
            self.first_attempt = Attempt(self.record.attempt.0 + 1);
            self.deploy(actions);
        }
    }

    fn deploy(&mut self, actions: &mut Vec<Action>) {
        self.phase = Phase::Deploying;
        if self.record.attempt.0 > 0 {
            // The run before may have given out one number that no saved record knows of.
            self.record.last_epoch = Epoch(self.record.last_epoch.0 + 1);
        }
        self.record.attempt = Attempt(self.record.attempt.0 + 1);
        self.record.status = JobStatus::Running;
        self.save(actions);
        self.checkpoint = None;
        self.tasks.clear();
        // What this start completed itself is newer than what it was given to start from; without
        // anything given, the last record counts.
        let own = self.record.latest().filter(|latest| {
            self.initial.is_none() || latest.attempt >= self.first_attempt
        });
        let restore = own.or(self.initial.as_ref()).cloned();
        actions.push(Action::Deploy { attempt: self.record.attempt, restore });
    }

    fn on_ready(&mut self, now_ms: i64, task: SubtaskId, actions: &mut Vec<Action>) {
        self.not_ready.remove(&task);
        if self.phase == Phase::Deploying && self.not_ready.is_empty() {
            self.phase = Phase::Running;
            self.next_trigger_ms = self.settings.interval.map(|i| now_ms + i.as_millis() as i64);
            actions.push(Action::StartSources);
            self.settle(now_ms, actions);
        }
    }

    /// Starts whatever is due: the last checkpoint of a job that has ended, a requested savepoint, the end.
    fn settle(&mut self, now_ms: i64, actions: &mut Vec<Action>) {
        if self.phase != Phase::Running || self.checkpoint.is_some() {
            return;
        }
        if let Some(kind) = self.requested.take() {
            return self.trigger(now_ms, kind, actions);
        }
        if !self.running.is_empty() {
            return;
        }
        if self.staging {
            return self.trigger(now_ms, CheckpointKind::Periodic, actions);
        }
        actions.push(Action::StopTasks);
        self.end(JobStatus::Finished, Outcome::Finished, actions);
    }

    fn trigger(&mut self, now_ms: i64, kind: CheckpointKind, actions: &mut Vec<Action>) {
        // Not saved here: completion and failure save it, and a new run skips one number.
        let epoch = Epoch(self.record.last_epoch.0 + 1);
        self.record.last_epoch = epoch;
        self.checkpoint = Some(InFlight {
            epoch,
            kind,
            triggered_ms: now_ms,
            waiting: self.tasks.clone(),
            last: self.running.is_empty(),
            completed: None,
            committing: BTreeSet::new(),
        });
        actions.push(Action::Trigger { epoch, kind });
    }

    fn on_acknowledged(&mut self, epoch: Epoch, task: SubtaskId, actions: &mut Vec<Action>) {
        let Some(checkpoint) = self.checkpoint.as_mut().filter(|c| c.epoch == epoch) else { return };
        if checkpoint.waiting.remove(&task) && checkpoint.waiting.is_empty() {
            actions.push(Action::WriteManifest {
                attempt: self.record.attempt,
                epoch,
                kind: checkpoint.kind,
                timestamp_ms: checkpoint.triggered_ms,
            });
        }
    }

    fn on_manifest(&mut self, now_ms: i64, completed: CompletedCheckpoint, actions: &mut Vec<Action>) {
        let Some(checkpoint) = self.checkpoint.as_mut().filter(|c| c.epoch == completed.epoch) else {
            return;
        };
        checkpoint.completed = Some(completed.clone());
        checkpoint.committing = self.sinks.clone();
        let wait_for_sinks = !self.sinks.is_empty();
        self.record.checkpoints.push(completed.clone());
        let discarded = self.retire();
        self.save(actions);
        actions.push(Action::Complete(completed.epoch));
        if !discarded.is_empty() {
            actions.push(Action::Discard(discarded));
        }
        if !wait_for_sinks {
            self.conclude(now_ms, actions);
        }
    }

    /// Takes checkpoints beyond the retained number off the record; savepoints stay in their folders.
    fn retire(&mut self) -> Vec<CompletedCheckpoint> {
        let retained = self.settings.retained.max(1);
        let (savepoints, mut kept): (Vec<_>, Vec<_>) =
            self.record.checkpoints.drain(..).partition(|checkpoint| checkpoint.savepoint);
        let newest = kept.last().map(|checkpoint| checkpoint.epoch);
        let discarded = kept.drain(..kept.len().saturating_sub(retained)).collect();
        // A savepoint matters to recovery only while it is the newest.
        kept.extend(savepoints.into_iter().filter(|savepoint| Some(savepoint.epoch) > newest));
        self.record.checkpoints = kept;
        discarded
    }

    fn on_committed(&mut self, now_ms: i64, epoch: Epoch, task: SubtaskId, actions: &mut Vec<Action>) {
        let Some(checkpoint) = self.checkpoint.as_mut().filter(|c| c.epoch == epoch) else { return };
        if checkpoint.completed.is_some()
            && checkpoint.committing.remove(&task)
            && checkpoint.committing.is_empty()
        {
            self.conclude(now_ms, actions);
        }
    }

    /// The checkpoint under way is complete and its output visible.
    fn conclude(&mut self, now_ms: i64, actions: &mut Vec<Action>) {
        let Some(checkpoint) = self.checkpoint.take() else { return };
        self.failed_checkpoints = 0;
        self.next_trigger_ms = self.settings.interval.map(|interval| {
            let regular = checkpoint.triggered_ms + interval.as_millis() as i64;
            regular.max(now_ms + self.settings.min_pause.as_millis() as i64).max(now_ms)
        });
        let Some(completed) = checkpoint.completed else { return };
        if checkpoint.kind != CheckpointKind::Periodic {
            actions.push(Action::PublishSavepoint(completed.clone()));
        }
        if checkpoint.kind == CheckpointKind::StopWithSavepoint {
            actions.push(Action::StopTasks);
            return self.end(JobStatus::Stopped, Outcome::Stopped(completed), actions);
        }
        if checkpoint.last && self.requested.is_none() {
            actions.push(Action::StopTasks);
            return self.end(JobStatus::Finished, Outcome::Finished, actions);
        }
        self.settle(now_ms, actions);
    }

    fn fail_checkpoint(
        &mut self,
        now_ms: i64,
        jitter: f64,
        epoch: Epoch,
        error: &Error,
        actions: &mut Vec<Action>,
    ) {
        let Some(checkpoint) = self.checkpoint.take_if(|c| c.epoch == epoch && c.completed.is_none()) else {
            return;
        };
        actions.push(Action::Abandon { epoch, reason: error.to_string() });
        self.failed_checkpoints += 1;
        if error.code() != ErrorCode::Fenced {
            self.save(actions);
        } else {
            actions.push(Action::KillTasks);
            let outcome = Outcome::Failed(error.code(), error.to_string());
            self.phase = Phase::Over;
            return actions.push(Action::Done(outcome));
        }
        // Without output that waits for it, a failed checkpoint costs only the work it would have saved.
        let fatal = checkpoint.kind != CheckpointKind::Periodic || checkpoint.last;
        if fatal || self.failed_checkpoints > self.settings.tolerable_failures {
            return self.fail(now_ms, jitter, error, actions);
        }
        self.next_trigger_ms = self.settings.interval.map(|i| now_ms + i.as_millis() as i64);
        self.settle(now_ms, actions);
    }

    fn fail(&mut self, now_ms: i64, jitter: f64, error: &Error, actions: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Deploying | Phase::Running) {
            return;
        }
        actions.push(Action::KillTasks);
        if let Some(checkpoint) = self.checkpoint.take().filter(|c| c.completed.is_none()) {
            let reason = "the run failed".to_owned();
            actions.push(Action::Abandon { epoch: checkpoint.epoch, reason });
        }
        match self.restarts.on_failure(now_ms, jitter) {
            Some(at_ms) => {
                self.phase = Phase::Restarting(at_ms);
                actions.push(Action::AwaitRestart { at_ms, error: error.to_string() });
            }
            None => {
                let outcome = Outcome::Failed(error.code(), error.to_string());
                self.end(JobStatus::Failed, outcome, actions);
            }
        }
    }

    fn on_tick(&mut self, now_ms: i64, jitter: f64, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Restarting(at) if now_ms >= at => self.deploy(actions),
            Phase::Running => match &self.checkpoint {
                Some(checkpoint) => {
                    let limit = self.settings.timeout.as_millis() as i64;
                    if checkpoint.completed.is_none() && now_ms >= checkpoint.triggered_ms + limit {
                        let error = Error::new(
                            ErrorCode::Unavailable,
                            format!(
                                "checkpoint {} was not complete after {limit} ms; {} tasks had not answered",
                                checkpoint.epoch,
                                checkpoint.waiting.len()
                            ),
                        );
                        self.fail_checkpoint(now_ms, jitter, checkpoint.epoch, &error, actions);
                    }
                }
                None if self.next_trigger_ms.is_some_and(|at| now_ms >= at) => {
                    self.trigger(now_ms, CheckpointKind::Periodic, actions);
                }
                None => {}
            },
            _ => {}
        }
    }

    fn end(&mut self, status: JobStatus, outcome: Outcome, actions: &mut Vec<Action>) {
        if self.phase == Phase::Over {
            return;
        }
        self.phase = Phase::Over;
        self.record.status = status;
        self.save(actions);
        actions.push(Action::Done(outcome));
    }
}

#[cfg(test)]
mod tests;
