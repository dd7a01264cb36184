//! Windows by processing time: what was emitted before a snapshot does not come again after it is
//! restored, though the state's files still hold it.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::TimestampMillisecondType;
use tidegate_plan::window::{WindowColumn, WindowShape};
use tidegate_plan::{AggregateCall, AggregateFunction};
use tidegate_types::key_group::key_group;
use tidegate_types::{Field, TypeKind};

use super::*;
use crate::memory::MemoryBudget;
use crate::metrics::OperatorMetrics;
use crate::spill::SpillFolder;

const GROUPS: u16 = 16;

fn operator(shape: &WindowShape, owned: KeyGroupRange) -> WindowAggregate {
    let input = vec![Field::new("k", TypeKind::BigInt.nullable())];
    let output = vec![
        Field::new("k", TypeKind::BigInt.nullable()),
        Field::new("n", TypeKind::BigInt.not_null()),
        Field::new("window_end", TypeKind::timestamp(3).not_null()),
    ];
    let count = AggregateCall {
        function: AggregateFunction::Count,
        argument: None,
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
    };
    let (zone, rows) = (WindowZone::Unzoned, AggregateInput::Rows);
    let mut operator = WindowAggregate::new(&plan, &input, &output, zone, rows).unwrap();
    let context = OperatorContext {
        subtask: 0,
        parallelism: 1,
        key_groups: GROUPS,
        owned,
        watermark: MIN_WATERMARK,
        batch_rows: 100,
        metrics: Arc::new(OperatorMetrics::default()),
        memory: MemoryBudget::unlimited(),
        spill: SpillFolder::new(&std::env::temp_dir()),
    };
    operator.open(&context).unwrap();
    operator
}

/// Gives a row of each key at a time.
fn feed(operator: &mut WindowAggregate, keys: std::ops::Range<i64>, now: i64) {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(keys));
    let rows = RecordBatch::try_from_iter([("k", column)]).unwrap();
    operator.process(0, Changes::append(rows), &mut Output::new(now)).unwrap();
}

/// What is emitted at a time: `(window_end, key, count)`.
fn fire(operator: &mut WindowAggregate, now: i64) -> Vec<(i64, i64, i64)> {
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

fn restore(operator: &mut WindowAggregate, files: &[TableSnapshot], groups: KeyGroupRange) {
    for file in files {
        let pieces = file.pieces.iter().map(|piece| &piece.entries);
        for entries in [&file.changed].into_iter().chain(pieces) {
            for batch in &entries.batches {
                operator.restore(file.table, file.version, batch, groups).unwrap();
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
    ] {
        let mut first = operator(&shape, all);
        let mut files = Vec::new();
        let mut results = Vec::new();
        for now in 0..40 {
            feed(&mut first, 0..3, now);
            results.extend(fire(&mut first, now));
            files.extend(first.snapshot(&changes).unwrap());
        }
        let mut second = operator(&shape, all);
        restore(&mut second, &files, all);
        assert_eq!(fire(&mut second, 100), fire(&mut first, 100), "{shape:?}");
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
                feed(&mut subtask, key..key + 1, 1);
            }
        }
        emitted.extend(fire(&mut subtask, now));
        let files = subtask.snapshot(&SnapshotRequest::default()).unwrap();
        restore(&mut restored, &files, half);
    }
    emitted.extend(fire(&mut restored, 100));
    emitted.sort_unstable();
    let expected: Vec<_> = [4, 8].iter().flat_map(|end| (0..20).map(|k| (*end, k, 1))).collect();
    assert_eq!(emitted, expected);
}
