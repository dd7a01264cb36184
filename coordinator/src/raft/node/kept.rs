//! What a node keeps of its applied state for its next start: when that counts, and when it is written.
//!
//! Without it a start only takes longer, so nothing here stops a node but a log that cannot be read.

use std::path::Path;

use tidegate_runtime::Task;
use tidegate_types::Result;

use super::NodeOptions;
use crate::raft::applied_cache::{AppliedCache, usable};
use crate::raft::execution::Execution;
use crate::raft::log_store::LogStore;
use crate::raft::snapshots::{Snapshots, Stored};
use crate::raft::state_machine::{Applied, StateMachine};
use crate::raft::storage_error::into_io;

/// The cache in a folder, and what was kept in it if a start may begin with that. What may not be used is removed at
/// once: a later start could not tell any more.
pub(super) async fn begin(
    options: &NodeOptions,
    folder: &Path,
    log: &LogStore,
    snapshot: Option<&Stored>,
) -> Result<(Option<AppliedCache>, Option<Stored>)> {
    let opened = match AppliedCache::open(folder, options.id, &options.cluster) {
        Ok((cache, None)) => Ok((cache, None)),
        Ok((cache, Some(kept))) => match usable(kept, snapshot, log).await? {
            Some(kept) => Ok((cache, Some(kept))),
            None => cache.clear().map(|()| (cache, None)),
        },
        Err(error) => Err(error),
    };
    match opened {
        Ok((cache, kept)) => Ok((Some(cache), kept)),
        Err(error) => {
            tracing::warn!(%error, "the applied state is not kept; starts take longer");
            Ok((None, None))
        }
    }
}

/// The state machine as of what was kept, if it can be read.
pub(super) fn machine(
    options: &NodeOptions,
    snapshots: &Snapshots,
    kept: Option<Stored>,
) -> Option<StateMachine> {
    let kept = kept?;
    let last = kept.meta.last_log_id;
    match StateMachine::new(snapshots.clone(), Some(kept), options.execution) {
        Ok(machine) => {
            tracing::info!(?last, "beginning with the state that was kept");
            Some(machine)
        }
        Err(error) => {
            tracing::warn!(%error, "the state that was kept cannot be read");
            None
        }
    }
}

/// A cache that is written from time to time.
pub(super) struct Kept {
    cache: AppliedCache,
    execution: Execution,
    _following: Task<()>,
}

impl Kept {
    /// Writes what is applied while it is kept.
    pub(super) fn follow(cache: AppliedCache, applied: Applied, execution: Execution) -> Self {
        let _following = cache.follow(applied, execution);
        Self { cache, execution, _following }
    }

    /// Writes it a last time: the node stops.
    pub(super) async fn close(&self, applied: &Applied) {
        let (cache, applied) = (self.cache.clone(), applied.clone());
        let written = self.execution.run(move || cache.close(&applied).map_err(into_io)).await;
        if let Err(error) = written {
            tracing::warn!(%error, "the applied state is not kept; the next start takes longer");
        }
    }
}
