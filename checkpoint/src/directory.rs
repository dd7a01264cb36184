//! The folders of a job's checkpoints.
//!
//! Below the checkpoint directory: `<job>/_record/` the job's record, `<job>/<run>/` the checkpoints
//! of a fresh start and the restarts that followed it (`chk-<n>/_metadata`, `shared/`), and
//! `<job>/<run>/savepoints/` unless savepoints go elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use tidegate_types::{Error, ErrorCode, Result};

use crate::CheckpointStorage;

/// A directory or URL with the store behind it.
#[derive(Debug, Clone)]
pub struct Directory {
    url: String,
    store: Arc<dyn ObjectStore>,
    path: Path,
}

impl Directory {
    /// Opens a directory or URL (`file:`, `s3:`).
    ///
    /// # Errors
    /// `INVALID_OPTION`, `UNSUPPORTED` for a URL that cannot be used.
    pub fn open(url: &str) -> Result<Self> {
        let url = absolute(url.trim_end_matches('/'))?;
        let (store, path) = tidegate_storage::open_durable(&url, &BTreeMap::new())?;
        Ok(Self { url, store, path })
    }

    /// The directory as it was named.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether it is on a file system of this machine.
    pub fn is_local(&self) -> bool {
        self.url.starts_with("file:") || !self.url.contains("://")
    }

    /// A folder below.
    pub fn child(&self, name: &str) -> Self {
        let path = name
            .split('/')
            .filter(|part| !part.is_empty())
            .fold(self.path.clone(), |p, part| p.join(part));
        Self { url: format!("{}/{name}", self.url), store: self.store.clone(), path }
    }

    /// The directory as a place for checkpoints.
    pub fn storage(&self) -> CheckpointStorage {
        CheckpointStorage::new(self.store.clone(), self.path.clone())
    }

    /// The folder above and the last part of the name.
    pub fn parent(&self) -> Option<(Self, String)> {
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
