//! Nodes that have applied as much have the same catalog, to the byte.

use std::collections::BTreeMap;

use tidegate_catalog::Catalog;
use xxhash_rust::xxh3::xxh3_64;

use super::{Invariant, Verdict, View};
use crate::kernel::HostId;

#[derive(Default)]
pub(super) struct SameState {
    /// Digest of the catalog by its revision.
    known: BTreeMap<u64, u64>,
    /// What each node had when it was looked at last.
    seen: BTreeMap<HostId, (u64, u64)>,
    looks: u64,
}

/// Looks between two comparisons: encoding a catalog takes its time.
const EVERY: u64 = 8;

impl Invariant for SameState {
    fn name(&self) -> &'static str {
        "same_state"
    }

    fn on_look(&mut self, view: &View<'_>) -> Verdict {
        self.looks += 1;
        if !self.looks.is_multiple_of(EVERY) {
            return Ok(());
        }
        self.compare(view)
    }

    fn at_end(&mut self, view: &View<'_>) -> Verdict {
        self.compare(view)
    }
}

impl SameState {
    fn compare(&mut self, view: &View<'_>) -> Verdict {
        for live in view.live {
            let revision = live.metadata.peek(Catalog::revision);
            if self.seen.insert(live.host, (live.process, revision))
                == Some((live.process, revision))
            {
                continue;
            }
            let digest = live.metadata.peek(|catalog| xxh3_64(&catalog.encode()));
            let known = *self.known.entry(revision).or_insert(digest);
            if known != digest {
                return Err(format!(
                    "host {} has another catalog at revision {revision} than others",
                    live.host
                ));
            }
        }
        Ok(())
    }
}
