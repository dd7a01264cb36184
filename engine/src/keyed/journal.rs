//! What a snapshot of a table with removal must hold: slots that changed, keys that are gone, and
//! ranges of slots that the lap writes again.
//!
//! A file of changes has the keys that are gone first and then the entries that changed: a key that came
//! back, in whichever slot, is in both, and later entries replace earlier ones. What is gone is noted
//! only of keys that some file has. Ranges never lie across the place of the lap, so that no file with
//! an entry outlives the one that says that its key is gone.

use std::collections::VecDeque;
use std::ops::Range;

use arrow::array::ArrayRef;

use crate::checkpoint::table_files::piece_entries;
use crate::keys::ChangedSlots;
use crate::operator::{Lap, PieceRange, SnapshotMode};

/// In place of an epoch: the slot has no key.
const VACANT: u32 = u32::MAX;

/// Keys that are gone: how many, and their columns.
pub(crate) type Gone = Vec<(usize, Vec<ArrayRef>)>;

/// Changes by slot since the snapshots before.
#[derive(Default)]
pub(crate) struct Journal {
    changes: ChangedSlots,
    /// Per slot the epoch in which its key came, 0: restored.
    born: Vec<u32>,
    gone: Gone,
    /// Of earlier epochs, newest first, as many as lists of changes are kept.
    gone_earlier: VecDeque<Gone>,
    lap: Lap,
}

/// What one snapshot holds.
pub(crate) struct Due {
    pub(crate) mode: SnapshotMode,
    /// Keys that are gone, oldest first.
    pub(crate) gone: Gone,
    /// Slots with keys that changed.
    pub(crate) changed: Vec<u32>,
    /// Ranges of slots, those without keys among them.
    pub(crate) ranges: Vec<(PieceRange, Range<u32>)>,
    pub(crate) lap: Lap,
}

impl Journal {
    /// Notes the slots that new keys got, in a table of `slots`.
    pub(crate) fn add(&mut self, added: &[u32], slots: usize) {
        if self.born.len() < slots {
            self.born.resize(slots, VACANT);
            self.changes.resize(slots);
        }
        let now = self.changes.now();
        added.iter().for_each(|slot| self.born[*slot as usize] = now);
    }

    /// Notes slots that change.
    #[inline]
    pub(crate) fn touch(&mut self, slots: &[u32]) {
        self.changes.touch(slots);
    }

    /// Whether a slot has a key, by what was noted.
    pub(crate) fn is_live(&self, slot: u32) -> bool {
        self.born.get(slot as usize).is_some_and(|born| *born != VACANT)
    }

    /// Notes that a slot's key is removed; whether a file may have it, so that [`Journal::gone`] must
    /// be told.
    pub(crate) fn vacate(&mut self, slot: u32) -> bool {
        let born = std::mem::replace(&mut self.born[slot as usize], VACANT);
        born < self.changes.now()
    }

    /// Notes the columns of removed keys.
    pub(crate) fn gone(&mut self, keys: usize, columns: Vec<ArrayRef>) {
        self.gone.push((keys, columns));
    }

    /// What was just restored is stored already.
    pub(crate) fn mark_stored(&mut self) {
        self.changes.forget_current();
        self.born.iter_mut().filter(|born| **born != VACANT).for_each(|born| *born = 0);
        self.gone.clear();
    }

    /// Ends the epoch.
    pub(crate) fn take(&mut self, mode: SnapshotMode, live: usize) -> Due {
        let slots = self.born.len() as u32;
        let SnapshotMode::Incremental { recall, refresh } = mode else {
            self.changes.take_all();
            self.gone.clear();
            self.gone_earlier.clear();
            let most = piece_entries(live as u64) as u32;
            let place = self.place(slots);
            let ranges = pieces(0..place, most).chain(pieces(place..slots, most)).collect();
            let (gone, changed) = (Vec::new(), Vec::new());
            return Due { mode, gone, changed, ranges, lap: self.lap };
        };
        let recall = recall.min(self.changes.recallable());
        let earlier = self.gone_earlier.iter().take(recall as usize).rev();
        let mut gone: Gone = earlier.flatten().cloned().collect();
        gone.extend(self.gone.iter().cloned());
        let mut changed = self.changes.take(recall);
        changed.retain(|slot| self.born[*slot as usize] != VACANT);
        self.gone_earlier.push_front(std::mem::take(&mut self.gone));
        self.gone_earlier.truncate(self.changes.kept());
        let ranges = self.advance(refresh.min(slots as usize) as u32, slots);
        let mode = SnapshotMode::Incremental { recall, refresh };
        Due { mode, gone, changed, ranges, lap: self.lap }
    }

    /// Number of slots.
    pub(crate) fn slots(&self) -> usize {
        self.born.len()
    }

    /// Bytes held.
    pub(crate) fn memory_size(&self) -> usize {
        let gone = self.gone_earlier.iter().flatten().chain(&self.gone);
        let gone = gone.flat_map(|(_, columns)| columns).map(|c| c.get_array_memory_size());
        self.changes.memory_size() + self.born.capacity() * 4 + gone.sum::<usize>()
    }

    fn place(&self, slots: u32) -> u32 {
        u32::try_from(self.lap.place.2).unwrap_or(u32::MAX).min(slots)
    }

    fn advance(&mut self, refresh: u32, slots: u32) -> Vec<(PieceRange, Range<u32>)> {
        let (mut ranges, mut left) = (Vec::new(), refresh);
        while left > 0 {
            let from = self.place(slots);
            let until = slots.min(from.saturating_add(left));
            ranges.extend(pieces(from..until, u32::MAX));
            left -= until - from;
            self.lap = match until == slots {
                true => Lap { round: self.lap.round + 1, ..Lap::default() },
                false => Lap { round: self.lap.round, place: (0, 0, u64::from(until)) },
            };
        }
        ranges
    }
}

/// Ranges of at most `most` slots.
fn pieces(range: Range<u32>, most: u32) -> impl Iterator<Item = (PieceRange, Range<u32>)> {
    let end = range.end;
    range.step_by(most.max(1) as usize).map(move |from| {
        let until = end.min(from.saturating_add(most));
        let place = |slot: u32| (0, 0, u64::from(slot));
        (PieceRange::Places { from: place(from), until: place(until) }, from..until)
    })
}
