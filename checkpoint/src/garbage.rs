//! Deleting checkpoints that are no longer kept: mark what kept manifests reach, delete the rest.
//!
//! State files are shared between checkpoints, and staged output stays in every manifest until it is
//! visible, so an object goes only when no kept manifest names it.
//! Files of checkpoints that did not complete are found by listing, and deleted once they are older
//! than [`MIN_AGE_MS`] and nothing can refer to them any more (see [`Current`]).

use std::collections::BTreeSet;

use tidegate_types::{Attempt, CompletedCheckpoint, Epoch, Result};

use crate::staged;
use crate::{CheckpointStorage, Manifest};

/// Age below which an unreachable file is left alone.
pub const MIN_AGE_MS: i64 = 60_000;

/// Where the job stands: what is older can have left files behind.
#[derive(Debug, Clone, Copy)]
pub struct Current {
    /// The run. Those before it are fenced.
    pub attempt: Attempt,
    /// The newest completed checkpoint: later ones refer to what its manifest names, and to files
    /// that are newer.
    pub completed: Option<Epoch>,
}

impl Current {
    /// Whether a file is older than anything that may still be referred to by a manifest to come.
    /// Staged output of the run itself never counts: it is staged long before any manifest names it.
    fn is_after(self, path: &str) -> bool {
        let Some((folder, name)) = path.split_once('/') else { return false };
        let mut numbers = name.split('-').map_while(|part| part.parse().ok());
        let Some(attempt) = numbers.next().map(Attempt) else { return false };
        let epoch = numbers.next().map(Epoch).filter(|_| folder != staged::FOLDER);
        attempt < self.attempt
            || (attempt == self.attempt && epoch.is_some() && epoch < self.completed)
    }
}

/// Deletes the manifests of `discarded` and the files that only they reach.
///
/// # Errors
/// `UNAVAILABLE`, `CORRUPT` if a manifest cannot be read: then nothing more is deleted.
pub async fn discard(
    storage: &CheckpointStorage,
    discarded: &[CompletedCheckpoint],
    kept: &[CompletedCheckpoint],
    in_flight: &BTreeSet<String>,
) -> Result<()> {
    let mut reachable = in_flight.clone();
    for checkpoint in kept.iter().filter(|checkpoint| !checkpoint.savepoint) {
        let manifest = storage.read_manifest(&checkpoint.manifest).await?;
        reachable.extend(objects(&manifest));
    }
    for checkpoint in discarded {
        let manifest = storage.read_manifest(&checkpoint.manifest).await?;
        // The manifest goes first: a checkpoint without files must not look complete.
        storage.delete(&checkpoint.manifest).await?;
        for object in objects(&manifest).filter(|object| !reachable.contains(object)) {
            storage.delete(&object).await?;
        }
    }
    Ok(())
}

/// State files and staged output of a checkpoint. What is staged and no manifest names any more is
/// visible: a unit leaves the manifests only once its commit is confirmed.
fn objects(manifest: &Manifest) -> impl Iterator<Item = String> {
    let files = manifest.files().map(|file| file.path.clone());
    files.chain(manifest.staged_objects().map(str::to_owned))
}

/// Deletes the staged output of a published savepoint, all of which is visible, except for what
/// kept checkpoints name.
///
/// # Errors
/// As [`discard`].
pub async fn release(
    storage: &CheckpointStorage,
    savepoint: &Manifest,
    kept: &[CompletedCheckpoint],
) -> Result<()> {
    let mut reachable = BTreeSet::new();
    for checkpoint in kept.iter().filter(|checkpoint| !checkpoint.savepoint) {
        reachable.extend(objects(&storage.read_manifest(&checkpoint.manifest).await?));
    }
    for object in savepoint.staged_objects().filter(|object| !reachable.contains(*object)) {
        storage.delete(object).await?;
    }
    Ok(())
}

/// Deletes state files and staged output that no checkpoint came to name, except for what is
/// `needed`.
///
/// # Errors
/// As [`discard`].
pub async fn sweep(
    storage: &CheckpointStorage,
    kept: &[CompletedCheckpoint],
    needed: BTreeSet<String>,
    current: Current,
    now_ms: i64,
) -> Result<usize> {
    let mut deleted = 0;
    let mut reachable = needed;
    for checkpoint in kept.iter().filter(|checkpoint| !checkpoint.savepoint) {
        let manifest = storage.read_manifest(&checkpoint.manifest).await?;
        reachable.extend(objects(&manifest));
    }
    let mut found = storage.list("shared").await?;
    found.extend(storage.list(staged::FOLDER).await?);
    for (path, modified_ms) in found {
        let old = now_ms - modified_ms > MIN_AGE_MS;
        if old && current.is_after(&path) && !reachable.contains(&path) {
            storage.delete(&path).await?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests;
