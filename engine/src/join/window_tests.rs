//! Window joins and temporal joins against enumeration.

use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::Operator as PlanOperator;
use tidegate_plan::operator::{JoinKind, JoinOn, TemporalJoin as TemporalPlan, WindowJoin as Plan};
use tidegate_plan::{ChangelogMode, Node, PlanSettings, RowKind};
use tidegate_types::{Field, KeyGroupRange, MAX_WATERMARK, MIN_WATERMARK, TypeKind};

use super::snapshot::TABLES;
use super::tests::{KINDS, Values, at_most, nested_loops, node};
use super::{TemporalJoin, WindowJoin};
use crate::element::Changes;
use crate::operator::{Operator, Output};
use crate::testing::{GROUPS, Random, Replay, Row, Subject, changes, context, rows_of};
use crate::window::WindowZone;

const SIZE: i64 = 20;

/// Key, value, and columns of times.
fn input(times: &[&str]) -> Node {
    let mut node = node(PlanOperator::Union, &["k", "v"], ChangelogMode::APPEND);
    let times = times.iter().map(|name| Field::new(*name, TypeKind::timestamp(3).nullable()));
    node.schema.extend(times);
    node
}

fn output(kind: JoinKind, input: &Node) -> Node {
    let mut node = input.clone();
    if kind.has_right_columns() {
        node.schema.extend(input.schema.clone());
    }
    node
}

fn texts(node: &Node, rows: Vec<Values>) -> Vec<Row> {
    let rows: Vec<_> = rows.into_iter().map(|row| (RowKind::Insert, row)).collect();
    let mut rows = rows_of(&changes(&arrow_schema(&node.schema), &rows).rows);
    rows.sort();
    rows
}

fn plan(kind: JoinKind, condition: bool, event: bool) -> Plan {
    let on = JoinOn {
        left_keys: vec![0],
        right_keys: vec![0],
        null_safe: vec![false],
        condition: condition.then(|| at_most(1, 5)),
    };
    Plan { kind, on, starts: [2, 2], ends: [3, 3], event }
}

fn expected(kind: JoinKind, tables: &[Vec<Values>; 2], condition: bool) -> Vec<Values> {
    let fits = |a: &Values, b: &Values| {
        let holds = matches!((a[1], b[1]), (Some(a), Some(b)) if a <= b);
        a[0].is_some() && a[0] == b[0] && a[2..] == b[2..] && (!condition || holds)
    };
    nested_loops(kind, tables, fits)
}

fn in_window(random: &mut Random, time: i64) -> Values {
    let start = time - time.rem_euclid(SIZE);
    vec![random.value(3, 12), random.value(2, 10), Some(start), Some(start + SIZE)]
}

#[test]
fn window_joins_equal_nested_loops_and_drop_late_rows() {
    for seed in 0..120 {
        let mut random = Random(seed);
        let (kind, condition) = (KINDS[seed as usize % 6], random.below(2) == 0);
        let (plan, input) = (plan(kind, condition, true), input(&["s", "e"]));
        let output = output(kind, &input);
        let settings = PlanSettings::default();
        let make = || -> Box<dyn Operator> {
            let inputs = [&input, &input];
            let zone = WindowZone::Unzoned;
            Box::new(WindowJoin::new(&plan, &output, &inputs, &settings, zone).unwrap())
        };
        let replay = Replay::new(ChangelogMode::APPEND, None);
        let mut subject = Subject::new(make, vec![Some(vec![0]); 2], &TABLES, replay);
        let schema = arrow_schema(&input.schema);
        let mut tables = [Vec::new(), Vec::new()];
        let (mut watermark, mut now) = (-1_000, 0);
        for _ in 0..60 {
            now += random.below(12) as i64;
            let side = random.below(2) as usize;
            let mut rows = Vec::new();
            for _ in 0..random.below(10) {
                let time = now - random.below(50) as i64;
                let row = in_window(&mut random, time);
                if row[3].is_some_and(|end| end - 1 > watermark) {
                    tables[side].push(row.clone());
                }
                rows.push((RowKind::Insert, row));
            }
            subject.feed(side, &changes(&schema, &rows));
            if random.below(2) == 0 {
                watermark = watermark.max(now - random.below(40) as i64);
                subject.watermark(watermark);
            }
            subject.disturb(&mut random);
        }
        subject.watermark(MAX_WATERMARK);
        let expected = texts(&output, expected(kind, &tables, condition));
        assert_eq!(subject.replay.table(), expected, "seed {seed} {kind:?}");
    }
}

