//! Finding the checkpoint that a path means.

use tidegate_types::{CompletedCheckpoint, Error, ErrorCode, JobId, JobRecord, Result};

use crate::barrier::BarrierKind;
use crate::directory::Directory;
use crate::records::RecordFolder;

/// What `--restore` led to.
#[derive(Debug)]
pub enum RestoreFrom {
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
pub async fn find(path: &str, job: &JobId) -> Result<RestoreFrom> {
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix("/_metadata").unwrap_or(path);
    let place = Directory::open(path)?;
    for folder in [place.child(job.as_str()), place.clone()] {
        if let Some(record) = RecordFolder::new(folder.storage()).load().await? {
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
    let is_checkpoint = manifest.kind == BarrierKind::Checkpoint;
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
