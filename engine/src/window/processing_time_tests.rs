//! Windows by processing time: what was emitted before a snapshot does not come again after it is
//! restored, though the state's files still hold it.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{Int64Type, TimestampMillisecondType};
use tidegate_plan::operator::{SortKey, WindowAggregate as Plan, WindowRank as RankPlan};
use tidegate_plan::window::{WindowColumn, WindowShape, WindowTime};
use tidegate_plan::{AggregateCall, AggregateFunction};
use tidegate_types::key_group::key_group;
use tidegate_types::{Field, KeyGroupRange, MIN_WATERMARK, TypeKind};

use super::testing::whole_snapshot;
use super::{AggregateInput, SessionAggregate, WindowAggregate, WindowRank, WindowZone};
use crate::element::Changes;
use crate::keys::hash::hash_columns;
use crate::memory::MemoryBudget;
use crate::metrics::OperatorMetrics;
use crate::operator::{
    Operator, OperatorContext, Output, Progress, SnapshotRequest, TableSnapshot,
};
use crate::spill::SpillFolder;

const GROUPS: u16 = 16;

fn operator(shape: &WindowShape, owned: KeyGroupRange) -> Box<dyn Operator> {
    operator_within(shape, owned, MemoryBudget::unlimited())
}

fn operator_within(
    shape: &WindowShape,
    owned: KeyGroupRange,
    memory: Arc<MemoryBudget>,
) -> Box<dyn Operator> {
    let input = vec![Field::new("k", TypeKind::BigInt.nullable())];
    let output = vec![
        Field::new("k", TypeKind::BigInt.nullable()),
        Field::new("n", TypeKind::BigInt.not_null()),
        Field::new("window_end", TypeKind::timestamp(3).not_null()),
    ];
    let count = AggregateCall {
        function: AggregateFunction::Count,
        argument: None,
        parameters: Vec::new(),
        distinct: false,
        filter: None,
        name: "n".into(),
        ty: TypeKind::BigInt.nullable(),
    };
    let plan = Plan {
        shape: shape.clone(),
        time: WindowTime::Processing,
        keys: vec![0],
        aggregates: vec![count],
        columns: vec![WindowColumn::End],
        two_phase: false,
        emit: None,
    };
    let (zone, rows) = (WindowZone::Unzoned, AggregateInput::Rows);
    let mut operator: Box<dyn Operator> = match shape {
        WindowShape::Session { .. } => {
            Box::new(SessionAggregate::new(&plan, &input, &output, zone, rows).unwrap())
        }
        _ => Box::new(WindowAggregate::new(&plan, &input, &output, zone, rows).unwrap()),
    };
    operator.open(&OperatorContext { memory, ..context(owned) }).unwrap();
    operator
}

fn context(owned: KeyGroupRange) -> OperatorContext {
    OperatorContext {
        subtask: 0,
        parallelism: 1,
        key_groups: GROUPS,
        owned,
        watermark: MIN_WATERMARK,
        batch_rows: 100,
        metrics: Arc::new(OperatorMetrics::default()),
        memory: MemoryBudget::unlimited(),
        spill: SpillFolder::new(&std::env::temp_dir()),
    }
}

/// Gives a row of each key at a time.
fn feed(operator: &mut dyn Operator, keys: std::ops::Range<i64>, now: i64) {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(keys));
    let rows = RecordBatch::try_from_iter([("k", column)]).unwrap();
    operator.process(0, Changes::append(rows), &mut Output::new(now)).unwrap();
}

/// What is emitted at a time: `(window_end, key, count)`.
fn fire(operator: &mut dyn Operator, now: i64) -> Vec<(i64, i64, i64)> {
    let mut out = Output::new(now);
    while operator.drain(&mut out).unwrap() == Progress::More {}
    let mut results = Vec::new();
    for changes in out.take() {
        let number = |column: usize| changes.rows.column(column).as_primitive::<Int64Type>();
        let ends = changes.rows.column(2).as_primitive::<TimestampMillisecondType>();
        let rows = 0..changes.rows.num_rows();
        results.extend(rows.map(|r| (ends.value(r), number(0).value(r), number(1).value(r))));
    }
    results.sort_unstable();
    results
}

fn restore(operator: &mut dyn Operator, files: &[TableSnapshot], groups: KeyGroupRange) {
    // By name, as manifests list tables.
    let mut files: Vec<_> = files.iter().collect();
    files.sort_by_key(|file| file.table);
    for file in files {
        let pieces = file.pieces.iter().map(|piece| &piece.entries);
        for entries in [&file.changed].into_iter().chain(pieces) {
            for batch in entries.clone().load().unwrap() {
                operator.restore(file.table, file.version, &batch, groups).unwrap();
            }
        }
    }
}

