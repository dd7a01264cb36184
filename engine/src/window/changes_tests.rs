//! Windows over rows that are updated and deleted, against enumeration, with checkpoints and restores in
//! between, in memory and beyond it.

use std::collections::BTreeMap;

use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::WindowAggregate as Plan;
use tidegate_plan::window::{WindowColumn, WindowShape, WindowTime};
use tidegate_plan::{AggregateCall, AggregateFunction as F, ChangelogMode, RowKind, Schema};
use tidegate_types::{MAX_WATERMARK, MIN_WATERMARK, TypeKind};

use super::{AggregateInput, SessionAggregate, Slices, WindowAggregate, WindowZone};
use crate::operator::Operator;
use crate::testing::{Random, Replay, Subject, Table, changes, rows_of, schema};

fn input() -> Schema {
    let time = TypeKind::timestamp(3).not_null();
    schema(&[TypeKind::BigInt.nullable(), TypeKind::BigInt.nullable(), time])
}

/// COUNT(*), SUM, MIN, COUNT(DISTINCT), and where `ordered` LAST_VALUE and FIRST_VALUE.
fn plan(shape: &WindowShape, ordered: bool) -> Plan {
    let call = |function, argument, distinct| AggregateCall {
        function,
        argument,
        parameters: Vec::new(),
        distinct,
        filter: None,
        name: "a".into(),
        ty: TypeKind::BigInt.nullable(),
    };
    let mut aggregates = vec![
        call(F::Count, None, false),
        call(F::Sum, Some(1), false),
        call(F::Min, Some(1), false),
        call(F::Count, Some(1), true),
    ];
    if ordered {
        aggregates.push(call(F::LastValue, Some(1), false));
        aggregates.push(call(F::FirstValue, Some(1), false));
    }
    Plan {
        shape: shape.clone(),
        time: WindowTime::Event { column: 2 },
        keys: vec![0],
        aggregates,
        columns: vec![WindowColumn::Start, WindowColumn::End],
        two_phase: false,
        emit: None,
    }
}

fn output(plan: &Plan) -> Schema {
    let mut types = vec![TypeKind::BigInt.nullable(); 1 + plan.aggregates.len()];
    types.extend([TypeKind::timestamp(3).not_null(), TypeKind::timestamp(3).not_null()]);
    schema(&types)
}

fn subject(shape: &WindowShape, ordered: bool) -> Subject<'static> {
    let plan = plan(shape, ordered);
    let output = output(&plan);
    let make = move || -> Box<dyn Operator> {
        let (zone, kind) = (WindowZone::Unzoned, AggregateInput::Changes);
        match plan.shape {
            WindowShape::Session { .. } => {
                Box::new(SessionAggregate::new(&plan, &input(), &output, zone, kind).unwrap())
            }
            _ => Box::new(WindowAggregate::new(&plan, &input(), &output, zone, kind).unwrap()),
        }
    };
    Subject::new(make, vec![Some(vec![0])], &["windows"], Replay::new(ChangelogMode::APPEND, None))
}

/// The rows of a window, in order of arrival: those that were taken back too early are owed.
#[derive(Default, Clone)]
struct Content {
    rows: Vec<Option<i64>>,
    owed: Vec<Option<i64>>,
}

impl Content {
    fn apply(&mut self, add: bool, value: Option<i64>) {
        let (from, to) = match add {
            true => (&mut self.owed, &mut self.rows),
            false => (&mut self.rows, &mut self.owed),
        };
        match from.iter().position(|other| *other == value) {
            Some(place) => drop(from.remove(place)),
            None => to.push(value),
        }
    }

    fn merge(&mut self, other: Self) {
        other.rows.into_iter().for_each(|value| self.apply(true, value));
        other.owed.into_iter().for_each(|value| self.apply(false, value));
    }

    /// The results, if there are rows.
    fn results(&self, ordered: bool) -> Option<Vec<Option<i64>>> {
        let count = self.rows.len() as i64 - self.owed.len() as i64;
        let known: Vec<i64> = self.rows.iter().copied().flatten().collect();
        let owed: Vec<i64> = self.owed.iter().copied().flatten().collect();
        let sum = known.iter().sum::<i64>() - owed.iter().sum::<i64>();
        let mut distinct = known.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let mut results = vec![
            Some(count),
            (known.len() != owed.len()).then_some(sum),
            distinct.first().copied(),
            Some(distinct.len() as i64),
        ];
        if ordered {
            results.extend([known.last().copied(), known.first().copied()]);
        }
        (count > 0).then_some(results)
    }
}

type Open = BTreeMap<(i64, i64, Option<i64>), Content>;

