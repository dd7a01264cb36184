//! What the driver deletes, in the background: checkpoints that are no longer kept, staged output of
//! savepoints, and what earlier runs left.

use std::collections::BTreeSet;
use std::time::Duration;

use tidegate_checkpoint::garbage::{self, Current};
use tidegate_checkpoint::{CheckpointStorage, Manifest};
use tidegate_runtime::spawn;
use tidegate_types::CompletedCheckpoint;

use super::Driver;
use super::opening::objects_in_flight;

impl Driver {
    pub(super) fn discard(&mut self, discarded: Vec<CompletedCheckpoint>) {
        self.background.retain(|task| !task.is_finished());
        let kept = self.own_checkpoints();
        let storage = self.spec.folder.storage();
        let own = self.spec.folder.url().to_owned();
        let in_flight = objects_in_flight(&self.acknowledged);
        self.background.push(spawn("garbage collection", async move {
            let mine = |c: &CompletedCheckpoint| c.folder == own;
            let discarded: Vec<_> = discarded.into_iter().filter(mine).collect();
            if let Err(error) = garbage::discard(&storage, &discarded, &kept, &in_flight).await {
                tracing::warn!(%error, "could not delete old checkpoints; they are left behind");
            }
        }));
    }

    /// The checkpoints that are kept in this start's folder.
    fn own_checkpoints(&self) -> Vec<CompletedCheckpoint> {
        let own = self.spec.folder.url();
        self.machine.record().checkpoints.iter().filter(|c| c.folder == own).cloned().collect()
    }

    /// Looks for files that no checkpoint came to name, except for what is `needed`.
    pub(super) fn sweep(&mut self, mut needed: BTreeSet<String>) {
        let storage: CheckpointStorage = self.spec.folder.storage();
        let (kept, record) = (self.own_checkpoints(), self.machine.record());
        let completed = kept.iter().map(|checkpoint| checkpoint.epoch).max();
        let current = Current { attempt: record.attempt, completed };
        let now = self.surroundings.clock.now_ms();
        needed.extend(objects_in_flight(&self.acknowledged));
        self.background.push(spawn("sweep", async move {
            match garbage::sweep(&storage, &kept, needed, current, now).await {
                Ok(0) => {}
                Ok(deleted) => {
                    tracing::info!(deleted, "deleted files of checkpoints that did not complete")
                }
                Err(error) => {
                    tracing::warn!(%error, "could not look for files of checkpoints that did not complete")
                }
            }
        }));
    }

    /// A checkpoint was given up: what it left is looked for later, once it is old enough.
    pub(super) fn sweep_later(&mut self) {
        let age = Duration::from_millis(garbage::MIN_AGE_MS as u64);
        self.sweep_at.get_or_insert(self.surroundings.clock.elapsed() + age * 2);
    }

    /// Looks for what abandoned checkpoints left, if it is time.
    pub(super) fn sweep_if_due(&mut self) {
        let now = self.surroundings.clock.elapsed();
        if self.sweep_at.take_if(|at| *at <= now).is_some() {
            self.sweep(BTreeSet::new());
        }
    }

    /// Deletes the staged output of a savepoint, which is visible.
    pub(super) fn release(&mut self, prepared: Manifest) {
        let (folder, kept) = (self.spec.folder.storage(), self.own_checkpoints());
        self.background.push(spawn("release of staged output", async move {
            if let Err(error) = garbage::release(&folder, &prepared, &kept).await {
                tracing::warn!(%error, "could not delete a savepoint's staged output; it is left behind");
            }
        }));
    }
}
