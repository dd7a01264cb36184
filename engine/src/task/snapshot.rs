//! What a barrier leaves in the nodes of a chain, the files that hold it, and reading them back.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use tidegate_checkpoint::storage::of_checkpoint;
use tidegate_checkpoint::{CheckpointStorage, FileRef, TableState};
use tidegate_runtime::failpoint;
use tidegate_types::{Error, ErrorCode, KeyGroupRange, OperatorId, Result, Watermark};

use crate::checkpoint::TableFiles;
use crate::checkpoint::state_file::read_table;
use crate::checkpoint::table_files::WrittenTable;
use crate::connector::{Acknowledgements, Confirmed, StagedUnit};
use crate::element::BarrierKind;
use crate::operator::{Operator, SnapshotRequest, TableSnapshot};
use crate::staging::StagingArea;

/// State files that a restore reads ahead.
const READ_AHEAD: usize = 4;

/// What a barrier left in one node.
#[derive(Debug)]
pub struct NodeSnapshot {
    /// Index of the node in its chain.
    pub node: usize,
    /// The operator.
    pub id: OperatorId,
    /// Its watermark: operators before it may hold back that of the task.
    pub watermark: Watermark,
    /// Its tables.
    pub tables: Vec<TableSnapshot>,
    /// Output of a sink.
    pub sink: Option<SinkSnapshot>,
}

/// What a barrier left in a sink.
#[derive(Debug)]
pub struct SinkSnapshot {
    /// Output that is not yet known to be visible.
    pub staged: Vec<StagedUnit>,
    /// What is known to be visible.
    pub confirmed: Vec<Confirmed>,
    /// Where the staged output is on its way to the store.
    pub area: Arc<StagingArea>,
    /// What was written to the target and is not yet acknowledged.
    pub acknowledgements: Option<Acknowledgements>,
}

impl SinkSnapshot {
    /// Waits until every chunk is stored and everything written is acknowledged; returns the chunks'
    /// bytes.
    pub(super) async fn store(&mut self) -> Result<u64> {
        if let Some(Acknowledgements(wait)) = self.acknowledgements.take() {
            wait.await?;
        }
        let chunks = self.staged.iter().flat_map(|unit| &unit.chunks);
        let stored = chunks.clone().map(|chunk| self.area.store(&chunk.path));
        if !failpoint::defect("skip-upload-wait") {
            futures::future::try_join_all(stored).await?;
        }
        Ok(chunks.map(|chunk| chunk.bytes).sum())
    }
}

/// The files that make up a node's state in its last snapshot, by table.
#[derive(Debug, Clone, Default)]
pub struct StateFiles {
    tables: BTreeMap<String, TableFiles>,
    full_next: bool,
    /// Key groups of the subtask.
    groups: Option<KeyGroupRange>,
}

impl StateFiles {
    /// No files yet, of a subtask that owns these key groups.
    pub fn new(groups: KeyGroupRange) -> Self {
        Self { groups: Some(groups), ..Self::default() }
    }

    /// The files of a restored state; `reusable`: later checkpoints may refer to them. They do only
    /// if all were written by a subtask of the same key groups: each subtask replaces its own files
    /// when it sees fit, so that one file cannot be good for key groups of several.
    pub fn restored(tables: &[TableState], groups: KeyGroupRange, reusable: bool) -> Self {
        let mut own = Self::new(groups);
        for table in tables {
            if table.groups.is_some_and(|of| !of.overlaps(groups)) {
                continue;
            }
            if !reusable || table.groups != Some(groups) {
                return Self { full_next: true, ..Self::new(groups) };
            }
            own.tables.insert(table.table.clone(), TableFiles::restored(table));
        }
        own
    }

    /// What the next snapshot must hold: a savepoint everything.
    pub fn request(&self, kind: BarrierKind) -> SnapshotRequest {
        if kind != BarrierKind::Checkpoint || self.full_next {
            return SnapshotRequest::full();
        }
        let modes = self.tables.iter().map(|(name, files)| (name.clone(), files.plan()));
        SnapshotRequest { full: false, tables: modes.collect() }
    }

    /// Makes the next snapshot a full one: what the last one held was not stored.
    pub fn forget(&mut self) {
        self.full_next = true;
    }

    /// As for the same subtask without any files.
    pub(super) fn without_files(&self) -> Self {
        Self { groups: self.groups, ..Self::default() }
    }

    /// Records an uploaded snapshot and returns the files that now make up the state.
    pub(super) fn apply(
        &mut self,
        written: Vec<(&'static str, WrittenTable)>,
        watermark: Watermark,
    ) -> Vec<TableState> {
        if std::mem::take(&mut self.full_next) {
            self.tables.clear();
        }
        for (table, written) in written {
            self.tables.entry(table.to_owned()).or_default().apply(written, watermark);
        }
        self.tables.iter().filter_map(|(name, files)| files.state(name, self.groups)).collect()
    }
}

/// Feeds an operator the entries of its restored tables that may be of its key groups; returns the
/// bytes read.
///
/// # Errors
/// `CORRUPT_CHECKPOINT`, `UNAVAILABLE` for a file; `INCOMPATIBLE` if the operator refuses one.
pub async fn restore_operator(
    operator: &mut dyn Operator,
    owned: KeyGroupRange,
    tables: &[TableState],
    storage: &CheckpointStorage,
) -> Result<u64> {
    let mut bytes = 0;
    for table in tables {
        let Some(groups) = table.groups.map_or(Some(owned), |of| of.intersection(owned)) else {
            continue;
        };
        let reads = table.files.clone().into_iter().map(|file| {
            let storage = storage.clone();
            async move {
                let batches = read_table(&storage, &file).await.map_err(of_checkpoint)?;
                Ok::<_, Error>((file, batches))
            }
        });
        // In order: later entries replace earlier ones.
        let mut reads = futures::stream::iter(reads).buffered(READ_AHEAD);
        while let Some((file, batches)) = reads.try_next().await? {
            bytes += file.size;
            for batch in batches {
                let restored = operator.restore(&table.table, table.version, &batch, groups);
                restored.map_err(|error| refused(error, &file))?;
            }
        }
    }
    operator.restored()?;
    Ok(bytes)
}

fn refused(error: Error, file: &FileRef) -> Error {
    let incompatible = error.code() == ErrorCode::Incompatible;
    let error = error.context(format!("restore state file {}", file.path));
    match incompatible {
        true => error.help("start without --restore, or restore a checkpoint of this job"),
        false => error,
    }
}

#[cfg(test)]
mod tests;
