//! From a barrier to safe storage: writing what a snapshot holds, pieces as they are copied.

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use tidegate_checkpoint::storage::{savepoint_name, state_path};
use tidegate_checkpoint::{CheckpointStorage, FileRef, SubtaskState};
use tidegate_runtime::failpoint;
use tidegate_types::{
    Attempt, Epoch, Error, ErrorCode, MIN_WATERMARK, OperatorId, Result, SubtaskId, Watermark,
};
use tokio::sync::mpsc;

use super::snapshot::{NodeSnapshot, SinkSnapshot, StateFiles};
use crate::checkpoint::state_file::write_entries;
use crate::checkpoint::table_files::WrittenTable;
use tidegate_checkpoint::task::{SnapshotCost, TaskState};

use crate::element::{Barrier, BarrierKind};
use crate::operator::{Entries, Lap, Piece, TableSnapshot};

/// State files that a snapshot writes at the same time.
const WRITE_AT_ONCE: usize = 4;

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

/// What a task sends to the upload while it copies what was marked at the barrier.
#[derive(Debug)]
pub enum CopiedPart {
    /// A piece of a node's table, by the node's index in its chain.
    Piece(usize, &'static str, Piece),
    /// The changed entries of a node's table.
    Changed(usize, &'static str, Entries),
    /// There is nothing more.
    End(SnapshotCost),
}

/// Snapshots of a task's nodes on their way to storage.
pub struct Upload {
    /// The barrier.
    pub barrier: Barrier,
    /// The nodes with the files of their previous snapshots.
    pub nodes: Vec<(NodeSnapshot, StateFiles)>,
    /// State of the task's source, if it has one.
    pub source: Option<(OperatorId, SubtaskState)>,
    /// What is copied after the barrier.
    pub copied: mpsc::Receiver<CopiedPart>,
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
    /// What the store answers, `CANCELLED` if the task ended before all was copied; nothing may then
    /// be assumed stored.
    pub async fn run(self, target: SnapshotTarget) -> Result<Uploaded> {
        let savepoint = self.barrier.kind != BarrierKind::Checkpoint;
        let mut state = TaskState::default();
        state.operators.extend(self.source);
        let mut nodes: Vec<OpenNode> = self
            .nodes
            .into_iter()
            .map(|(node, files)| OpenNode::new(node, files, &target))
            .collect();
        let place = target.place(self.barrier);
        state.cost = place.write_pieces(&mut nodes, self.copied).await?;
        let mut files = Vec::new();
        for node in nodes {
            let mut written = Vec::new();
            for table in node.tables {
                let (name, table) = table.finish(&place).await?;
                let pieces = table.pieces.iter().map(|(file, _)| file);
                let new = table.changed.iter().chain(pieces);
                state.uploaded_bytes += new.map(|file| file.size).sum::<u64>();
                written.push((name, table));
            }
            // A savepoint stands alone: it neither uses nor becomes part of the checkpoints' files,
            // but its snapshot took the changes, so the next checkpoint must be a full one.
            let mut own = if savepoint { node.files.without_files() } else { node.files.clone() };
            let tables = own.apply(written, node.watermark);
            if savepoint {
                own = node.files;
                own.forget();
            }
            let watermark = (node.watermark > MIN_WATERMARK).then_some(node.watermark);
            let mut subtask = SubtaskState { watermark, tables, ..SubtaskState::default() };
            if let Some(mut sink) = node.sink {
                state.uploaded_bytes += sink.store().await?;
                (subtask.staged, subtask.confirmed) = (sink.staged, sink.confirmed);
            }
            state.operators.push((node.id, subtask));
            files.push((node.index, own));
        }
        failpoint::hit("after-upload");
        Ok(Uploaded { barrier: self.barrier, state, files })
    }
}

/// A node whose tables are being written.
struct OpenNode {
    index: usize,
    id: OperatorId,
    watermark: Watermark,
    tables: Vec<OpenTable>,
    sink: Option<SinkSnapshot>,
    /// Of the previous snapshots.
    files: StateFiles,
}

/// A table that is being written.
struct OpenTable {
    /// Start of its files' names.
    what: String,
    snapshot: TableSnapshot,
    /// Pieces begun so far.
    begun: usize,
    pieces: Vec<(FileRef, Lap)>,
}

impl OpenNode {
    fn new(node: NodeSnapshot, files: StateFiles, target: &SnapshotTarget) -> Self {
        let tables = node.tables.into_iter();
        let tables = tables
            .map(|snapshot| OpenTable {
                what: format!("{}-{}-{}", node.id, target.subtask.index, snapshot.table),
                snapshot,
                begun: 0,
                pieces: Vec::new(),
            })
            .collect();
        Self {
            index: node.node,
            id: node.id,
            watermark: node.watermark,
            tables,
            sink: node.sink,
            files,
        }
    }
}

impl OpenTable {
    /// Writes what changed.
    async fn finish(self, place: &Place) -> Result<(&'static str, WrittenTable)> {
        let changed = place.write(&self.what, self.snapshot.changed).await?;
        let written = WrittenTable {
            version: self.snapshot.version,
            mode: self.snapshot.mode,
            changed,
            pieces: self.pieces,
            lap: self.snapshot.lap,
            live: self.snapshot.live,
        };
        Ok((self.snapshot.table, written))
    }
}

/// A file that is being written.
type Writing = BoxFuture<'static, Result<WrittenPiece>>;

/// A piece's file, if it has any entries.
struct WrittenPiece {
    /// The table by node and index.
    table: (usize, usize),
    file: Option<(FileRef, Lap)>,
}

/// Where the state files of one barrier go.
#[derive(Clone)]
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
    async fn write(&self, what: &str, entries: Entries) -> Result<Option<FileRef>> {
        let path = match self.shared {
            Some((attempt, epoch)) => state_path(attempt, epoch, what),
            None => format!("{what}.state"),
        };
        write_entries(&self.storage, &path, entries).await
    }

    /// Writes the pieces that there are and those that come, a few at a time: where the store is
    /// slower than copying, copying waits.
    async fn write_pieces(
        &self,
        nodes: &mut [OpenNode],
        mut copied: mpsc::Receiver<CopiedPart>,
    ) -> Result<SnapshotCost> {
        let mut writes: FuturesOrdered<Writing> = FuturesOrdered::new();
        for node in 0..nodes.len() {
            for table in 0..nodes[node].tables.len() {
                for piece in std::mem::take(&mut nodes[node].tables[table].snapshot.pieces) {
                    while writes.len() >= WRITE_AT_ONCE {
                        note(nodes, writes.next().await)?;
                    }
                    writes.push_back(self.begin(nodes, (node, table), piece));
                }
            }
        }
        let mut cost = None;
        while cost.is_none() || !writes.is_empty() {
            tokio::select! {
                part = copied.recv(), if cost.is_none() && writes.len() < WRITE_AT_ONCE => match part {
                    Some(CopiedPart::Piece(node, table, piece)) => {
                        let place = find(nodes, node, table)?;
                        writes.push_back(self.begin(nodes, place, piece));
                    }
                    Some(CopiedPart::Changed(node, table, entries)) => {
                        let (node, table) = find(nodes, node, table)?;
                        nodes[node].tables[table].snapshot.changed.append(entries);
                    }
                    Some(CopiedPart::End(of_task)) => cost = Some(of_task),
                    None => return Err(Error::new(
                        ErrorCode::Cancelled,
                        "the task ended before its state was copied",
                    )),
                },
                written = writes.next(), if !writes.is_empty() => note(nodes, written)?,
            }
        }
        Ok(cost.unwrap_or_default())
    }

    fn begin(
        &self,
        nodes: &mut [OpenNode],
        (node, table): (usize, usize),
        piece: Piece,
    ) -> Writing {
        let open = &mut nodes[node].tables[table];
        let what = format!("{}-{}", open.what, open.begun);
        open.begun += 1;
        let mark = piece.mark(open.snapshot.lap.unwrap_or_default());
        let place = self.clone();
        Box::pin(async move {
            let file = place.write(&what, piece.entries).await?;
            Ok(WrittenPiece { table: (node, table), file: file.map(|file| (file, mark)) })
        })
    }
}

/// Notes a written piece: in order, since of a key later entries replace earlier ones.
fn note(nodes: &mut [OpenNode], written: Option<Result<WrittenPiece>>) -> Result<()> {
    if let Some(WrittenPiece { table: (node, table), file: Some(piece) }) = written.transpose()? {
        nodes[node].tables[table].pieces.push(piece);
    }
    Ok(())
}

/// The place of a node's table by the node's index in its chain.
fn find(nodes: &[OpenNode], index: usize, table: &str) -> Result<(usize, usize)> {
    let node = nodes.iter().position(|node| node.index == index);
    let place = node.and_then(|node| {
        let table = nodes[node].tables.iter().position(|open| open.snapshot.table == table)?;
        Some((node, table))
    });
    place.ok_or_else(|| Error::internal(format!("entries of table '{table}' without its snapshot")))
}

/// The error of a checkpoint that could not be stored.
pub fn declined(epoch: Epoch, error: &Error) -> Error {
    error.clone().context(format!("store checkpoint {epoch}"))
}
