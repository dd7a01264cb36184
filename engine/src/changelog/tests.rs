//! Upsert streams completed, and rows materialized by a sink's key, against models; with checkpoints and
//! restores in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringViewArray};

use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::{
    ChangeCode, ChangelogNormalize as Normalize, FromChangelog as FromPlan,
    Operator as PlanOperator, ToChangelog as ToPlan, UpsertMaterialize as Materialize,
};
use tidegate_plan::{ChangelogMode, PlanSettings, Schema, Updates};
use tidegate_types::TypeKind;

use super::*;
use crate::testing::{Random, Replay, Row, Subject, Table, changes, ints, node, rows_of, schema};

/// A batch of a number and a text.
fn coded(rows: &[(i64, Option<&str>)]) -> RecordBatch {
    let schema = arrow_schema(&schema(&[TypeKind::BigInt.nullable(), TypeKind::STRING.nullable()]));
    let numbers = rows.iter().map(|(number, _)| *number).collect::<Int64Array>();
    let codes = rows.iter().map(|(_, code)| *code).collect::<StringViewArray>();
    RecordBatch::try_new(schema, vec![Arc::new(numbers), Arc::new(codes)]).unwrap()
}

fn codes(all: &[(&str, RowKind)]) -> Vec<ChangeCode> {
    all.iter().map(|(code, kind)| ChangeCode { code: (*code).to_owned(), kind: *kind }).collect()
}

fn rows_from(all: &[(&str, RowKind)], rows: &[(i64, Option<&str>)]) -> Result<Vec<Changes>> {
    let types = [TypeKind::BigInt.nullable(), TypeKind::STRING.nullable()];
    let below = node(PlanOperator::Union, schema(&types), ChangelogMode::APPEND, None);
    let plan = FromPlan { column: 1, codes: codes(all) };
    let operator = PlanOperator::FromChangelog(plan.clone());
    let node = node(operator, schema(&types[..1]), ChangelogMode::RETRACT, None);
    let mut out = Output::new(0);
    let mut from = FromChangelog::new(&plan, &node, &[&below])?;
    from.process(0, Changes::append(coded(rows)), &mut out)?;
    Ok(out.take())
}

#[test]
fn changes_become_rows_with_a_code() {
    let number = || TypeKind::BigInt.nullable();
    let log = [
        (RowKind::Insert, vec![Some(1)]),
        (RowKind::UpdateBefore, vec![Some(1)]),
        (RowKind::UpdateAfter, vec![None]),
        (RowKind::Delete, vec![Some(4)]),
    ];
    let plan = ToPlan {
        codes: codes(&[
            ("put", RowKind::UpdateAfter),
            ("", RowKind::Delete),
            ("put", RowKind::Insert),
        ]),
    };
    let operator = PlanOperator::ToChangelog(plan.clone());
    let node = node(
        operator,
        schema(&[TypeKind::STRING.nullable(), number()]),
        ChangelogMode::APPEND,
        None,
    );
    let mut to = ToChangelog::new(&plan, &node);
    let stored = arrow_schema(&schema(&[number()]));
    let mut rows = |log: &[(RowKind, Vec<Option<i64>>)]| {
        let mut out = Output::new(0);
        to.process(0, changes(&stored, log), &mut out).unwrap();
        let batches = out.take();
        assert!(batches.iter().all(|changes| changes.kinds.is_none()));
        batches.iter().flat_map(|changes| rows_of(&changes.rows)).collect::<Vec<_>>()
    };
    let row =
        |code: &str, value: Option<&str>| vec![Some(code.to_owned()), value.map(str::to_owned)];
    assert_eq!(rows(&log), [row("put", Some("1")), row("put", None), row("", Some("4"))]);
    // Rows that are all inserted carry no kinds; where none has a code nothing comes out.
    assert_eq!(rows(&log[..1]), [row("put", Some("1"))]);
    assert_eq!(rows(&log[1..2]), [] as [Row; 0]);
}

