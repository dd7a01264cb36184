//! Finished files that wait for their checkpoint, and making them visible: a step that can be
//! repeated after any crash.

use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt, PutPayload};
use serde::{Deserialize, Serialize};
use tidegate_engine::connector::StagedUnit;
use tidegate_types::{Error, ErrorCode, Result};

use super::part::{blocking, local_path, sync_folder_of};
use tidegate_storage::{Location, store_error};

/// Version of [`StagedFiles`]: goes up when its meaning changes.
const VERSION: u32 = 1;

/// What a checkpoint holds of a writer's files.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StagedFiles {
    version: u32,
    /// The files, to be made visible in this order.
    files: Vec<StagedFile>,
    /// Files without content that announce the partitions, written behind the others.
    success_files: Vec<String>,
}

/// A file that is written and not visible yet. Paths are those of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StagedFile {
    /// Where it is.
    pub(super) staged: String,
    /// Where it will be.
    pub(super) target: String,
    /// Its size.
    pub(super) bytes: u64,
}

impl StagedFiles {
    /// The files of one writer and epoch, with the files that announce partitions behind them.
    pub(super) fn new(files: Vec<StagedFile>, success_files: Vec<String>) -> Self {
        Self { version: VERSION, files, success_files }
    }

    /// Files of this name in each folder that got a file.
    pub(super) fn announcements(files: &[StagedFile], name: &str) -> Vec<String> {
        let folders = files.iter().filter_map(|file| file.target.rsplit_once('/'));
        let mut success_files: Vec<String> =
            folders.map(|(folder, _)| format!("{folder}/{name}")).collect();
        success_files.sort();
        success_files.dedup();
        success_files
    }

    /// As JSON for the checkpoint.
    pub(super) fn encode(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self).map_err(|error| Error::internal(error.to_string()))
    }

    /// From a checkpoint.
    pub(super) fn decode(unit: &StagedUnit) -> Result<Self> {
        let corrupt = |why: String| {
            let message = format!(
                "staged files of sink {}, writer {}, checkpoint {}: {why}",
                unit.sink, unit.writer, unit.epoch
            );
            Error::new(ErrorCode::Corrupt, message)
        };
        let files: Self = serde_json::from_value(unit.payload.clone())
            .map_err(|error| corrupt(error.to_string()))?;
        if files.version == VERSION {
            return Ok(files);
        }
        Err(corrupt(format!(
            "version {} is not known; this release reads {VERSION}",
            files.version
        )))
    }

    /// Makes all files visible. Files that are visible already are left as they are.
    ///
    /// # Errors
    /// `CORRUPT` if a file is neither staged nor visible: rows would be lost.
    pub(super) async fn commit(&self, location: &Location) -> Result<()> {
        for file in &self.files {
            if location.local {
                commit_local(location, file).await?;
            } else {
                commit_remote(location, file).await?;
            }
        }
        for path in &self.success_files {
            let path = parse(path)?;
            let put = location.store.put(&path, PutPayload::new()).await;
            put.map_err(|error| {
                store_error(error, &location.display(&path)).context("announce partition")
            })?;
        }
        Ok(())
    }
}

fn parse(path: &str) -> Result<Path> {
    Path::parse(path)
        .map_err(|error| Error::new(ErrorCode::Corrupt, format!("staged path '{path}': {error}")))
}

async fn commit_local(location: &Location, file: &StagedFile) -> Result<()> {
    let staged = local_path(location, &parse(&file.staged)?);
    let target = local_path(location, &parse(&file.target)?);
    let (place, bytes) = (target.display().to_string(), file.bytes);
    let lost = lost_file(&place);
    let found = blocking(&place, move || {
        match std::fs::rename(&staged, &target) {
            Ok(()) => {}
            // An earlier commit did it, unless the target is missing too.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                match std::fs::metadata(&target) {
                    Ok(meta) => return Ok(meta.len() == bytes),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
                    Err(error) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        }
        sync_folder_of(&target).map(|()| true)
    });
    if found.await.map_err(|error| error.context("make file visible"))? {
        Ok(())
    } else {
        Err(lost)
    }
}

async fn commit_remote(location: &Location, file: &StagedFile) -> Result<()> {
    let (staged, target) = (parse(&file.staged)?, parse(&file.target)?);
    let place = location.display(&target);
    match location.store.copy(&staged, &target).await {
        Ok(()) => {}
        Err(StoreError::NotFound { .. }) => {
            return match location.store.head(&target).await {
                Ok(meta) if meta.size == file.bytes => Ok(()),
                Ok(_) | Err(StoreError::NotFound { .. }) => Err(lost_file(&place)),
                Err(error) => Err(store_error(error, &place).context("make file visible")),
            };
        }
        Err(error) => return Err(store_error(error, &place).context("make file visible")),
    }
    match location.store.delete(&staged).await {
        Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
        Err(error) => {
            Err(store_error(error, &location.display(&staged)).context("remove staged file"))
        }
    }
}

fn lost_file(place: &str) -> Error {
    let message = format!(
        "file {place} was staged by a checkpoint, but is neither there nor visible any more"
    );
    Error::new(ErrorCode::Corrupt, message).help(
        "if its content was moved elsewhere on purpose, start from a newer checkpoint or savepoint; \
         otherwise restore the file, or its rows are lost",
    )
}

/// Fails unless `path` can be made a folder that takes files.
pub(super) async fn check_folder(location: &Location, path: &Path) -> Result<()> {
    let folder = local_path(location, path);
    let place = folder.display().to_string();
    let created = blocking(&place, move || {
        std::fs::create_dir_all(&folder)?;
        let probe = folder.join(format!(".tidegate-probe-{}", std::process::id()));
        std::fs::write(&probe, b"")?;
        std::fs::remove_file(&probe)
    });
    created.await.map_err(|error| error.context(format!("prepare folder {place}")))
}

/// Removes a file if it is still there.
pub(super) async fn remove(location: &Location, path: &Path) -> Result<()> {
    if location.local {
        let file = local_path(location, path);
        let place = file.display().to_string();
        return blocking(&place, move || match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .await;
    }
    match location.store.delete(path).await {
        Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
        Err(error) => Err(store_error(error, &location.display(path))),
    }
}
