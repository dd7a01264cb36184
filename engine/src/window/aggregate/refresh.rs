//! Going round the groups in memory of all slices, in order of the slices' ends: what a snapshot writes of
//! whole ranges (see `checkpoint/table_files.rs`).

use std::collections::BTreeMap;
use std::ops::{Bound, Range};

use super::super::slice_state::SliceState;
use crate::operator::Lap;

/// A run of places in the lap's order, with the slots that it covers by slice `(end, start)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from: (i64, i64, u64),
    pub(super) until: (i64, i64, u64),
    pub(super) parts: Vec<Part>,
}

/// A slice and slots of it.
pub(super) type Part = ((i64, i64), Range<u32>);

/// The next `rows` slots from where the lap stands, never more than once round; a stretch ends where
/// a round does.
pub(super) fn advance(
    slices: &BTreeMap<(i64, i64), SliceState>,
    lap: &mut Lap,
    rows: usize,
) -> Vec<Stretch> {
    let total: usize = slices.values().map(|slice| slice.active.keys.len()).sum();
    let mut left = rows.min(total) as u64;
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut current: Option<Stretch> = None;
    while left > 0 {
        let (end, start, slot) = lap.place;
        let next = slices.range((Bound::Included((end, start)), Bound::Unbounded)).next();
        let Some((key, slice)) = next else {
            *lap = Lap { round: lap.round + 1, ..Lap::default() };
            stretches.extend(current.take());
            continue;
        };
        let length = slice.active.keys.len() as u64;
        let from = if *key == (end, start) { slot.min(length) } else { 0 };
        let until = length.min(from + left);
        if until > from {
            let stretch = current.get_or_insert_with(|| Stretch {
                from: (key.0, key.1, from),
                until: (key.0, key.1, until),
                parts: Vec::new(),
            });
            stretch.parts.push((*key, from as u32..until as u32));
            stretch.until = (key.0, key.1, until);
            left -= until - from;
        }
        lap.place = match until == length {
            true => (key.0, key.1.saturating_add(1), 0),
            false => (key.0, key.1, until),
        };
    }
    stretches.extend(current);
    stretches
}

/// Everything, in stretches of at most `rows` slots.
pub(super) fn everything(slices: &BTreeMap<(i64, i64), SliceState>, rows: usize) -> Vec<Stretch> {
    let mut left: usize = slices.values().map(|slice| slice.active.keys.len()).sum();
    let mut lap = Lap::default();
    let mut stretches = Vec::new();
    while left > 0 {
        stretches.extend(advance(slices, &mut lap, rows.min(left)));
        left -= rows.min(left);
    }
    stretches
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};
    use arrow::datatypes::DataType;

    use super::super::super::layout::RunLayout;
    use super::super::super::slice_state::SliceSpec;
    use super::super::super::store::GroupSpec;
    use super::*;

    fn with_keys(count: i64) -> SliceState {
        let types = vec![DataType::Int64];
        let layout = RunLayout::new(&types, &[]);
        let groups = GroupSpec { key_types: types, calls: vec![], input: vec![], retracts: false };
        let mut slice = SliceState::new(&SliceSpec { groups, layout }).unwrap();
        let keys: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count));
        let hashes: Vec<u64> = (0..count as u64).collect();
        slice.active.upsert(&[keys], &hashes, &mut Vec::new()).unwrap();
        slice
    }

    fn parts(stretches: Vec<Stretch>) -> Vec<Vec<Part>> {
        stretches.into_iter().map(|stretch| stretch.parts).collect()
    }

    #[test]
    fn goes_round_all_slices_and_counts_rounds() {
        let groups = BTreeMap::from([((10, 0), with_keys(3)), ((20, 10), with_keys(2))]);
        let mut lap = Lap::default();
        let start = lap;
        assert_eq!(parts(advance(&groups, &mut lap, 2)), [vec![((10, 0), 0..2)]]);
        let early = lap;
        let both = vec![((10, 0), 2..3), ((20, 10), 0..1)];
        assert_eq!(parts(advance(&groups, &mut lap, 2)), [both]);
        let wrapped = [vec![((20, 10), 1..2)], vec![((10, 0), 0..1)]];
        assert_eq!(parts(advance(&groups, &mut lap, 2)), wrapped);
        assert!(lap.has_passed(start) && !lap.has_passed(early));
        let next = advance(&groups, &mut lap, 1);
        assert_eq!((next[0].from, next[0].until), ((10, 0, 1), (10, 0, 2)));
        assert!(lap.has_passed(early));
        let all = parts(advance(&groups, &mut lap, 99)).concat();
        assert_eq!(all.iter().map(|(_, range)| range.len()).sum::<usize>(), 5);
    }

    #[test]
    fn everything_is_cut_into_stretches() {
        let groups = BTreeMap::from([((10, 0), with_keys(3)), ((20, 10), with_keys(2))]);
        let all = parts(everything(&groups, 2));
        assert_eq!(
            all,
            [
                vec![((10, 0), 0..2)],
                vec![((10, 0), 2..3), ((20, 10), 0..1)],
                vec![((20, 10), 1..2)]
            ]
        );
        assert_eq!(everything(&BTreeMap::new(), 2), []);
        assert_eq!(advance(&BTreeMap::new(), &mut Lap::default(), 5), []);
    }
}
