//! What happens when a checkpoint or a run fails: going on, restarting, going back to an older checkpoint, giving up.

use tidegate_types::{Epoch, Error, ErrorCode, JobStatus};

use super::{Job, Phase};
use crate::protocol::{Action, CheckpointKind, Outcome};

/// Pause before a checkpoint to leave with is tried again, milliseconds.
const LEAVING_AGAIN_MS: i64 = 1_000;

impl Job {
    /// A checkpoint could not be taken.
    pub(super) fn fail_checkpoint(
        &mut self,
        now_ms: i64,
        jitter: f64,
        epoch: Epoch,
        error: &Error,
        actions: &mut Vec<Action>,
    ) {
        let Some(checkpoint) =
            self.checkpoint.take_if(|c| c.epoch == epoch && c.completed.is_none())
        else {
            return;
        };
        actions.push(Action::Abandon { epoch, reason: error.to_string() });
        self.failed_checkpoints += 1;
        if error.code() == ErrorCode::Fenced {
            actions.push(Action::KillTasks);
            let outcome = Outcome::Failed(error.code(), error.to_string());
            self.phase = Phase::Over;
            return actions.push(Action::Done(outcome));
        }
        // Without output that waits for it, a failed checkpoint costs only the work it would have saved.
        // Sources that stopped for a savepoint read no more, though.
        let fatal = checkpoint.kind == CheckpointKind::StopWithSavepoint || checkpoint.last;
        match checkpoint.kind {
            CheckpointKind::Savepoint => {
                let (epoch, error) = (checkpoint.epoch, error.to_string());
                actions.push(Action::SavepointFailed { epoch, error });
                self.failed_checkpoints -= u64::from(!fatal);
            }
            CheckpointKind::StopWithSavepoint => self.request(checkpoint.kind),
            CheckpointKind::Periodic => {}
        }
        if self.leaving && !fatal {
            // Nothing is wrong with the run: it goes on, and the checkpoint to leave with is tried again.
            self.save(actions);
            self.next_trigger_ms = Some(now_ms + LEAVING_AGAIN_MS);
            return;
        }
        if fatal || self.failed_checkpoints > self.settings.tolerable_failures {
            return self.fail(now_ms, jitter, error, actions);
        }
        self.save(actions);
        self.next_trigger_ms = self.settings.interval.map(|i| now_ms + i.as_millis() as i64);
        self.settle(now_ms, actions);
    }

    /// A run has failed.
    pub(super) fn fail(
        &mut self,
        now_ms: i64,
        jitter: f64,
        error: &Error,
        actions: &mut Vec<Action>,
    ) {
        if !matches!(self.phase, Phase::Deploying | Phase::Running)
            || self.fall_back(error, actions)
        {
            return;
        }
        // Saved first: whoever may not save any more has nothing to say to tasks.
        self.save(actions);
        actions.push(Action::KillTasks);
        if let Some(checkpoint) = self.checkpoint.take().filter(|c| c.completed.is_none()) {
            let reason = "the run failed".to_owned();
            actions.push(Action::Abandon { epoch: checkpoint.epoch, reason });
            if checkpoint.kind != CheckpointKind::Periodic {
                self.request(checkpoint.kind);
            }
        }
        // What a restart cannot cure (a malformed record, a missing topic) fails at once.
        let curable = error.code().is_retryable();
        match self.restarts.on_failure(now_ms, jitter).filter(|_| curable) {
            Some(_) if self.leaving => {
                self.phase = Phase::Over;
                let (code, error) = (error.code(), error.to_string());
                actions.push(Action::AwaitRestart { at_ms: now_ms, code, error });
                actions.push(Action::Done(Outcome::Left));
            }
            Some(at_ms) => {
                self.phase = Phase::Restarting(at_ms);
                let (code, error) = (error.code(), error.to_string());
                actions.push(Action::AwaitRestart { at_ms, code, error });
            }
            None => {
                let outcome = Outcome::Failed(error.code(), error.to_string());
                self.end(JobStatus::Failed, outcome, actions);
            }
        }
    }

    /// Goes back to an older checkpoint if the one that is being restored is damaged and there is
    /// another; false if not.
    fn fall_back(&mut self, error: &Error, actions: &mut Vec<Action>) -> bool {
        if self.phase != Phase::Deploying || error.code() != ErrorCode::CorruptCheckpoint {
            return false;
        }
        let Some(damaged) = self.restored.take() else { return false };
        let before = (self.record.checkpoints.clone(), self.given.clone());
        self.record.checkpoints.retain(|known| *known != damaged);
        self.given.iter_mut().for_each(|given| given.retain(|known| *known != damaged));
        let Some(older) = self.restorable() else {
            // Nothing is left: whoever mends the damage finds the record as it was.
            (self.record.checkpoints, self.given) = before;
            return false;
        };
        let (damaged, used, error) = (damaged.epoch, older.epoch, error.to_string());
        actions.push(Action::KillTasks);
        actions.push(Action::FallBack { damaged, used, error });
        self.deploy(actions);
        true
    }
}
