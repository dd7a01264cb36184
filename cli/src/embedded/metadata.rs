//! The durable record of a job: one object per revision, created conditionally, so that of two
//! drivers that write the same revision one is refused and stops.

use tidegate_engine::checkpoint::CheckpointStorage;
use tidegate_job_control::JobRecord;
use tidegate_plan::envelope::Envelope;
use tidegate_types::{Error, ErrorCode, Result};

const ENVELOPE: Envelope =
    Envelope { format: "tidegate-job-record", version: 1, content: "record", noun: "job record" };
const FOLDER: &str = "_record";
/// Older revisions that are kept, in case the newest is found damaged.
const KEPT: u64 = 2;

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
            match ENVELOPE.open(path, &bytes) {
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

    /// Saves a record as its revision.
    ///
    /// # Errors
    /// `FENCED` if another driver has written this revision; `UNAVAILABLE` if the store does not answer.
    pub(crate) async fn save(&self, record: &JobRecord) -> Result<()> {
        let path = revision_path(record.revision);
        if !self.storage.write_manifest(&path, ENVELOPE.seal(record)?.into_bytes()).await? {
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
