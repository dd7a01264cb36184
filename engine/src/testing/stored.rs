//! Snapshots as a checkpoint store keeps them, in memory.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use tidegate_checkpoint::{FileRef, TableState};
use tidegate_types::{KeyGroupRange, Watermark};

use super::Random;
use crate::checkpoint::TableFiles;
use crate::checkpoint::table_files::WrittenTable;
use crate::operator::{Copied, Entries, Operator, SnapshotMode, SnapshotRequest, TableSnapshot};

/// Files by path, and the tables of each subtask that they make up.
#[derive(Default)]
pub(crate) struct Stored {
    files: BTreeMap<String, Vec<RecordBatch>>,
    subtasks: Vec<BTreeMap<&'static str, TableFiles>>,
    /// The tables restored from, by subtask then.
    restored: BTreeMap<String, Vec<TableState>>,
    /// Whether one subtask wrote all of them.
    one_wrote: bool,
    /// Whether anything was stored since the start of the run.
    written: bool,
}

impl Stored {
    /// A request for the next snapshot of a subtask: what its files call for, or a random one.
    pub(crate) fn request(
        &self,
        subtask: usize,
        tables: &[&'static str],
        random: &mut Random,
    ) -> SnapshotRequest {
        let files = |table: &str| self.subtasks.get(subtask).and_then(|tables| tables.get(table));
        let mut request = SnapshotRequest { full: random.below(8) == 0, ..Default::default() };
        for table in tables {
            let mode = match random.below(4) {
                0 => SnapshotMode::CHANGES,
                1 => files(table).map_or(SnapshotMode::CHANGES, TableFiles::plan),
                _ => SnapshotMode::Incremental {
                    recall: random.below(4) as u32,
                    refresh: random.below(30) as usize,
                },
            };
            request.tables.insert((*table).to_owned(), mode);
        }
        request
    }

    /// Takes a snapshot of a subtask.
    pub(crate) fn snapshot(
        &mut self,
        subtask: usize,
        operator: &mut dyn Operator,
        request: &SnapshotRequest,
        watermark: Watermark,
    ) {
        let mut tables = operator.snapshot(request).unwrap();
        while !copy(operator, 3, &mut tables) {}
        self.finish(subtask, tables, watermark);
    }

    /// Stores a snapshot that is copied.
    pub(crate) fn finish(
        &mut self,
        subtask: usize,
        tables: Vec<TableSnapshot>,
        watermark: Watermark,
    ) {
        self.written = true;
        for table in tables {
            self.write(subtask, table, watermark);
        }
    }

    fn write(&mut self, subtask: usize, table: TableSnapshot, watermark: Watermark) {
        let lap = table.lap.unwrap_or_default();
        let mut pieces = Vec::new();
        for piece in table.pieces {
            let mark = piece.mark(lap);
            pieces.extend(self.file(piece.entries).map(|file| (file, mark)));
        }
        let written = WrittenTable {
            version: table.version,
            mode: table.mode,
            changed: self.file(table.changed),
            pieces,
            lap: table.lap,
            live: table.live,
        };
        self.subtasks.resize_with(self.subtasks.len().max(subtask + 1), BTreeMap::default);
        self.subtasks[subtask].entry(table.table).or_default().apply(written, watermark);
    }

    fn file(&mut self, entries: Entries) -> Option<FileRef> {
        let (rows, path) = (entries.rows() as u64, self.files.len().to_string());
        let (digest, expires) = (String::new(), entries.expires);
        self.files.insert(path.clone(), entries.load().unwrap());
        (rows > 0).then_some(FileRef { path, size: rows * 1000, rows, digest, expires })
    }

    /// All subtasks end: their tables are what new ones are restored from, if they stored any.
    pub(crate) fn end_run(&mut self) {
        if !std::mem::take(&mut self.written) {
            self.subtasks.clear();
            return;
        }
        self.restored.clear();
        self.one_wrote = self.subtasks.len() == 1;
        for tables in std::mem::take(&mut self.subtasks) {
            for (name, files) in tables {
                let state = files.state(name, None);
                self.restored.entry(name.to_owned()).or_default().extend(state);
            }
        }
    }

    /// Restores a subtask; the only one of its run may go on with the files.
    pub(crate) fn restore(
        &mut self,
        operator: &mut dyn Operator,
        owned: KeyGroupRange,
        alone: bool,
    ) {
        let mut own = BTreeMap::new();
        for (name, states) in &self.restored {
            for state in states {
                for file in &state.files {
                    for entries in &self.files[&file.path] {
                        operator.restore(name, state.version, entries, owned).unwrap();
                    }
                }
            }
            if let ([state], true) = (states.as_slice(), alone && self.one_wrote) {
                let name: &'static str = Box::leak(name.clone().into_boxed_str());
                own.insert(name, TableFiles::restored(state));
            }
        }
        operator.restored().unwrap();
        self.subtasks.push(own);
    }

    /// Whether a subtask has files that later snapshots add to.
    pub(crate) fn has_files(&self, subtask: usize) -> bool {
        self.subtasks.get(subtask).is_some_and(|tables| !tables.is_empty())
    }
}

/// Copies some of a snapshot; whether that was the last of it.
pub(crate) fn copy(
    operator: &mut dyn Operator,
    entries: usize,
    tables: &mut [TableSnapshot],
) -> bool {
    let place = |name| tables.iter().position(|table| table.table == name).unwrap();
    match operator.copy(entries).unwrap() {
        Copied::Some => {}
        Copied::Piece(table, piece) => tables[place(table)].pieces.push(piece),
        Copied::Changed(table, entries) => tables[place(table)].changed.append(entries),
        Copied::Done => return true,
    }
    false
}
