//! Which slots of a keyed table have changed since which snapshot.
//!
//! Each slot knows the last epoch in which it was touched, and each epoch has the list of slots first
//! touched in it, so that a snapshot costs what has changed and nothing scans the table. A few
//! earlier lists are kept: a snapshot may recall them, to write one file in place of several.

use std::collections::VecDeque;

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
    earlier: VecDeque<Vec<u32>>,
    /// Whether lists older than those have been dropped.
    forgotten: bool,
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
        for slot in slots {
            let last = &mut self.last[*slot as usize];
            if *last != self.now {
                *last = self.now;
                self.current.push(*slot);
            }
        }
    }

    /// Forgets the changes of the epoch under way: what was just restored is stored already.
    pub(crate) fn forget_current(&mut self) {
        self.current.drain(..).for_each(|slot| self.last[slot as usize] = 0);
    }

    /// Forgets the changes of the epoch under way to slots from `first` on: they are stored otherwise.
    pub(crate) fn forget_from(&mut self, first: u32) {
        self.current.retain(|slot| *slot < first);
    }

    /// How many epochs before the one under way [`ChangedSlots::take`] can recall.
    pub(crate) fn recallable(&self) -> u32 {
        if self.forgotten { self.earlier.len() as u32 } else { u32::MAX }
    }

    /// Ends the epoch: the slots that changed in it or in the `recall` epochs before it, each once.
    pub(crate) fn take(&mut self, recall: u32) -> Vec<u32> {
        let ended = self.now;
        let current = std::mem::take(&mut self.current);
        let mut slots = current.clone();
        for (age, list) in self.earlier.iter().take(recall as usize).enumerate() {
            let epoch = ended - 1 - age as u32;
            slots.extend(list.iter().filter(|slot| self.last[**slot as usize] == epoch));
        }
        self.now += 1;
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
        slots
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
        let lists: usize = self.earlier.iter().map(Vec::capacity).sum();
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
