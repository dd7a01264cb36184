//! The folder of a job or savepoint in an object store: manifests and whole objects.

use std::future::ready;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use tidegate_runtime::failpoint;
use tidegate_types::{Attempt, Epoch, Error, ErrorCode, Result};

use crate::manifest::Manifest;

/// How often an object is read before it counts as damaged.
const READS: u32 = 3;

/// A folder in an object store: a job's, or a savepoint's.
#[derive(Debug, Clone)]
pub struct CheckpointStorage {
    store: Arc<dyn ObjectStore>,
    root: Path,
}

impl CheckpointStorage {
    /// The folder `root` of a store.
    pub fn new(store: Arc<dyn ObjectStore>, root: Path) -> Self {
        Self { store, root }
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path of an object in the folder.
    pub fn path(&self, relative: &str) -> Path {
        let mut path = self.root.clone();
        for part in relative.split('/').filter(|part| !part.is_empty()) {
            path = path.join(part);
        }
        path
    }

    /// Makes sure that the store is reachable and honours conditional writes, on which the fencing
    /// of attempts rests.
    ///
    /// # Errors
    /// `UNAVAILABLE`, `PERMISSION_DENIED` with the store's answer; `INVALID_OPTION` if it lets a
    /// second conditional write through.
    pub async fn probe(&self, unique: &str) -> Result<()> {
        let path = self.path(&format!("_probe-{unique}"));
        let first = self.create(&path, Bytes::from_static(b"probe")).await;
        let second = match &first {
            Ok(_) => self.create(&path, Bytes::from_static(b"probe")).await,
            Err(_) => Ok(false),
        };
        let created = first?;
        // A probe object left behind is harmless; the folder may refuse deletes.
        let _ = self.store.delete(&path).await;
        if !created || second? {
            return Err(Error::new(
                ErrorCode::InvalidOption,
                format!(
                    "the store of {} ignores conditional writes (If-None-Match); checkpoints need them",
                    self.root
                ),
            ));
        }
        Ok(())
    }

    /// Creates an object; false if it exists already.
    ///
    /// # Errors
    /// As [`CheckpointStorage::probe`].
    pub async fn create(&self, path: &Path, bytes: Bytes) -> Result<bool> {
        let mode = match failpoint::defect("skip-conditional-put") {
            true => PutMode::Overwrite,
            false => PutMode::Create,
        };
        let options = PutOptions { mode, ..PutOptions::default() };
        match self.store.put_opts(path, bytes.into(), options).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(storage_error("write", path, &error)),
        }
    }

    /// Reads a whole object.
    ///
    /// # Errors
    /// `NOT_FOUND`, `UNAVAILABLE` with the object's path.
    pub async fn read(&self, path: &Path) -> Result<Bytes> {
        let result = self.store.get(path).await.map_err(|e| storage_error("read", path, &e))?;
        result.bytes().await.map_err(|e| storage_error("read", path, &e))
    }

    /// Writes a manifest, once: false if the epoch has one already.
    ///
    /// # Errors
    /// As [`CheckpointStorage::create`].
    pub async fn write_manifest(&self, relative: &str, bytes: Vec<u8>) -> Result<bool> {
        let path = self.path(relative);
        match self.create(&path, Bytes::from(bytes.clone())).await {
            Ok(created) if created => Ok(true),
            // A retried request may find what it wrote itself: the content tells.
            Ok(_) => Ok(self.read(&path).await? == bytes),
            Err(error) => match self.read(&path).await {
                Ok(found) if found == bytes => Ok(true),
                _ => Err(error),
            },
        }
    }

    /// Reads the manifest at a path relative to the folder, again if it seems damaged.
    ///
    /// # Errors
    /// `NOT_FOUND`, `CORRUPT`, `INCOMPATIBLE`, `UNAVAILABLE` with the manifest's path.
    pub async fn read_manifest(&self, relative: &str) -> Result<Manifest> {
        let path = self.path(relative);
        let decode = |bytes: Bytes| ready(Manifest::decode(path.as_ref(), &bytes));
        self.read_decoded(&path, decode).await
    }

    /// Reads an object until it decodes, up to [`READS`] times as long as it seems damaged: the damage
    /// may have happened on the way.
    ///
    /// # Errors
    /// What the store answers, and what `decode` does.
    pub async fn read_decoded<T, F>(&self, path: &Path, decode: impl Fn(Bytes) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut attempt = 1;
        loop {
            match decode(self.read(path).await?).await {
                Err(error) if error.code() == ErrorCode::Corrupt && attempt < READS => attempt += 1,
                decoded => return decoded,
            }
            tracing::warn!(%path, attempt, "what was read seems damaged; reading it again");
        }
    }

    /// Deletes an object; one that is gone already counts as deleted.
    ///
    /// # Errors
    /// `UNAVAILABLE`, `PERMISSION_DENIED` with the object's path.
    pub async fn delete(&self, relative: &str) -> Result<()> {
        let path = self.path(relative);
        match self.store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(storage_error("delete", &path, &error)),
        }
    }

    /// Paths (relative to the folder) and modification times (ms since the epoch) below a prefix.
    ///
    /// # Errors
    /// `UNAVAILABLE`, `PERMISSION_DENIED` with the prefix.
    pub async fn list(&self, prefix: &str) -> Result<Vec<(String, i64)>> {
        let path = self.path(prefix);
        let objects: Vec<_> = self
            .store
            .list(Some(&path))
            .try_collect()
            .await
            .map_err(|error| storage_error("list", &path, &error))?;
        let root = format!("{}/", self.root.as_ref());
        let relative = |path: &Path| {
            let full = path.as_ref();
            full.strip_prefix(&root).unwrap_or(full).to_owned()
        };
        Ok(objects
            .iter()
            .map(|object| (relative(&object.location), object.last_modified.timestamp_millis()))
            .collect())
    }
}

/// Relative path of a state file in a job's folder.
pub fn state_path(attempt: Attempt, epoch: Epoch, what: &str) -> String {
    format!("shared/{attempt}-{epoch}-{what}.state")
}

/// Relative path of a checkpoint's manifest in a job's folder.
pub fn manifest_path(epoch: Epoch) -> String {
    format!("chk-{epoch}/_metadata")
}

/// Name of a savepoint's folder.
pub fn savepoint_name(attempt: Attempt, epoch: Epoch) -> String {
    format!("savepoint-{attempt}-{epoch}")
}

/// Tells a state file or manifest that is damaged or missing from other damage: where a checkpoint
/// cannot be read, an older one may serve.
pub fn of_checkpoint(error: Error) -> Error {
    match error.code() {
        ErrorCode::NotFound | ErrorCode::Corrupt => error.with_code(ErrorCode::CorruptCheckpoint),
        _ => error,
    }
}

/// An object store's error, with the object it is about.
pub fn storage_error(verb: &str, path: &Path, error: &object_store::Error) -> Error {
    let code = match error {
        object_store::Error::NotFound { .. } => ErrorCode::NotFound,
        object_store::Error::AlreadyExists { .. } => ErrorCode::AlreadyExists,
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => ErrorCode::PermissionDenied,
        _ => ErrorCode::Unavailable,
    };
    Error::new(code, format!("{verb} object {path}: {error}"))
}
