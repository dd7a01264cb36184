//! Joins that forget by time, against nested loops over everything that came in time.

use arrow::array::AsArray;
use arrow::datatypes::{SchemaRef, TimestampMillisecondType};
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::Operator as PlanOperator;
use tidegate_plan::operator::{IntervalJoin as IntervalPlan, Join as Plan, JoinKind, JoinOn};
use tidegate_plan::{ChangelogMode, Expr, Node, PlanSettings, RowKind};
use tidegate_types::{Field, KeyGroupRange, MAX_WATERMARK, MIN_WATERMARK, TypeKind};

use super::snapshot::TABLES;
use super::tests::{KINDS, Values, at_most, nested_loops, node};
use super::{IntervalJoin, Join};
use crate::element::Changes;
use crate::operator::{Operator, Output, Progress, delayed};
use crate::testing::{GROUPS, Random, Replay, Row, Subject, changes, context, rows_of};

/// Key, value, time.
fn input() -> Node {
    let mut node = node(PlanOperator::Union, &["k", "v"], ChangelogMode::APPEND);
    node.schema.push(Field::new("t", TypeKind::timestamp(3).nullable()));
    node
}

fn output(kind: JoinKind, changelog: ChangelogMode) -> Node {
    let mut node = input();
    if kind.has_right_columns() {
        node.schema.extend(input().schema);
    }
    node.changelog = changelog;
    node
}

fn texts(node: &Node, rows: Vec<Values>) -> Vec<Row> {
    let rows: Vec<_> = rows.into_iter().map(|row| (RowKind::Insert, row)).collect();
    let mut rows = rows_of(&changes(&arrow_schema(&node.schema), &rows).rows);
    rows.sort();
    rows
}

fn on(condition: bool) -> JoinOn {
    JoinOn {
        left_keys: vec![0],
        right_keys: vec![0],
        null_safe: vec![false],
        condition: condition.then(|| at_most(1, 4)),
    }
}

/// Rows of one input that are not late: times from behind the watermark on.
fn in_time(random: &mut Random, watermark: i64, now: i64) -> Vec<Values> {
    (0..random.below(10))
        .map(|_| {
            let time = (watermark + 1).max(now - random.below(40) as i64);
            vec![random.value(3, 12), random.value(2, 10), Some(time)]
        })
        .collect()
}

fn fits(condition: bool, close: impl Fn(i64, i64) -> bool) -> impl Fn(&Values, &Values) -> bool {
    move |a: &Values, b: &Values| {
        let holds = matches!((a[1], b[1]), (Some(a), Some(b)) if a <= b);
        let near = matches!((a[2], b[2]), (Some(a), Some(b)) if close(a, b));
        a[0].is_some() && a[0] == b[0] && near && (!condition || holds)
    }
}

fn rows_batch(schema: &SchemaRef, rows: &[Values]) -> Changes {
    let rows: Vec<_> = rows.iter().map(|row| (RowKind::Insert, row.clone())).collect();
    changes(schema, &rows)
}

#[test]
fn interval_joins_equal_nested_loops_over_rows_in_time() {
    for seed in 0..180 {
        let mut random = Random(seed);
        let kind = KINDS[seed as usize % 6];
        let (lower, upper) = (random.below(60) as i64 - 30, random.below(60) as i64 - 20);
        let condition = random.below(2) == 0;
        let plan = IntervalPlan { kind, on: on(condition), times: Some([2, 2]), lower, upper };
        let (input, output) = (input(), output(kind, ChangelogMode::APPEND));
        let settings = PlanSettings::default();
        let make = || -> Box<dyn Operator> {
            Box::new(IntervalJoin::new(&plan, &output, &[&input, &input], &settings).unwrap())
        };
        let replay = Replay::new(ChangelogMode::APPEND, None);
        let mut subject = Subject::new(make, vec![Some(vec![0]); 2], &TABLES, replay);
        let schema = arrow_schema(&input.schema);
        let mut tables = [Vec::new(), Vec::new()];
        let (mut watermark, mut now) = (-1_000, 0);
        for _ in 0..60 {
            now += random.below(12) as i64;
            let side = random.below(2) as usize;
            let rows = in_time(&mut random, watermark, now);
            subject.feed(side, &rows_batch(&schema, &rows));
            tables[side].extend(rows);
            if random.below(2) == 0 {
                watermark = watermark.max(now - random.below(40) as i64);
                subject.watermark(watermark);
            }
            subject.disturb(&mut random);
        }
        subject.watermark(MAX_WATERMARK);
        let close = |a: i64, b: i64| b + lower <= a && a <= b + upper;
        let expected = nested_loops(kind, &tables, fits(condition, close));
        assert_eq!(subject.replay.table(), texts(&output, expected), "seed {seed} {kind:?}");
        assert!(subject.state_bytes() < 200_000, "seed {seed}: {}", subject.state_bytes());
    }
}

