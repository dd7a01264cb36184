//! Keys in Arrow's row format, in one buffer: by slot, with removal.

/// Bytes of the length before each key.
const PREFIX: usize = 4;
/// Where a key of no slot starts.
const NOWHERE: usize = usize::MAX;
/// Dead bytes that are not worth moving the others.
const TOLERATED: usize = 64 << 10;

/// Byte strings by slot.
#[derive(Default)]
pub(super) struct Arena {
    bytes: Vec<u8>,
    starts: Vec<usize>,
    dead: usize,
}

impl Arena {
    /// The key of a slot, which must have one.
    #[inline(always)]
    pub(super) fn get(&self, slot: u32) -> &[u8] {
        let (length, rest) = self.bytes[self.starts[slot as usize]..].split_at(PREFIX);
        let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
        &rest[..length as usize]
    }

    /// Sets the key of a slot without one: a slot that was freed, or the next new one.
    #[inline]
    pub(super) fn set(&mut self, slot: u32, key: &[u8]) {
        let start = self.bytes.len();
        match self.starts.get_mut(slot as usize) {
            Some(place) => *place = start,
            None => self.starts.push(start),
        }
        self.bytes.extend_from_slice(&(key.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(key);
    }

    /// Removes the key of a slot.
    pub(super) fn remove(&mut self, slot: u32) {
        self.dead += PREFIX + self.get(slot).len();
        self.starts[slot as usize] = NOWHERE;
        if self.dead > TOLERATED && self.dead * 2 > self.bytes.len() {
            self.compact();
        }
    }

    /// Bytes held.
    pub(super) fn memory_size(&self) -> usize {
        self.bytes.capacity() + self.starts.capacity() * size_of::<usize>()
    }

    fn compact(&mut self) {
        let mut bytes = Vec::with_capacity(self.bytes.len() - self.dead);
        for slot in 0..self.starts.len() {
            if self.starts[slot] != NOWHERE {
                let start = self.starts[slot];
                let end = start + PREFIX + self.get(slot as u32).len();
                self.starts[slot] = bytes.len();
                bytes.extend_from_slice(&self.bytes[start..end]);
            }
        }
        (self.bytes, self.dead) = (bytes, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_bytes_are_given_back() {
        let mut arena = Arena::default();
        let key = |slot: u32| vec![slot as u8; 100 + slot as usize % 7];
        (0..4_000).for_each(|slot| arena.set(slot, &key(slot)));
        let full = arena.memory_size();
        (0..4_000).filter(|slot| slot % 5 > 0).for_each(|slot| arena.remove(slot));
        assert!(arena.memory_size() < full / 2);
        arena.set(3, &key(3));
        assert!((0..4_000).step_by(5).chain([3]).all(|slot| arena.get(slot) == key(slot)));
    }
}
