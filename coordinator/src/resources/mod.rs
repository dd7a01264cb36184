//! The bytes of resources: in parts below a folder of the store that all coordinators share, `<place>/<number of the
//! part>`. A part is written once and never changed, so that an upload goes on wherever it was broken off.
//!
//! Which places there are, and what they hold, is in the catalog.

pub(crate) mod inspect;
mod reader;

use bytes::Bytes;
use tidegate_checkpoint::CheckpointStorage;
use tidegate_types::{Error, ErrorCode, Result};

use crate::jobs::CheckpointFolders;

/// Bytes of a part; the last one of a content has fewer.
pub(crate) const PART: u64 = 4 << 20;
/// Folder below the directory of checkpoints. No project is called so.
const FOLDER: &str = "_resources";

/// Where the bytes of resources are.
#[derive(Debug, Clone)]
pub(crate) struct ResourceStore {
    folders: CheckpointFolders,
}

impl ResourceStore {
    /// Below these folders.
    pub(crate) fn new(folders: CheckpointFolders) -> Self {
        Self { folders }
    }

    fn storage(&self) -> Result<CheckpointStorage> {
        Ok(self.folders.kept(FOLDER)?.storage())
    }

    /// Refuses if there is no place for resources.
    ///
    /// # Errors
    /// `FAILED_PRECONDITION`, `INVALID_OPTION`.
    pub(crate) fn check(&self) -> Result<()> {
        self.storage().map(drop)
    }

    /// How many of a content's `total` bytes are in a place: whole parts without a gap before them. What a power cut
    /// left of a part is taken away.
    ///
    /// # Errors
    /// What the store answers.
    pub(crate) async fn received(&self, place: &str, total: u64) -> Result<u64> {
        let storage = self.storage()?;
        let mut parts: Vec<String> =
            storage.list(place).await?.into_iter().map(|(path, _)| path).collect();
        parts.sort();
        let mut whole = 0;
        for (number, path) in (0_u64..).zip(&parts) {
            if *path != part(place, number) {
                break;
            }
            whole = number + 1;
        }
        let Some(last) = whole.checked_sub(1) else { return Ok(0) };
        let bytes = storage.read(&storage.path(&part(place, last))).await?;
        if bytes.len() as u64 == length(last, total) {
            return Ok((whole * PART).min(total));
        }
        storage.delete(&part(place, last)).await?;
        Ok(last * PART)
    }

    /// Writes a part. One that is there stays: what it has is judged when all are there.
    ///
    /// # Errors
    /// What the store answers.
    pub(crate) async fn put(&self, place: &str, number: u64, bytes: Bytes) -> Result<()> {
        let storage = self.storage()?;
        storage.create(&storage.path(&part(place, number)), bytes).await.map(drop)
    }

    /// Reads a part of a content of `total` bytes.
    ///
    /// # Errors
    /// `CORRUPT` if it has another length than it must have; what the store answers.
    pub(crate) async fn read(&self, place: &str, number: u64, total: u64) -> Result<Bytes> {
        let storage = self.storage()?;
        let bytes = storage.read(&storage.path(&part(place, number))).await?;
        let wanted = length(number, total);
        if bytes.len() as u64 == wanted {
            return Ok(bytes);
        }
        let message = format!(
            "{}/{} has {} bytes instead of {wanted}",
            FOLDER,
            part(place, number),
            bytes.len()
        );
        Err(Error::new(ErrorCode::Corrupt, message).help("upload the resource again"))
    }

    /// Deletes all of a place; again if need be.
    ///
    /// # Errors
    /// What the store answers.
    pub(crate) async fn remove(&self, place: &str) -> Result<()> {
        let storage = self.storage()?;
        for (path, _) in storage.list(place).await? {
            storage.delete(&path).await?;
        }
        Ok(())
    }
}

/// Path of a part.
fn part(place: &str, number: u64) -> String {
    format!("{place}/{number:06}")
}

/// Bytes that a part of a content has.
fn length(number: u64, total: u64) -> u64 {
    total.saturating_sub(number * PART).min(PART)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(folder: &tempfile::TempDir) -> ResourceStore {
        let checkpoints = Some(folder.path().to_string_lossy().into_owned());
        ResourceStore::new(CheckpointFolders { checkpoints, savepoints: None })
    }

    fn bytes(count: u64) -> Bytes {
        Bytes::from(vec![7; usize::try_from(count).unwrap()])
    }

    #[tokio::test]
    async fn j8_what_is_there_is_counted_in_whole_parts() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let total = 2 * PART + 5;
        assert_eq!(store.received("t/1", total).await.unwrap(), 0);
        store.put("t/1", 0, bytes(PART)).await.unwrap();
        store.put("t/10", 0, bytes(PART)).await.unwrap();
        // With a gap before it.
        store.put("t/1", 2, bytes(5)).await.unwrap();
        assert_eq!(store.received("t/1", total).await.unwrap(), PART);
        store.put("t/1", 1, bytes(PART)).await.unwrap();
        assert_eq!(store.received("t/1", total).await.unwrap(), total);
        assert_eq!(store.read("t/1", 2, total).await.unwrap().len(), 5);
        // What is there is not written over.
        store.put("t/1", 2, bytes(9)).await.unwrap();
        assert_eq!(store.read("t/1", 2, total).await.unwrap().len(), 5);
        store.remove("t/1").await.unwrap();
        store.remove("t/1").await.unwrap();
        assert_eq!(store.received("t/1", total).await.unwrap(), 0);
        assert_eq!(store.received("t/10", PART).await.unwrap(), PART);
    }

    #[tokio::test]
    async fn j8_a_part_that_was_cut_off_is_sent_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        store.put("t/1", 0, bytes(PART)).await.unwrap();
        store.put("t/1", 1, bytes(100)).await.unwrap();
        assert_eq!(store.received("t/1", 3 * PART).await.unwrap(), PART);
        store.put("t/1", 1, bytes(PART)).await.unwrap();
        assert_eq!(store.received("t/1", 3 * PART).await.unwrap(), 2 * PART);
        let cut = folder.path().join("_resources/t/1/000001");
        std::fs::write(&cut, b"short").unwrap();
        let error = store.read("t/1", 1, 3 * PART).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::Corrupt);
    }

    #[test]
    fn j8_without_a_directory_there_is_no_place() {
        let none = CheckpointFolders { checkpoints: None, savepoints: None };
        let error = ResourceStore::new(none).check().unwrap_err();
        assert_eq!(error.code(), ErrorCode::FailedPrecondition);
        assert!(error.to_string().contains("no place for resources"), "{error}");
    }
}
