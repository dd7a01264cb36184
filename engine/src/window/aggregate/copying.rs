//! Copying what a snapshot marked, a little at a time between batches.
//!
//! At the barrier the operator only notes which groups belong to the snapshot. While they are copied,
//! rows go on changing groups; those that are marked and not yet copied are captured first (see
//! `window/store.rs`). A slice that is emitted, spilled or dropped is copied out before.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use tidegate_types::Result;

use super::super::layout::TABLE;
use super::super::slice_state::SliceKey;
use super::WindowAggregate;
use super::refresh::{Part, Stretch};
use crate::keys::ChangeList;
use crate::operator::{Copied, Entries, Piece, PieceRange};

/// What visiting a slice costs, in entries.
const VISIT: usize = 64;

/// A snapshot that is being copied.
#[derive(Default)]
pub(super) struct Copying {
    /// Changes that are left, by slice.
    changes: BTreeMap<SliceKey, VecDeque<Changes>>,
    /// Ranges that are left.
    ranges: VecDeque<OpenPiece>,
    /// Entries that changed, and captured ones.
    changed: Entries,
}

/// Changed groups of a slice, in one epoch.
struct Changes {
    list: ChangeList,
    next: usize,
}

/// A piece in the making.
struct OpenPiece {
    range: PieceRange,
    /// What is left, in ascending order of slices.
    parts: VecDeque<Part>,
    entries: Entries,
}

impl Copying {
    /// Also the changes of a slice.
    pub(super) fn add_changes(&mut self, slice: SliceKey, lists: Vec<ChangeList>) {
        let lists = lists.into_iter().filter(|list| !list.slots.is_empty());
        let changes: VecDeque<Changes> = lists.map(|list| Changes { list, next: 0 }).collect();
        if !changes.is_empty() {
            self.changes.insert(slice, changes);
        }
    }

    /// Also ranges, in the order in which they are to be copied.
    pub(super) fn add_stretches(&mut self, stretches: Vec<Stretch>) {
        self.ranges.extend(stretches.into_iter().map(|stretch| OpenPiece {
            range: PieceRange::Places { from: stretch.from, until: stretch.until },
            parts: stretch.parts.into(),
            entries: Entries::default(),
        }));
    }
}

impl WindowAggregate {
    /// Copies about `entries` more.
    pub(super) fn copy_some(&mut self, entries: usize) -> Result<Copied> {
        let Some(mut copying) = self.copying.take() else { return Ok(Copied::Done) };
        if !copying.changes.is_empty() {
            self.copy_changes(&mut copying, entries)?;
        } else if let Some(piece) = copying.ranges.front_mut() {
            self.copy_piece(piece, entries)?;
            if let Some(piece) = copying.ranges.pop_front_if(|piece| piece.parts.is_empty()) {
                self.copying = Some(copying);
                return Ok(Copied::Piece(
                    TABLE,
                    Piece { entries: piece.entries, range: piece.range },
                ));
            }
        } else {
            let mut changed = std::mem::take(&mut copying.changed);
            let slices: Vec<SliceKey> = self.slices.keys().copied().collect();
            for slice in slices {
                self.take_captured(slice, &mut changed)?;
            }
            return Ok(Copied::Changed(TABLE, changed));
        }
        self.copying = Some(copying);
        Ok(Copied::Some)
    }

    fn copy_changes(&self, copying: &mut Copying, entries: usize) -> Result<()> {
        let mut left = entries;
        while let Some(mut slice) = copying.changes.first_entry().filter(|_| left > 0) {
            let key = *slice.key();
            let Some(changes) = slice.get_mut().front_mut() else {
                slice.remove();
                continue;
            };
            let until = changes.list.slots.len().min(changes.next.saturating_add(left));
            self.copy_listed(key, changes, until, &mut copying.changed)?;
            left = left.saturating_sub(until - changes.next + VISIT);
            changes.next = until;
            slice.get_mut().pop_front_if(|changes| changes.next == changes.list.slots.len());
        }
        Ok(())
    }

    fn copy_listed(
        &self,
        slice: SliceKey,
        changes: &Changes,
        until: usize,
        copied: &mut Entries,
    ) -> Result<()> {
        let Some(state) = self.slices.get(&slice) else { return Ok(()) };
        let slots = state.active.take_listed(&changes.list, changes.next..until);
        self.add(copied, slice, &slots)
    }

    fn copy_piece(&mut self, piece: &mut OpenPiece, entries: usize) -> Result<()> {
        let mut left = entries;
        while let Some((slice, range)) = piece.parts.front_mut().filter(|_| left > 0) {
            let until = range.end.min(range.start.saturating_add(left as u32));
            let part = range.start..until;
            range.start = until;
            left = left.saturating_sub(part.len() + VISIT);
            let slice = *slice;
            piece.parts.pop_front_if(|(_, range)| range.start == range.end);
            self.copy_range(slice, part, &mut piece.entries)?;
        }
        Ok(())
    }

    fn copy_range(
        &mut self,
        slice: SliceKey,
        range: Range<u32>,
        copied: &mut Entries,
    ) -> Result<()> {
        let Some(state) = self.slices.get_mut(&slice) else { return Ok(()) };
        let slots = state.active.take_range(range);
        self.add(copied, slice, &slots)
    }

    fn take_captured(&mut self, key: SliceKey, copied: &mut Entries) -> Result<()> {
        let expires = self.expires(key.0);
        let Some(slice) = self.slices.get_mut(&key) else { return Ok(()) };
        for (rows, columns) in slice.active.take_captured() {
            copied.batches.push(self.spec.layout.batch(key, slice.run, rows, columns)?);
            copied.expires = copied.expires.max(expires);
        }
        Ok(())
    }

    /// Copies everything of a slice that is about to go.
    pub(super) fn copy_out(&mut self, slice: SliceKey) -> Result<()> {
        let Some(mut copying) = self.copying.take() else { return Ok(()) };
        for changes in copying.changes.remove(&slice).into_iter().flatten() {
            let until = changes.list.slots.len();
            self.copy_listed(slice, &changes, until, &mut copying.changed)?;
        }
        for piece in &mut copying.ranges {
            let place = piece.parts.partition_point(|(of, _)| *of < slice);
            while piece.parts.get(place).is_some_and(|(of, _)| *of == slice)
                && let Some((_, range)) = piece.parts.remove(place)
            {
                self.copy_range(slice, range, &mut piece.entries)?;
            }
        }
        self.take_captured(slice, &mut copying.changed)?;
        self.copying = Some(copying);
        Ok(())
    }

    /// Ends copying without a result.
    pub(super) fn abandon(&mut self) {
        if self.copying.take().is_some() {
            self.slices.values_mut().for_each(|slice| drop(slice.active.take_captured()));
        }
    }
}