/// Times of an output row, of both sides.
fn times_of(changes: &Changes) -> Vec<i64> {
    let times = changes.rows.columns().iter().filter_map(|column| {
        let times = column.as_primitive_opt::<TimestampMillisecondType>()?;
        Some(times.iter().flatten().collect::<Vec<_>>())
    });
    times.flatten().collect()
}

#[test]
fn no_output_row_of_rows_in_time_is_late() {
    for seed in 0..60 {
        let mut random = Random(seed + 500);
        let kind = KINDS[seed as usize % 6];
        let (lower, upper) = (random.below(60) as i64 - 40, random.below(60) as i64 - 20);
        let plan = IntervalPlan { kind, on: on(false), times: Some([2, 2]), lower, upper };
        let (input, output) = (input(), output(kind, ChangelogMode::APPEND));
        let settings = PlanSettings::default();
        let mut join = IntervalJoin::new(&plan, &output, &[&input, &input], &settings).unwrap();
        join.open(&context(KeyGroupRange::all(GROUPS), MIN_WATERMARK)).unwrap();
        let schema = arrow_schema(&input.schema);
        let (mut watermark, mut now, mut forwarded) = (-1_000, 0, MIN_WATERMARK);
        for _ in 0..60 {
            now += random.below(12) as i64;
            let rows = in_time(&mut random, watermark, now);
            let mut out = Output::new(0);
            join.process(random.below(2) as usize, rows_batch(&schema, &rows), &mut out).unwrap();
            watermark = watermark.max(now - random.below(40) as i64);
            while join.is_pending() {
                join.drain(&mut out).unwrap();
            }
            join.watermark(watermark, &mut out).unwrap();
            while join.drain(&mut out).unwrap() == Progress::More {}
            for changes in out.take() {
                assert!(times_of(&changes).iter().all(|time| *time > forwarded), "seed {seed}");
            }
            forwarded = delayed(watermark, join.watermark_delay());
        }
    }
}

#[test]
fn interval_joins_by_the_clock_pair_what_arrives_within_the_interval() {
    for seed in 0..120 {
        let mut random = Random(seed + 900);
        let kind = KINDS[seed as usize % 6];
        let (lower, upper) = (-(random.below(30) as i64), random.below(30) as i64);
        let plan = IntervalPlan { kind, on: on(false), times: None, lower, upper };
        let (input, output) = (input(), output(kind, ChangelogMode::APPEND));
        let settings = PlanSettings::default();
        let make = || -> Box<dyn Operator> {
            Box::new(IntervalJoin::new(&plan, &output, &[&input, &input], &settings).unwrap())
        };
        let replay = Replay::new(ChangelogMode::APPEND, None);
        let mut subject = Subject::new(make, vec![Some(vec![0]); 2], &TABLES, replay);
        let schema = arrow_schema(&input.schema);
        let mut tables = [Vec::new(), Vec::new()];
        for _ in 0..60 {
            subject.advance(random.below(12) as i64);
            let side = random.below(2) as usize;
            let mut rows = in_time(&mut random, 0, 1_000);
            rows.iter_mut().for_each(|row| row[2] = Some(subject.now));
            subject.feed(side, &rows_batch(&schema, &rows));
            tables[side].extend(rows);
            subject.disturb(&mut random);
        }
        subject.advance(1_000);
        let close = |a: i64, b: i64| b + lower <= a && a <= b + upper;
        let expected = nested_loops(kind, &tables, fits(false, close));
        assert_eq!(subject.replay.table(), texts(&output, expected), "seed {seed} {kind:?}");
    }
}

