//! From a barrier to safe storage: uploading what changed, and which files make up the state.

use std::collections::BTreeMap;

use tidegate_types::{
    Attempt, Epoch, Error, ErrorCode, KeyGroupRange, MIN_WATERMARK, OperatorId, Result, SubtaskId,
    Watermark,
};

use crate::checkpoint::storage::state_path;
use crate::checkpoint::{CheckpointStorage, FileRef, SubtaskState, TableState};
use crate::connector::StagedUnit;
use crate::element::{Barrier, BarrierKind};
use crate::operator::{Operator, SnapshotMode, TableSnapshot};
use crate::task::control::TaskState;

/// Files of a table above which the next snapshot is a full one.
const MAX_FILES: usize = 16;

/// What a barrier left in one node.
#[derive(Debug)]
pub struct NodeSnapshot {
    /// Index of the node in its chain.
    pub node: usize,
    /// The operator.
    pub id: OperatorId,
    /// What the tables hold.
    pub mode: SnapshotMode,
    /// Changed (or all) entries.
    pub tables: Vec<TableSnapshot>,
    /// Staged output of a sink.
    pub staged: Vec<StagedUnit>,
}

/// The files that make up a node's state in its last snapshot.
#[derive(Debug, Clone, Default)]
pub struct StateFiles {
    tables: BTreeMap<String, TableState>,
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
            own.tables.insert(table.table.clone(), table.clone());
        }
        own
    }

    /// What the next snapshot must hold: a savepoint everything; a checkpoint what changed, unless
    /// there are too many small files or more in changes than in the base.
    pub fn mode(&self, kind: BarrierKind) -> SnapshotMode {
        let fragmented = self.tables.values().any(|table| {
            let changes: u64 = table.files.iter().skip(1).map(|file| file.size).sum();
            let base = table.files.first().map_or(0, |file| file.size);
            table.files.len() > MAX_FILES && changes > base
        });
        if kind != BarrierKind::Checkpoint || self.full_next || fragmented {
            SnapshotMode::Full
        } else {
            SnapshotMode::Incremental
        }
    }

    /// Makes the next snapshot a full one: what the last one held was not stored.
    pub fn forget(&mut self) {
        self.full_next = true;
    }

    /// Records an uploaded snapshot and returns the files that now make up the state.
    fn apply(
        &mut self,
        mode: SnapshotMode,
        written: Vec<WrittenTable>,
        watermark: Watermark,
    ) -> Vec<TableState> {
        if mode == SnapshotMode::Full {
            self.tables.clear();
            self.full_next = false;
        }
        for WrittenTable { table, version, file } in written {
            let entry = self.tables.entry(table.to_owned()).or_insert_with(|| TableState {
                table: table.to_owned(),
                version,
                groups: self.groups,
                files: Vec::new(),
            });
            entry.files.extend(file);
        }
        for table in self.tables.values_mut() {
            table.files.retain(|file| file.expires.is_none_or(|expires| expires > watermark));
        }
        self.tables.values().filter(|table| !table.files.is_empty()).cloned().collect()
    }
}

struct WrittenTable {
    table: &'static str,
    version: u16,
    file: Option<FileRef>,
}

/// Where and as what a task writes its snapshots.
#[derive(Debug, Clone)]
pub struct SnapshotTarget {
    /// The job's folder.
    pub checkpoints: CheckpointStorage,
    /// Folder under which savepoints get folders of their own.
    pub savepoints: CheckpointStorage,
    /// The run.
    pub attempt: Attempt,
    /// The task.
    pub subtask: SubtaskId,
}

/// Name of a savepoint's folder.
pub fn savepoint_name(attempt: Attempt, epoch: Epoch) -> String {
    format!("savepoint-{attempt}-{epoch}")
}

/// Snapshots of a task's nodes on their way to storage.
pub struct Upload {
    /// The barrier.
    pub barrier: Barrier,
    /// The task's watermark at the barrier.
    pub watermark: Watermark,
    /// The nodes with the files of their previous snapshots.
    pub nodes: Vec<(NodeSnapshot, StateFiles)>,
    /// State of the task's source, if it has one.
    pub source: Option<(OperatorId, SubtaskState)>,
}

/// What an upload left.
pub struct Uploaded {
    /// The barrier.
    pub barrier: Barrier,
    /// State for the manifest.
    pub state: TaskState,
    /// The files of each node by index, which replace those it had.
    pub files: Vec<(usize, StateFiles)>,
}

impl Upload {
    /// Writes every table.
    ///
    /// # Errors
    /// What the store answers; nothing may then be assumed stored.
    pub async fn run(self, target: SnapshotTarget) -> Result<Uploaded> {
        let savepoint = self.barrier.kind != BarrierKind::Checkpoint;
        let mut state = TaskState::default();
        state.operators.extend(self.source);
        let mut files = Vec::new();
        for (snapshot, before) in self.nodes {
            let mut written = Vec::new();
            for table in &snapshot.tables {
                let what = format!("{}-{}-{}", snapshot.id, target.subtask.index, table.table);
                let file = if savepoint {
                    let folder = savepoint_name(target.attempt, self.barrier.epoch);
                    let storage = CheckpointStorage::new(
                        target.savepoints.store().clone(),
                        target.savepoints.path(&folder),
                    );
                    storage.write_table(&format!("{what}.state"), table).await?
                } else {
                    let path = state_path(target.attempt, self.barrier.epoch, &what);
                    target.checkpoints.write_table(&path, table).await?
                };
                state.uploaded_bytes += file.as_ref().map_or(0, |file| file.size);
                written.push(WrittenTable { table: table.table, version: table.version, file });
            }
            // A savepoint stands alone: it neither uses nor becomes part of the checkpoints' files,
            // but its snapshot took the changes, so the next checkpoint must be a full one.
            let mut own = before.clone();
            let tables = own.apply(snapshot.mode, written, self.watermark);
            if savepoint {
                own = before;
                own.forget();
            }
            let watermark = (self.watermark > MIN_WATERMARK).then_some(self.watermark);
            let subtask = SubtaskState { watermark, tables, source: None, staged: snapshot.staged };
            state.operators.push((snapshot.id, subtask));
            files.push((snapshot.node, own));
        }
        Ok(Uploaded { barrier: self.barrier, state, files })
    }
}

/// Feeds an operator the entries of its restored tables that belong to the key groups it owns.
///
/// # Errors
/// `CORRUPT`, `NOT_FOUND`, `UNAVAILABLE` for a file; `INCOMPATIBLE` if the operator refuses one.
pub async fn restore_operator(
    operator: &mut dyn Operator,
    owned: KeyGroupRange,
    tables: &[TableState],
    storage: &CheckpointStorage,
) -> Result<()> {
    for table in tables {
        let Some(groups) = table.groups.map_or(Some(owned), |of| of.intersection(owned)) else {
            continue;
        };
        for file in &table.files {
            for batch in storage.read_table(file).await? {
                let restored = operator.restore(&table.table, table.version, &batch, groups);
                restored.map_err(|error| {
                    let context = format!("restore state file {}", file.path);
                    if error.code() == ErrorCode::Incompatible {
                        error
                            .context(context)
                            .help("start without --restore, or restore a checkpoint of this job")
                    } else {
                        error.context(context)
                    }
                })?;
            }
        }
    }
    operator.restored()
}

/// The error of a checkpoint that could not be stored.
pub fn declined(epoch: Epoch, error: &Error) -> Error {
    error.clone().context(format!("store checkpoint {epoch}"))
}

#[cfg(test)]
mod tests;
