//! The state machine of one job.

use std::collections::{BTreeSet, VecDeque};

use tidegate_runtime::failpoint;
use tidegate_types::{
    Attempt, CompletedCheckpoint, Epoch, Error, ErrorCode, JobRecord, JobStatus, SubtaskId,
};

use crate::protocol::{Action, CheckpointKind, ControlSettings, Event, Outcome};
use crate::restart::Restarts;

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
    /// What this start was given to restore, best first; `None`: nothing, the record counts.
    given: Option<VecDeque<CompletedCheckpoint>>,
    /// The first run of this start.
    first_attempt: Attempt,
    /// What the run under way was restored from.
    restored: Option<CompletedCheckpoint>,
    tasks: BTreeSet<SubtaskId>,
    sinks: BTreeSet<SubtaskId>,
    staging: bool,
    /// Tasks that have their state; they may say so before it is known which tasks there are.
    ready: BTreeSet<SubtaskId>,
    running: BTreeSet<SubtaskId>,
    checkpoint: Option<InFlight>,
    requested: Option<CheckpointKind>,
    /// Another driver is to go on.
    leaving: bool,
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
            given: None,
            first_attempt: Attempt(0),
            restored: None,
            tasks: BTreeSet::new(),
            sinks: BTreeSet::new(),
            staging: false,
            ready: BTreeSet::new(),
            running: BTreeSet::new(),
            checkpoint: None,
            requested: None,
            leaving: false,
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
                // One that is complete waits for its sinks, however long they take.
                Some(checkpoint) if checkpoint.completed.is_some() => None,
                Some(checkpoint) => {
                    Some(checkpoint.triggered_ms + self.settings.timeout.as_millis() as i64)
                }
                None => self.next_trigger_ms,
            },
            _ => None,
        }
    }

    /// Handles an event at a time; `jitter` in −1 ..= 1 varies restart delays.
    pub fn handle(&mut self, now_ms: i64, jitter: f64, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Start(given) => self.start(given, &mut actions),
            Event::Deployed { attempt, tasks, sinks, staging }
                if attempt == self.record.attempt =>
            {
                self.running = tasks.clone();
                (self.tasks, self.sinks, self.staging) = (tasks, sinks, staging);
                self.run_if_ready(now_ms, &mut actions);
            }
            Event::Adopted(adopted) => self.adopt(now_ms, adopted, &mut actions),
            Event::Resumed { attempt, ended } if attempt == self.record.attempt => {
                self.resume(now_ms, jitter, &ended, &mut actions);
            }
            Event::Ready { attempt, task } if attempt == self.record.attempt => {
                self.ready.insert(task);
                self.run_if_ready(now_ms, &mut actions);
            }
            Event::Acknowledged { attempt, epoch, task } if attempt == self.record.attempt => {
                self.on_acknowledged(epoch, task, &mut actions);
            }
            Event::Declined { attempt, epoch, error }
            | Event::ManifestRefused { attempt, epoch, error }
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
            Event::SavepointRequested { stop, or_cancel } => {
                let kind = if stop {
                    CheckpointKind::StopWithSavepoint
                } else {
                    CheckpointKind::Savepoint
                };
                if let (Phase::Restarting(_), true) = (self.phase, stop && or_cancel) {
                    // Nothing runs that could be saved: the last checkpoint is what there is.
                    return self.cancelled();
                }
                self.request(kind);
                self.settle(now_ms, &mut actions);
            }
            Event::CancelRequested => {
                return self.cancelled();
            }
            Event::LeaveRequested if self.phase == Phase::Running => {
                self.leaving = true;
                self.requested.get_or_insert(CheckpointKind::Periodic);
                self.settle(now_ms, &mut actions);
            }
            Event::LeaveRequested => self.leave(&mut actions),
            Event::Tick => self.on_tick(now_ms, jitter, &mut actions),
            // Anything of an older attempt is refused.
            _ => {}
        }
        actions
    }

    fn cancelled(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        self.end(JobStatus::Cancelled, Outcome::Cancelled, &mut actions);
        // Saved first: whoever may not save any more has nothing to say to tasks.
        actions.insert(actions.len().saturating_sub(1), Action::KillTasks);
        actions
    }

    /// Ends the tasks; nothing is said about the job, which goes on.
    fn leave(&mut self, actions: &mut Vec<Action>) {
        if self.phase != Phase::Over {
            self.phase = Phase::Over;
            actions.push(Action::KillTasks);
            actions.push(Action::Done(Outcome::Left));
        }
    }

    /// Notes that a savepoint is wanted; one that is to stop the job is never forgotten for another.
    fn request(&mut self, kind: CheckpointKind) {
        if self.requested != Some(CheckpointKind::StopWithSavepoint) {
            self.requested = Some(kind);
        }
    }

    fn save(&mut self, actions: &mut Vec<Action>) {
        self.record.revision += 1;
        actions.push(Action::Save(self.record.clone()));
    }

    fn start(&mut self, given: Vec<CompletedCheckpoint>, actions: &mut Vec<Action>) {
        if self.phase == Phase::Idle {
            self.given = Some(VecDeque::from(given)).filter(|given| !given.is_empty());
            self.first_attempt = Attempt(self.record.attempt.0 + 1);
            self.deploy(actions);
        }
    }

    /// Whoever drove the job before may have given out one number that no saved record knows of.
    fn skip_number(&mut self) {
        self.record.last_epoch = Epoch(self.record.last_epoch.0 + 1);
    }

    fn deploy(&mut self, actions: &mut Vec<Action>) {
        self.phase = Phase::Deploying;
        if self.record.attempt.0 > 0 {
            self.skip_number();
        }
        self.record.attempt = Attempt(self.record.attempt.0 + 1);
        self.record.status = JobStatus::Running;
        self.save(actions);
        self.checkpoint = None;
        self.tasks.clear();
        self.ready.clear();
        let restore = self.restorable().cloned();
        self.restored = restore.clone();
        actions.push(Action::Deploy { attempt: self.record.attempt, restore });
    }

    /// The checkpoint to restore. What this start completed itself is newer than what it was given;
    /// without anything given, the last record counts.
    fn restorable(&self) -> Option<&CompletedCheckpoint> {
        let own = self.record.checkpoints.iter().rev();
        let mut own =
            own.filter(|known| self.given.is_none() || known.attempt >= self.first_attempt);
        let given = match &self.given {
            Some(given) => given.front(),
            // A run that was adopted goes on with what it was given once.
            None => self.record.origin.as_ref(),
        };
        own.next().or(given)
    }

    /// Lets sources read once it is known which tasks there are and all of them have their state.
    fn run_if_ready(&mut self, now_ms: i64, actions: &mut Vec<Action>) {
        let known = !self.tasks.is_empty();
        if self.phase == Phase::Deploying && known && self.tasks.is_subset(&self.ready) {
            self.begin(now_ms, actions);
            self.settle(now_ms, actions);
        }
    }

    fn begin(&mut self, now_ms: i64, actions: &mut Vec<Action>) {
        self.phase = Phase::Running;
        self.next_trigger_ms = self.settings.interval.map(|i| now_ms + i.as_millis() as i64);
        actions.push(Action::StartSources);
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
        actions.push(Action::StopTasks { safe: false });
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
        let Some(checkpoint) = self.checkpoint.as_mut().filter(|c| c.epoch == epoch) else {
            return;
        };
        if checkpoint.waiting.remove(&task) && checkpoint.waiting.is_empty() {
            actions.push(Action::WriteManifest {
                attempt: self.record.attempt,
                epoch,
                kind: checkpoint.kind,
                timestamp_ms: checkpoint.triggered_ms,
            });
        }
    }

    fn on_manifest(
        &mut self,
        now_ms: i64,
        completed: CompletedCheckpoint,
        actions: &mut Vec<Action>,
    ) {
        let Some(checkpoint) = self.checkpoint.as_mut().filter(|c| c.epoch == completed.epoch)
        else {
            return;
        };
        checkpoint.completed = Some(completed.clone());
        checkpoint.committing = self.sinks.clone();
        let wait_for_sinks = !self.sinks.is_empty();
        self.record.checkpoints.push(completed.clone());
        let discarded = self.retire();
        self.save(actions);
        actions.push(Action::Complete(completed.epoch));
        if failpoint::defect("skip-save-before-complete") {
            let last = actions.len() - 1;
            actions.swap(last - 1, last);
        }
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

    fn on_committed(
        &mut self,
        now_ms: i64,
        epoch: Epoch,
        task: SubtaskId,
        actions: &mut Vec<Action>,
    ) {
        let Some(checkpoint) = self.checkpoint.as_mut().filter(|c| c.epoch == epoch) else {
            return;
        };
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
            actions.push(Action::StopTasks { safe: true });
            return self.end(JobStatus::Stopped, Outcome::Stopped(completed), actions);
        }
        if checkpoint.last && self.requested.is_none() {
            actions.push(Action::StopTasks { safe: true });
            return self.end(JobStatus::Finished, Outcome::Finished, actions);
        }
        if self.leaving && self.requested.is_none() {
            actions.push(Action::StopTasks { safe: true });
            return self.leave(actions);
        }
        self.settle(now_ms, actions);
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

mod adoption;
mod failing;
#[cfg(test)]
mod tests;
