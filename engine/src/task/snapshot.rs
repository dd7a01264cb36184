//! From a barrier to safe storage: uploading what a snapshot holds, and reading it back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use tidegate_runtime::failpoint;
use tidegate_types::{
    Attempt, Epoch, Error, ErrorCode, KeyGroupRange, MIN_WATERMARK, OperatorId, Result, SubtaskId,
    Watermark,
};

use crate::checkpoint::storage::state_path;
use crate::checkpoint::table_files::WrittenTable;
use crate::checkpoint::{CheckpointStorage, FileRef, SubtaskState, TableFiles, TableState};
use crate::connector::{Acknowledgements, Confirmed, StagedUnit};
use crate::element::{Barrier, BarrierKind};
use crate::operator::{Operator, SnapshotRequest, TableSnapshot};
use crate::staging::StagingArea;
use crate::task::control::TaskState;

/// State files that a restore reads ahead.
const READ_AHEAD: usize = 4;
/// State files of a table that a snapshot writes at the same time.
const WRITE_AT_ONCE: usize = 4;

/// What a barrier left in one node.
#[derive(Debug)]
pub struct NodeSnapshot {
    /// Index of the node in its chain.
    pub node: usize,
    /// The operator.
    pub id: OperatorId,
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
    async fn store(&mut self) -> Result<u64> {
        if let Some(Acknowledgements(wait)) = self.acknowledgements.take() {
            wait.await?;
        }
        let chunks = self.staged.iter().flat_map(|unit| &unit.chunks);
        let stored = chunks.clone().map(|chunk| self.area.store(&chunk.path));
        futures::future::try_join_all(stored).await?;
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

    /// Records an uploaded snapshot and returns the files that now make up the state.
    fn apply(
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
    /// How long the barrier kept the task from processing.
    pub paused: Duration,
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
        let place = target.place(self.barrier);
        let mut state = TaskState { paused: self.paused, ..TaskState::default() };
        state.operators.extend(self.source);
        let mut files = Vec::new();
        for (snapshot, before) in self.nodes {
            let mut written = Vec::new();
            for table in snapshot.tables {
                let what = format!("{}-{}-{}", snapshot.id, target.subtask.index, table.table);
                let (name, table) = place.write(&what, table).await?;
                let pieces = table.pieces.iter().map(|(file, _)| file);
                let new = table.changed.iter().chain(pieces);
                state.uploaded_bytes += new.map(|file| file.size).sum::<u64>();
                written.push((name, table));
            }
            // A savepoint stands alone: it neither uses nor becomes part of the checkpoints' files,
            // but its snapshot took the changes, so the next checkpoint must be a full one.
            let groups = before.groups;
            let mut own = if savepoint {
                StateFiles { groups, ..StateFiles::default() }
            } else {
                before.clone()
            };
            let tables = own.apply(written, self.watermark);
            if savepoint {
                own = before;
                own.forget();
            }
            let watermark = (self.watermark > MIN_WATERMARK).then_some(self.watermark);
            let mut subtask = SubtaskState { watermark, tables, ..SubtaskState::default() };
            if let Some(mut sink) = snapshot.sink {
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

/// Where the state files of one barrier go.
struct Place {
    storage: CheckpointStorage,
    /// In a job's folder names carry run and epoch; a savepoint has a folder of its own.
    shared: Option<(Attempt, Epoch)>,
}

impl SnapshotTarget {
    fn place(&self, barrier: Barrier) -> Place {
        if barrier.kind == BarrierKind::Checkpoint {
            let shared = Some((self.attempt, barrier.epoch));
            return Place { storage: self.checkpoints.clone(), shared };
        }
        let folder = self.savepoints.path(&savepoint_name(self.attempt, barrier.epoch));
        let storage = CheckpointStorage::new(self.savepoints.store().clone(), folder);
        Place { storage, shared: None }
    }
}

impl Place {
    async fn write(
        &self,
        what: &str,
        table: TableSnapshot,
    ) -> Result<(&'static str, WrittenTable)> {
        let name = |what: &str| match self.shared {
            Some((attempt, epoch)) => state_path(attempt, epoch, what),
            None => format!("{what}.state"),
        };
        let path = name(what);
        let changed = self.storage.write_entries(&path, table.changed).await?;
        let lap = table.lap.unwrap_or_default();
        let writes = table.pieces.into_iter().enumerate().map(|(index, piece)| {
            let (mark, path) = (piece.mark(lap), name(&format!("{what}-{index}")));
            let storage = self.storage.clone();
            async move {
                let file = storage.write_entries(&path, piece.entries).await?;
                Ok::<_, Error>(file.map(|file| (file, mark)))
            }
        });
        let mut pieces = Vec::new();
        // In order: of a key, later entries replace earlier ones.
        let mut writes = futures::stream::iter(writes).buffered(WRITE_AT_ONCE);
        while let Some(written) = writes.try_next().await? {
            pieces.extend(written);
        }
        let written = WrittenTable {
            version: table.version,
            mode: table.mode,
            changed,
            pieces,
            lap: table.lap,
            live: table.live,
        };
        Ok((table.table, written))
    }
}

/// Feeds an operator the entries of its restored tables that may be of its key groups; returns the
/// bytes read.
///
/// # Errors
/// `CORRUPT`, `NOT_FOUND`, `UNAVAILABLE` for a file; `INCOMPATIBLE` if the operator refuses one.
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
            async move { storage.read_table(&file).await.map(|batches| (file, batches)) }
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

/// The error of a checkpoint that could not be stored.
pub fn declined(epoch: Epoch, error: &Error) -> Error {
    error.clone().context(format!("store checkpoint {epoch}"))
}

#[cfg(test)]
mod tests;
