//! Deleting checkpoints that are no longer kept: mark what kept manifests reach, delete the rest.
//!
//! State files are shared between checkpoints, so a file goes only when no kept manifest names it.
//! Files of runs that died before their checkpoint completed are found by listing, and deleted once
//! they are older than [`MIN_AGE_MS`] and belong to a run before the current one, which is fenced.

use std::collections::BTreeSet;

use tidegate_engine::checkpoint::CheckpointStorage;
use tidegate_job_control::CompletedCheckpoint;
use tidegate_types::{Attempt, Result};

/// Age below which an unreachable file is left alone.
const MIN_AGE_MS: i64 = 60_000;

/// Deletes the manifests of `discarded` and the files that only they reach.
///
/// # Errors
/// `UNAVAILABLE`, `CORRUPT` if a manifest cannot be read: then nothing more is deleted.
pub(crate) async fn discard(
    storage: &CheckpointStorage,
    discarded: &[CompletedCheckpoint],
    kept: &[CompletedCheckpoint],
    in_flight: &BTreeSet<String>,
) -> Result<()> {
    let mut reachable = in_flight.clone();
    for checkpoint in kept.iter().filter(|checkpoint| !checkpoint.savepoint) {
        let manifest = storage.read_manifest(&checkpoint.manifest).await?;
        reachable.extend(manifest.files().map(|file| file.path.clone()));
    }
    for checkpoint in discarded {
        let manifest = storage.read_manifest(&checkpoint.manifest).await?;
        // The manifest goes first: a checkpoint without files must not look complete.
        storage.delete(&checkpoint.manifest).await?;
        for file in manifest.files().filter(|file| !reachable.contains(&file.path)) {
            storage.delete(&file.path).await?;
        }
    }
    Ok(())
}

/// Deletes state files that dead runs left behind.
///
/// # Errors
/// As [`discard`].
pub(crate) async fn sweep(
    storage: &CheckpointStorage,
    kept: &[CompletedCheckpoint],
    current: Attempt,
    now_ms: i64,
) -> Result<usize> {
    let mut deleted = 0;
    let mut reachable = BTreeSet::new();
    for checkpoint in kept.iter().filter(|checkpoint| !checkpoint.savepoint) {
        let manifest = storage.read_manifest(&checkpoint.manifest).await?;
        reachable.extend(manifest.files().map(|file| file.path.clone()));
    }
    for (path, modified_ms) in storage.list("shared").await? {
        let name = path.trim_start_matches("shared/");
        let attempt = name.split_once('-').and_then(|(attempt, _)| attempt.parse().ok());
        let dead = attempt.is_some_and(|attempt| Attempt(attempt) < current);
        if dead && !reachable.contains(&path) && now_ms - modified_ms > MIN_AGE_MS {
            storage.delete(&path).await?;
            deleted += 1;
        }
    }
    Ok(deleted)
}
