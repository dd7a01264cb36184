//! Random numbers without state: a draw depends only on (seed, field, row number).
//!
//! Generated rows are therefore the same at every parallelism, batch size and column subset, and a
//! restore needs nothing but the next row number. The mixing is that of the wyrand generator, whose
//! counter advances by a fixed odd step: draw *n* of a field is output *n* of a wyrand that starts at
//! a place derived from seed and field.

const STEP: u64 = 0xa076_1d64_78bd_642f;
const XOR: u64 = 0xe703_7ed1_a0b4_28db;

/// The draws of one field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stream {
    start: u64,
}

impl Stream {
    /// The draws of `field` under `seed`.
    pub(crate) const fn new(seed: u64, field: u64) -> Self {
        Self { start: scramble(seed ^ scramble(field)) }
    }

    /// 64 random bits for row `number`.
    #[inline(always)]
    pub(crate) const fn draw(self, number: u64) -> u64 {
        let x = self.start.wrapping_add(number.wrapping_mul(STEP));
        let product = (x as u128) * ((x ^ XOR) as u128);
        (product as u64) ^ ((product >> 64) as u64)
    }
}

/// The finalizer of splitmix64: spreads small seeds over all bits.
const fn scramble(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number below `bound` from the upper half of a draw. `bound` must be at most 2³².
#[inline(always)]
pub(crate) const fn high_below(draw: u64, bound: u64) -> u64 {
    ((draw >> 32) * bound) >> 32
}

/// A number below `bound` from the lower half of a draw; independent of [`high_below`] of the same
/// draw. `bound` must be at most 2³².
#[inline(always)]
pub(crate) const fn low_below(draw: u64, bound: u64) -> u64 {
    ((draw & 0xffff_ffff) * bound) >> 32
}

/// A number below any `bound` from all bits of a draw.
#[inline(always)]
pub(crate) const fn below(draw: u64, bound: u64) -> u64 {
    ((draw as u128 * bound as u128) >> 64) as u64
}

/// A number in `[0, 1)` with 53 random bits.
#[inline(always)]
pub(crate) const fn unit(draw: u64) -> f64 {
    (draw >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
}

/// Draws one after another, for tables that are filled once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sequence {
    stream: Stream,
    next: u64,
}

impl Sequence {
    /// The draws of a stream from number 0.
    pub(crate) const fn new(stream: Stream) -> Self {
        Self { stream, next: 0 }
    }

    /// The next 64 random bits.
    pub(crate) const fn draw(&mut self) -> u64 {
        let draw = self.stream.draw(self.next);
        self.next += 1;
        draw
    }

    /// A number below `bound`.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        below(self.draw(), bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_depend_on_seed_field_and_number() {
        let draw = |seed, field, number| Stream::new(seed, field).draw(number);
        let all = [draw(1, 1, 1), draw(2, 1, 1), draw(1, 2, 1), draw(1, 1, 2)];
        let distinct: std::collections::BTreeSet<u64> = all.into_iter().collect();
        assert_eq!(distinct.len(), 4);
        assert_eq!(draw(1, 1, 1), all[0]);
    }

    #[test]
    fn draws_are_uniform_in_every_part() {
        let stream = Stream::new(0, 7);
        let (mut high, mut low, mut whole) = ([0_u32; 16], [0_u32; 16], [0_u32; 16]);
        for number in 0..160_000 {
            let draw = stream.draw(number);
            high[high_below(draw, 16) as usize] += 1;
            low[low_below(draw, 16) as usize] += 1;
            whole[below(draw, 16) as usize] += 1;
            assert!((0.0..1.0).contains(&unit(draw)));
        }
        for counts in [high, low, whole] {
            assert!(counts.iter().all(|&count| (9_500..10_500).contains(&count)), "{counts:?}");
        }
    }

    #[test]
    fn streams_of_neighbouring_fields_are_not_correlated() {
        let (a, b) = (Stream::new(0, 1), Stream::new(0, 2));
        let same = (0..64_000).filter(|&n| (a.draw(n) ^ b.draw(n)) & 1 == 0).count();
        assert!((31_000..33_000).contains(&same), "{same}");
    }
}
