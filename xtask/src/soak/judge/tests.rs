//! Tests of the judge.

use super::*;

fn input() -> Input {
    Input::new(5, 40, &[None])
}

fn passed(input: &Input, p: u32, seq: u64) -> String {
    format!("0\t1\t{{\"p\":{p},\"seq\":{seq},\"v\":{}}}", input.record(p, seq).value)
}

fn fed() -> Judge {
    let mut judge = Judge::new(input());
    for p in 0..PARTITIONS {
        (0..10).for_each(|seq| judge.take(&passed(&input(), p, seq)).unwrap());
    }
    for ((start, key), (count, sum)) in input().windows() {
        judge.take(&row(start, key, count, sum)).unwrap();
    }
    judge
}

fn row(start: i64, key: u64, count: u64, sum: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(start).unwrap();
    let time = time.format("%Y-%m-%d %H:%M:%S%.3f");
    format!("1\t0\t{{\"ws\":\"{time}\",\"k\":\"k{key}\",\"c\":{count},\"s\":{sum}}}")
}

#[test]
fn everything_once_is_no_offence() {
    let judge = fed();
    let verdict = judge.finish();
    assert_eq!(verdict.offences(), Vec::<String>::new());
    assert_eq!((verdict.passed, verdict.sums_compared), (40, verdict.sums_expected));
    assert!(verdict.sums_expected > 10 && !judge.offended() && judge.all_there());
}

#[test]
fn doubles_and_strangers_offend_at_once() {
    let mut judge = fed();
    judge.take(&passed(&input(), 2, 3)).unwrap();
    judge.take("0\t0\t{\"p\":2,\"seq\":10,\"v\":1}").unwrap();
    judge.take("0\t0\tgarbage").unwrap();
    assert!(judge.offended());
    let verdict = judge.finish();
    assert_eq!(verdict.duplicate_ids, [(2, 3)]);
    assert_eq!((verdict.duplicates, verdict.unknown, verdict.losses), (1, 2, 0));
    assert!(judge.take("no tabs").is_err());
}

#[test]
fn a_changed_value_is_not_the_record() {
    let mut judge = Judge::new(input());
    let wrong = input().record(0, 0).value + 1;
    judge.take(&format!("0\t0\t{{\"p\":0,\"seq\":0,\"v\":{wrong}}}")).unwrap();
    assert_eq!(judge.finish().unknown, 1);
}

#[test]
fn what_is_missing_is_found_at_the_end_only() {
    let judge = Judge::new(input());
    assert!(!judge.offended() && !judge.all_there());
    assert_eq!(judge.so_far(), Verdict::default());
    let verdict = judge.finish();
    assert_eq!((verdict.losses, verdict.lost_ids.len()), (40, LISTED));
    assert_eq!(verdict.sums_missing, verdict.sums_expected);
}

#[test]
fn windows_are_compared_by_count_and_sum() {
    let mut judge = fed();
    let ((start, key), (count, sum)) = input().windows().into_iter().next().unwrap();
    judge.take(&row(start, key, count, sum + 1)).unwrap();
    judge.take(&row(start + 10_000_000, 3, 1, 1)).unwrap();
    let verdict = judge.finish();
    assert_eq!((verdict.sums_duplicate, verdict.sums_wrong, verdict.sums_missing), (1, 2, 0));
    assert_eq!(verdict.offences().len(), 1);
}

#[test]
fn what_came_out_behind_a_savepoint_must_come_again_once() {
    let mut judge = fed();
    let windows = input().windows();
    let last = windows.keys().next_back().unwrap().0;
    let cut = Cut { read: vec![10, 8, 0, 10], watermark_ms: Some(last + 9_998) };
    assert_eq!(judge.rewind(&cut), 12);
    let missing = judge.finish();
    assert_eq!((missing.losses, missing.repeated, missing.duplicates), (12, 12, 0));
    assert_eq!(missing.sums_missing, missing.sums_repeated);
    assert!(missing.sums_missing > 0 && !judge.offended() && !judge.all_there());
    (8..10).for_each(|seq| judge.take(&passed(&input(), 1, seq)).unwrap());
    (0..10).for_each(|seq| judge.take(&passed(&input(), 2, seq)).unwrap());
    for ((start, key), (count, sum)) in windows.into_iter().filter(|((start, _), _)| *start == last)
    {
        judge.take(&row(start, key, count, sum)).unwrap();
    }
    assert!(judge.all_there() && judge.finish().offences().is_empty());
    // What came before the savepoint comes no second time.
    judge.take(&passed(&input(), 1, 7)).unwrap();
    assert!(judge.offended());
}

#[test]
fn a_fork_writes_what_is_between_its_savepoints() {
    let windows = input().windows();
    let (first, last) = (windows.keys().next().unwrap().0, windows.keys().next_back().unwrap().0);
    let from = Cut { read: vec![3, 0, 5, 10], watermark_ms: Some(first + 9_999) };
    let to = Cut { read: vec![4, 2, 5, 10], watermark_ms: Some(last + 9_998) };
    let mut fork = fed().of_fork(&from, &to);
    for ((start, key), (count, sum)) in &windows {
        if *start > first && *start < last {
            fork.take(&row(*start, *key, *count, *sum)).unwrap();
        }
    }
    for (p, seq) in [(0, 3), (1, 0), (1, 1)] {
        assert!(!fork.all_there());
        fork.take(&passed(&input(), p, seq)).unwrap();
    }
    assert!(fork.all_there());
    assert_eq!(fork.finish().offences(), Vec::<String>::new());
    fork.take(&passed(&input(), 0, 4)).unwrap();
    assert_eq!(fork.finish().unknown, 1);
}
