//! Key groups: the fixed shards of keyed state, and which subtask owns which.
//!
//! key → 64-bit hash → key group → subtask. The hash of Arrow values is in `tidegate-engine`.

use std::ops::Range;

/// Number of a key group, below the job's key-group count.
pub type KeyGroup = u16;

/// Key groups of a job unless `pipeline.max-parallelism` says otherwise.
pub const DEFAULT_KEY_GROUPS: u16 = 128;

/// The key group of a key's hash: bits 32–47, scaled to `groups`.
///
/// Hash tables use the top bits and the low bits, so that a subtask's keys still spread there.
#[inline]
pub fn key_group(hash: u64, groups: u16) -> KeyGroup {
    let bits = ((hash >> 32) & 0xFFFF) as u32;
    ((bits * u32::from(groups)) >> 16) as u16
}

/// The subtask that owns a key group: `group × parallelism / groups`, as in Flink.
#[inline]
pub fn owner(group: KeyGroup, groups: u16, parallelism: u32) -> u32 {
    u32::from(group) * parallelism / u32::from(groups)
}

/// A half-open range of key groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct KeyGroupRange {
    /// First group.
    pub start: KeyGroup,
    /// One past the last group.
    pub end: KeyGroup,
}

impl KeyGroupRange {
    /// All groups of a job.
    pub fn all(groups: u16) -> Self {
        Self { start: 0, end: groups }
    }

    /// The groups that subtask `index` of `parallelism` owns; the inverse of [`owner`].
    pub fn of_subtask(index: u32, groups: u16, parallelism: u32) -> Self {
        let bound = |i: u32| (i * u32::from(groups)).div_ceil(parallelism) as u16;
        Self { start: bound(index), end: bound(index + 1) }
    }

    /// Whether the range holds the group.
    #[inline]
    pub fn contains(self, group: KeyGroup) -> bool {
        self.start <= group && group < self.end
    }

    /// Whether the two ranges share a group.
    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The groups that both have, if there are any.
    pub fn intersection(self, other: Self) -> Option<Self> {
        let (start, end) = (self.start.max(other.start), self.end.min(other.end));
        (start < end).then_some(Self { start, end })
    }

    /// The groups, in order.
    pub fn groups(self) -> Range<KeyGroup> {
        self.start..self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_owner_agree_for_every_parallelism() {
        for groups in [1u16, 7, 128, 4096] {
            for parallelism in 1..=u32::from(groups).min(150) {
                let mut next = 0;
                for index in 0..parallelism {
                    let range = KeyGroupRange::of_subtask(index, groups, parallelism);
                    assert_eq!(range.start, next);
                    next = range.end;
                    for group in range.groups() {
                        assert_eq!(owner(group, groups, parallelism), index);
                    }
                }
                assert_eq!(next, groups);
            }
        }
    }

    #[test]
    fn key_groups_stay_below_the_count() {
        assert_eq!(key_group(u64::MAX, 128), 127);
        assert_eq!(key_group(0, 128), 0);
        assert_eq!(key_group(0x0000_8000_0000_0000, 128), 64);
    }
}
