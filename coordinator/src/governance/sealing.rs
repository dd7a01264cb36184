//! The oldest audit records move out of the catalog when there are many: they are written as a segment, and only then
//! forgotten. A leader that ends between the two has written what the next one finds.

use std::time::Duration;

use tidegate_catalog::{Action, AuditAction, AuditRecord, Catalog, Segment};
use tidegate_runtime::{Task, failpoint, spawn};
use tidegate_types::{ErrorCode, Result};

use super::Governor;
use crate::audit::SealedRecords;
use crate::raft::Consistency;

/// Records that the catalog keeps before the oldest are sealed.
const KEPT: usize = 10_000;
/// Records of a segment.
const SEGMENT: usize = 5_000;
/// How long to wait before the next look where the store fails.
const RETRY: Duration = Duration::from_secs(30);

/// What is under way.
#[derive(Default)]
pub(super) struct Sealing {
    working: Option<Task<Result<Segment>>>,
    rests_until: Duration,
}

impl Sealing {
    /// Begins a segment if there are enough records, and seals the one that is written.
    pub(super) async fn look(&mut self, governor: &Governor, term: u64) -> Result<()> {
        if self.working.as_ref().is_some_and(Task::is_finished)
            && let Some(task) = self.working.take()
        {
            let segment = match task.await? {
                Ok(segment) => segment,
                Err(error) => {
                    tracing::warn!(%error, "audit records could not be sealed; trying again");
                    self.rests_until = governor.clock.elapsed() + RETRY;
                    return Ok(());
                }
            };
            failpoint::hit("after-segment");
            let seal = Action::Audit(AuditAction::Seal { segment });
            match governor.propose(term, seal).await {
                // Another leader has sealed them.
                Err(error) if error.code() == ErrorCode::FailedPrecondition => {}
                sealed => sealed?,
            }
        }
        if self.working.is_some() || governor.clock.elapsed() < self.rests_until {
            return Ok(());
        }
        if let Some((before, records)) = governor.metadata.read(Consistency::Stale, oldest).await? {
            let sealed: SealedRecords = governor.sealed.clone();
            let write = async move { sealed.write(before, records).await };
            self.working = Some(spawn("sealing of audit records", write));
        }
        Ok(())
    }
}

/// The records that are to be sealed, with the hash of the one before them; none while there are few.
fn oldest(catalog: &Catalog) -> Option<(String, Vec<AuditRecord>)> {
    if catalog.audit_len() <= KEPT {
        return None;
    }
    let before = catalog.audit_segments().last().map(|last| last.hash.clone()).unwrap_or_default();
    let records = catalog.audit_from(0).take(SEGMENT);
    Some((before, records.map(|record| AuditRecord::clone(record)).collect()))
}
