//! What the driver deletes, in the background: checkpoints that are no longer kept, staged output of
//! savepoints, and what earlier runs left.

use std::collections::BTreeSet;

use tidegate_engine::checkpoint::{CheckpointStorage, Manifest};
use tidegate_job_control::CompletedCheckpoint;
use tidegate_runtime::spawn;
use tidegate_types::Attempt;

use super::Driver;
use crate::embedded::garbage;
use crate::embedded::opening::objects_in_flight;

impl Driver {
    pub(super) fn discard(&mut self, discarded: Vec<CompletedCheckpoint>) {
        self.background.retain(|task| !task.is_finished());
        let kept = self.own_checkpoints();
        let storage = self.folder.storage();
        let own = self.folder.url().to_owned();
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
        let own = self.folder.url();
        self.machine.record().checkpoints.iter().filter(|c| c.folder == own).cloned().collect()
    }

    pub(super) fn sweep(&mut self, attempt: Attempt, needed: BTreeSet<String>) {
        let storage: CheckpointStorage = self.folder.storage();
        let kept = self.own_checkpoints();
        let now = self.embedded.clock.now_ms();
        self.background.push(spawn("sweep", async move {
            match garbage::sweep(&storage, &kept, needed, attempt, now).await {
                Ok(0) => {}
                Ok(deleted) => {
                    tracing::info!(deleted, "deleted files that earlier runs left behind")
                }
                Err(error) => {
                    tracing::warn!(%error, "could not look for files that earlier runs left behind")
                }
            }
        }));
    }

    /// Deletes the staged output of a savepoint, which is visible.
    pub(super) fn release(&mut self, prepared: Manifest) {
        let (folder, kept) = (self.folder.storage(), self.own_checkpoints());
        self.background.push(spawn("release of staged output", async move {
            if let Err(error) = garbage::release(&folder, &prepared, &kept).await {
                tracing::warn!(%error, "could not delete a savepoint's staged output; it is left behind");
            }
        }));
    }
}
