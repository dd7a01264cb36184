//! Snapshots of a window aggregate: what changed, what is new, what the lap writes again, and runs
//! that were spilled; and taking them back.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use tidegate_types::{KeyGroupRange, Result};

use super::super::assign;
use super::super::layout::{RunLayout, TABLE, VERSION, taken_of};
use super::super::slice_state::SliceKey;
use super::WindowAggregate;
use super::copying::Copying;
use super::refresh::{self, Stretch};
use crate::checkpoint::table_files::piece_entries;
use crate::keys::hash::hash_columns;
use crate::operator::{Entries, Piece, PieceRange, SnapshotMode, SnapshotRequest, TableSnapshot};

/// New groups of a slice that are worth a file of their own: so many, and this share of the largest
/// file.
const MANY: usize = if cfg!(test) { 3 } else { 16 << 10 };
const MANY_SHARE: usize = if cfg!(test) { 10_000 } else { 8 };

impl WindowAggregate {
    /// Snapshots of the operator's tables: groups in memory are only marked, to be copied by
    /// [`WindowAggregate::copy_some`].
    pub(super) fn take_snapshot(
        &mut self,
        request: &SnapshotRequest,
    ) -> Result<Vec<TableSnapshot>> {
        self.abandon();
        let live = self.slices.values().map(|slice| slice.entries() as u64).sum();
        let most = piece_entries(live);
        let mut copying = Copying::default();
        let (mode, stretches) = match request.mode(TABLE) {
            SnapshotMode::Full => {
                self.slices.values_mut().for_each(|slice| slice.active.mark_all());
                (SnapshotMode::Full, refresh::everything(&self.slices, most))
            }
            SnapshotMode::Incremental { recall, refresh } => {
                let possible = self.slices.values().map(|slice| slice.active.recallable()).min();
                let recall = recall.min(possible.unwrap_or(recall));
                let mut stretches = refresh::advance(&self.slices, &mut self.lap, refresh);
                self.mark_changes(recall, most, &mut copying, &mut stretches);
                (SnapshotMode::Incremental { recall, refresh }, stretches)
            }
        };
        copying.add_stretches(stretches);
        self.copying = Some(copying);
        let mut tables = vec![TableSnapshot {
            table: TABLE,
            version: VERSION,
            mode,
            changed: Entries::default(),
            pieces: self.take_frozen(mode == SnapshotMode::Full, most)?,
            lap: Some(self.lap),
            live,
        }];
        if self.is_processing_time() {
            tables.extend(self.fired.snapshot(request)?);
        }
        Ok(tables)
    }

    /// Marks the changed groups of each slice, and those of stretches; new ones that are many become
    /// stretches.
    fn mark_changes(
        &mut self,
        recall: u32,
        most: usize,
        copying: &mut Copying,
        stretches: &mut Vec<Stretch>,
    ) {
        let many = MANY.max(most / MANY_SHARE);
        let refreshed: Vec<_> = stretches.iter().flat_map(|s| s.parts.clone()).collect();
        for (key, slice) in &mut self.slices {
            let (changed, new) = slice.active.mark_changes(recall, many);
            copying.add_changes(*key, changed);
            for from in new.clone().step_by(most) {
                let until = new.end.min(from.saturating_add(most as u32));
                stretches.push(Stretch {
                    from: (key.0, key.1, u64::from(from)),
                    until: (key.0, key.1, u64::from(until)),
                    parts: vec![(*key, from..until)],
                });
            }
        }
        for (slice, range) in refreshed {
            if let Some(slice) = self.slices.get_mut(&slice) {
                slice.active.mark(range);
            }
        }
    }

    fn take_frozen(&mut self, all: bool, most: usize) -> Result<Vec<Piece>> {
        let mut pieces = Vec::new();
        let keys: Vec<SliceKey> = self.slices.keys().copied().collect();
        for key in keys {
            let expires = self.expires(key.0);
            let Some(slice) = self.slices.get_mut(&key) else { continue };
            for entries in slice.take_frozen(key, all, most, &self.spec)? {
                let entries = Entries { expires, ..entries };
                pieces.push(Piece { entries, range: PieceRange::Frozen });
            }
        }
        Ok(pieces)
    }

    /// Adds groups in memory of a slice.
    pub(super) fn add(&self, entries: &mut Entries, key: SliceKey, slots: &[u32]) -> Result<()> {
        let Some(slice) = self.slices.get(&key).filter(|_| !slots.is_empty()) else {
            return Ok(());
        };
        let batch = self.spec.layout.entries(key, slice.run, &slice.active, slots)?;
        entries.batches.push(batch);
        entries.expires = entries.expires.max(self.expires(key.0));
        Ok(())
    }

    /// The watermark from which no entry of a slice is needed.
    pub(super) fn expires(&self, end: i64) -> Option<i64> {
        (!self.is_processing_time()).then(|| self.last_completion(end))
    }

    /// Takes restored entries of some key groups.
    pub(super) fn restore_entries(
        &mut self,
        entries: &RecordBatch,
        groups: KeyGroupRange,
    ) -> Result<()> {
        let mut hashes = Vec::new();
        let keys: Vec<usize> = self.spec.layout.key_columns().collect();
        hash_columns(entries, &keys, &mut hashes)?;
        let bound = |column: usize| entries.column(column).as_primitive::<Int64Type>().values();
        let (ends, starts) = (bound(0), bound(1));
        let processing = self.is_processing_time();
        let taken = taken_of(&hashes, groups, self.context.as_ref(), |row, group| {
            let over = if processing { self.fired.restored(group) } else { self.watermark };
            self.last_completion(ends[row]) > over
        })?;
        let parts =
            assign::split(entries, &hashes, |row| taken[row].then(|| (ends[row], starts[row])))?;
        let spec = self.spec.clone();
        for part in parts {
            // A file's batch is of one run where it has more than one entry of a slice.
            let runs = part.rows.column(2).as_primitive::<Int64Type>().values().clone();
            let slice = self.slice_at(part.end, part.start)?;
            let mut from = 0;
            for equal in runs.chunk_by(|a, b| a == b) {
                let rows = part.rows.slice(from, equal.len());
                let hashes = &part.hashes[from..from + equal.len()];
                let columns = &rows.columns()[RunLayout::BOUNDS..];
                slice.restore(equal[0], columns, hashes, &spec)?;
                from += equal.len();
            }
        }
        self.relieve()
    }
}
