//! Bytes of resources that nothing refers to any more are deleted, then forgotten. Whatever happens between the two is
//! made good by the next leader: no place is ever used again, and what is deleted already can be deleted again.

use std::time::Duration;

use tidegate_catalog::{Action, Catalog, ResourceAction};
use tidegate_runtime::{Task, spawn};
use tidegate_types::Result;

use super::Governor;
use crate::raft::Consistency;
use crate::resources::ResourceStore;

/// Places that are deleted at a time.
const AT_ONCE: usize = 16;
/// How long to wait before the next look where the store fails.
const RETRY: Duration = Duration::from_secs(30);

/// What is under way.
#[derive(Default)]
pub(super) struct Sweeping {
    working: Option<Task<(Vec<String>, bool)>>,
    rests_until: Duration,
}

impl Sweeping {
    /// Gives uploads up that have taken too long, begins what is to be deleted and forgets what is.
    pub(super) async fn look(&mut self, governor: &Governor, term: u64) -> Result<()> {
        let now_ms = governor.clock.now_ms();
        let expired = move |catalog: &Catalog| catalog.has_expired_uploads(now_ms);
        if governor.metadata.read(Consistency::Stale, expired).await? {
            propose(governor, term, ResourceAction::ExpireUploads {}).await?;
        }
        if self.working.as_ref().is_some_and(Task::is_finished)
            && let Some(task) = self.working.take()
        {
            let (places, failed) = task.await?;
            if failed {
                self.rests_until = governor.clock.elapsed() + RETRY;
            }
            if !places.is_empty() {
                propose(governor, term, ResourceAction::Forget { places }).await?;
            }
        }
        if self.working.is_some() || governor.clock.elapsed() < self.rests_until {
            return Ok(());
        }
        let garbage = move |catalog: &Catalog| catalog.resource_garbage(now_ms, AT_ONCE);
        let places = governor.metadata.read(Consistency::Stale, garbage).await?;
        if !places.is_empty() {
            let store = governor.resources.clone();
            self.working = Some(spawn("sweeping of resources", delete(store, places)));
        }
        Ok(())
    }
}

/// Deletes what is in these places; answers which are empty now, and whether the store failed.
async fn delete(store: ResourceStore, places: Vec<String>) -> (Vec<String>, bool) {
    let mut deleted = Vec::new();
    for place in places {
        if let Err(error) = store.remove(&place).await {
            tracing::warn!(%error, place, "bytes of a resource could not be deleted; trying again");
            return (deleted, true);
        }
        deleted.push(place);
    }
    (deleted, false)
}

async fn propose(governor: &Governor, term: u64, action: ResourceAction) -> Result<()> {
    governor.propose(term, Action::Resource(Box::new(action))).await
}
