//! Candidates in the order of their first rows.
//!
//! A binary heap laid out as that of Java's class library: where a pattern can be met in several ways, the
//! order of candidates with the same first row decides which of them is found, and results are to be
//! Flink's.

use super::automaton::Candidate;

/// A heap of candidates by their first rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    items: Vec<Candidate>,
}

impl Queue {
    /// From what [`Queue::items`] gave.
    pub(super) fn of(items: Vec<Candidate>) -> Self {
        Self { items }
    }

    /// The candidates as they lie in the heap.
    pub(super) fn items(&self) -> &[Candidate] {
        &self.items
    }

    /// Number of candidates.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// One with the earliest first row.
    pub(super) fn first(&self) -> Option<&Candidate> {
        self.items.first()
    }

    /// Removes all, in the order of the heap.
    pub(super) fn drain(&mut self) -> std::vec::Drain<'_, Candidate> {
        self.items.drain(..)
    }

    /// Adds a candidate.
    pub(super) fn push(&mut self, candidate: Candidate) {
        let mut place = self.items.len();
        self.items.push(candidate);
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.items[place].start >= self.items[parent].start {
                break;
            }
            self.items.swap(place, parent);
            place = parent;
        }
    }

    /// Takes one with the earliest first row.
    pub(super) fn pop(&mut self) -> Option<Candidate> {
        let last = self.items.pop()?;
        if self.items.is_empty() {
            return Some(last);
        }
        let first = std::mem::replace(&mut self.items[0], last);
        self.sink(0);
        Some(first)
    }

    /// Keeps some candidates.
    pub(super) fn retain(&mut self, keeps: impl FnMut(&Candidate) -> bool) {
        let before = self.items.len();
        self.items.retain(keeps);
        if self.items.len() < before {
            (0..self.items.len() / 2).rev().for_each(|place| self.sink(place));
        }
    }

    fn sink(&mut self, mut place: usize) {
        let half = self.items.len() / 2;
        while place < half {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            let later = |child: usize| self.items[left].start > self.items[child].start;
            let child = if right < self.items.len() && later(right) { right } else { left };
            if self.items[place].start <= self.items[child].start {
                break;
            }
            self.items.swap(place, child);
            place = child;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(start: u64, mark: i64) -> Candidate {
        Candidate { start, time: mark, ..Candidate::new() }
    }

    fn marks(queue: &Queue) -> Vec<(u64, i64)> {
        queue.items().iter().map(|one| (one.start, one.time)).collect()
    }

    // What java.util.PriorityQueue of Java 17 gives for the same calls.
    #[test]
    fn the_heap_lies_as_in_java() {
        let mut queue = Queue::default();
        for (mark, start) in [5, 3, 8, 3, 1, 3].into_iter().enumerate() {
            queue.push(candidate(start, mark as i64));
        }
        assert_eq!(marks(&queue), [(1, 4), (3, 1), (3, 5), (5, 0), (3, 3), (8, 2)]);
        assert_eq!(queue.pop().map(|one| one.time), Some(4));
        assert_eq!(marks(&queue), [(3, 1), (3, 3), (3, 5), (5, 0), (8, 2)]);
        queue.retain(|one| one.time != 1);
        assert_eq!(marks(&queue), [(3, 3), (3, 5), (5, 0), (8, 2)]);
        let order: Vec<i64> = std::iter::from_fn(|| queue.pop()).map(|one| one.time).collect();
        assert_eq!(order, [3, 5, 0, 2]);
        assert!(queue.is_empty());
    }
}
