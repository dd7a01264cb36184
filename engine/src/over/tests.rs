//! OVER against looking at all rows of a key, with checkpoints, restores and rescaling in between.

use std::collections::BTreeMap;

use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::{Operator as PlanOperator, OverFrame, OverGroup, SortKey};
use tidegate_plan::{
    AggregateCall, AggregateFunction as F, ChangelogMode, RowKind, Schema, Updates,
};
use tidegate_types::{MAX_WATERMARK, TypeKind};

use super::*;
use crate::testing::{Random, Replay, Row, Subject, Table, changes, node, schema};

type Values = Vec<Option<i64>>;

/// Key, time, number, id.
fn input() -> Schema {
    schema(&[
        TypeKind::BigInt.nullable(),
        TypeKind::timestamp(3).not_null(),
        TypeKind::BigInt.nullable(),
        TypeKind::BigInt.not_null(),
    ])
}

fn call(function: F, argument: Option<usize>, distinct: bool) -> AggregateCall {
    AggregateCall {
        function,
        argument,
        parameters: Vec::new(),
        distinct,
        filter: None,
        name: function.name().to_owned(),
        ty: TypeKind::BigInt.nullable(),
    }
}

fn calls() -> Vec<AggregateCall> {
    vec![
        call(F::Sum, Some(2), false),
        call(F::Count, None, false),
        call(F::Count, Some(2), true),
        call(F::Max, Some(2), false),
    ]
}

/// What the calls of [`calls`] come to.
fn results(frame: &[&Values]) -> Values {
    let mut values: Vec<i64> = frame.iter().filter_map(|row| row[2]).collect();
    let sum = (!values.is_empty()).then(|| values.iter().sum());
    let max = values.iter().max().copied();
    values.sort_unstable();
    values.dedup();
    vec![sum, Some(frame.len() as i64), Some(values.len() as i64), max]
}

/// The rows of a key in order, each with its results. `by` is what RANGE measures by and what makes rows
/// equal in order.
fn expected(rows: &[Values], by: impl Fn(&Values) -> i64, groups: &[OverGroup]) -> Vec<Values> {
    let frame = |index: usize, frame: &OverFrame| -> Vec<&Values> {
        let now = by(&rows[index]);
        let peers = rows.iter().filter(|row| by(row) == now).count();
        let first = rows.iter().position(|row| by(row) == now).unwrap_or(index);
        let (from, to) = match frame {
            OverFrame::RowsUnbounded => (0, index + 1),
            OverFrame::Rows { preceding } => (index.saturating_sub(*preceding as usize), index + 1),
            OverFrame::RangeUnbounded => (0, first + peers),
            OverFrame::Range { preceding } => {
                (rows.partition_point(|row| by(row) < now - preceding), first + peers)
            }
        };
        rows[from..to].iter().collect()
    };
    let row = |index: usize| {
        let mut row = rows[index].clone();
        for group in groups {
            let all = results(&frame(index, &group.frame));
            row.extend(&all[..group.aggregates.len().min(4)]);
        }
        row
    };
    (0..rows.len()).map(row).collect()
}

fn output(groups: &[OverGroup]) -> Schema {
    let mut columns = input();
    let results = groups.iter().map(|group| group.aggregates.len()).sum();
    columns.extend(schema(&vec![TypeKind::BigInt.nullable(); results]));
    columns
}

fn over(plan: &Plan, below: ChangelogMode, mode: ChangelogMode) -> Box<dyn Operator> {
    let below = node(PlanOperator::Union, input(), below, None);
    let operator = PlanOperator::OverAggregate(plan.clone());
    let node = node(operator, output(&plan.groups), mode, None);
    operator_of(plan, &node, &below)
}

fn operator_of(plan: &Plan, node: &Node, below: &Node) -> Box<dyn Operator> {
    operator(plan, node, &[below], &PlanSettings::default()).unwrap()
}

