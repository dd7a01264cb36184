//! The folders of a job's checkpoints, and finding the checkpoint that `--restore` means.
//!
//! Below the checkpoint directory: `<job>/_record/` the job's record, `<job>/<run>/` the checkpoints
//! of a fresh start and the restarts that followed it (`chk-<n>/_metadata`, `shared/`), and
//! `<job>/<run>/savepoints/` unless savepoints go elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use tidegate_connectors::object_storage;
use tidegate_engine::checkpoint::CheckpointStorage;
use tidegate_engine::staging::Stored;
use tidegate_job_control::{CompletedCheckpoint, JobRecord};
use tidegate_types::{Error, ErrorCode, JobId, Result};

use super::metadata::MetadataStore;

/// A directory or URL with the store behind it.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    url: String,
    store: Arc<dyn ObjectStore>,
    path: Path,
}

impl Directory {
    /// Opens a directory or URL (`file:`, `s3:`).
    ///
    /// # Errors
    /// `INVALID_OPTION`, `UNSUPPORTED` for a URL that cannot be used.
    pub(crate) fn open(url: &str) -> Result<Self> {
        let url = absolute(url.trim_end_matches('/'))?;
        let (store, path) = object_storage::open_durable(&url, &BTreeMap::new())?;
        Ok(Self { url, store, path })
    }

    /// The directory as it was named.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How output is staged here: compressed where the store is far away.
    pub(crate) fn staged_as(&self) -> Stored {
        let local = self.url.starts_with("file:") || !self.url.contains("://");
        if local { Stored::Plain } else { Stored::Zstd }
    }

    /// A folder below.
    pub(crate) fn child(&self, name: &str) -> Self {
        let path = name
            .split('/')
            .filter(|part| !part.is_empty())
            .fold(self.path.clone(), |p, part| p.join(part));
        Self { url: format!("{}/{name}", self.url), store: self.store.clone(), path }
    }

    /// The directory as a place for checkpoints.
    pub(crate) fn storage(&self) -> CheckpointStorage {
        CheckpointStorage::new(self.store.clone(), self.path.clone())
    }

    /// The folder above and the last part of the name.
    fn parent(&self) -> Option<(Self, String)> {
        let (url, name) = self.url.rsplit_once('/')?;
        let mut parts: Vec<_> = self.path.parts().collect();
        parts.pop()?;
        let parent = Self {
            url: url.to_owned(),
            store: self.store.clone(),
            path: parts.into_iter().collect(),
        };
        Some((parent, name.to_owned()))
    }
}

/// A local path made absolute, so that what is recorded does not depend on a working directory.
fn absolute(url: &str) -> Result<String> {
    if url.contains("://") || url.starts_with("file:") {
        return Ok(url.to_owned());
    }
    let path = std::path::absolute(url).map_err(|error| {
        Error::new(ErrorCode::InvalidOption, format!("'{url}' is not a directory's path: {error}"))
    })?;
    Ok(path.display().to_string())
}

/// What `--restore` led to.
#[derive(Debug)]
pub(crate) enum RestoreFrom {
    /// The first of these that is intact; at least one.
    Checkpoints(Vec<CompletedCheckpoint>),
    /// The job has run there but completed no checkpoint: it starts anew.
    Nothing,
}

/// Finds the checkpoint at a path: a checkpoint directory (then the newest of the job), a job's
/// folder in it, a checkpoint's or savepoint's folder, or its `_metadata`.
///
/// # Errors
/// `NOT_FOUND` if there is no checkpoint, `CORRUPT` if the one named is damaged.
pub(crate) async fn find(path: &str, job: &JobId) -> Result<RestoreFrom> {
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix("/_metadata").unwrap_or(path);
    let place = Directory::open(path)?;
    for folder in [place.child(job.as_str()), place.clone()] {
        if let Some(record) = MetadataStore::new(folder.storage()).load().await? {
            let checkpoints = newest_intact(&record).await?;
            return Ok(match checkpoints.is_empty() {
                true => RestoreFrom::Nothing,
                false => RestoreFrom::Checkpoints(checkpoints),
            });
        }
    }
    let manifest = match place.storage().read_manifest("_metadata").await {
        Ok(manifest) => manifest,
        Err(error) if error.code() == ErrorCode::NotFound => {
            return Err(Error::new(
                ErrorCode::NotFound,
                format!("there is no checkpoint or savepoint of job {job} at {path}"),
            )
            .help("name a checkpoint directory that the job has used, a chk-<n> folder, or a savepoint"));
        }
        Err(error) => return Err(error),
    };
    let is_checkpoint = manifest.kind == tidegate_engine::BarrierKind::Checkpoint;
    let (folder, name) = match place.parent().filter(|_| is_checkpoint) {
        Some((parent, name)) => (parent.url().to_owned(), format!("{name}/_metadata")),
        None => (place.url().to_owned(), "_metadata".to_owned()),
    };
    Ok(RestoreFrom::Checkpoints(vec![CompletedCheckpoint {
        epoch: manifest.epoch,
        attempt: manifest.attempt,
        folder,
        manifest: name,
        digest: String::new(),
        savepoint: !is_checkpoint,
        timestamp_ms: manifest.timestamp_ms,
    }]))
}

/// The checkpoints of a record from the newest on whose manifest is intact; older ones are used, with
/// a warning, where newer ones are damaged. Before the first is complete, the one that the job was
/// started from.
async fn newest_intact(record: &JobRecord) -> Result<Vec<CompletedCheckpoint>> {
    let mut checkpoints: Vec<_> = record.checkpoints.iter().collect();
    checkpoints.sort_by_key(|checkpoint| std::cmp::Reverse(checkpoint.epoch));
    checkpoints.extend(&record.origin);
    let mut damage = None;
    for (index, checkpoint) in checkpoints.iter().enumerate() {
        let storage = Directory::open(&checkpoint.folder)?.storage();
        match storage.read_manifest(&checkpoint.manifest).await {
            Ok(_) => return Ok(checkpoints[index..].iter().copied().cloned().collect()),
            Err(error) if matches!(error.code(), ErrorCode::Corrupt | ErrorCode::NotFound) => {
                tracing::error!(%error, "checkpoint {} cannot be used; trying the one before", checkpoint.epoch);
                damage.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    damage.map_or(Ok(Vec::new()), Err)
}