fn take(shape: &WindowShape, open: &mut Open, watermark: i64, add: bool, row: &[Option<i64>]) {
    let (key, value, time) = (row[0], row[1], row[2].unwrap());
    if let WindowShape::Session { gap } = *shape {
        let (mut start, mut end) = (time, time + gap);
        let mut content = Content::default();
        let mut touched = false;
        while let Some(window) =
            open.keys().copied().find(|w| w.2 == key && w.0 <= end && w.1 >= start)
        {
            (start, end) = (start.min(window.0), end.max(window.1));
            content.merge(open.remove(&window).unwrap());
            touched = true;
        }
        if touched || end - 1 > watermark {
            content.apply(add, value);
            open.insert((start, end, key), content);
        }
        return;
    }
    let slices = Slices::new(shape).unwrap();
    for end in slices.windows_of(slices.slice_end(time)).filter(|end| end - 1 > watermark) {
        open.entry((slices.window_start(end), end, key)).or_default().apply(add, value);
    }
}

fn check(shape: &WindowShape, ordered: bool, seed: u64, memory: Option<usize>) -> usize {
    let mut random = Random(seed);
    let mut subject = subject(shape, ordered);
    if let Some(memory) = memory {
        subject = subject.with_memory(memory);
    }
    let stored = arrow_schema(&input());
    let mut table = Table::new(vec![(4, 9), (5, 7), (60, u64::MAX)], false);
    let (mut open, mut expected) = (Open::new(), Vec::new());
    let (mut watermark, mut spilled) = (MIN_WATERMARK, 0);
    for step in 0..60 {
        let log = table.change(1 + random.below(9), &mut random);
        for (kind, row) in &log {
            take(shape, &mut open, watermark, RowKind::adds(*kind as i8), row);
        }
        subject.feed(0, &changes(&stored, &log));
        if random.below(5) == 0 || step == 59 {
            let next = if step == 59 { MAX_WATERMARK } else { -70 + step * 2 };
            watermark = watermark.max(next);
            subject.watermark(watermark);
            let over = open.extract_if(.., |(_, end, _), _| *end - 1 <= watermark);
            for ((start, end, key), content) in over {
                let results = content.results(ordered);
                let row = results.map(|r| [vec![key], r, vec![Some(start), Some(end)]].concat());
                expected.extend(row.map(|row| (RowKind::Insert, row)));
            }
        }
        spilled = spilled.max(subject.spilled_bytes());
        subject.disturb(&mut random);
    }
    let output = arrow_schema(&output(&plan(shape, ordered)));
    let mut expected = rows_of(&changes(&output, &expected).rows);
    expected.sort();
    assert_eq!(subject.replay.table(), expected, "{shape:?} seed {seed}");
    spilled
}

fn shapes() -> Vec<WindowShape> {
    vec![
        WindowShape::Tumble { size: 10, offset: 0 },
        WindowShape::Hop { size: 20, slide: 5, offset: 3 },
        WindowShape::Hop { size: 10, slide: 4, offset: 0 },
        WindowShape::Hop { size: 4, slide: 10, offset: 1 },
        WindowShape::Cumulate { max_size: 30, step: 10, offset: 0 },
        WindowShape::Session { gap: 4 },
    ]
}

#[test]
fn what_is_taken_back_is_not_in_the_windows_results() {
    for shape in shapes() {
        for seed in 0..6 {
            check(&shape, false, seed, None);
        }
    }
    for seed in 100..112 {
        check(&WindowShape::Tumble { size: 10, offset: 0 }, true, seed, None);
    }
}

#[test]
fn what_is_taken_back_beyond_memory_too() {
    for shape in shapes() {
        for seed in 0..4 {
            let memory = if seed % 2 == 0 { 0 } else { 2_000 };
            let spilled = check(&shape, false, seed, Some(memory));
            assert!(spilled > 0 || memory > 0, "nothing was spilled, {shape:?} seed {seed}");
        }
    }
}

#[test]
fn what_depends_on_the_order_of_rows_stays_in_memory_and_says_so_when_that_is_full() {
    let mut subject = subject(&WindowShape::Tumble { size: 1_000, offset: 0 }, true).with_memory(1);
    let stored = arrow_schema(&input());
    let fed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        for key in 0..100 {
            let row = vec![Some(key), Some(1), Some(1)];
            subject.feed(0, &changes(&stored, &[(RowKind::Insert, row)]));
        }
    }));
    let error = fed.unwrap_err();
    let message = error.downcast_ref::<String>().expect("a message");
    assert!(message.contains("groups of windows over changes"), "{message}");
}
