//! Chains of rows by hash: a hash table of their first rows, and the links between the rows.
//!
//! A table entry keeps the whole hash, so that neither growth nor a lookup touches a row. Rows of equal hashes are one
//! chain, the newest first; where the hash does not decide about equality, the reader of a chain does.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as TableEntry;

use super::rows::{NONE, RowId};

/// The row is dead.
const DEAD: u32 = u32::MAX - 1;
/// The row lives without being in a chain.
const LOOSE: u32 = u32::MAX - 2;

/// A chain.
#[derive(Clone, Copy)]
#[repr(C, packed(4))]
struct Head {
    hash: u64,
    first: RowId,
}

/// Chains of rows.
pub(super) struct Links {
    heads: HashTable<Head>,
    next: Vec<RowId>,
    /// The row before, [`NONE`] for the first of a chain; empty if no row is ever taken out.
    previous: Vec<RowId>,
    removable: bool,
}

impl Links {
    /// No rows.
    pub(super) fn new(removable: bool) -> Self {
        Self { heads: HashTable::new(), next: Vec::new(), previous: Vec::new(), removable }
    }

    /// Makes room for rows `0..rows`, and so many more chains.
    pub(super) fn reserve(&mut self, rows: usize, chains: usize) {
        if self.next.len() < rows {
            self.next.resize(rows, NONE);
            if self.removable {
                self.previous.resize(rows, DEAD);
            }
        }
        self.heads.reserve(chains, |head| head.hash);
    }

    /// The first row of a hash's chain.
    #[inline]
    pub(super) fn first(&self, hash: u64) -> RowId {
        self.heads.find(hash, |head| head.hash == hash).map_or(NONE, |head| head.first)
    }

    /// The row behind a row in its chain.
    #[inline]
    pub(super) fn next(&self, row: RowId) -> RowId {
        self.next[row as usize]
    }

    /// Puts a row at the beginning of a chain.
    #[inline]
    pub(super) fn push(&mut self, hash: u64, row: RowId) {
        match self.heads.entry(hash, |head| head.hash == hash, |head| head.hash) {
            TableEntry::Occupied(mut entry) => {
                let first = entry.get().first;
                self.next[row as usize] = first;
                if self.removable {
                    self.previous[first as usize] = row;
                }
                entry.get_mut().first = row;
            }
            TableEntry::Vacant(entry) => {
                self.next[row as usize] = NONE;
                entry.insert(Head { hash, first: row });
            }
        }
        if self.removable {
            self.previous[row as usize] = NONE;
        }
    }

    /// Notes a row that is in no chain.
    pub(super) fn hold(&mut self, row: RowId) {
        self.next[row as usize] = NONE;
        if self.removable {
            self.previous[row as usize] = LOOSE;
        }
    }

    /// Whether a row lives.
    #[inline]
    pub(super) fn is_live(&self, row: RowId) -> bool {
        !self.removable || self.previous[row as usize] != DEAD
    }

    /// Whether a row is in a chain.
    pub(super) fn is_linked(&self, row: RowId) -> bool {
        !self.removable
            || self.previous[row as usize] < LOOSE
            || self.previous[row as usize] == NONE
    }

    /// Takes a row out of its chain; `hash` is asked for only if it is the first.
    #[inline]
    pub(super) fn remove(&mut self, row: RowId, hash: impl FnOnce() -> u64) {
        if self.is_linked(row) {
            let next = self.next[row as usize];
            self.relink(row, next, next, hash);
        }
        self.previous[row as usize] = DEAD;
    }

    /// Puts a row in the place of another.
    pub(super) fn replace(&mut self, old: RowId, new: RowId, hash: impl FnOnce() -> u64) {
        if self.is_linked(old) {
            let next = self.next[old as usize];
            self.next[new as usize] = next;
            self.previous[new as usize] = self.previous[old as usize];
            self.relink(old, new, next, hash);
            if next != NONE {
                self.previous[next as usize] = new;
            }
        } else {
            self.hold(new);
        }
        self.previous[old as usize] = DEAD;
    }

    /// What is before `row` points to `to`, and what is behind it back to what is before.
    fn relink(&mut self, row: RowId, to: RowId, behind: RowId, hash: impl FnOnce() -> u64) {
        let previous = self.previous[row as usize];
        if behind != NONE {
            self.previous[behind as usize] = previous;
        }
        if previous != NONE {
            self.next[previous as usize] = to;
            return;
        }
        let hash = hash();
        if let Ok(mut entry) = self.heads.find_entry(hash, |head| head.hash == hash) {
            if to == NONE {
                entry.remove();
            } else {
                entry.get_mut().first = to;
            }
        }
    }

    /// Bytes held.
    pub(super) fn memory_size(&self) -> usize {
        self.heads.allocation_size() + (self.next.capacity() + self.previous.capacity()) * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(links: &Links, hash: u64) -> Vec<RowId> {
        let mut rows = Vec::new();
        let mut row = links.first(hash);
        while row != NONE {
            rows.push(row);
            row = links.next(row);
        }
        rows
    }

    #[test]
    fn rows_leave_chains_anywhere_and_change_places() {
        let mut links = Links::new(true);
        links.reserve(16, 4);
        (0..5).for_each(|row| links.push(7, row));
        links.push(8, 5);
        links.hold(6);
        assert_eq!((chain(&links, 7), chain(&links, 8)), (vec![4, 3, 2, 1, 0], vec![5]));
        links.remove(2, || unreachable!());
        links.remove(4, || 7);
        links.remove(0, || unreachable!());
        assert_eq!(chain(&links, 7), [3, 1]);
        links.replace(3, 9, || 7);
        links.replace(1, 10, || unreachable!());
        links.replace(6, 11, || unreachable!());
        assert_eq!(chain(&links, 7), [9, 10]);
        assert!(links.is_live(11) && !links.is_linked(11) && !links.is_live(6));
        links.remove(9, || 7);
        links.remove(10, || 7);
        links.remove(5, || 8);
        assert_eq!((links.first(7), links.first(8)), (NONE, NONE));
    }
}
