//! A sink in a chain: its writer, the output that is not yet known to be visible, and its commits,
//! which run in a task of their own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::Array;
use tidegate_runtime::{Task, failpoint, spawn};
use tidegate_types::{Epoch, Error, ErrorCode, Result};
use tokio::sync::mpsc;

use crate::connector::{Committer, Confirmed, SinkWriter, StagedUnit};
use crate::element::Changes;
use crate::staging::StagingArea;

/// Commits that may wait for a sink. One is under way at most: the next checkpoint is only taken
/// once the last one's output is visible.
const MAX_WAITING: usize = 4;
/// How often a commit is tried.
const TRIES: u32 = 6;
/// Pause before the second try; doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A sink's writer with the output that is not yet known to be visible.
pub struct SinkStage {
    /// The writer.
    pub writer: Box<dyn SinkWriter>,
    /// Where the writer stages.
    pub staging: Arc<StagingArea>,
    /// In epoch order.
    pub staged: Vec<StagedUnit>,
    /// What is known to be visible, by the writer that staged it: of this lineage only.
    confirmed: BTreeMap<u32, Epoch>,
    lineage: String,
    /// Columns declared NOT NULL: index and name.
    not_null: Vec<(usize, String)>,
    commits: Option<mpsc::Sender<Commit>>,
    _committer: Option<Task<()>>,
}

/// Units to be made visible, and whom to tell.
struct Commit {
    epoch: Epoch,
    units: Vec<StagedUnit>,
    done: mpsc::Sender<Committed>,
    node: usize,
}

/// How a commit went.
#[derive(Debug)]
pub struct Committed {
    /// The sink's node in its chain.
    pub node: usize,
    /// The checkpoint.
    pub epoch: Epoch,
    /// Why it failed, if it did.
    pub result: Result<()>,
}

impl SinkStage {
    /// The sink of a task; `not_null`: columns that may hold no NULL, index and name.
    pub fn new(
        writer: Box<dyn SinkWriter>,
        staging: Arc<StagingArea>,
        lineage: String,
        not_null: Vec<(usize, String)>,
    ) -> Self {
        Self {
            writer,
            staging,
            staged: Vec::new(),
            confirmed: BTreeMap::new(),
            lineage,
            not_null,
            commits: None,
            _committer: None,
        }
    }

    /// Starts the commits, after the writer has recovered; `confirmed` is what is known by now.
    pub fn open(&mut self, name: &str, confirmed: &[Confirmed]) {
        for known in confirmed {
            if known.lineage == self.lineage {
                self.confirm(known.writer, known.epoch);
            }
        }
        if let Some(committer) = self.writer.committer() {
            let (sender, requests) = mpsc::channel(MAX_WAITING);
            self.commits = Some(sender);
            self._committer = Some(spawn(format!("commits of {name}"), run(committer, requests)));
        }
    }

    fn confirm(&mut self, writer: u32, epoch: Epoch) {
        let known = self.confirmed.entry(writer).or_insert(epoch);
        *known = epoch.max(*known);
    }

    /// What is known to be visible, for a manifest.
    pub fn confirmed(&self) -> Vec<Confirmed> {
        let confirmed = self.confirmed.iter();
        confirmed
            .map(|(writer, epoch)| Confirmed {
                lineage: self.lineage.clone(),
                writer: *writer,
                epoch: *epoch,
            })
            .collect()
    }

    /// Starts making the output up to a checkpoint visible; false: there is nothing to wait for.
    ///
    /// # Errors
    /// `INTERNAL` if the sink staged output that it cannot commit.
    pub async fn commit(
        &mut self,
        node: usize,
        epoch: Epoch,
        done: &mpsc::Sender<Committed>,
    ) -> Result<bool> {
        let due = self.staged.partition_point(|unit| unit.epoch <= epoch);
        if due == 0 {
            return Ok(false);
        }
        let gone = || Error::internal("the task that commits output has ended");
        let commits = self.commits.as_ref().ok_or_else(gone)?;
        let units = self.staged.iter().take(due).cloned().collect();
        let commit = Commit { epoch, units, done: done.clone(), node };
        commits.send(commit).await.map(|()| true).map_err(|_| gone())
    }

    /// Notes that the output up to a checkpoint is visible.
    pub fn committed(&mut self, epoch: Epoch) {
        let due = self.staged.partition_point(|unit| unit.epoch <= epoch);
        for unit in self.staged.drain(..due).collect::<Vec<_>>() {
            self.staging.release(&unit.chunks);
            self.confirm(unit.writer, unit.epoch);
        }
    }

    /// Refuses rows with NULL in a NOT NULL column, as Flink's `NotNullEnforcer` does by default.
    pub(super) fn enforce_not_null(&self, changes: &Changes) -> Result<()> {
        for (index, name) in &self.not_null {
            let column = changes.rows.column(*index);
            if column.logical_null_count() > 0 {
                let error = Error::new(
                    ErrorCode::BadRecord,
                    format!("column '{name}' is NOT NULL, but a NULL is to be written into it"),
                );
                return Err(error
                    .help("declare the column nullable, or replace NULL in the query (COALESCE)"));
            }
        }
        Ok(())
    }
}

/// Commits what is asked for, one unit after the other.
async fn run(mut committer: Box<dyn Committer>, mut requests: mpsc::Receiver<Commit>) {
    while let Some(Commit { epoch, units, done, node }) = requests.recv().await {
        let mut result = Ok(());
        for unit in &units {
            result = commit(committer.as_mut(), unit).await;
            if result.is_err() {
                break;
            }
            failpoint::hit("after-commit");
        }
        if done.send(Committed { node, epoch, result }).await.is_err() {
            return;
        }
    }
}

async fn commit(committer: &mut dyn Committer, unit: &StagedUnit) -> Result<()> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..TRIES {
        match committer.commit(unit).await {
            Err(error) if error.code().is_retryable() && committer.may_retry() => {
                tracing::warn!(%error, epoch = %unit.epoch, "a commit failed and is tried again");
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            result => return result,
        }
    }
    committer.commit(unit).await
}

#[cfg(test)]
mod tests;
