//! Deduplication against looking at all rows, over random rows with checkpoints and restores in between.

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::Operator as PlanOperator;
use tidegate_plan::{ChangelogMode, PlanSettings, RowKind, Schema, Updates};
use tidegate_types::TypeKind;

use super::*;
use crate::testing::{Random, Replay, Row, Subject, Table, changes, ints, node, schema};

fn input() -> Schema {
    let time = TypeKind::timestamp(3).not_null();
    schema(&[TypeKind::BigInt.nullable(), TypeKind::STRING.nullable(), time])
}

fn subject<'a>(plan: &'a Plan, updates: Updates, ttl_ms: u64) -> Subject<'a> {
    let below = node(PlanOperator::Union, input(), ChangelogMode::APPEND, None);
    let mode = ChangelogMode { updates, deletes: false };
    let operator = PlanOperator::Deduplicate(plan.clone());
    let mut node = node(operator, input(), mode, Some(plan.keys.clone()));
    node.state_ttl_ms = vec![ttl_ms];
    let make = move || -> Box<dyn Operator> {
        let settings = PlanSettings::default();
        deduplicate(plan, &node, &[&below], &settings).unwrap()
    };
    let route = (!plan.keys.is_empty()).then(|| plan.keys.clone());
    Subject::new(make, vec![route], &["rows"], Replay::new(mode, Some(plan.keys.clone())))
}

/// The key of a row; one for all if there are no key columns.
fn key(plan: &Plan, row: &[Option<i64>]) -> Option<i64> {
    plan.keys.first().and_then(|column| row[*column])
}

fn shown(schema: &SchemaRef, rows: &[Vec<Option<i64>>]) -> Vec<Row> {
    let log: Vec<_> = rows.iter().map(|row| (RowKind::Insert, row.clone())).collect();
    let mut replay = Replay::new(ChangelogMode::APPEND, None);
    replay.apply(&changes(schema, &log));
    replay.table()
}

#[test]
fn the_kept_row_is_the_first_or_last_of_its_key() {
    let stored = arrow_schema(&input());
    for (time, keep_last, each_change) in [
        (None, false, false),
        (None, true, false),
        (Some(2), true, false),
        (None, true, true),
        (Some(2), true, true),
    ] {
        for updates in [Updates::BeforeAndAfter, Updates::After] {
            for seed in 0..12 {
                let keys = if seed % 4 == 3 { vec![] } else { vec![0] };
                let plan = Plan { keys, time, keep_last, each_change };
                let mut random = Random(seed);
                let mut table = Table::new(vec![(30, 20), (3, 6), (40, u64::MAX)], true);
                let mut subject = subject(&plan, updates, 0);
                let mut kept: BTreeMap<Option<i64>, Vec<Option<i64>>> = BTreeMap::new();
                let mut versions = 0;
                for _ in 0..80 {
                    let count = 1 + random.below(10);
                    let log = table.change(count, &mut random);
                    for (_, row) in &log {
                        let held = kept.get(&key(&plan, row));
                        let wins = held.is_none_or(|held| match time {
                            None => keep_last,
                            Some(_) => row[2] >= held[2],
                        });
                        if wins {
                            let held = kept.insert(key(&plan, row), row.clone());
                            versions += usize::from(held.as_ref() != Some(row));
                        }
                    }
                    subject.feed(0, &changes(&stored, &log));
                    subject.disturb(&mut random);
                }
                let rows: Vec<_> = kept.into_values().collect();
                assert_eq!(subject.replay.table(), shown(&stored, &rows), "{plan:?} {seed}");
                let [inserted, before, after, deleted] = subject.replay.seen;
                assert!(inserted + after <= versions);
                assert!(!each_change || inserted + after == versions, "{plan:?} {seed}");
                let first = time.is_none() && !keep_last;
                assert_eq!((after == 0, deleted), (first, 0));
                assert_eq!(before == 0, first || updates == Updates::After);
            }
        }
    }
}

#[test]
fn the_same_row_again_changes_nothing_and_an_old_key_is_new_again() {
    let stored = arrow_schema(&input());
    let row = |text: i64| (RowKind::Insert, vec![Some(1), Some(text), Some(7)]);
    let plan = Plan { keys: vec![0], time: None, keep_last: true, each_change: false };
    let mut subject = subject(&plan, Updates::BeforeAndAfter, 0);
    subject.feed(0, &changes(&stored, &[row(1), row(2)]));
    subject.feed(0, &changes(&stored, &[row(1), row(2)]));
    assert_eq!(subject.replay.seen, [1, 0, 0, 0]);
    subject.feed(0, &changes(&stored, &[row(3)]));
    assert_eq!(subject.replay.seen, [1, 1, 1, 0]);

    let first = Plan { keys: vec![0], time: None, keep_last: false, each_change: false };
    let mut subject = self::subject(&first, Updates::None, 1_000);
    let mut seen = Vec::new();
    for step in 0..5 {
        subject.replay = Replay::new(ChangelogMode::APPEND, None);
        subject.feed(0, &changes(&stored, &[row(step)]));
        seen.push(subject.replay.table().len());
        subject.advance(300);
    }
    // A row that is dropped is no use of the key.
    assert_eq!(seen, [1, 0, 0, 0, 1]);
    assert_eq!(ints(&[None]), [None]);
}

#[test]
fn the_first_by_event_time_waits_for_the_watermark() {
    let stored = arrow_schema(&input());
    for seed in 0..25 {
        let keys = if seed % 4 == 3 { vec![] } else { vec![0] };
        let plan = Plan { keys, time: Some(2), keep_last: false, each_change: false };
        let mut random = Random(seed);
        let mut subject = subject(&plan, Updates::None, 0);
        let mut kept: BTreeMap<Option<i64>, Vec<Option<i64>>> = BTreeMap::new();
        let mut watermark = i64::MIN;
        for step in 0..80 {
            let log: Vec<_> = (0..1 + random.below(8))
                .map(|_| {
                    let time = step * 2 + random.below(30) as i64;
                    let row = vec![random.value(15, 20), random.value(3, 6), Some(time)];
                    (RowKind::Insert, row)
                })
                .collect();
            for (_, row) in log.iter().filter(|(_, row)| row[2] > Some(watermark)) {
                // What the watermark has passed is out, and stays.
                let held = kept.get(&key(&plan, row));
                if held.is_none_or(|held| held[2] > Some(watermark) && row[2] < held[2]) {
                    kept.insert(key(&plan, row), row.clone());
                }
            }
            subject.feed(0, &changes(&stored, &log));
            subject.disturb(&mut random);
            if random.below(3) == 0 {
                watermark = watermark.max(step * 2 + 5);
                subject.watermark(watermark);
            }
        }
        let due = |row: &&Vec<Option<i64>>| row[2] <= Some(watermark);
        let rows: Vec<_> = kept.values().filter(due).cloned().collect();
        assert_eq!(subject.replay.table(), shown(&stored, &rows), "seed {seed}");
    }
}
