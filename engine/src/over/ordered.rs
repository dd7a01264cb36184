//! The rows of each key in an order that any row may come into, and the part of it that a batch changes.

use std::collections::BTreeMap;

use crate::keyed::SortBytes;

/// Entries by key and order; equal ones by their number in order of arrival.
#[derive(Default)]
pub(super) struct Ordered {
    tree: BTreeMap<(u32, SortBytes, i64), u32>,
    /// By entry its sort key.
    sorts: Vec<SortBytes>,
    heap: usize,
}

/// Where in the order of a key a batch adds and removes rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extent {
    /// Sort key and number of the first row that may change.
    first: (SortBytes, i64),
    /// The last sort key of the batch.
    last: SortBytes,
}

impl Extent {
    /// One row with a sort key; `number`: the first of those with the same sort key that change with it.
    pub(super) fn new(sort: SortBytes, number: i64) -> Self {
        Self { first: (sort.clone(), number), last: sort }
    }

    /// Takes in another extent.
    pub(super) fn add(&mut self, other: Self) {
        if other.last > self.last {
            self.last = other.last;
        }
        if other.first < self.first {
            self.first = other.first;
        }
    }
}

/// How far frames look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    /// Rows in front of a row that its results depend on; `None`: all.
    pub(super) back: Option<usize>,
    /// Rows behind a row whose results depend on it; `None`: all.
    pub(super) on: Option<usize>,
}

/// A part of a key's rows in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Region {
    /// Slot of the key.
    pub(super) slot: u32,
    /// Entries in front, as far as frames reach back.
    pub(super) before: Vec<u32>,
    /// Entries whose results may change.
    pub(super) rows: Vec<u32>,
}

impl Ordered {
    /// Adds an entry of a key with its number and sort key.
    pub(super) fn insert(&mut self, slot: u32, (entry, number): (u32, i64), sort: SortBytes) {
        if self.sorts.len() <= entry as usize {
            self.sorts.resize_with(entry as usize + 1, SortBytes::default);
        }
        self.heap += sort.heap_size();
        self.sorts[entry as usize] = sort.clone();
        self.tree.insert((slot, sort, number), entry);
    }

    /// Takes an entry of a key out.
    pub(super) fn remove(&mut self, slot: u32, (entry, number): (u32, i64)) {
        let sort = std::mem::take(&mut self.sorts[entry as usize]);
        self.heap -= sort.heap_size();
        self.tree.remove(&(slot, sort, number));
    }

    /// Whether two entries are equal in order.
    pub(super) fn equal(&self, a: u32, b: u32) -> bool {
        self.sorts[a as usize] == self.sorts[b as usize]
    }

    /// The rows of a key that changes between both ends of an extent may touch.
    pub(super) fn region(&self, slot: u32, extent: &Extent, reach: Reach) -> Region {
        let (sort, number) = extent.first.clone();
        let start = (slot, sort, number);
        let lowest = (slot, SortBytes::default(), i64::MIN);
        let before = self.tree.range(lowest..start.clone());
        let before = before.rev().take(reach.back.unwrap_or(usize::MAX));
        let mut before: Vec<u32> = before.map(|(_, entry)| *entry).collect();
        before.reverse();
        let mut left = reach.on.map_or(0, |on| on + 1);
        let own = self.tree.range(start..).take_while(|((of, ..), _)| *of == slot);
        let touched = own.take_while(|((_, sort, _), _)| {
            if reach.on.is_none() || *sort <= extent.last {
                return true;
            }
            left = left.saturating_sub(1);
            left > 0
        });
        Region { slot, before, rows: touched.map(|(_, entry)| *entry).collect() }
    }

    /// Whether all rows of a key stand in front of an extent.
    pub(super) fn is_behind(&self, slot: u32, extent: &Extent) -> bool {
        let (sort, number) = extent.first.clone();
        let next = self.tree.range((slot, sort, number)..).next();
        next.is_none_or(|((of, ..), _)| *of != slot)
    }

    /// Bytes held.
    pub(super) fn memory_size(&self) -> usize {
        self.heap * 2 + self.tree.len() * 64 + self.sorts.capacity() * size_of::<SortBytes>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sort(number: u8) -> SortBytes {
        SortBytes::new(&[number])
    }

    /// Two keys with entries 0, 1, … of these sort keys.
    fn ordered() -> Ordered {
        let mut ordered = Ordered::default();
        for (entry, number) in [10, 20, 20, 30, 40, 50].into_iter().enumerate() {
            ordered.insert(1, (entry as u32, entry as i64), sort(number));
        }
        ordered.insert(0, (6, 6), sort(60));
        ordered.insert(2, (7, 7), sort(5));
        ordered
    }

    #[test]
    fn a_region_begins_where_something_changes_and_ends_where_nothing_does() {
        let all = Reach { back: None, on: None };
        let mut extent = Extent::new(sort(20), 8);
        let region = ordered().region(1, &extent, all);
        assert_eq!((region.before, region.rows), (vec![0, 1, 2], vec![3, 4, 5]));
        extent.add(Extent::new(sort(20), i64::MIN));
        let region = ordered().region(1, &extent, all);
        assert_eq!((region.before, region.rows), (vec![0], vec![1, 2, 3, 4, 5]));
        let near = Reach { back: Some(1), on: Some(2) };
        extent.add(Extent::new(sort(25), 8));
        let region = ordered().region(1, &extent, near);
        assert_eq!((region.before, region.rows), (vec![0], vec![1, 2, 3, 4]));
        let region = ordered().region(1, &Extent::new(sort(50), 8), near);
        assert_eq!((region.before, region.rows), (vec![5], vec![]));
        let region = ordered().region(3, &Extent::new(sort(50), 8), near);
        assert_eq!((region.before, region.rows), (vec![], vec![]));
    }

    #[test]
    fn what_is_removed_is_gone() {
        let mut ordered = ordered();
        ordered.remove(1, (1, 1));
        let all = Reach { back: None, on: None };
        let region = ordered.region(1, &Extent::new(sort(0), 0), all);
        assert_eq!(region.rows, [0, 2, 3, 4, 5]);
        assert!(ordered.equal(1, 1) && !ordered.equal(0, 2));
    }
}
