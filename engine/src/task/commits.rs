//! The commits of a task that are under way: started when a checkpoint is complete, reported when
//! the output of every sink of the task is visible.

use std::collections::BTreeMap;

use tidegate_types::{Epoch, Error, Result};
use tokio::sync::mpsc;

use super::sink_stage::Committed;

/// Results that may wait for the task: more than sinks have commits under way.
const CAPACITY: usize = 16;

/// Commits under way.
pub struct Commits {
    results: (mpsc::Sender<Committed>, mpsc::Receiver<Committed>),
    /// Sinks that a checkpoint still waits for.
    waiting: BTreeMap<Epoch, usize>,
}

impl Default for Commits {
    fn default() -> Self {
        Self { results: mpsc::channel(CAPACITY), waiting: BTreeMap::new() }
    }
}

impl Commits {
    /// Where results go.
    pub(super) fn results(&self) -> mpsc::Sender<Committed> {
        self.results.0.clone()
    }

    /// Waits for commits of a checkpoint.
    pub(super) fn expect(&mut self, epoch: Epoch, sinks: usize) {
        self.waiting.insert(epoch, sinks);
    }

    /// Whether commits of a checkpoint are under way.
    pub(super) fn is_waiting(&self, epoch: Epoch) -> bool {
        self.waiting.contains_key(&epoch)
    }

    /// Notes a commit; true if it was the checkpoint's last.
    pub(super) fn arrived(&mut self, epoch: Epoch) -> bool {
        let Some(left) = self.waiting.get_mut(&epoch) else { return false };
        *left = left.saturating_sub(1);
        *left == 0 && self.waiting.remove(&epoch).is_some()
    }

    /// The next result. Cancel-safe.
    ///
    /// # Errors
    /// `INTERNAL` if there can be none any more.
    pub(super) async fn next(&mut self) -> Result<Committed> {
        self.results.1.recv().await.ok_or_else(|| Error::internal("commits have no results"))
    }

    /// A result that is there.
    pub(super) fn try_next(&mut self) -> Option<Committed> {
        self.results.1.try_recv().ok()
    }
}