/// Rows as they are printed: the time has a form of its own.
fn shown(groups: &[OverGroup], rows: &[Values]) -> Vec<Row> {
    let schema = arrow_schema(&output(groups));
    let log: Vec<_> = rows.iter().map(|row| (RowKind::Insert, row.clone())).collect();
    let mut replay = Replay::new(ChangelogMode::APPEND, None);
    if !log.is_empty() {
        replay.apply(&changes(&schema, &log));
    }
    replay.table()
}

fn assert_same(got: &[Row], wanted: &[Row], what: &str) {
    let missing: Vec<_> = wanted.iter().filter(|row| !got.contains(row)).take(3).collect();
    let other: Vec<_> = got.iter().filter(|row| !wanted.contains(row)).take(3).collect();
    assert!(got == wanted, "{what}: missing {missing:?}, instead {other:?}");
}

const FRAMES: [(&[OverFrame], &[&str]); 4] = [
    (&[OverFrame::RowsUnbounded, OverFrame::RangeUnbounded], &["waiting", "aggregates"]),
    (&[OverFrame::Rows { preceding: 3 }], &["waiting", "history"]),
    (
        &[OverFrame::Range { preceding: 12 }, OverFrame::Rows { preceding: 0 }],
        &["waiting", "history"],
    ),
    (
        &[OverFrame::Range { preceding: 20 }, OverFrame::RangeUnbounded],
        &["waiting", "history", "aggregates"],
    ),
];

#[test]
fn rows_in_order_of_event_time_have_the_results_of_their_frames() {
    let stored = arrow_schema(&input());
    for (frames, tables) in FRAMES {
        let group = |frame: &OverFrame| OverGroup { frame: *frame, aggregates: calls() };
        let groups: Vec<OverGroup> = frames.iter().map(group).collect();
        let order = OverOrder::Event { column: 1 };
        let plan = Plan { keys: vec![0], order, groups: groups.clone() };
        for seed in 0..8 {
            let mut random = Random(seed);
            let make = || over(&plan, ChangelogMode::APPEND, ChangelogMode::APPEND);
            let replay = Replay::new(ChangelogMode::APPEND, None);
            let mut subject = Subject::new(make, vec![Some(vec![0])], tables, replay);
            let mut keys: BTreeMap<Option<i64>, Vec<Values>> = BTreeMap::new();
            let (mut watermark, mut id) = (0, 0);
            for step in 0..60 {
                let log: Vec<_> = (0..1 + random.below(8))
                    .map(|_| {
                        id += 1;
                        let time = watermark + 1 + random.below(30) as i64;
                        let key = random.value(3, 10);
                        (RowKind::Insert, vec![key, Some(time), random.value(5, 5), Some(id)])
                    })
                    .collect();
                for (_, row) in &log {
                    keys.entry(row[0]).or_default().push(row.clone());
                }
                subject.feed(0, &changes(&stored, &log));
                if random.below(2) == 0 {
                    watermark = watermark.max(step * 3 + random.below(8) as i64);
                    subject.watermark(watermark);
                }
                subject.disturb(&mut random);
            }
            subject.watermark(MAX_WATERMARK);
            let mut wanted = Vec::new();
            for rows in keys.values_mut() {
                rows.sort_by_key(|row| (row[1], row[3]));
                wanted.extend(expected(rows, |row| row[1].unwrap_or(0), &groups));
            }
            let what = format!("{frames:?} {seed}");
            assert_same(&subject.replay.table(), &shown(&groups, &wanted), &what);
        }
    }
}

