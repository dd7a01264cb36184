//! A local folder as an object store whose writes are on disk when they are acknowledged.
//!
//! `object_store`'s own local store leaves that to the kernel, so that a power cut may take back a
//! checkpoint whose completion was recorded. Here the file, and the folders that its creation
//! changed, are synced before a put returns. A put that was cut off by a power cut was never
//! acknowledged; what it left is told by its checksum.

use std::fs::File;
use std::path::{Path as FilePath, PathBuf};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// A local object store that syncs each object it puts.
#[derive(Debug)]
pub(super) struct SyncedFolder {
    inner: LocalFileSystem,
}

impl SyncedFolder {
    pub(super) fn new(inner: LocalFileSystem) -> Self {
        Self { inner }
    }
}

impl std::fmt::Display for SyncedFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (synced)", self.inner)
    }
}

/// The nearest folder above `path` that exists.
fn existing_ancestor(path: &FilePath) -> Option<PathBuf> {
    path.ancestors().skip(1).find(|folder| folder.is_dir()).map(FilePath::to_owned)
}

/// Syncs a file and every folder from its own up to `top`, the first that was there before.
fn sync(path: &FilePath, top: Option<&FilePath>) -> std::io::Result<()> {
    File::open(path)?.sync_all()?;
    for folder in path.ancestors().skip(1) {
        File::open(folder)?.sync_all()?;
        if top.is_none_or(|top| folder == top) {
            break;
        }
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| Error::Generic {
        store: "local folder",
        source,
    };
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| failed(error.into()))?;
    done.map_err(|error| failed(error.into()))
}

#[async_trait]
impl ObjectStore for SyncedFolder {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let path = self.inner.path_to_filesystem(location)?;
        let asked = path.clone();
        let top = blocking(move || Ok(existing_ancestor(&asked))).await?;
        let result = self.inner.put_opts(location, payload, options).await?;
        blocking(move || sync(&path, top.as_deref())).await?;
        Ok(result)
    }

    async fn put_multipart_opts(
        &self,
        _location: &Path,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(Error::NotSupported { source: "a synced folder takes whole objects only".into() })
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use object_store::{ObjectStoreExt, PutMode};

    use super::*;

    #[tokio::test]
    async fn puts_below_new_folders_and_refuses_a_second_create() {
        let folder = tempfile::tempdir().unwrap();
        let store = SyncedFolder::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
        let path = Path::from("a/b/c");
        let create = || PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        store.put_opts(&path, PutPayload::from_static(b"one"), create()).await.unwrap();
        assert_eq!(std::fs::read(folder.path().join("a/b/c")).unwrap(), b"one");
        let second = store.put_opts(&path, PutPayload::from_static(b"two"), create()).await;
        assert!(matches!(second, Err(Error::AlreadyExists { .. })));
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap().as_ref(), b"one");
    }

    #[test]
    fn syncing_stops_at_the_folder_that_was_there_before() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b");
        assert_eq!(existing_ancestor(&deep.join("f")).as_deref(), Some(folder.path()));
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(deep.join("f"), b"x").unwrap();
        sync(&deep.join("f"), Some(folder.path())).unwrap();
        assert!(sync(&deep.join("missing"), Some(folder.path())).is_err());
    }
}
