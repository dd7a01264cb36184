//! What the leader does for the governed catalog beside deciding: has topics created that were approved, ends approvals
//! that nobody decides, has hooks told, deletes bytes of resources that nothing needs, seals old audit records.

mod publications;
mod sealing;
mod sweeping;
pub(crate) mod tables;
mod telling;

use std::sync::Arc;
use std::time::Duration;

use tidegate_catalog::{Action, ApprovalAction, Catalog, Command, GrantAction};
use tidegate_runtime::Clock;
use tidegate_types::{ErrorCode, Result};

use crate::audit::SealedRecords;
use crate::jobs::CheckpointFolders;
use crate::raft::{Consistency, Metadata};
use crate::resources::ResourceStore;
use crate::secrets::Secrets;
use crate::service::workers::WorkerPool;
use publications::Publications;
use sealing::Sealing;
use sweeping::Sweeping;
use telling::Telling;
pub(crate) use telling::hook_secret;

/// How often it is looked at what is to be done.
const INTERVAL: Duration = Duration::from_millis(500);

/// Works while this coordinator leads.
pub(crate) struct Governor {
    metadata: Metadata,
    pool: WorkerPool,
    clock: Arc<dyn Clock>,
    secrets: Secrets,
    resources: ResourceStore,
    sealed: SealedRecords,
}

/// What is under way while this coordinator leads.
#[derive(Default)]
struct Work {
    publications: Publications,
    sweeping: Sweeping,
    sealing: Sealing,
    telling: Telling,
}

impl Governor {
    /// One that leads nothing yet.
    pub(crate) fn new(
        metadata: Metadata,
        pool: WorkerPool,
        clock: Arc<dyn Clock>,
        secrets: Secrets,
        folders: CheckpointFolders,
    ) -> Self {
        let sealed = SealedRecords::new(folders.clone());
        let resources = ResourceStore::new(folders);
        Self { metadata, pool, clock, secrets, resources, sealed }
    }

    /// Works whenever this coordinator is the leader, until it is dropped.
    pub(crate) async fn run(self) {
        let mut leadership = self.metadata.leadership();
        loop {
            let (is_self, term) = {
                let now = leadership.borrow_and_update();
                (now.is_self, now.term)
            };
            if is_self {
                let lost = async {
                    let other = |now: &crate::raft::Leadership| !now.is_self || now.term != term;
                    let _ = leadership.wait_for(other).await;
                };
                tokio::select! {
                    () = lost => {}
                    () = self.lead(term) => {}
                }
            } else if leadership.changed().await.is_err() {
                return;
            }
        }
    }

    async fn lead(&self, term: u64) {
        let mut work = Work::default();
        loop {
            if let Err(error) = self.look(term, &mut work).await {
                tracing::debug!(%error, "the governed catalog could not be looked after; trying again");
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    async fn look(&self, term: u64, work: &mut Work) -> Result<()> {
        work.publications.look(self, term).await?;
        let now_ms = self.clock.now_ms();
        let ended = move |catalog: &Catalog| catalog.has_ended_grants(now_ms);
        if self.metadata.read(Consistency::Stale, ended).await? {
            self.propose(term, Action::Grant(GrantAction::Expire {})).await?;
        }
        let lacking = move |catalog: &Catalog| catalog.runs_to_review(now_ms);
        for run in self.metadata.read(Consistency::Stale, lacking).await? {
            match self.propose(term, Action::Grant(GrantAction::Review { run })).await {
                // It has just ended.
                Err(error) if error.code() == ErrorCode::FailedPrecondition => {}
                reviewed => reviewed?,
            }
        }
        let over = move |catalog: &Catalog| {
            catalog.pending_approvals().any(|approval| approval.expires_ms <= now_ms)
        };
        if self.metadata.read(Consistency::Stale, over).await? {
            self.propose(term, Action::Approval(ApprovalAction::Expire {})).await?;
        }
        work.telling.look(self, term).await?;
        work.sweeping.look(self, term).await?;
        work.sealing.look(self, term).await
    }

    /// Decides something as the leader of a term.
    async fn propose(&self, term: u64, action: Action) -> Result<()> {
        let command = Command::new(self.clock.now_ms(), action);
        self.metadata.propose_as_leader(term, command).await.map(drop)
    }
}
