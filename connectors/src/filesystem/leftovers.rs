//! Files that a crashed run began and no checkpoint holds.
//!
//! They are listed when a run of the same lineage recovers, before anything new is written, and
//! removed at its first checkpoint: by then every writer has made its staged files visible, so what
//! is still hidden belongs to a lost epoch. Files of other lineages are never touched.

use futures::TryStreamExt;
use object_store::path::Path;
use tidegate_types::Result;

use super::staged;
use tidegate_storage::{Location, store_error};

/// Most leftovers that are removed by one run; the rest is left to the next.
const MAX_LEFTOVERS: usize = 10_000;

/// Names of the files of a lineage.
#[derive(Debug, Clone)]
pub(super) struct FileNames {
    /// Hash of lineage and sink operator: the common part of all names.
    lineage: String,
}

impl FileNames {
    /// The names of a lineage.
    pub(super) fn new(lineage: &str, operator: &str) -> Self {
        let hash = xxhash_rust::xxh3::xxh3_64(format!("{lineage}/{operator}").as_bytes());
        Self { lineage: format!("{hash:016x}") }
    }

    /// Name of a visible file; `rest` makes it unique.
    pub(super) fn visible(&self, rest: &str) -> String {
        format!("part-{}-{rest}", self.lineage)
    }

    /// Where a file is while it is hidden, given where it will be.
    pub(super) fn staged(
        &self,
        location: &Location,
        base: &Path,
        folder: &Path,
        name: &str,
    ) -> Path {
        if location.local {
            folder.clone().join(format!(".{name}.inprogress").as_str())
        } else {
            self.staging_folder(base).join(name)
        }
    }

    fn staging_folder(&self, base: &Path) -> Path {
        base.clone().join("_staging").join(self.lineage.as_str())
    }

    fn is_hidden(&self, location: &Location, path: &Path) -> bool {
        if !location.local {
            return true;
        }
        let prefix = format!(".part-{}-", self.lineage);
        path.filename()
            .is_some_and(|name| name.starts_with(&prefix) && name.ends_with(".inprogress"))
    }
}

/// The hidden files of a lineage below `base`.
///
/// # Errors
/// `UNAVAILABLE`, `PERMISSION_DENIED` from the store.
pub(super) async fn list(location: &Location, base: &Path, names: &FileNames) -> Result<Vec<Path>> {
    let folder = if location.local { base.clone() } else { names.staging_folder(base) };
    let mut found = Vec::new();
    let mut stream = location.store.list(Some(&folder));
    let failed =
        |error| store_error(error, &location.display(&folder)).context("list unfinished files");
    while let Some(meta) = stream.try_next().await.map_err(failed)? {
        if names.is_hidden(location, &meta.location) {
            found.push(meta.location);
        }
        if found.len() == MAX_LEFTOVERS {
            tracing::warn!(folder = %folder, "more unfinished files than are removed at once");
            break;
        }
    }
    Ok(found)
}

/// Removes those of `files` that are still hidden. Failing to is logged: they do no harm.
pub(super) async fn remove(location: &Location, files: Vec<Path>) {
    for file in files {
        if let Err(error) = staged::remove(location, &file).await {
            tracing::warn!(%file, %error, "an unfinished file could not be removed");
        }
    }
}