#[test]
fn rows_become_the_changes_that_their_codes_say() {
    let known = [("c", RowKind::Insert), ("r", RowKind::Insert), ("", RowKind::Delete)];
    let batches =
        rows_from(&known, &[(1, Some("c")), (2, Some("r")), (2, Some("")), (3, Some("c"))])
            .unwrap();
    let [batch] = &batches[..] else { panic!("{batches:?}") };
    assert_eq!(batch.kinds.as_ref().unwrap().values().to_vec(), [0, 0, 3, 0]);
    assert_eq!(rows_of(&batch.rows).concat().into_iter().flatten().collect::<String>(), "1223");
}

#[test]
fn a_row_that_says_no_known_change_fails_by_name() {
    let known = [("c", RowKind::Insert), ("d", RowKind::Delete)];
    let error = rows_from(&known, &[(1, Some("c")), (2, Some("x"))]).unwrap_err().to_string();
    assert!(
        error.contains("invalid op code 'x' in column 'c1'; defined op codes are: [c, d]"),
        "{error}"
    );
    let error = rows_from(&known, &[(1, None)]).unwrap_err().to_string();
    assert!(error.contains("the op code in column 'c1' is NULL"), "{error}");
}

fn input() -> Schema {
    schema(&[TypeKind::BigInt.nullable(), TypeKind::BigInt.nullable(), TypeKind::STRING.nullable()])
}

fn normalize<'a>(updates: Updates, ttl_ms: u64, each_change: bool) -> Subject<'a> {
    let plan = Normalize { keys: vec![0], each_change };
    let below = node(PlanOperator::Union, input(), ChangelogMode::UPSERT, None);
    let mode = ChangelogMode { updates, deletes: true };
    let operator = PlanOperator::ChangelogNormalize(plan.clone());
    let mut node = node(operator, input(), mode, Some(vec![0]));
    node.state_ttl_ms = vec![ttl_ms];
    let make = move || -> Box<dyn Operator> {
        let settings = PlanSettings::default();
        Box::new(ChangelogNormalize::new(&plan, &node, &[&below], &settings).unwrap())
    };
    Subject::new(make, vec![Some(vec![0])], &["rows"], Replay::new(mode, Some(vec![0])))
}

#[test]
fn an_upsert_stream_is_completed() {
    let stored = arrow_schema(&input());
    for updates in [Updates::BeforeAndAfter, Updates::After] {
        for seed in 0..50 {
            let each_change = seed % 2 == 1;
            let mut random = Random(seed);
            let mut subject = normalize(updates, 0, each_change);
            let mut model: BTreeMap<Option<i64>, Row> = BTreeMap::new();
            let mut versions = 0;
            for _ in 0..60 {
                let log: Vec<_> = (0..1 + random.below(10))
                    .map(|_| {
                        let key = random.value(8, 12);
                        let row = vec![key, random.value(2, 6), random.value(1, 6)];
                        // Upserts and deletes of keys that are there or not, as sources send them.
                        let kinds = [RowKind::Insert, RowKind::UpdateAfter, RowKind::Delete];
                        let kind = *random.pick(&kinds);
                        versions += match kind {
                            RowKind::Delete => usize::from(model.remove(&key).is_some()),
                            _ => {
                                let new = ints(&row);
                                usize::from(model.insert(key, new.clone()) != Some(new))
                            }
                        };
                        (kind, row)
                    })
                    .collect();
                subject.feed(0, &changes(&stored, &log));
                subject.disturb(&mut random);
                let mut expected: Vec<Row> = model.values().cloned().collect();
                expected.sort();
                assert_eq!(subject.replay.table(), expected, "seed {seed}");
            }
            let [inserted, _, updated, deleted] = subject.replay.seen;
            let seen = inserted + updated + deleted;
            assert!(seen <= versions && (!each_change || seen == versions), "seed {seed}");
        }
    }
}

