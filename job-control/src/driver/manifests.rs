//! Manifests that the driver writes: of checkpoints that every task has acknowledged, and of savepoints
//! once their output is visible.

use tidegate_checkpoint::manifest::digest;
use tidegate_checkpoint::records::overwrite;
use tidegate_checkpoint::storage::{manifest_path, savepoint_name};
use tidegate_checkpoint::{Directory, Manifest};
use tidegate_runtime::{Refused, failpoint, refused};
use tidegate_types::{Attempt, CompletedCheckpoint, Epoch, Error, ErrorCode, Result};

use super::opening::operator_states;
use super::progress::cost;
use super::{Driver, barrier_kind};
use crate::protocol::{CheckpointKind, Event};

impl Driver {
    pub(super) async fn write_manifest(
        &mut self,
        attempt: Attempt,
        epoch: Epoch,
        kind: CheckpointKind,
        timestamp_ms: i64,
    ) -> Event {
        match self.try_write_manifest(attempt, epoch, kind, timestamp_ms).await {
            Ok(checkpoint) => Event::ManifestWritten(checkpoint),
            Err(error) => Event::ManifestRefused { attempt, epoch, error },
        }
    }

    async fn try_write_manifest(
        &mut self,
        attempt: Attempt,
        epoch: Epoch,
        kind: CheckpointKind,
        timestamp_ms: i64,
    ) -> Result<CompletedCheckpoint> {
        let states = self.acknowledged.remove(&epoch).unwrap_or_default();
        self.costs.insert(epoch, cost(&states));
        let savepoint = kind != CheckpointKind::Periodic;
        let manifest = Manifest {
            job: self.spec.job.clone(),
            lineage: self.machine.record().lineage.clone(),
            attempt,
            epoch,
            kind: barrier_kind(kind),
            timestamp_ms,
            key_groups: self.spec.graph.settings.key_groups,
            staging: savepoint.then(|| self.spec.folder.url().to_owned()),
            operators: operator_states(&self.spec.graph, &states),
        };
        let (folder, name) = if savepoint {
            // Until its output is visible a savepoint is not one that a person may use.
            (self.spec.savepoints.child(&savepoint_name(attempt, epoch)), "_prepared".to_owned())
        } else {
            (self.spec.folder.clone(), manifest_path(epoch))
        };
        let bytes = manifest.encode()?;
        let storage = folder.storage();
        let checkpoint = CompletedCheckpoint {
            epoch,
            attempt,
            folder: folder.url().to_owned(),
            manifest: name.clone(),
            digest: digest(&bytes),
            savepoint,
            timestamp_ms,
        };
        let created = storage.write_manifest(&name, bytes.clone()).await?;
        if !created && failpoint::defect("skip-attempt-check") {
            overwrite(&storage, &name, bytes).await?;
        } else if !created {
            let message =
                format!("checkpoint {epoch} of job {} was written by another run", self.spec.job);
            refused(Refused::Manifest, &message);
            return Err(Error::new(ErrorCode::Fenced, message));
        }
        if savepoint {
            self.prepared.insert(epoch, manifest);
        }
        failpoint::hit("prepare-complete");
        Ok(checkpoint)
    }

    /// Writes a savepoint's manifest without its output, all of which is visible by now: whoever
    /// restores it begins a lineage that has nothing to settle.
    pub(super) async fn publish(&mut self, savepoint: &CompletedCheckpoint) -> Result<()> {
        let storage = Directory::open(&savepoint.folder)?.storage();
        // A driver that took the run over finds it in the folder only.
        let prepared = match self.prepared.remove(&savepoint.epoch) {
            Some(manifest) => manifest,
            None => storage.read_manifest(&savepoint.manifest).await?,
        };
        let mut manifest = prepared.clone();
        manifest.staging = None;
        for subtask in manifest.operators.iter_mut().flat_map(|operator| &mut operator.subtasks) {
            subtask.staged.clear();
            subtask.confirmed.clear();
        }
        storage.write_manifest("_metadata", manifest.encode()?).await?;
        self.release(prepared);
        Ok(())
    }
}
