//! A set of small numbers that is emptied at once.

/// Numbers by the round in which they were put in.
pub(super) struct Marks {
    rounds: Vec<u32>,
    now: u32,
}

impl Default for Marks {
    fn default() -> Self {
        Self { rounds: Vec::new(), now: 1 }
    }
}

impl Marks {
    /// Puts a number in; whether it was not there.
    #[inline]
    pub(super) fn insert(&mut self, number: u32) -> bool {
        let index = number as usize;
        if self.rounds.len() <= index {
            self.rounds.resize(index + 1 + index / 2, 0);
        }
        std::mem::replace(&mut self.rounds[index], self.now) != self.now
    }

    /// Takes all numbers out.
    pub(super) fn clear(&mut self) {
        self.now = self.now.wrapping_add(1);
        if self.now == 0 {
            *self = Self::default();
        }
    }

    /// Bytes held.
    pub(super) fn memory_size(&self) -> usize {
        self.rounds.capacity() * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_new_once_a_round() {
        let mut marks = Marks::default();
        assert!(marks.insert(7) && !marks.insert(7) && marks.insert(3));
        marks.clear();
        assert!(marks.insert(7));
        marks.now = u32::MAX;
        marks.clear();
        assert!(marks.insert(7) && !marks.insert(7));
    }
}
