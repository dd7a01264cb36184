//! A table of many entries of which few change: uploads, files and stale entries stay bounded.

use std::collections::BTreeMap;

use tidegate_types::MIN_WATERMARK;

use super::*;
use crate::operator::{Piece, PieceRange};

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

/// An operator with a table of `values.len()` entries that goes round its slots.
struct Table {
    values: Vec<u64>,
    changed: Vec<std::collections::BTreeSet<u64>>,
    lap: Lap,
    stored: BTreeMap<String, Vec<(u64, u64)>>,
    files: TableFiles,
    uploads: Vec<u64>,
}

const ENTRY: u64 = 100;

impl Table {
    fn new(entries: u64) -> Self {
        let all = (0..entries).collect();
        Self {
            values: vec![0; entries as usize],
            changed: vec![all],
            lap: Lap::default(),
            stored: BTreeMap::new(),
            files: TableFiles::default(),
            uploads: Vec::new(),
        }
    }

    fn change(&mut self, slot: u64) {
        self.values[slot as usize] += 1;
        self.changed.last_mut().unwrap().insert(slot);
    }

    fn store(&mut self, slots: impl IntoIterator<Item = u64>) -> Option<FileRef> {
        let entries: Vec<_> = slots.into_iter().map(|s| (s, self.values[s as usize])).collect();
        let (rows, path) = (entries.len() as u64, self.stored.len().to_string());
        self.stored.insert(path.clone(), entries);
        *self.uploads.last_mut().unwrap() += rows * ENTRY;
        let (digest, expires) = (String::new(), None);
        (rows > 0).then_some(FileRef { path, size: rows * ENTRY, rows, digest, expires })
    }

    fn piece(&mut self, from: u64, until: u64) -> Option<(FileRef, Lap)> {
        let place = |slot| (i64::MIN, i64::MIN, slot);
        let entries = Default::default();
        let range = PieceRange::Places { from: place(from), until: place(until) };
        let piece = Piece { entries, range };
        self.store(from..until).map(|file| (file, piece.mark(self.lap)))
    }

    fn snapshot(&mut self) {
        self.uploads.push(0);
        let count = self.values.len() as u64;
        let mode = self.files.plan();
        let first = self.files.snapshots == 0;
        let (changed, pieces) = match mode {
            SnapshotMode::Incremental { recall, refresh } if !first => {
                let epochs = self.changed.iter().rev().take(recall as usize + 1);
                let slots: std::collections::BTreeSet<u64> = epochs.flatten().copied().collect();
                let from = self.lap.place.2;
                let until = (from + refresh as u64).min(count);
                let changed = self.store(slots);
                self.lap.place = (i64::MIN, i64::MIN, until);
                let pieces = self.piece(from, until);
                if until == count {
                    self.lap = Lap { round: self.lap.round + 1, ..Lap::default() };
                }
                (changed, pieces.into_iter().collect())
            }
            // At first everything is new; that is a range, too.
            _ => {
                let step = piece_entries(count);
                let starts = (0..count).step_by(step);
                let pieces = starts.filter_map(|s| self.piece(s, count.min(s + step as u64)));
                (None, pieces.collect())
            }
        };
        let lap = Some(self.lap);
        let written = WrittenTable { version: 1, mode, changed, pieces, lap, live: count };
        self.files.apply(written, MIN_WATERMARK);
        self.changed.push(Default::default());
    }

    /// What a restore reads: the state, and the entries read for it.
    fn restore(&self) -> (Vec<u64>, u64) {
        let mut values = vec![u64::MAX; self.values.len()];
        let mut read = 0;
        for file in self.files.state("t", None).unwrap().files {
            for (slot, value) in &self.stored[&file.path] {
                values[*slot as usize] = *value;
                read += 1;
            }
        }
        (values, read)
    }
}

#[test]
fn one_per_cent_of_a_large_table_changes() {
    let mut random = Random(7);
    let entries = 800_000;
    let mut table = Table::new(entries);
    table.snapshot();
    for _ in 0..200 {
        (0..entries / 100).for_each(|_| table.change(random.below(entries)));
        table.snapshot();
        let (values, read) = table.restore();
        assert!(values == table.values, "another state is restored");
        assert!(read <= 2 * entries, "a restore reads {read} of {entries}");
    }
    let live = entries * ENTRY;
    let largest = *table.uploads[1..].iter().max().unwrap();
    let mean = table.uploads[1..].iter().sum::<u64>() / 200;
    assert!(largest * 100 <= live * 5, "an upload was {largest} of {live}");
    assert!(mean * 100 <= live * 3, "uploads are {mean} of {live} on average");
    assert!(table.files.files.len() <= 100, "{} files", table.files.files.len());
}

#[test]
fn tiny_changes_make_few_files() {
    let mut random = Random(8);
    let entries = 100_000;
    let mut table = Table::new(entries);
    table.snapshot();
    for _ in 0..500 {
        (0..5).for_each(|_| table.change(random.below(entries)));
        table.snapshot();
        assert!(table.files.files.len() <= 40, "{} files", table.files.files.len());
    }
    assert_eq!(table.restore().0, table.values);
    let uploaded = table.uploads[1..].iter().sum::<u64>();
    assert!(uploaded <= 500 * 5 * ENTRY * 10, "{uploaded} bytes for {}", 500 * 5 * ENTRY);
}

#[test]
fn a_small_table_is_written_whole_now_and_then() {
    let mut random = Random(9);
    let mut table = Table::new(3_000);
    for _ in 0..300 {
        (0..1_000).for_each(|_| table.change(random.below(3_000)));
        table.snapshot();
        let (values, read) = table.restore();
        assert_eq!(values, table.values);
        assert!(read <= 2 * 3_000 + TOLERATED / ENTRY + 1_000, "a restore reads {read}");
    }
}

#[test]
fn restored_files_go_after_a_lap() {
    let mut random = Random(10);
    let entries = 100_000;
    let mut table = Table::new(entries);
    table.snapshot();
    for _ in 0..10 {
        // Restored again and again before a lap is through.
        table.files = TableFiles::restored(&table.files.state("t", None).unwrap());
        table.lap = Lap::default();
        for _ in 0..8 {
            (0..entries / 100).for_each(|_| table.change(random.below(entries)));
            table.snapshot();
        }
        let (values, read) = table.restore();
        assert_eq!(values, table.values);
        assert!(read <= 4 * entries, "a restore reads {read} of {entries}");
    }
}

#[test]
fn what_nothing_needs_any_more_is_dropped_by_time() {
    let mut files = TableFiles::default();
    let file = |path: &str, expires| FileRef {
        path: path.into(),
        size: 10,
        rows: 1,
        digest: String::new(),
        expires: Some(expires),
    };
    for (path, expires, watermark) in [("a", 10, 0), ("b", 20, 5), ("c", 30, 10)] {
        let changed = Some(file(path, expires));
        let mode = SnapshotMode::CHANGES;
        let written =
            WrittenTable { version: 1, mode, changed, pieces: vec![], lap: None, live: 1 };
        files.apply(written, watermark);
    }
    let paths: Vec<_> = files.state("t", None).unwrap().files.into_iter().map(|f| f.path).collect();
    assert_eq!(paths, ["b", "c"]);
}
