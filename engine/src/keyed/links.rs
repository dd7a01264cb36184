//! Lists of entries by slot, doubly linked: any entry leaves its list at once.

const NONE: u32 = u32::MAX;

/// Entries by slot.
#[derive(Default)]
pub(crate) struct Links {
    heads: Vec<u32>,
    /// By entry: slot, the entry before and the one behind.
    entries: Vec<[u32; 3]>,
}

impl Links {
    /// Adds an entry, which is in no list, to a slot's.
    pub(crate) fn add(&mut self, slot: u32, entry: u32) {
        if self.heads.len() <= slot as usize {
            self.heads.resize(slot as usize + 1, NONE);
        }
        if self.entries.len() <= entry as usize {
            self.entries.resize(entry as usize + 1, [NONE; 3]);
        }
        let head = std::mem::replace(&mut self.heads[slot as usize], entry);
        self.entries[entry as usize] = [slot, NONE, head];
        if head != NONE {
            self.entries[head as usize][1] = entry;
        }
    }

    /// Takes an entry out of its list.
    pub(crate) fn remove(&mut self, entry: u32) {
        let [slot, before, behind] = self.entries[entry as usize];
        match before {
            NONE => self.heads[slot as usize] = behind,
            before => self.entries[before as usize][2] = behind,
        }
        if behind != NONE {
            self.entries[behind as usize][1] = before;
        }
    }

    /// The entries of a slot, the last added first.
    pub(crate) fn of(&self, slot: u32) -> impl Iterator<Item = u32> + '_ {
        let first = self.heads.get(slot as usize).copied().unwrap_or(NONE);
        let next = |entry: u32| (entry != NONE).then_some(entry);
        std::iter::successors(next(first), move |entry| next(self.entries[*entry as usize][2]))
    }

    /// Bytes held.
    pub(crate) fn memory_size(&self) -> usize {
        self.heads.capacity() * 4 + self.entries.capacity() * 12
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_leave_their_lists_anywhere() {
        let mut links = Links::default();
        (0..6).for_each(|entry| links.add(entry % 2, entry));
        [2, 5, 0].iter().for_each(|entry| links.remove(*entry));
        assert_eq!(links.of(0).collect::<Vec<_>>(), [4]);
        assert_eq!(links.of(1).collect::<Vec<_>>(), [3, 1]);
        links.add(0, 2);
        assert_eq!(links.of(0).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(links.of(9).count(), 0);
    }
}
