//! Settling restored output at the start of a run: shut out older runs, read the markers, write what
//! is not visible.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_engine::connector::{RestoredOutput, StagedUnit};
use tidegate_engine::staging::StagedChunks;
use tidegate_runtime::failpoint;
use tidegate_types::{Attempt, Error, Result};

use super::committer::write_unit;
use super::markers::{self, MarkerKey};
use super::settlement::{Due, Settlement, key_of};
use super::sink::Shared;
use super::transaction::Transactions;

/// What one subtask settles.
pub(super) struct Recovery {
    pub(super) shared: Arc<Shared>,
    /// The writer of the subtask itself.
    pub(super) own: MarkerKey,
    pub(super) attempt: Attempt,
}

impl Recovery {
    /// Settles, and returns the subtask's own transactions, set up.
    pub(super) async fn run(&self, restored: &RestoredOutput) -> Result<Transactions> {
        let mut all = self.take_over(&restored.units).await?;
        if restored.checkpoint.is_some() {
            for due in self.unsettled(restored).await? {
                self.write(&all, restored, due).await?;
            }
        }
        let own = all.remove(&self.own);
        // Closing clients blocks.
        drop(tokio::task::spawn_blocking(move || drop(all)));
        own.ok_or_else(|| Error::internal("no transactions were set up"))
    }

    /// Sets up the transactions of every writer whose units are settled here, and one's own: from
    /// then on no older run can write anything under these ids.
    async fn take_over(&self, units: &[StagedUnit]) -> Result<BTreeMap<MarkerKey, Transactions>> {
        let mut keys: Vec<MarkerKey> = units.iter().map(key_of).collect();
        keys.push(self.own.clone());
        keys.sort();
        keys.dedup();
        let shared = Arc::clone(&self.shared);
        let taken = tokio::task::spawn_blocking(move || {
            let mut all = BTreeMap::new();
            for key in keys {
                let transactions = Transactions::new(Arc::clone(&shared), &key)?;
                transactions.init()?;
                all.insert(key, transactions);
            }
            Ok(all)
        });
        taken.await.map_err(|_| Error::internal("setting up transactions ended early"))?
    }

    /// The units of which something is not visible yet.
    async fn unsettled<'a>(&self, restored: &'a RestoredOutput) -> Result<Vec<Due<'a>>> {
        if failpoint::defect("skip-marker-check") {
            return Ok(restored.units.iter().map(|unit| Due { unit, visible: 0 }).collect());
        }
        let (shared, sink) = (Arc::clone(&self.shared), self.own.sink);
        let read = tokio::task::spawn_blocking(move || {
            markers::read(&shared, shared.exactly_once()?, sink)
        });
        let markers = read.await.map_err(|_| Error::internal("reading markers ended early"))??;
        let settlement = Settlement {
            lineage: &self.own.lineage,
            sink,
            marker_topic: &self.shared.exactly_once()?.marker_topic,
            restored,
            markers: &markers,
        };
        settlement.due()
    }

    async fn write(
        &self,
        all: &BTreeMap<MarkerKey, Transactions>,
        restored: &RestoredOutput,
        due: Due<'_>,
    ) -> Result<()> {
        let Due { unit, visible } = due;
        let (Some(transactions), Some(folder)) = (all.get(&key_of(unit)), &restored.folder) else {
            return Err(Error::internal("restored output without a place"));
        };
        tracing::info!(writer = %key_of(unit), epoch = %unit.epoch, visible, "writing staged output that is not visible yet");
        let chunks = StagedChunks::Restored(folder.clone());
        write_unit(transactions, &chunks, self.attempt, unit, visible).await
    }
}