fn time_column() -> Expr {
    Expr::Column { index: 2, ty: TypeKind::timestamp(3).nullable() }
}

#[test]
fn regular_joins_forget_what_no_row_in_time_can_match() {
    for seed in 0..120 {
        let mut random = Random(seed + 1_500);
        let kind = KINDS[seed as usize % 6];
        // Partners have the same time: a row's own time is its expiry.
        let mut condition = on(false);
        condition.left_keys = vec![0, 2];
        condition.right_keys = vec![0, 2];
        condition.null_safe = vec![false; 2];
        let expiry = [Some(time_column()), (seed % 3 > 0).then(time_column)];
        let plan = Plan { kind, on: condition, expiry };
        let append = matches!(kind, JoinKind::Inner | JoinKind::Semi);
        let mode = if append { ChangelogMode::APPEND } else { ChangelogMode::RETRACT };
        let (input, output) = (input(), output(kind, mode));
        let settings = PlanSettings::default();
        let make = || -> Box<dyn Operator> {
            Box::new(Join::new(&plan, &output, &[&input, &input], &settings).unwrap())
        };
        let routes = vec![Some(vec![0, 2]); 2];
        let mut subject = Subject::new(make, routes, &TABLES, Replay::new(mode, None));
        let schema = arrow_schema(&input.schema);
        let mut tables = [Vec::new(), Vec::new()];
        let (mut watermark, mut now) = (-1_000, 0);
        for _ in 0..60 {
            now += random.below(6) as i64;
            let side = random.below(2) as usize;
            let rows = in_time(&mut random, watermark, now);
            subject.feed(side, &rows_batch(&schema, &rows));
            tables[side].extend(rows);
            watermark = watermark.max(now - random.below(40) as i64);
            subject.watermark(watermark);
            let expected = nested_loops(kind, &tables, fits(false, |a, b| a == b));
            assert_eq!(subject.replay.table(), texts(&output, expected), "seed {seed} {kind:?}");
            subject.disturb(&mut random);
        }
    }
}

#[test]
fn unused_rows_are_forgotten_by_the_clock() {
    let plan = Plan { kind: JoinKind::Inner, on: on(false), expiry: [None, None] };
    let input = input();
    let mut output = output(JoinKind::Inner, ChangelogMode::APPEND);
    output.state_ttl_ms = vec![1_000, 0];
    let mut join = Join::new(&plan, &output, &[&input, &input], &PlanSettings::default()).unwrap();
    join.open(&context(KeyGroupRange::all(GROUPS), MIN_WATERMARK)).unwrap();
    let schema = arrow_schema(&input.schema);
    let mut partners = |side: usize, key: i64, now: i64| -> usize {
        let mut out = Output::new(now);
        if join.next_timer().is_some_and(|at| at <= now) {
            join.timer(&mut out).unwrap();
        }
        let rows = [vec![Some(key), Some(0), Some(0)]];
        join.process(side, rows_batch(&schema, &rows), &mut out).unwrap();
        out.take().iter().map(Changes::len).sum()
    };
    assert_eq!(partners(0, 1, 0), 0);
    assert_eq!(partners(0, 1, 900), 0);
    assert_eq!(partners(1, 1, 950), 2);
    assert_eq!(partners(1, 1, 1_100), 1, "the first row of the left is gone");
    assert_eq!(partners(1, 1, 3_000), 0);
    assert_eq!(partners(0, 1, 9_000), 3, "rows of the right stay");
}