#[test]
fn window_joins_by_the_clock_come_out_when_the_window_is_over() {
    for seed in 0..60 {
        let mut random = Random(seed + 300);
        let kind = KINDS[seed as usize % 6];
        let (plan, input) = (plan(kind, false, false), input(&["s", "e"]));
        let output = output(kind, &input);
        let settings = PlanSettings::default();
        let make = || -> Box<dyn Operator> {
            let inputs = [&input, &input];
            let zone = WindowZone::Unzoned;
            Box::new(WindowJoin::new(&plan, &output, &inputs, &settings, zone).unwrap())
        };
        let replay = Replay::new(ChangelogMode::APPEND, None);
        let names = &["left", "right", "fired"];
        let mut subject = Subject::new(make, vec![Some(vec![0]); 2], names, replay);
        let schema = arrow_schema(&input.schema);
        let mut tables = [Vec::new(), Vec::new()];
        for _ in 0..60 {
            subject.advance(random.below(12) as i64);
            let side = random.below(2) as usize;
            let rows: Vec<Values> =
                (0..random.below(10)).map(|_| in_window(&mut random, subject.now)).collect();
            let batch: Vec<_> = rows.iter().map(|row| (RowKind::Insert, row.clone())).collect();
            subject.feed(side, &changes(&schema, &batch));
            tables[side].extend(rows);
            subject.disturb(&mut random);
        }
        subject.advance(1_000);
        let expected = texts(&output, expected(kind, &tables, false));
        assert_eq!(subject.replay.table(), expected, "seed {seed} {kind:?}");
    }
}

#[test]
fn late_rows_of_a_window_join_are_counted() {
    let (plan, input) = (plan(JoinKind::Inner, false, true), input(&["s", "e"]));
    let output = output(JoinKind::Inner, &input);
    let inputs = [&input, &input];
    let settings = PlanSettings::default();
    let zone = WindowZone::Unzoned;
    let mut join = WindowJoin::new(&plan, &output, &inputs, &settings, zone).unwrap();
    let context = context(KeyGroupRange::all(GROUPS), MIN_WATERMARK);
    join.open(&context).unwrap();
    let mut out = Output::new(0);
    join.watermark(SIZE - 1, &mut out).unwrap();
    let schema = arrow_schema(&input.schema);
    let row = |start| (RowKind::Insert, vec![Some(1), None, Some(start), Some(start + SIZE)]);
    join.process(0, changes(&schema, &[row(0), row(SIZE)]), &mut out).unwrap();
    assert_eq!(context.metrics.late_records.get(), 1);
}

/// A version: key, value, when it begins; no value: deleted.
type Version = (i64, Option<i64>, i64);

fn temporal(condition: bool, kind: JoinKind) -> TemporalPlan {
    let mut on = plan(kind, false, true).on;
    on.condition = condition.then(|| at_most(1, 4));
    TemporalPlan { kind, on, times: [2, 2] }
}

fn valid(versions: &[Version], key: i64, time: i64) -> Option<&Version> {
    let begun = versions.iter().enumerate().filter(|(_, v)| v.0 == key && v.2 <= time);
    let last = begun.max_by_key(|(arrival, version)| (version.2, *arrival));
    last.map(|(_, version)| version).filter(|version| version.1.is_some())
}

fn joined(left: &[Values], versions: &[Version], kind: JoinKind, condition: bool) -> Vec<Values> {
    let mut rows = Vec::new();
    for row in left {
        let version = row[0].zip(row[2]).and_then(|(key, time)| valid(versions, key, time));
        let holds = |version: &&Version| {
            !condition || matches!((row[1], version.1), (Some(a), Some(b)) if a <= b)
        };
        let right = match version.filter(holds) {
            Some((key, value, time)) => vec![Some(*key), *value, Some(*time)],
            None if kind == JoinKind::Left => vec![None; 3],
            None => continue,
        };
        rows.push([row.as_slice(), &right].concat());
    }
    rows
}

