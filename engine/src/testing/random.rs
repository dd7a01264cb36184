//! Random numbers from a seed.

/// splitmix64: the same cases for the same seed, everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number in `0..bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    /// A number in `-bound..=bound`, or NULL once in `nulls` times.
    pub(crate) fn value(&mut self, bound: i64, nulls: u64) -> Option<i64> {
        let value = self.below(2 * bound as u64 + 1) as i64 - bound;
        (self.below(nulls) > 0).then_some(value)
    }

    /// One of some things.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}
