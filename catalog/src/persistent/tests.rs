//! The maps against the standard library's, and copies that stay as they were.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::{PersistentMap, PersistentSet};

fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

#[test]
fn maps_are_as_those_of_the_standard_library_and_copies_stay() {
    for seed in 1..20_u64 {
        let mut state = seed;
        let mut ours = PersistentMap::<u64, u64>::new();
        let mut theirs = BTreeMap::new();
        let mut copies = Vec::new();
        for step in 0..600_u64 {
            let key = next(&mut state) % 60;
            match next(&mut state) % 6 {
                0 | 1 => {
                    ours.insert(key, step);
                    theirs.insert(key, step);
                }
                2 => assert_eq!(ours.remove(&key), theirs.remove(&key)),
                3 => {
                    let (a, b) = (ours.get_mut(&key), theirs.get_mut(&key));
                    assert_eq!(a.as_deref(), b.as_deref());
                    a.into_iter().chain(b).for_each(|value| *value += 1);
                }
                4 => {
                    *ours.get_or_default(key) += 7;
                    *theirs.entry(key).or_default() += 7;
                }
                _ if step % 5 == 0 => assert_eq!(ours.pop_first(), theirs.pop_first()),
                _ => copies.push((ours.clone(), theirs.clone())),
            }
            assert_eq!(ours.len(), theirs.len());
            assert_eq!(ours.first(), theirs.first_key_value());
            let (from, to) = (key.min(30), key.max(30) + 1);
            assert!(ours.range(from..to).eq(theirs.range(from..to)));
            assert!(ours.range(..=to).rev().eq(theirs.range(..=to).rev()));
            let after = (Bound::Excluded(from), Bound::Unbounded);
            assert!(ours.range(after).eq(theirs.range(after)));
        }
        assert!(copies.len() > 10);
        for (ours, theirs) in copies {
            assert!(ours.iter().eq(&theirs));
            assert!(ours.values().rev().eq(theirs.values().rev()));
            assert_eq!(ours, theirs.into_iter().collect());
        }
    }
}

#[test]
fn maps_with_other_entries_are_not_equal() {
    let map = PersistentMap::from([(1, 'a'), (2, 'b')]);
    assert_ne!(map, PersistentMap::from([(1, 'a')]));
    assert_ne!(map, PersistentMap::from([(1, 'a'), (2, 'c')]));
    assert_ne!(map, PersistentMap::from([(1, 'a'), (3, 'b')]));
    assert_eq!(map, PersistentMap::from([(2, 'b'), (1, 'a')]));
    assert_eq!(format!("{map:?}"), "{1: 'a', 2: 'b'}");
}

#[test]
fn sets_keep_what_they_are_told_to() {
    let mut set: PersistentSet<u32> = (0..100).collect();
    let copy = set.clone();
    set.retain(|n| n % 3 == 0);
    set.remove(&9);
    assert_eq!(set.pop_first(), Some(0));
    set.extend([100]);
    let kept: BTreeSet<u32> = (1..101).filter(|n| (n % 3 == 0 && *n != 9) || *n == 100).collect();
    assert!(set.iter().eq(&kept));
    assert!(set.range(50..).rev().eq(kept.range(50..).rev()));
    assert_eq!((set.len(), copy.len(), copy.first()), (kept.len(), 100, Some(&0)));
}