#[test]
fn late_rows_are_those_whose_key_has_given_out_a_later_one() {
    let stored = arrow_schema(&input());
    let at = |key: i64, time: i64, id: i64| {
        (RowKind::Insert, vec![Some(key), Some(time), Some(id), Some(id)])
    };
    let ids = |frame: OverFrame| {
        let groups = vec![OverGroup { frame, aggregates: vec![call(F::Count, None, false)] }];
        let plan = Plan { keys: vec![0], order: OverOrder::Event { column: 1 }, groups };
        let make = || over(&plan, ChangelogMode::APPEND, ChangelogMode::APPEND);
        let replay = Replay::new(ChangelogMode::APPEND, None);
        let mut subject = Subject::new(make, vec![Some(vec![0])], &["waiting"], replay);
        subject.feed(0, &changes(&stored, &[at(1, 10, 1), at(2, 40, 2)]));
        subject.watermark(20);
        // Behind the watermark, but not behind what is out of the key; then behind both.
        subject.feed(0, &changes(&stored, &[at(1, 15, 3), at(1, 5, 4), at(3, 5, 5)]));
        subject.watermark(MAX_WATERMARK);
        let rows = subject.replay.table().into_iter();
        let mut ids: Vec<i64> = rows.filter_map(|row| row[3].as_ref()?.parse().ok()).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(OverFrame::Rows { preceding: 2 }), [1, 2, 3, 5]);
    // A key that RANGE has forgotten is like one that was never seen: its rows are late by the watermark.
    assert_eq!(ids(OverFrame::Range { preceding: 50 }), [1, 2, 3]);
    assert_eq!(ids(OverFrame::RowsUnbounded), [1, 2]);
}

#[test]
fn rows_as_they_come_have_the_results_of_those_before() {
    let stored = arrow_schema(&input());
    let group = |frame: OverFrame| OverGroup { frame, aggregates: calls() };
    let groups = vec![group(OverFrame::RowsUnbounded), group(OverFrame::Rows { preceding: 2 })];
    let plan = Plan { keys: vec![0], order: OverOrder::Processing, groups: groups.clone() };
    for seed in 0..8 {
        let mut random = Random(seed);
        let make = || over(&plan, ChangelogMode::APPEND, ChangelogMode::APPEND);
        let replay = Replay::new(ChangelogMode::APPEND, None);
        let tables = &["history", "aggregates"];
        let mut subject = Subject::new(make, vec![Some(vec![0])], tables, replay);
        let mut keys: BTreeMap<Option<i64>, Vec<Values>> = BTreeMap::new();
        for id in 0..200 {
            let key = random.value(2, 10);
            let row = vec![key, Some(0), random.value(5, 5), Some(id)];
            keys.entry(row[0]).or_default().push(row.clone());
            subject.feed(0, &changes(&stored, &[(RowKind::Insert, row)]));
            subject.disturb(&mut random);
        }
        let wanted =
            keys.values().flat_map(|rows| expected(rows, |row| row[3].unwrap_or(0), &groups));
        let wanted = shown(&groups, &wanted.collect::<Vec<_>>());
        assert_same(&subject.replay.table(), &wanted, &format!("{seed}"));
    }
}

/// Changes of rows in an order that any of them may come into, and what is shown in the end.
fn check_order(groups: &[OverGroup], expected: impl Fn(&[Values]) -> Vec<Values>, what: &str) {
    let stored = arrow_schema(&input());
    let keys = vec![SortKey { column: 2, descending: false, nulls_first: true }];
    let order = OverOrder::Columns { keys };
    let plan = Plan { keys: vec![0], order, groups: groups.to_vec() };
    for (seed, appends) in (0..6).flat_map(|seed| [(seed, true), (seed, false)]) {
        let mut random = Random(seed);
        let below = if appends { ChangelogMode::APPEND } else { ChangelogMode::RETRACT };
        let mode = ChangelogMode { updates: Updates::BeforeAndAfter, deletes: true };
        let replay = Replay::new(mode, None);
        let make = || over(&plan, below, mode);
        let mut subject = Subject::new(make, vec![Some(vec![0])], &["rows"], replay);
        // Many rows that are equal in order, or few.
        let values = if seed < 3 { 6 } else { 400 };
        let mut table =
            Table::new(vec![(2, 8), (5, u64::MAX), (values, 6), (1_000, u64::MAX)], appends);
        for _ in 0..50 {
            let count = 1 + random.below(6);
            let log = table.change(count, &mut random);
            subject.feed(0, &changes(&stored, &log));
            subject.disturb(&mut random);
        }
        let mut keys: BTreeMap<Option<i64>, Vec<Values>> = BTreeMap::new();
        for row in &table.rows {
            keys.entry(row[0]).or_default().push(row.clone());
        }
        let mut wanted = Vec::new();
        for rows in keys.values_mut() {
            // Rows of one value stand in order of arrival, as in `table.rows`.
            rows.sort_by_key(|row| row[2]);
            wanted.extend(expected(rows));
        }
        let got = subject.replay.table();
        assert_same(&got, &shown(groups, &wanted), &format!("{what} {appends} {seed}"));
    }
}

