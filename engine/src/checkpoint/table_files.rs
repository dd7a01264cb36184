//! The files that make up a state table, and what the next snapshot should write so that they stay
//! few and hold little that is stale.
//!
//! A snapshot writes what changed. To keep a restore short without ever reading files back, it also
//! *refreshes*: it rewrites some unchanged entries from memory, going round the table. Once a lap has
//! passed the place where a file was written, every entry of that file has been written again
//! since, and the file is dropped. With twice as many entries refreshed as changed, all files
//! together stay near 1.5 times the live entries, and an upload at three times the changes: no
//! merge ever reads a file, and none comes as a burst. Small files of changes are replaced by one
//! that recalls what they held.

use tidegate_types::{KeyGroupRange, Watermark};

use crate::operator::{Lap, SnapshotMode};
use tidegate_checkpoint::{FileRef, TableState};

/// Live bytes below which a table is simply written whole when much of it is stale.
const SMALL_TABLE: u64 = 4 << 20;
/// Stale bytes that are not worth a rewrite.
const TOLERATED: u64 = 64 << 10;
/// Files above which a table is written whole.
const MAX_FILES: usize = 192;
/// The share of the live entries that one refresh writes: bounds a single upload.
const REFRESH_SHARE: u64 = 32;
/// Entries refreshed for each one that changed.
const REFRESH_RATIO: u64 = 2;
/// Files above which a round is made even though little is stale.
const MANY_FILES: usize = 112;
/// Files of changes are merged up to this share of the live bytes, or this many bytes.
const MERGE_SHARE: u64 = 128;
const MERGE_BYTES: u64 = 256 << 10;
/// Least entries of a piece.
const MIN_PIECE: u64 = 16 << 10;

/// Most entries of a file that holds a range of a table's places, for a table of `live` entries: one
/// that the lap passes soon.
pub fn piece_entries(live: u64) -> usize {
    live.div_ceil(REFRESH_SHARE).max(MIN_PIECE) as usize
}

/// The files of one table, oldest first.
#[derive(Debug, Clone, Default)]
pub struct TableFiles {
    version: u16,
    files: Vec<Tracked>,
    /// Snapshots taken so far.
    snapshots: u64,
    /// Live entries at the last one.
    live: u64,
    /// Whether the operator reports a lap.
    laps: bool,
    /// Entries that ought to be refreshed.
    debt: u64,
}

#[derive(Debug, Clone)]
struct Tracked {
    file: FileRef,
    /// The first and last snapshot whose changes it holds; `None` if it cannot be recalled.
    span: Option<(u64, u64)>,
    /// The standing of the lap that, once passed, has written every entry again.
    mark: Lap,
}

/// What a snapshot of a table left in storage.
#[derive(Debug, Clone)]
pub struct WrittenTable {
    /// Version of the table's layout.
    pub version: u16,
    /// What the snapshot holds, as the operator did it.
    pub mode: SnapshotMode,
    /// Entries that changed.
    pub changed: Option<FileRef>,
    /// Ranges, each with the standing of the lap that, once passed, has written them again.
    pub pieces: Vec<(FileRef, Lap)>,
    /// Where the lap stands now; `None` if the operator makes none.
    pub lap: Option<Lap>,
    /// Live entries.
    pub live: u64,
}

impl TableFiles {
    /// The files of restored state.
    pub fn restored(table: &TableState) -> Self {
        let tracked = |file: &FileRef| Tracked {
            file: file.clone(),
            span: None,
            // A whole lap from the start passes everything.
            mark: Lap::default(),
        };
        Self {
            version: table.version,
            files: table.files.iter().map(tracked).collect(),
            ..Self::default()
        }
    }

    /// What the next snapshot should hold.
    pub fn plan(&self) -> SnapshotMode {
        let bytes: u64 = self.files.iter().map(|tracked| tracked.file.size).sum();
        let rows: u64 = self.files.iter().map(|tracked| tracked.file.rows).sum();
        if self.live == 0 || rows == 0 {
            return SnapshotMode::CHANGES;
        }
        let live = self.live.saturating_mul(bytes) / rows;
        let stale = bytes.saturating_sub(live);
        let whole = if live < SMALL_TABLE || !self.laps {
            stale > live + TOLERATED
        } else {
            stale > 2 * live
        };
        if whole || self.files.len() > MAX_FILES {
            return SnapshotMode::Full;
        }
        let due = stale > live / 4 && self.debt >= self.live.div_ceil(REFRESH_SHARE);
        let refresh = live >= SMALL_TABLE && (due || self.files.len() > MANY_FILES);
        let refresh = if refresh { self.live.div_ceil(REFRESH_SHARE) as usize } else { 0 };
        SnapshotMode::Incremental { recall: self.recall(live), refresh }
    }

    /// How many snapshots back the next file of changes should reach: over the newest files, while
    /// they are small and together span no more snapshots than what is merged already, so that an
    /// entry is written again as often as a binary counter has digits.
    fn recall(&self, live: u64) -> u32 {
        let limit = MERGE_BYTES.max(live / MERGE_SHARE);
        let (mut bytes, mut first) = (0, self.snapshots);
        for tracked in self.files.iter().rev() {
            let Some((since, until)) = tracked.span else { continue };
            bytes += tracked.file.size;
            if until - since >= self.snapshots + 1 - first || bytes > limit {
                break;
            }
            first = since;
        }
        u32::try_from(self.snapshots - first).unwrap_or(u32::MAX)
    }

    /// Records a stored snapshot; `watermark` drops what nothing needs any more.
    pub fn apply(&mut self, written: WrittenTable, watermark: Watermark) {
        self.version = written.version;
        let ordinal = self.snapshots;
        self.snapshots += 1;
        let since = match written.mode {
            SnapshotMode::Full => {
                self.files.clear();
                self.debt = 0;
                ordinal
            }
            SnapshotMode::Incremental { recall, .. } => {
                let since = ordinal.saturating_sub(u64::from(recall));
                self.files.retain(|tracked| tracked.span.is_none_or(|(own, _)| own < since));
                since
            }
        };
        if let Some(lap) = written.lap {
            self.files.retain(|tracked| !lap.has_passed(tracked.mark));
        }
        if written.mode != SnapshotMode::Full {
            let changed = written.changed.as_ref().map_or(0, |file| file.rows);
            let refreshed: u64 = written.pieces.iter().map(|(file, _)| file.rows).sum();
            let debt = self.debt + changed.saturating_mul(REFRESH_RATIO);
            self.debt = debt.saturating_sub(refreshed).min(written.live);
        }
        let mark = written.lap.unwrap_or_default();
        let span = Some((since, ordinal));
        let changed = written.changed.map(|file| Tracked { file, span, mark });
        let pieces = written.pieces.into_iter();
        let pieces = pieces.map(|(file, mark)| Tracked { file, span: None, mark });
        self.files.extend(changed.into_iter().chain(pieces));
        self.files.retain(|t| t.file.expires.is_none_or(|expires| expires > watermark));
        self.live = written.live;
        self.laps = written.lap.is_some();
    }

    /// The table as a manifest names it, for the key groups of its subtask; `None` if it has no files.
    pub fn state(&self, table: &str, groups: Option<KeyGroupRange>) -> Option<TableState> {
        let files: Vec<FileRef> = self.files.iter().map(|tracked| tracked.file.clone()).collect();
        let (table, version) = (table.to_owned(), self.version);
        (!files.is_empty()).then_some(TableState { table, version, groups, files })
    }
}

#[cfg(test)]
mod tests;
