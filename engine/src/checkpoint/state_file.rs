//! State files in the folder of a job: writing entries, and reading them back against the manifest.

use std::sync::LazyLock;

use arrow::array::RecordBatch;
use bytes::Bytes;
use object_store::ObjectStoreExt;
use tidegate_checkpoint::CheckpointStorage;
use tidegate_checkpoint::manifest::{FileRef, digest};
use tidegate_checkpoint::storage::storage_error;
use tidegate_types::{Error, ErrorCode, Result};
use tokio::sync::Semaphore;

use super::file::{self, Compression};
use crate::operator::Entries;

/// Writes a state file of entries; `None` if there are none.
///
/// # Errors
/// `UNAVAILABLE`, `PERMISSION_DENIED` with the object's path.
pub async fn write_entries(
    storage: &CheckpointStorage,
    name: &str,
    entries: Entries,
) -> Result<Option<FileRef>> {
    let rows = entries.rows() as u64;
    if rows == 0 {
        return Ok(None);
    }
    let expires = entries.expires;
    let encode = move || {
        let bytes = file::encode(&file::join(entries.load()?)?, Compression::Small)?;
        Ok((digest(&bytes), bytes))
    };
    // Never closed.
    let encoder = ENCODERS.acquire().await;
    let (digest, bytes) = beside_operators("encode state", encode).await?;
    drop(encoder);
    let reference =
        FileRef { path: name.to_owned(), size: bytes.len() as u64, rows, digest, expires };
    let path = storage.path(name);
    let bytes = Bytes::from(bytes);
    storage
        .store()
        .put(&path, bytes.into())
        .await
        .map_err(|e| storage_error("write", &path, &e))?;
    Ok(Some(reference))
}

/// Reads a state file and checks it against its reference. One that does not fit is read again a
/// few times, in case the damage happened on the way.
///
/// # Errors
/// `NOT_FOUND`, `CORRUPT`, `UNAVAILABLE` with the object's path.
pub async fn read_table(
    storage: &CheckpointStorage,
    reference: &FileRef,
) -> Result<Vec<RecordBatch>> {
    let path = storage.path(&reference.path);
    let decode = |bytes: Bytes| {
        let (name, expected) = (path.to_string(), reference.digest.clone());
        beside_operators("decode state", move || {
            if digest(&bytes) != expected {
                let message = format!(
                    "state file {name} is damaged: its digest is not the one in the manifest"
                );
                return Err(Error::new(ErrorCode::Corrupt, message));
            }
            file::decode(&name, &bytes)
        })
    };
    storage.read_decoded(&path, decode).await
}

/// State files that are encoded at the same time: on half of the cores, so that encoding does not take
/// the other half from processing.
static ENCODERS: LazyLock<Semaphore> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Semaphore::new(cores.div_ceil(2))
});

/// Does work that takes long on a thread that runs no operators.
///
/// # Errors
/// What the work fails with.
pub(crate) async fn beside_operators<T: Send + 'static>(
    what: &str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tidegate_runtime::blocking::beside(what, work).await?
}
