//! Search over what this coordinator has applied: an index that follows the catalog, built anew beside the old one when it
//! has to be.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tidegate_catalog::{Catalog, CatalogSearch};
use tidegate_runtime::blocking::beside;

use crate::raft::Metadata;

/// How often the index is brought up to date although nobody searches.
const INTERVAL: Duration = Duration::from_secs(2);

/// The index. Searching it waits for changes to be read, and for the first index to be built, for nothing else.
#[derive(Default)]
pub(crate) struct Searching {
    index: Mutex<CatalogSearch>,
    /// Held while an index is built: that takes seconds for a large catalog, and is done once at a time.
    building: Mutex<()>,
}

impl Searching {
    /// Searches in the catalog as it is applied here now. Takes a thread: see [`beside`].
    pub(crate) fn search<T>(
        &self,
        metadata: &Metadata,
        search: impl FnOnce(&CatalogSearch, &Catalog) -> T,
    ) -> T {
        self.refresh(metadata);
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        // Copied under the lock: the index never goes back.
        let catalog = metadata.peek(Clone::clone);
        index.refresh(&catalog);
        search(&index, &catalog)
    }

    /// Builds the index if it has to be, beside the one that is there.
    fn refresh(&self, metadata: &Metadata) {
        if self.follows(metadata) {
            return;
        }
        let _building = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        // Another may have built it meanwhile.
        if self.follows(metadata) {
            return;
        }
        let mut built = CatalogSearch::default();
        built.refresh(&metadata.peek(Clone::clone));
        *self.index.lock().unwrap_or_else(PoisonError::into_inner) = built;
    }

    /// Reads what has changed, if the catalog remembers that.
    fn follows(&self, metadata: &Metadata) -> bool {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let catalog = metadata.peek(Clone::clone);
        let follows = index.behind(&catalog).is_some();
        if follows {
            index.refresh(&catalog);
        }
        follows
    }
}

/// Keeps an index up to date, so that the first search does not wait for it.
pub(crate) async fn follow(searching: std::sync::Arc<Searching>, metadata: Metadata) {
    loop {
        let (searching, metadata) = (searching.clone(), metadata.clone());
        let refreshed = beside("index the catalog", move || searching.refresh(&metadata)).await;
        if let Err(error) = refreshed {
            tracing::warn!(%error, "the catalog could not be indexed");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