#[test]
fn rows_in_another_order_are_updated_when_others_come_before_them() {
    let frames: [&[OverFrame]; 5] = [
        &[OverFrame::RangeUnbounded],
        &[OverFrame::RowsUnbounded],
        &[OverFrame::Rows { preceding: 1 }],
        &[OverFrame::Rows { preceding: 3 }, OverFrame::RowsUnbounded],
        &[OverFrame::RangeUnbounded, OverFrame::Rows { preceding: 0 }],
    ];
    for frames in frames {
        let group = |frame: &OverFrame| OverGroup { frame: *frame, aggregates: calls() };
        let groups: Vec<OverGroup> = frames.iter().map(group).collect();
        let by = |row: &Values| row[2].map_or(i64::MIN / 2, |value| value);
        check_order(&groups, |rows| expected(rows, by, &groups), &format!("{frames:?}"));
    }
}

#[test]
fn rows_in_another_order_are_numbered() {
    let numbers = [F::RowNumber, F::Rank, F::DenseRank].map(|function| call(function, None, false));
    let lag = call(F::Lag, Some(3), false);
    // With and without a frame that looks back.
    for looks_back in [false, true] {
        let mut aggregates = numbers.to_vec();
        aggregates.extend(looks_back.then(|| lag.clone()));
        let groups = [OverGroup { frame: OverFrame::RowsUnbounded, aggregates }];
        let expected = |rows: &[Values]| -> Vec<Values> {
            let number = |(index, row): (usize, &Values)| {
                let first = rows.partition_point(|other| other[2] < row[2]);
                let mut smaller: Vec<_> = rows[..first].iter().map(|other| other[2]).collect();
                smaller.dedup();
                let numbers = [index + 1, first + 1, smaller.len() + 1].map(|n| Some(n as i64));
                let before = index.checked_sub(1).and_then(|before| rows[before][3]);
                row.iter().copied().chain(numbers).chain(looks_back.then_some(before)).collect()
            };
            rows.iter().enumerate().map(number).collect()
        };
        check_order(&groups, expected, if looks_back { "numbers, LAG" } else { "numbers" });
    }
}

#[test]
fn what_cannot_be_computed_is_refused() {
    let plan = |frame, order, function| {
        let groups = vec![OverGroup { frame, aggregates: vec![call(function, Some(2), false)] }];
        Plan { keys: vec![0], order, groups }
    };
    let refused = |plan: &Plan| {
        let below = node(PlanOperator::Union, input(), ChangelogMode::APPEND, None);
        let operator_node = PlanOperator::OverAggregate(plan.clone());
        let node = node(operator_node, output(&plan.groups), ChangelogMode::APPEND, None);
        operator(plan, &node, &[&below], &PlanSettings::default()).err().map(|e| e.to_string())
    };
    let event = || OverOrder::Event { column: 1 };
    let lead = refused(&plan(OverFrame::RowsUnbounded, event(), F::Lead)).unwrap();
    assert!(lead.contains("LEAD"), "{lead}");
    let keys = vec![SortKey { column: 2, descending: true, nulls_first: false }];
    let columns = OverOrder::Columns { keys };
    let range = refused(&plan(OverFrame::Range { preceding: 3 }, columns, F::Sum)).unwrap();
    assert!(range.contains("RANGE"), "{range}");
}
