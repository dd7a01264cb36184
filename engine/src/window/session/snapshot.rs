//! Snapshots of aggregated sessions: what changed, what the lap writes again, and the chunks that were
//! spilled; and taking them back.

use std::collections::BTreeMap;

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use tidegate_types::{KeyGroupRange, Result};

use super::super::layout::{TABLE, check_layout, keep, taken_of};
use super::super::session_spill::SessionState;
use super::super::session_table::{bounds, part};
use super::super::sessions::IdRange;
use super::SessionAggregate;
use crate::checkpoint::table_files::piece_entries;
use crate::keys::hash::hash_columns;
use crate::operator::{Entries, Piece, PieceRange, SnapshotMode, SnapshotRequest, TableSnapshot};

/// Version of the state table: 1 had no runs.
const VERSION: u16 = 2;

impl SessionAggregate {
    /// Snapshots of the operator's tables.
    pub(super) fn take_snapshot(
        &mut self,
        request: &SnapshotRequest,
    ) -> Result<Vec<TableSnapshot>> {
        self.state.finish()?;
        let mode = match std::mem::take(&mut self.whole_next) {
            true => SnapshotMode::Full,
            false => request.mode(TABLE),
        };
        let (mode, changed, ranges) = self.state.table.sessions.take_changes(mode);
        let live = self.state.len() as u64;
        let mut pieces = self.take_chunks(mode == SnapshotMode::Full, piece_entries(live));
        for IdRange { range, ids } in ranges {
            pieces.push(Piece { entries: self.entries(&ids)?, range });
        }
        let mut tables = vec![TableSnapshot {
            table: TABLE,
            version: VERSION,
            mode,
            changed: self.entries(&changed)?,
            pieces,
            lap: Some(self.state.table.sessions.lap()),
            live,
        }];
        if self.is_processing_time() {
            tables.extend(self.fired.snapshot(request)?);
        }
        Ok(tables)
    }

    /// Chunks that no snapshot holds (or all), in pieces of at most `most` entries where chunks allow.
    /// Parts that were taken are in there too: they are over by the watermark.
    fn take_chunks(&mut self, all: bool, most: usize) -> Vec<Piece> {
        let processing = self.is_processing_time();
        let mut pieces: Vec<Piece> = Vec::new();
        for chunk in self.state.chunks.iter_mut() {
            if std::mem::replace(&mut chunk.extra, true) && !all {
                continue;
            }
            let over = Some(chunk.last_end().saturating_sub(1)).filter(|_| !processing);
            let rows = chunk.block().rows();
            let last = pieces.last_mut().filter(|piece| piece.entries.rows() + rows <= most);
            let entries = match last {
                Some(piece) => &mut piece.entries,
                None => {
                    let entries = Entries::default();
                    pieces.push(Piece { entries, range: PieceRange::Frozen });
                    let Some(piece) = pieces.last_mut() else { continue };
                    &mut piece.entries
                }
            };
            entries.spilled.push(chunk.block().clone());
            entries.expires = entries.expires.max(over);
        }
        pieces
    }

    /// Sessions in memory as entries of the state table.
    fn entries(&self, ids: &[u32]) -> Result<Entries> {
        if ids.is_empty() {
            return Ok(Entries::default());
        }
        let batch = self.state.table.entries(ids, self.state.run)?;
        let last = bounds(&batch).map(|(end, _)| end.saturating_sub(1)).max();
        let expires = last.filter(|_| !self.is_processing_time());
        Ok(Entries { batches: vec![batch], expires, ..Entries::default() })
    }

    /// Takes restored entries of some key groups, without those of sessions that are over.
    pub(super) fn restore_entries(
        &mut self,
        table: &str,
        version: u16,
        entries: &RecordBatch,
        groups: KeyGroupRange,
    ) -> Result<()> {
        let layout = self.state.table.layout();
        check_layout((table, version), (TABLE, VERSION), entries, &layout.schema)?;
        let keys: Vec<usize> = layout.key_columns().collect();
        let mut hashes = Vec::new();
        hash_columns(entries, &keys, &mut hashes)?;
        let ends = entries.column(0).as_primitive::<Int64Type>().values();
        let processing = self.is_processing_time();
        let taken = taken_of(&hashes, groups, self.context.as_ref(), |row, group| {
            let over = if processing { self.fired.restored(group) } else { self.watermark };
            ends[row].saturating_sub(1) > over
        })?;
        let kept = keep(entries, taken)?;
        self.state.push_restored(kept, &keys)
    }

    /// Puts the sessions of the restored entries together. If they are of one run and fit into memory, files go
    /// on to hold them as they are.
    pub(super) fn merge_restored(&mut self) -> Result<()> {
        let Some(folder) = self.state.folder.clone() else { return Ok(()) };
        let keys: Vec<usize> = self.state.table.layout().key_columns().collect();
        let mut runs: Option<(i64, i64)> = None;
        let parts = self.state.restoring.take(&keys, &folder)?;
        for part in parts {
            for (run, batches) in by_run(part.load()?)? {
                let (first, last) = runs.unwrap_or((run, run));
                runs = Some((first.min(run), last.max(run)));
                let mut table = self.state.table.empty()?;
                for batch in batches {
                    table.replace(&batch)?;
                }
                if self.state.table.sessions.len() == 0 {
                    self.state.table = table;
                } else {
                    let ids = table.sessions.by_end();
                    self.state.table.add(&table.entries(&ids, run)?, &mut false)?;
                }
            }
            self.relieve(usize::MAX)?;
        }
        let Some((first, last)) = runs else { return Ok(()) };
        if first == last && self.state.run == 0 {
            self.state.run = last;
            self.state.table.sessions.mark_stored();
        } else {
            self.whole_next = true;
        }
        Ok(())
    }
}

/// The entries of each run, in the order in which they came.
fn by_run(batches: Vec<RecordBatch>) -> Result<BTreeMap<i64, Vec<RecordBatch>>> {
    let mut runs: BTreeMap<i64, Vec<RecordBatch>> = BTreeMap::new();
    for batch in batches {
        let column: &Int64Array = batch.column(2).as_primitive();
        let mut rows: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        for (row, run) in (0..batch.num_rows() as u32).zip(column.values()) {
            rows.entry(*run).or_default().push(row);
        }
        for (run, rows) in rows {
            let whole = rows.len() == batch.num_rows();
            let of_run = if whole { batch.clone() } else { part(&batch, &rows)? };
            runs.entry(run).or_default().push(of_run);
        }
    }
    Ok(runs)
}
