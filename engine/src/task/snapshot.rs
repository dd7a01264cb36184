//! From a barrier to safe storage: uploading what changed, and which files make up the state.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_runtime::failpoint;
use tidegate_types::{
    Attempt, Epoch, Error, ErrorCode, MIN_WATERMARK, OperatorId, Result, SubtaskId, Watermark,
};

use crate::checkpoint::storage::state_path;
use crate::checkpoint::{CheckpointStorage, FileRef, SubtaskState, TableState};
use crate::connector::{Confirmed, StagedUnit};
use crate::element::{Barrier, BarrierKind};
use crate::operator::{Operator, SnapshotMode, TableSnapshot};
use crate::staging::StagingArea;
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
}

impl SinkSnapshot {
    /// Waits until every chunk is stored; returns their bytes.
    async fn store(&self) -> Result<u64> {
        let chunks = self.staged.iter().flat_map(|unit| &unit.chunks);
        let stored = chunks.clone().map(|chunk| self.area.store(&chunk.path));
        futures::future::try_join_all(stored).await?;
        Ok(chunks.map(|chunk| chunk.bytes).sum())
    }
}

/// The files that make up a node's state in its last snapshot.
#[derive(Debug, Clone, Default)]
pub struct StateFiles {
    tables: BTreeMap<String, TableState>,
    full_next: bool,
}

impl StateFiles {
    /// The files of a restored state; `reusable`: later checkpoints may refer to them.
    pub fn restored(tables: &[TableState], reusable: bool) -> Self {
        if !reusable {
            return Self { tables: BTreeMap::new(), full_next: true };
        }
        let mut merged: BTreeMap<String, TableState> = BTreeMap::new();
        for table in tables {
            let entry = merged.entry(table.table.clone()).or_insert_with(|| TableState {
                table: table.table.clone(),
                version: table.version,
                files: Vec::new(),
            });
            for file in &table.files {
                if !entry.files.iter().any(|known| known.path == file.path) {
                    entry.files.push(file.clone());
                }
            }
        }
        Self { tables: merged, full_next: false }
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
            let mut own = if savepoint { StateFiles::default() } else { before.clone() };
            let tables = own.apply(snapshot.mode, written, self.watermark);
            if savepoint {
                own = before;
                own.forget();
            }
            let watermark = (self.watermark > MIN_WATERMARK).then_some(self.watermark);
            let mut subtask = SubtaskState { watermark, tables, ..SubtaskState::default() };
            if let Some(sink) = snapshot.sink {
                state.uploaded_bytes += sink.store().await?;
                (subtask.staged, subtask.confirmed) = (sink.staged, sink.confirmed);
            }
            state.operators.push((snapshot.id, subtask));
            files.push((snapshot.node, own));
        }
        failpoint::hit("after-upload");
        Ok(Uploaded { barrier: self.barrier, state, files })
    }
}

/// Feeds an operator the entries of its restored tables.
///
/// # Errors
/// `CORRUPT`, `NOT_FOUND`, `UNAVAILABLE` for a file; `INCOMPATIBLE` if the operator refuses one.
pub async fn restore_operator(
    operator: &mut dyn Operator,
    tables: &[TableState],
    storage: &CheckpointStorage,
) -> Result<()> {
    for table in tables {
        for file in &table.files {
            for batch in storage.read_table(file).await? {
                operator.restore(&table.table, table.version, &batch).map_err(|error| {
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
    Ok(())
}

/// The error of a checkpoint that could not be stored.
pub fn declined(epoch: Epoch, error: &Error) -> Error {
    error.clone().context(format!("store checkpoint {epoch}"))
}