#[test]
fn temporal_joins_find_the_version_of_the_time() {
    for seed in 0..150 {
        let mut random = Random(seed + 700);
        let kind = *random.pick(&[JoinKind::Inner, JoinKind::Left]);
        let condition = random.below(2) == 0;
        let (plan, left) = (temporal(condition, kind), input(&["t"]));
        let mut right = input(&["t"]);
        right.changelog = *random.pick(&[ChangelogMode::UPSERT, ChangelogMode::RETRACT]);
        let output = output(kind, &left);
        let settings = PlanSettings::default();
        let make = || -> Box<dyn Operator> {
            Box::new(TemporalJoin::new(&plan, &output, &[&left, &right], &settings).unwrap())
        };
        let replay = Replay::new(ChangelogMode::APPEND, None);
        let mut subject = Subject::new(make, vec![Some(vec![0]); 2], &TABLES, replay);
        let schema = arrow_schema(&left.schema);
        let (mut rows, mut versions) = (Vec::new(), Vec::new());
        let (mut watermark, mut now) = (-1_000, 0);
        for _ in 0..80 {
            now += random.below(12) as i64;
            let mut batch = Vec::new();
            let side = random.below(2);
            for _ in 0..random.below(10) {
                let time = (watermark + 1).max(now - random.below(40) as i64);
                if side == 0 {
                    let row = vec![random.value(3, 12), random.value(2, 10), Some(time)];
                    rows.push(row.clone());
                    batch.push((RowKind::Insert, row));
                    continue;
                }
                let (key, value) = (random.below(7) as i64 - 3, random.below(5) as i64 - 2);
                let deleted = random.below(4) == 0;
                if right.changelog == ChangelogMode::RETRACT && random.below(2) == 0 {
                    // The old content of something says nothing.
                    batch.push((RowKind::UpdateBefore, vec![Some(key), Some(9), Some(time)]));
                }
                let kind = if deleted { RowKind::Delete } else { RowKind::UpdateAfter };
                batch.push((kind, vec![Some(key), Some(value), Some(time)]));
                versions.push((key, (!deleted).then_some(value), time));
            }
            if !batch.is_empty() {
                subject.feed(side as usize, &changes(&schema, &batch));
            }
            if random.below(2) == 0 {
                watermark = watermark.max(now - random.below(40) as i64);
                subject.watermark(watermark);
            }
            subject.disturb(&mut random);
        }
        subject.watermark(MAX_WATERMARK - 1);
        let expected = texts(&output, joined(&rows, &versions, kind, condition));
        assert_eq!(subject.replay.table(), expected, "seed {seed} {kind:?}");
    }
}

#[test]
fn one_version_of_a_key_is_kept_behind_the_watermark() {
    let (plan, input) = (temporal(false, JoinKind::Inner), input(&["t"]));
    let output = output(JoinKind::Inner, &input);
    let settings = PlanSettings::default();
    let mut join = TemporalJoin::new(&plan, &output, &[&input, &input], &settings).unwrap();
    join.open(&context(KeyGroupRange::all(GROUPS), MIN_WATERMARK)).unwrap();
    let schema = arrow_schema(&input.schema);
    let mut out = Output::new(0);
    let version = |kind, key, time| (kind, vec![Some(key), Some(time), Some(time)]);
    let rows: Vec<_> = (0..50).map(|time| version(RowKind::Insert, time % 2, time)).collect();
    join.process(1, changes(&schema, &rows), &mut out).unwrap();
    let deleted = [version(RowKind::Delete, 1, 60)];
    join.process(1, changes(&schema, &deleted), &mut out).unwrap();
    for (watermark, kept) in [(44, 8), (59, 3), (60, 1)] {
        join.watermark(watermark, &mut out).unwrap();
        while join.drain(&mut out).unwrap() == crate::operator::Progress::More {}
        assert_eq!(join.versions(), kept, "at {watermark}");
    }
    let late = [(RowKind::Insert, vec![Some(0), None, Some(70)])];
    join.process(0, changes(&schema, &late), &mut out).unwrap();
    join.watermark(70, &mut out).unwrap();
    while join.drain(&mut out).unwrap() == crate::operator::Progress::More {}
    let rows: usize = out.take().iter().map(Changes::len).sum();
    assert_eq!(rows, 1);
}