#[test]
fn what_changes_nothing_is_dropped() {
    let stored = arrow_schema(&input());
    let row = |kind, value| (kind, vec![Some(1), Some(value), None]);
    let mut subject = normalize(Updates::BeforeAndAfter, 0, false);
    subject.feed(0, &changes(&stored, &[row(RowKind::Delete, 1)]));
    subject.feed(0, &changes(&stored, &[row(RowKind::UpdateAfter, 1)]));
    subject.feed(0, &changes(&stored, &[row(RowKind::Insert, 1)]));
    subject.feed(0, &changes(&stored, &[row(RowKind::Insert, 2), row(RowKind::Insert, 1)]));
    assert_eq!(subject.replay.seen, [1, 0, 0, 0]);
    // The content of a delete may be the key alone; what is emitted is the row that goes.
    subject.feed(0, &changes(&stored, &[row(RowKind::Delete, 9)]));
    assert_eq!(subject.replay.seen, [1, 0, 0, 1]);
}

fn materialize<'a>(input_key: Option<Vec<usize>>) -> Subject<'a> {
    let plan = Materialize { keys: vec![1] };
    let mut below = node(PlanOperator::Union, input(), ChangelogMode::RETRACT, None);
    below.upsert_key = input_key;
    let operator = PlanOperator::UpsertMaterialize(plan.clone());
    let node = node(operator, input(), ChangelogMode::UPSERT, Some(vec![1]));
    let make = move || -> Box<dyn Operator> {
        let settings = PlanSettings::default();
        Box::new(UpsertMaterialize::new(&plan, &node, &[&below], &settings).unwrap())
    };
    let replay = Replay::new(ChangelogMode::UPSERT, Some(vec![1]));
    Subject::new(make, vec![Some(vec![1])], &["rows"], replay)
}

#[test]
fn a_sink_has_the_last_row_added_of_those_of_its_key() {
    let stored = arrow_schema(&input());
    for seed in 0..40 {
        let mut random = Random(seed);
        let keyed = seed % 2 == 0;
        let mut subject = materialize(keyed.then(|| vec![0]));
        let mut table =
            Table::new(vec![(if keyed { 30 } else { 3 }, u64::MAX), (3, 9), (1, 5)], false);
        if keyed {
            table = table.with_key(1);
        }
        for _ in 0..60 {
            let count = 1 + random.below(8);
            let log = table.change(count, &mut random);
            subject.feed(0, &changes(&stored, &log));
            subject.disturb(&mut random);
            let mut last: BTreeMap<Option<i64>, Row> = BTreeMap::new();
            table.rows.iter().for_each(|row| drop(last.insert(row[1], ints(row))));
            let mut expected: Vec<Row> = last.into_values().collect();
            expected.sort();
            assert_eq!(subject.replay.table(), expected, "seed {seed}");
        }
    }
}

#[test]
fn a_row_may_be_taken_back_after_its_successor_came() {
    let stored = arrow_schema(&input());
    let mut subject = materialize(None);
    let row = |kind, id, text| (kind, vec![Some(id), Some(1), Some(text)]);
    subject.feed(0, &changes(&stored, &[row(RowKind::Insert, 1, 1)]));
    subject.feed(0, &changes(&stored, &[row(RowKind::UpdateAfter, 2, 2)]));
    subject.feed(0, &changes(&stored, &[row(RowKind::UpdateBefore, 1, 1)]));
    assert_eq!(
        (subject.replay.table(), subject.replay.seen),
        (vec![ints(&[Some(2), Some(1), Some(2)])], [1, 0, 1, 0])
    );
    subject.feed(0, &changes(&stored, &[row(RowKind::Delete, 2, 2)]));
    assert_eq!(subject.replay.table(), [] as [Row; 0]);
}

#[test]
fn old_rows_of_updates_are_dropped() {
    let stored = arrow_schema(&input());
    let row = |kind| (kind, vec![Some(1), Some(2), None]);
    let log = [RowKind::Insert, RowKind::UpdateBefore, RowKind::UpdateAfter, RowKind::Delete];
    let mut out = Output::new(0);
    DropUpdateBefore.process(0, changes(&stored, &log.map(row)), &mut out).unwrap();
    let batches = out.take();
    let kinds: Vec<i8> = (0..batches[0].len()).map(|row| batches[0].kind(row)).collect();
    assert_eq!(kinds, [0, 2, 3]);
}
