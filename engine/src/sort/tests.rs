//! Sorted output against sorting everything that is not late.

use tidegate_plan::operator::{Operator as PlanOperator, SortKey};
use tidegate_plan::{ChangelogMode, RowKind, Schema};
use tidegate_types::{KeyGroupRange, MAX_WATERMARK, TypeKind};

use super::*;
use crate::testing::{GROUPS, Random, Row, Stored, changes, context, ints, node, rows_of, schema};

fn input() -> Schema {
    schema(&[
        TypeKind::timestamp(3).not_null(),
        TypeKind::BigInt.nullable(),
        TypeKind::BigInt.nullable(),
    ])
}

fn sort() -> TemporalSort {
    let order = vec![SortKey { column: 1, descending: true, nulls_first: false }];
    let plan = Plan { time: 0, order };
    let below = node(PlanOperator::Union, input(), ChangelogMode::APPEND, None);
    let operator = PlanOperator::TemporalSort(plan.clone());
    let node = node(operator, input(), ChangelogMode::APPEND, None);
    TemporalSort::new(&plan, &node, &[&below], &PlanSettings::default()).unwrap()
}

fn drained(operator: &mut TemporalSort, emitted: &mut Vec<Row>) {
    let mut out = Output::new(0);
    while operator.drain(&mut out).unwrap() == Progress::More {}
    for changes in out.take() {
        assert!(changes.kinds.is_none() && changes.len() <= 7);
        emitted.extend(rows_of(&changes.rows));
    }
}

#[test]
fn rows_come_in_order_and_late_ones_not_at_all() {
    let stored_schema = arrow_schema(&input());
    let all = KeyGroupRange::all(GROUPS);
    for seed in 0..30 {
        let mut random = Random(seed);
        let mut operator = sort();
        operator.open(&context(all, MIN_WATERMARK)).unwrap();
        let (mut stored, mut emitted) = (Stored::default(), Vec::new());
        let (mut waiting, mut expected) = (Vec::new(), Vec::new());
        let (mut watermark, mut arrival) = (MIN_WATERMARK, 0);
        // The last time that was emitted, after a restore the watermark.
        let mut last = MIN_WATERMARK;
        for step in 0..80 {
            let rows: Vec<_> = (0..random.below(8))
                .map(|_| {
                    arrival += 1;
                    let time = step * 3 + random.below(40) as i64 - 20;
                    vec![Some(time), random.value(2, 6), Some(arrival)]
                })
                .collect();
            let log: Vec<_> = rows.iter().map(|row| (RowKind::Insert, row.clone())).collect();
            operator.process(0, changes(&stored_schema, &log), &mut Output::new(0)).unwrap();
            waiting.extend(rows.into_iter().filter(|row| row[0] > Some(last)));
            if random.below(3) == 0 {
                watermark = if step > 70 { MAX_WATERMARK } else { (step * 3 - 10).max(watermark) };
                operator.watermark(watermark, &mut Output::new(0)).unwrap();
                drained(&mut operator, &mut emitted);
                // NULL is the smallest value: descending it comes last.
                waiting.sort_by_key(|row| (row[0], std::cmp::Reverse(row[1]), row[2]));
                let due = waiting.partition_point(|row| row[0] <= Some(watermark));
                expected.extend(waiting.drain(..due));
                let time = expected.last().and_then(|row: &Vec<Option<i64>>| row[0]);
                last = last.max(time.unwrap_or(MIN_WATERMARK));
            }
            if random.below(5) == 0 {
                let request = match stored.has_files(0) {
                    true => stored.request(0, &["rows"], &mut random),
                    false => SnapshotRequest::full(),
                };
                stored.snapshot(0, &mut operator, &request, watermark);
                if random.below(2) == 0 {
                    stored.end_run();
                    last = watermark;
                    operator = sort();
                    operator.open(&context(all, watermark)).unwrap();
                    stored.restore(&mut operator, all, true);
                }
            }
        }
        let numbers = |rows: &[Row]| rows.iter().map(|row| row[1..].to_vec()).collect::<Vec<_>>();
        let expected: Vec<Row> = expected.iter().map(|row: &Vec<_>| ints(row)).collect();
        assert_eq!(numbers(&emitted), numbers(&expected), "seed {seed}");
    }
}