#[test]
fn what_was_emitted_before_a_snapshot_does_not_come_again() {
    let all = KeyGroupRange::all(GROUPS);
    let changes = SnapshotRequest::default();
    for shape in [
        WindowShape::Tumble { size: 12, offset: 0 },
        WindowShape::Hop { size: 12, slide: 4, offset: 0 },
        WindowShape::Session { gap: 3 },
    ] {
        let mut found = Vec::new();
        for memory in [usize::MAX, 0] {
            let within = || operator_within(&shape, all, MemoryBudget::new(memory));
            let mut first = within();
            let mut files = Vec::new();
            let mut results = Vec::new();
            for now in 0..44 {
                // Pauses, so that sessions end.
                if now % 10 < 5 {
                    feed(first.as_mut(), 0..3, now);
                }
                results.extend(fire(first.as_mut(), now));
                files.extend(whole_snapshot(first.as_mut(), &changes));
            }
            assert_eq!(first.spilled_bytes() > 0, memory == 0, "{shape:?}");
            let mut second = within();
            restore(second.as_mut(), &files, all);
            second.restored().unwrap();
            let rest = fire(first.as_mut(), 100);
            assert!(!rest.is_empty(), "nothing is open at the end, {shape:?}");
            assert_eq!(fire(second.as_mut(), 100), rest, "{shape:?} memory {memory}");
            results.extend(rest);
            found.push(results);
        }
        assert_eq!(found[0], found[1], "{shape:?}");
    }
}

#[test]
fn two_subtasks_that_were_not_equally_far_are_restored_into_one() {
    let shape = WindowShape::Hop { size: 8, slide: 4, offset: 0 };
    let halves = [KeyGroupRange { start: 0, end: 8 }, KeyGroupRange { start: 8, end: GROUPS }];
    let mut restored = operator(&shape, KeyGroupRange::all(GROUPS));
    let mut emitted = Vec::new();
    for (half, now) in halves.into_iter().zip([3, 2]) {
        let mut subtask = operator(&shape, half);
        // Keys are dealt as an exchange would.
        for key in 0..20 {
            let column: ArrayRef = Arc::new(Int64Array::from(vec![key]));
            let rows = RecordBatch::try_from_iter([("k", column)]).unwrap();
            let mut hashes = Vec::new();
            hash_columns(&rows, &[0], &mut hashes).unwrap();
            if half.contains(key_group(hashes[0], GROUPS)) {
                feed(subtask.as_mut(), key..key + 1, 1);
            }
        }
        emitted.extend(fire(subtask.as_mut(), now));
        let files = whole_snapshot(subtask.as_mut(), &SnapshotRequest::default());
        restore(restored.as_mut(), &files, half);
    }
    emitted.extend(fire(restored.as_mut(), 100));
    emitted.sort_unstable();
    let expected: Vec<_> = [4, 8].iter().flat_map(|end| (0..20).map(|k| (*end, k, 1))).collect();
    assert_eq!(emitted, expected);
}

#[test]
fn first_rows_of_windows_do_not_come_again() {
    let all = KeyGroupRange::all(GROUPS);
    let time = || TypeKind::timestamp(3).not_null();
    let input = vec![
        Field::new("k", TypeKind::BigInt.nullable()),
        Field::new("window_start", time()),
        Field::new("window_end", time()),
    ];
    let plan = RankPlan {
        time: WindowTime::AttachedProcessing { start: 1, end: 2 },
        keys: vec![],
        order: vec![SortKey { column: 0, descending: true, nulls_first: false }],
        from: 1,
        to: 2,
        rank_column: None,
    };
    let make = || {
        let mut rank = WindowRank::new(&plan, &input, &input, WindowZone::Unzoned).unwrap();
        rank.open(&context(all)).unwrap();
        rank
    };
    let give = |rank: &mut WindowRank, key: i64, end: i64| {
        let times = |time| Arc::new(TimestampMillisecondArray::from(vec![time])) as ArrayRef;
        let columns = [
            ("k", Arc::new(Int64Array::from(vec![key])) as ArrayRef),
            ("window_start", times(end - 10)),
            ("window_end", times(end)),
        ];
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        rank.process(0, Changes::append(rows), &mut Output::new(0)).unwrap();
    };
    let emitted = |rank: &mut WindowRank, now: i64| -> Vec<i64> {
        let mut out = Output::new(now);
        while rank.drain(&mut out).unwrap() == Progress::More {}
        let keys =
            |changes: Changes| changes.rows.column(0).as_primitive::<Int64Type>().values().to_vec();
        out.take().into_iter().flat_map(keys).collect()
    };
    let mut first = make();
    for key in 0..5 {
        give(&mut first, key, 10);
        give(&mut first, key + 10, 20);
    }
    let mut files = whole_snapshot(&mut first, &SnapshotRequest::default());
    assert_eq!(emitted(&mut first, 9), [4, 3]);
    files.extend(whole_snapshot(&mut first, &SnapshotRequest::default()));
    let mut second = make();
    restore(&mut second, &files, all);
    assert!(emitted(&mut second, 9).is_empty());
    assert_eq!(emitted(&mut second, 19), [14, 13]);
}
