//! Which slots of a keyed table have changed since which snapshot.
//!
//! Each slot knows the last epoch in which it was touched, and each epoch has the list of slots first
//! touched in it, so that a snapshot costs what has changed and nothing scans the table: ending an
//! epoch hands the list over as it is. A few earlier lists are kept: a snapshot may recall them, to
//! write one file in place of several.

use std::collections::VecDeque;
use std::sync::Arc;

/// Earlier epochs that can be recalled.
const MAX_RECALL: usize = 64;
/// A list longer than this share of the table (and [`SMALL`]) is not worth recalling.
const LONG_SHARE: usize = 64;
const SMALL: usize = 1024;

/// Changed slots by epoch.
#[derive(Debug)]
pub(crate) struct ChangedSlots {
    /// The epoch under way, from 1.
    now: u32,
    /// Per slot the epoch of its last change; 0: as restored.
    last: Vec<u32>,
    current: Vec<u32>,
    /// Lists of earlier epochs, newest first.
    earlier: VecDeque<Arc<Vec<u32>>>,
    /// Whether lists older than those have been dropped.
    forgotten: bool,
}

/// Slots that were first touched in one epoch, each once.
#[derive(Debug, Clone)]
pub(crate) struct ChangeList {
    /// The epoch.
    pub(crate) epoch: u32,
    /// The slots; those that have changed since are in the list of a later epoch too.
    pub(crate) slots: Arc<Vec<u32>>,
}

impl Default for ChangedSlots {
    fn default() -> Self {
        Self {
            now: 1,
            last: Vec::new(),
            current: Vec::new(),
            earlier: VecDeque::new(),
            forgotten: false,
        }
    }
}

impl ChangedSlots {
    /// Makes room for slots `0..slots`.
    pub(crate) fn resize(&mut self, slots: usize) {
        self.last.resize(slots, 0);
    }

    /// Marks slots, which must have room.
    #[inline]
    pub(crate) fn touch(&mut self, slots: &[u32]) {
        self.touch_with(slots, |_, _| {});
    }

    /// As [`ChangedSlots::touch`]; `first` sees each slot that had not been touched in this epoch, with
    /// the epoch of its last change.
    #[inline]
    pub(crate) fn touch_with(&mut self, slots: &[u32], mut first: impl FnMut(u32, u32)) {
        for slot in slots {
            let last = &mut self.last[*slot as usize];
            if *last != self.now {
                first(*slot, *last);
                *last = self.now;
                self.current.push(*slot);
            }
        }
    }

    /// The epoch under way.
    pub(crate) fn now(&self) -> u32 {
        self.now
    }

    /// The epoch of a slot's last change.
    #[inline]
    pub(crate) fn last(&self, slot: u32) -> u32 {
        self.last[slot as usize]
    }

    /// Forgets the changes of the epoch under way: what was just restored is stored already.
    pub(crate) fn forget_current(&mut self) {
        self.current.drain(..).for_each(|slot| self.last[slot as usize] = 0);
    }

    /// Forgets the changes of the epoch under way to slots from `first` on: they are stored otherwise.
    pub(crate) fn forget_from(&mut self, first: u32) {
        self.current.retain(|slot| *slot < first);
    }

    /// How many lists of earlier epochs are kept.
    pub(crate) fn kept(&self) -> usize {
        self.earlier.len()
    }

    /// How many epochs before the one under way [`ChangedSlots::end_epoch`] can recall.
    pub(crate) fn recallable(&self) -> u32 {
        if self.forgotten { self.earlier.len() as u32 } else { u32::MAX }
    }

    /// Ends the epoch: the slots that changed in it or in the `recall` epochs before it are those of
    /// the lists whose last change was in their list's epoch.
    pub(crate) fn end_epoch(&mut self, recall: u32) -> Vec<ChangeList> {
        let ended = self.now;
        self.now += 1;
        let current = Arc::new(std::mem::take(&mut self.current));
        let earlier = self.earlier.iter().take(recall as usize);
        let lists = std::iter::once(&current).chain(earlier).zip(0..);
        let lists = lists
            .map(|(slots, age)| ChangeList { epoch: ended - age, slots: slots.clone() })
            .collect();
        if current.len() > SMALL.max(self.last.len() / LONG_SHARE) {
            self.forgotten = true;
            self.earlier.clear();
        } else {
            self.earlier.push_front(current);
            if self.earlier.len() > MAX_RECALL {
                self.earlier.pop_back();
                self.forgotten = true;
            }
        }
        lists
    }

    /// [`ChangedSlots::end_epoch`] with each slot once.
    pub(crate) fn take(&mut self, recall: u32) -> Vec<u32> {
        let lists = self.end_epoch(recall);
        let slots = lists.iter().flat_map(|list| {
            list.slots.iter().copied().filter(|slot| self.last(*slot) == list.epoch)
        });
        slots.collect()
    }

    /// Ends the epoch with a snapshot of everything.
    pub(crate) fn take_all(&mut self) {
        self.current.clear();
        self.earlier.clear();
        self.forgotten = true;
        self.now += 1;
    }

    /// Bytes held.
    pub(crate) fn memory_size(&self) -> usize {
        let lists: usize = self.earlier.iter().map(|list| list.capacity()).sum();
        (self.last.capacity() + self.current.capacity() + lists) * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(mut slots: Vec<u32>) -> Vec<u32> {
        slots.sort_unstable();
        slots
    }

    #[test]
    fn epochs_are_told_apart_and_recalled_without_doubles() {
        let mut changes = ChangedSlots::default();
        changes.resize(10);
        changes.touch(&[1, 2, 1]);
        assert_eq!(sorted(changes.take(0)), [1, 2]);
        changes.touch(&[2, 3]);
        assert_eq!(sorted(changes.take(0)), [2, 3]);
        changes.touch(&[4]);
        assert_eq!(sorted(changes.take(1)), [2, 3, 4]);
        assert_eq!(sorted(changes.take(3)), [1, 2, 3, 4]);
        assert_eq!(changes.recallable(), u32::MAX);
        changes.take_all();
        assert_eq!(changes.recallable(), 0);
        changes.touch(&[1]);
        changes.take(0);
        assert_eq!((changes.recallable(), changes.take(1)), (1, vec![1]));
    }

    #[test]
    fn restored_slots_count_as_stored() {
        let mut changes = ChangedSlots::default();
        changes.resize(4);
        changes.touch(&[0, 1]);
        changes.forget_current();
        changes.touch(&[1]);
        assert_eq!(changes.take(0), [1]);
    }

    #[test]
    fn long_lists_are_not_kept() {
        let mut changes = ChangedSlots::default();
        changes.resize(100_000);
        let all: Vec<u32> = (0..100_000).collect();
        changes.touch(&all);
        assert_eq!(changes.take(0).len(), 100_000);
        assert_eq!(changes.recallable(), 0);
        for slot in 0..80 {
            changes.touch(&[slot]);
            changes.take(0);
        }
        assert_eq!(changes.recallable() as usize, MAX_RECALL);
    }
}
