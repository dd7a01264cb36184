//! What the streams of workers need to know of the cluster.

use std::sync::Arc;

use async_trait::async_trait;
use tidegate_catalog::{Action, Command, WorkerSpec};
use tidegate_runtime::Clock;
use tidegate_types::Result;

use super::workers::{Lead, Reception, WorkerInfo};
use crate::raft::Metadata;

/// Answers from the replicated metadata.
pub(super) struct Desk {
    pub(super) metadata: Metadata,
    pub(super) clock: Arc<dyn Clock>,
}

#[async_trait]
impl Reception for Desk {
    fn lead(&self) -> Lead {
        let leadership = self.metadata.leadership();
        let now = leadership.borrow();
        match now.is_self {
            true => Lead::Here(now.term),
            false => Lead::Elsewhere(now.leader.as_ref().map(|(_, address)| address.clone())),
        }
    }

    async fn admit(&self, worker: &WorkerInfo, version: &str) -> Result<()> {
        let spec = WorkerSpec {
            id: worker.name.clone(),
            incarnation: worker.incarnation,
            address: worker.shuffle_address.clone(),
            slots: worker.slots,
            labels: worker.labels.clone(),
            version: version.to_owned(),
        };
        let action = Action::RegisterWorker { spec };
        let command = Command::new(self.clock.now_ms(), action);
        self.metadata.propose(command).await.map(drop)
    }
}
