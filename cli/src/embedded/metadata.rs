//! The durable record of a job: one object per revision, created conditionally, so that of two
//! drivers that write the same revision one is refused and stops.

use bytes::Bytes;
use object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};
use tidegate_engine::checkpoint::CheckpointStorage;
use tidegate_engine::checkpoint::manifest::digest;
use tidegate_engine::checkpoint::storage::storage_error;
use tidegate_job_control::JobRecord;
use tidegate_runtime::failpoint;
use tidegate_types::{Error, ErrorCode, Result};

const FORMAT: &str = "tidegate-job-record";
const VERSION: u64 = 1;
const FOLDER: &str = "_record";
/// Older revisions that are kept, in case the newest is found damaged.
const KEPT: u64 = 2;

#[derive(Serialize, Deserialize)]
struct Envelope {
    format: String,
    version: u64,
    checksum: String,
    record: serde_json::Value,
}

/// The records of one job.
#[derive(Debug, Clone)]
pub(crate) struct MetadataStore {
    storage: CheckpointStorage,
}

impl MetadataStore {
    /// The records below a job's folder.
    pub(crate) fn new(storage: CheckpointStorage) -> Self {
        Self { storage }
    }

    /// The newest record that is intact.
    ///
    /// # Errors
    /// `UNAVAILABLE` if the store does not answer; `CORRUPT` if no record is intact.
    pub(crate) async fn load(&self) -> Result<Option<JobRecord>> {
        let mut paths: Vec<String> =
            self.storage.list(FOLDER).await?.into_iter().map(|(path, _)| path).collect();
        paths.sort();
        let mut damage = None;
        for path in paths.iter().rev() {
            let bytes = self.storage.read(&self.storage.path(path)).await?;
            match decode(path, &bytes) {
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

    /// Path of the newest revision.
    async fn newest(&self) -> Result<Option<String>> {
        Ok(self.storage.list(FOLDER).await?.into_iter().map(|(path, _)| path).max())
    }

    /// Saves a record as its revision.
    ///
    /// # Errors
    /// `FENCED` if another driver has written this revision; `UNAVAILABLE` if the store does not answer.
    pub(crate) async fn save(&self, record: &JobRecord) -> Result<()> {
        let path = revision_path(record.revision);
        let created = self.storage.write_manifest(&path, encode(record)?).await?;
        if failpoint::defect("skip-attempt-check") {
            return overwrite(&self.storage, &path, encode(record)?).await;
        }
        // Old revisions are deleted, so an old driver may be able to create one again: what is newer
        // tells it.
        let overtaken = created && self.newest().await?.is_some_and(|newest| newest > path);
        if overtaken {
            let _ = self.storage.delete(&path).await;
        }
        if overtaken || !created {
            return Err(Error::new(
                ErrorCode::Fenced,
                format!(
                    "another process runs job {} from the same checkpoint directory; this one stops",
                    record.job
                ),
            ));
        }
        if let Some(old) = record.revision.checked_sub(KEPT).filter(|old| *old > 0) {
            // A record too many does no harm.
            let _ = self.storage.delete(&revision_path(old)).await;
        }
        Ok(())
    }
}

/// Replaces an object that another process has written: a defect, for tests that must notice it.
pub(crate) async fn overwrite(
    storage: &CheckpointStorage,
    relative: &str,
    bytes: Vec<u8>,
) -> Result<()> {
    let path = storage.path(relative);
    let put = storage.store().put(&path, Bytes::from(bytes).into()).await;
    put.map(drop).map_err(|error| storage_error("write", &path, &error))
}

fn revision_path(revision: u64) -> String {
    format!("{FOLDER}/{revision:020}")
}

fn encode(record: &JobRecord) -> Result<Vec<u8>> {
    let internal =
        |error: serde_json::Error| Error::internal(format!("encode job record: {error}"));
    let record = serde_json::to_value(record).map_err(internal)?;
    let checksum = digest(record.to_string().as_bytes());
    let envelope = Envelope { format: FORMAT.to_owned(), version: VERSION, checksum, record };
    serde_json::to_vec_pretty(&envelope).map_err(internal)
}

fn decode(path: &str, bytes: &Bytes) -> Result<JobRecord> {
    let corrupt =
        |what: String| Error::new(ErrorCode::Corrupt, format!("job record {path} {what}"));
    let envelope: Envelope = serde_json::from_slice(bytes)
        .map_err(|error| corrupt(format!("does not parse: {error}")))?;
    if envelope.format != FORMAT
        || digest(envelope.record.to_string().as_bytes()) != envelope.checksum
    {
        return Err(corrupt("is damaged".to_owned()));
    }
    if envelope.version > VERSION {
        return Err(Error::new(
            ErrorCode::Incompatible,
            format!(
                "job record {path} has version {}, this release reads up to {VERSION}",
                envelope.version
            ),
        ));
    }
    serde_json::from_value(envelope.record)
        .map_err(|error| corrupt(format!("does not fit its version: {error}")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;
    use object_store::path::Path;
    use tidegate_types::JobId;

    use super::*;

    fn store() -> MetadataStore {
        MetadataStore::new(CheckpointStorage::new(Arc::new(InMemory::new()), Path::from("job")))
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
    async fn a_writer_that_slept_through_many_revisions_is_fenced() {
        let store = store();
        let mut record = JobRecord::new(JobId::from_name("j"), "l".into());
        record.revision = 1;
        store.save(&record).await.unwrap();
        let mut asleep = record.clone();
        for revision in 2..=9 {
            record.revision = revision;
            store.save(&record).await.unwrap();
        }
        // Revision 2 is gone by now, and can be created.
        asleep.revision = 2;
        assert_eq!(store.save(&asleep).await.unwrap_err().code(), ErrorCode::Fenced);
        record.revision = 10;
        store.save(&record).await.unwrap();
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
