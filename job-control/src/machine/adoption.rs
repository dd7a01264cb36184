//! Going on with a run that nobody drove for a while: its driver was lost, or the connection to some of its tasks.
//!
//! What was told and reported in between may be lost. So the checkpoint that was under way is given up (its number is not
//! used again), and the last one that is complete is told again, because sinks may not have heard of it. Being told
//! twice to start, or of a complete checkpoint, changes nothing for a task.

use std::collections::BTreeSet;

use tidegate_types::{CompletedCheckpoint, Error, ErrorCode, SubtaskId};

use super::{InFlight, Job, Phase};
use crate::protocol::{Action, Adopted, CheckpointKind};

impl Job {
    /// Takes over a run whose driver was lost.
    pub(super) fn adopt(&mut self, now_ms: i64, adopted: Adopted, actions: &mut Vec<Action>) {
        if self.phase != Phase::Idle {
            return;
        }
        let Adopted { tasks, sinks, staging, ended } = adopted;
        self.running = tasks.difference(&ended).copied().collect();
        (self.tasks, self.sinks, self.staging) = (tasks, sinks, staging);
        self.skip_number();
        self.save(actions);
        // Tasks may wait for barriers that nobody sends any more, and hold up those that must hear what follows.
        actions.push(Action::Abort(self.record.last_epoch));
        self.begin(now_ms, actions);
        self.tell_complete(now_ms, actions);
    }

    /// Goes on after the connection to some tasks was interrupted.
    pub(super) fn resume(
        &mut self,
        now_ms: i64,
        jitter: f64,
        ended: &BTreeSet<SubtaskId>,
        actions: &mut Vec<Action>,
    ) {
        match self.phase {
            Phase::Running => {}
            Phase::Deploying => {
                let message = "the connection to a worker was interrupted while tasks were made";
                let error = Error::new(ErrorCode::Unavailable, message);
                return self.fail(now_ms, jitter, &error, actions);
            }
            _ => return,
        }
        self.running.retain(|task| !ended.contains(task));
        if let Some(given_up) = self.checkpoint.take_if(|under_way| under_way.completed.is_none()) {
            // Whoever follows this driver skips one number only: those that were given out before must be known.
            self.save(actions);
            let reason = "the connection to a worker was interrupted".to_owned();
            actions.push(Action::Abandon { epoch: given_up.epoch, reason });
            if given_up.kind != CheckpointKind::Periodic {
                self.request(given_up.kind);
            }
        }
        if self.leaving {
            self.next_trigger_ms = Some(now_ms);
        }
        actions.push(Action::StartSources);
        match &self.checkpoint {
            Some(completed) => actions.push(Action::Complete(completed.epoch)),
            None => self.tell_complete(now_ms, actions),
        }
    }

    /// Tells the last checkpoint of this run again, and waits for sinks to say that its output is visible.
    fn tell_complete(&mut self, now_ms: i64, actions: &mut Vec<Action>) {
        let own = |known: &&CompletedCheckpoint| known.attempt == self.record.attempt;
        let Some(completed) = self.record.latest().filter(own).cloned() else {
            return self.settle(now_ms, actions);
        };
        let kind = match completed.savepoint {
            true => CheckpointKind::Savepoint,
            false => CheckpointKind::Periodic,
        };
        actions.push(Action::Complete(completed.epoch));
        self.checkpoint = Some(InFlight {
            epoch: completed.epoch,
            kind,
            triggered_ms: completed.timestamp_ms,
            waiting: BTreeSet::new(),
            last: false,
            completed: Some(completed),
            committing: self.sinks.clone(),
        });
        if self.sinks.is_empty() {
            self.conclude(now_ms, actions);
        }
    }
}
