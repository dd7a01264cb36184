//! An index that follows the catalog: what has changed since it last looked is read again.

use tidegate_types::Result;

use super::document::DocumentKind;
use super::find::{Found, SearchFilter};
use super::index::SearchIndex;
use crate::name::ResourceName;
use crate::page::PageRequest;
use crate::persistent::PersistentMap;
use crate::state::Catalog;

/// The most changes that the catalog remembers: an index that is further behind is built anew.
const CHANGES: usize = 10_000;

/// The names of what was changed lately, of what can be found. It is no part of what the catalog says: two catalogs are
/// equal whatever they remember of how they came about.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChangeLog {
    /// By revision and name.
    changed: PersistentMap<(u64, String), ResourceName>,
    /// All changes after this revision are here.
    from: u64,
}

impl PartialEq for ChangeLog {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for ChangeLog {}

impl ChangeLog {
    /// That of a catalog whose changes until a revision are not known.
    pub(crate) fn from(revision: u64) -> Self {
        Self { changed: PersistentMap::new(), from: revision }
    }

    /// Remembers that something was created, changed or deleted by a command. What a command names in its answer is noted
    /// for all commands; one that changes more of what can be found notes the rest itself.
    pub(crate) fn note(&mut self, revision: u64, name: &ResourceName) {
        if DocumentKind::of(name).is_none() {
            return;
        }
        self.changed.insert((revision, name.to_string()), name.clone());
        while self.changed.len() > CHANGES {
            let Some(((oldest, _), _)) = self.changed.pop_first() else { break };
            self.from = oldest;
        }
    }

    /// What was changed after a revision.
    fn after(&self, revision: u64) -> impl Iterator<Item = &ResourceName> {
        let from = (revision.saturating_add(1), String::new());
        self.changed.range(from..).map(|(_, name)| name)
    }
}

/// What [`CatalogSearch::refresh`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// So many changes were read, perhaps none.
    Changes(usize),
    /// Everything was read.
    Everything,
}

/// Search over a catalog. It is kept beside the catalog, not in it and not in snapshots, and sees the catalog as it was
/// when it was last refreshed.
#[derive(Debug, Default)]
pub struct CatalogSearch {
    index: SearchIndex,
    /// Revision of the catalog that the index has.
    seen: Option<u64>,
}

impl CatalogSearch {
    /// How [`CatalogSearch::refresh`] would go: the number of changes to be read, none if everything is.
    ///
    /// To build for a large catalog takes seconds: do it from a copy, which takes no time, and not under a lock.
    pub fn behind(&self, catalog: &Catalog) -> Option<usize> {
        let changes = &catalog.changes;
        let seen = self.seen.filter(|seen| (changes.from..=catalog.revision).contains(seen))?;
        Some(changes.after(seen).count())
    }

    /// Brings the index to what the catalog is. Costs what has changed since the last time; everything the first time, and
    /// when the catalog does not remember that far or came from a snapshot.
    pub fn refresh(&mut self, catalog: &Catalog) -> Refreshed {
        let refreshed = match self.behind(catalog) {
            None => {
                self.index = SearchIndex::of(catalog.documents());
                Refreshed::Everything
            }
            Some(count) => {
                for name in catalog.changes.after(self.seen.unwrap_or_default()) {
                    match catalog.document(name) {
                        Some(document) => self.index.insert(&document),
                        None => self.index.remove(name),
                    }
                }
                Refreshed::Changes(count)
            }
        };
        self.seen = Some(catalog.revision);
        refreshed
    }

    /// How many objects can be found.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether none can be.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// As [`SearchIndex::search`].
    pub fn search(
        &self,
        query: &str,
        filter: &SearchFilter,
        visible: impl FnMut(&ResourceName) -> bool,
        request: &PageRequest,
    ) -> Result<Found> {
        self.index.search(query, filter, visible, request)
    }
}
