//! Copying what a snapshot holds after the barrier, a little at a time between batches.
//!
//! At the barrier slots are only marked. What is about to change is captured before it does; what is
//! about to go, before it goes.

use std::collections::VecDeque;
use std::ops::Range;

use arrow::array::RecordBatch;
use tidegate_types::Result;

use super::journal::Due;
use super::{EntryLayout, Journal, VERSION};
use crate::operator::{Copied, Entries, Piece, PieceRange, TableSnapshot};

/// What a snapshot has still to copy.
#[derive(Default)]
pub(crate) struct Copier {
    active: bool,
    /// Slots that have not been copied, a bit each.
    due: Vec<u64>,
    /// Slots that changed, and how many of them have been looked at.
    changed: Vec<u32>,
    next: usize,
    /// What is left of ranges, and what was copied of them.
    ranges: VecDeque<(PieceRange, Range<u32>, Entries)>,
    /// Entries that changed, and captured ones.
    entries: Entries,
}

impl Copier {
    /// Begins a snapshot of a table with `live` entries; one before it that is not copied is given up.
    pub(crate) fn start(
        &mut self,
        due: Due,
        layout: &EntryLayout,
        journal: &Journal,
        live: usize,
    ) -> Result<TableSnapshot> {
        let mut changed = Entries::default();
        for (rows, columns) in due.gone {
            changed.batches.push(layout.gone(columns, rows)?);
        }
        self.due.clear();
        self.due.resize(journal.slots().div_ceil(64), 0);
        for slot in &due.changed {
            self.due[*slot as usize / 64] |= 1 << (slot % 64);
        }
        for slot in due.ranges.iter().flat_map(|(_, range)| range.clone()) {
            self.due[slot as usize / 64] |= u64::from(journal.is_live(slot)) << (slot % 64);
        }
        let ranges = due.ranges.into_iter();
        self.ranges = ranges.map(|(piece, range)| (piece, range, Entries::default())).collect();
        (self.changed, self.next, self.entries) = (due.changed, 0, Entries::default());
        self.active = true;
        Ok(TableSnapshot {
            table: layout.table(),
            version: VERSION,
            mode: due.mode,
            changed,
            pieces: Vec::new(),
            lap: Some(due.lap),
            live: live as u64,
        })
    }

    fn take(&mut self, slot: u32) -> bool {
        let Some(word) = self.due.get_mut(slot as usize / 64) else { return false };
        let bit = 1 << (slot % 64);
        let due = *word & bit != 0;
        *word &= !bit;
        due
    }

    /// Whether there is anything left.
    pub(crate) fn is_active(&self) -> bool {
        self.active
    }

    /// Copies slots that are due and about to change. They count as changed from now on, whether they do or
    /// not: what is captured is in the file of changes, which a later one may stand in for.
    #[inline]
    pub(crate) fn capture(
        &mut self,
        slots: &[u32],
        entries: impl FnOnce(&[u32]) -> Result<RecordBatch>,
    ) -> Result<()> {
        if !self.active {
            return Ok(());
        }
        let due: Vec<u32> = slots.iter().copied().filter(|slot| self.take(*slot)).collect();
        if !due.is_empty() {
            self.entries.batches.push(entries(&due)?);
        }
        Ok(())
    }

    /// Copies about `count` more.
    pub(crate) fn copy(
        &mut self,
        table: &'static str,
        count: usize,
        entries: impl FnOnce(&[u32]) -> Result<RecordBatch>,
    ) -> Result<Copied> {
        if !self.active {
            return Ok(Copied::Done);
        }
        if self.next < self.changed.len() {
            let until = self.changed.len().min(self.next.saturating_add(count));
            let part: Vec<u32> = self.changed[self.next..until].to_vec();
            self.next = until;
            let due: Vec<u32> = part.into_iter().filter(|slot| self.take(*slot)).collect();
            if !due.is_empty() {
                self.entries.batches.push(entries(&due)?);
            }
            return Ok(Copied::Some);
        }
        if let Some((piece, mut range, mut copied)) = self.ranges.pop_front() {
            let until = range.end.min(range.start.saturating_add(count.max(1) as u32));
            let due: Vec<u32> = (range.start..until).filter(|slot| self.take(*slot)).collect();
            if !due.is_empty() {
                copied.batches.push(entries(&due)?);
            }
            range.start = until;
            if range.is_empty() {
                return Ok(Copied::Piece(table, Piece { entries: copied, range: piece }));
            }
            self.ranges.push_front((piece, range, copied));
            return Ok(Copied::Some);
        }
        let entries = std::mem::take(&mut self.entries);
        self.abandon();
        Ok(Copied::Changed(table, entries))
    }

    /// The snapshot is not wanted any more.
    pub(crate) fn abandon(&mut self) {
        *self = Self::default();
    }

    /// Bytes held.
    pub(crate) fn memory_size(&self) -> usize {
        let pieces = self.ranges.iter().flat_map(|(_, _, entries)| &entries.batches);
        let batches = self.entries.batches.iter().chain(pieces);
        self.due.capacity() * 8
            + self.changed.capacity() * 4
            + batches.map(RecordBatch::get_array_memory_size).sum::<usize>()
    }
}
