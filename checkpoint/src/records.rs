//! The durable record of a job: one object per revision, created conditionally, so that of two
//! drivers that write the same revision one is refused and stops.

use bytes::Bytes;
use object_store::ObjectStoreExt;
use tidegate_plan::envelope::Envelope;
use tidegate_runtime::failpoint;
use tidegate_types::{Error, ErrorCode, JobRecord, Result};

use crate::CheckpointStorage;
use crate::storage::storage_error;

const ENVELOPE: Envelope =
    Envelope { format: "tidegate-job-record", version: 1, content: "record", noun: "job record" };
const FOLDER: &str = "_record";
/// Older revisions that are kept, in case the newest is found damaged.
const KEPT: u64 = 2;

/// The records of one job.
#[derive(Debug, Clone)]
pub struct RecordFolder {
    storage: CheckpointStorage,
}

impl RecordFolder {
    /// The records below a job's folder.
    pub fn new(storage: CheckpointStorage) -> Self {
        Self { storage }
    }

    /// The newest record that is intact.
    ///
    /// # Errors
    /// `UNAVAILABLE` if the store does not answer; `CORRUPT` if no record is intact.
    pub async fn load(&self) -> Result<Option<JobRecord>> {
        let mut paths: Vec<String> =
            self.storage.list(FOLDER).await?.into_iter().map(|(path, _)| path).collect();
        paths.sort();
        let mut damage = None;
        for path in paths.iter().rev() {
            match self.read(path).await {
                Ok(record) => return Ok(Some(record)),
                Err(error) if error.code() == ErrorCode::Corrupt => {
                    tracing::warn!(%error, "using the revision before");
                    damage.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        damage.map_or(Ok(None), Err)
    }

    /// Reads a record; one that seems damaged is read again, in case the damage happened on the way.
    async fn read(&self, path: &str) -> Result<JobRecord> {
        let object = self.storage.path(path);
        let decode = |bytes: bytes::Bytes| std::future::ready(ENVELOPE.open(path, &bytes));
        self.storage.read_decoded(&object, decode).await
    }

    /// Saves a record as its revision.
    ///
    /// # Errors
    /// `FENCED` if another driver has written this revision; `UNAVAILABLE` if the store does not answer.
    pub async fn save(&self, record: &JobRecord) -> Result<()> {
        let path = revision_path(record.revision);
        if failpoint::defect("skip-attempt-check") {
            return overwrite(&self.storage, &path, ENVELOPE.seal(record)?.into_bytes()).await;
        }
        let fenced = || {
            let message = format!(
                "another process runs job {} from the same checkpoint directory; this one stops",
                record.job
            );
            Err(Error::new(ErrorCode::Fenced, message))
        };
        if !self.storage.write_manifest(&path, ENVELOPE.seal(record)?.into_bytes()).await? {
            return fenced();
        }
        // A driver that stood still for long may create a revision that others have been over and
        // have deleted again: then there is a higher one.
        let all = self.storage.list(FOLDER).await?;
        if all.iter().any(|(other, _)| *other > path) {
            let _ = self.storage.delete(&path).await;
            return fenced();
        }
        let oldest = revision_path(record.revision.saturating_sub(KEPT - 1));
        for (old, _) in all.iter().filter(|(other, _)| *other < oldest) {
            // A record too many does no harm.
            let _ = self.storage.delete(old).await;
        }
        Ok(())
    }
}

/// Replaces an object that another process has written: a defect, for tests that must notice it.
pub async fn overwrite(storage: &CheckpointStorage, relative: &str, bytes: Vec<u8>) -> Result<()> {
    let path = storage.path(relative);
    let put = storage.store().put(&path, Bytes::from(bytes).into()).await;
    put.map(drop).map_err(|error| storage_error("write", &path, &error))
}

fn revision_path(revision: u64) -> String {
    format!("{FOLDER}/{revision:020}")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use tidegate_types::JobId;

    use super::*;

    fn store() -> RecordFolder {
        RecordFolder::new(CheckpointStorage::new(Arc::new(InMemory::new()), Path::from("job")))
    }

    #[tokio::test]
    async fn the_newest_revision_is_loaded_and_a_second_writer_is_fenced() {
        let store = store();
        assert_eq!(store.load().await.unwrap(), None);
        let mut record = JobRecord::new(JobId::from_name("j"), "l".into());
        for revision in 1..=5 {
            record.revision = revision;
            store.save(&record).await.unwrap();
        }
        assert_eq!(store.load().await.unwrap().unwrap().revision, 5);
        record.lineage = "other".into();
        assert_eq!(store.save(&record).await.unwrap_err().code(), ErrorCode::Fenced);
    }

    #[tokio::test]
    async fn a_driver_that_stood_still_is_fenced_though_its_revision_is_free_again() {
        let store = store();
        let mut record = JobRecord::new(JobId::from_name("j"), "l".into());
        for revision in 1..=3 {
            record.revision = revision;
            store.save(&record).await.unwrap();
        }
        let mut stale = record.clone();
        for revision in 4..=9 {
            record.revision = revision;
            store.save(&record).await.unwrap();
        }
        stale.revision = 4;
        assert_eq!(store.save(&stale).await.unwrap_err().code(), ErrorCode::Fenced);
        assert_eq!(store.load().await.unwrap().unwrap().revision, 9);
        assert_eq!(store.storage.list(FOLDER).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_damaged_record_gives_way_to_the_one_before() {
        let store = store();
        let mut record = JobRecord::new(JobId::from_name("j"), "l".into());
        record.revision = 1;
        store.save(&record).await.unwrap();
        let path = store.storage.path(&revision_path(2));
        store.storage.create(&path, Bytes::from_static(b"{")).await.unwrap();
        assert_eq!(store.load().await.unwrap().unwrap().revision, 1);
    }
}
