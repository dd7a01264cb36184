//! Early and late results against a model that keeps every window's rows, over random changes, with
//! checkpoints, restores and the clock in between.

use std::collections::BTreeSet;

use tidegate_plan::operator::Operator as PlanOperator;
use tidegate_plan::window::{WindowColumn, WindowShape};
use tidegate_plan::{AggregateCall, AggregateFunction as F, ChangelogMode, RowKind, Schema};
use tidegate_types::{MAX_WATERMARK, TypeKind};

use super::*;
use crate::testing::{Random, Replay, Row, Subject, Table, changes, node, rows_of, schema};

const TUMBLE: WindowShape = WindowShape::Tumble { size: 10, offset: 0 };

fn input() -> Schema {
    let time = TypeKind::timestamp(3).not_null();
    schema(&[TypeKind::BigInt.nullable(), TypeKind::BigInt.nullable(), time])
}

/// COUNT(*), SUM, COUNT(DISTINCT).
fn plan(shape: &WindowShape, time: WindowTime, emit: WindowEmit) -> Plan {
    let call = |function, argument, distinct| AggregateCall {
        function,
        argument,
        parameters: Vec::new(),
        distinct,
        filter: None,
        name: "a".into(),
        ty: TypeKind::BigInt.nullable(),
    };
    Plan {
        shape: shape.clone(),
        time,
        keys: vec![0],
        aggregates: vec![
            call(F::Count, None, false),
            call(F::Sum, Some(1), false),
            call(F::Count, Some(1), true),
        ],
        columns: vec![WindowColumn::Start, WindowColumn::End],
        two_phase: false,
        emit: Some(emit),
    }
}

fn output() -> Schema {
    let mut types = vec![TypeKind::BigInt.nullable(); 4];
    types.extend([TypeKind::timestamp(3).not_null(), TypeKind::timestamp(3).not_null()]);
    schema(&types)
}

fn subject(plan: &Plan, appends: bool, updates: Updates) -> Subject<'static> {
    let below = match appends {
        true => ChangelogMode::APPEND,
        false => ChangelogMode { updates: Updates::BeforeAndAfter, deletes: true },
    };
    let below = node(PlanOperator::Union, input(), below, None);
    let mode = ChangelogMode { updates, deletes: !appends };
    let operator = PlanOperator::WindowAggregate(plan.clone());
    let (node, plan) = (node(operator, output(), mode, Some(vec![0])), plan.clone());
    let make = move || -> Box<dyn Operator> {
        Box::new(EmittingAggregate::new(&plan, &node, &below, WindowZone::Unzoned).unwrap())
    };
    let replay = Replay::new(mode, Some(vec![0, 4, 5]));
    Subject::new(make, vec![Some(vec![0])], &["windows", "distinct0"], replay)
}

/// A window and key: its rows, what was sent, when more is due.
#[derive(Default)]
struct Group {
    rows: Vec<Option<i64>>,
    shown: Option<Vec<Option<i64>>>,
    due: Option<i64>,
    over: bool,
    /// Whether its first row was late.
    at_once: bool,
}

impl Group {
    fn send(&mut self) {
        let known: Vec<i64> = self.rows.iter().flatten().copied().collect();
        let distinct: BTreeSet<i64> = known.iter().copied().collect();
        let sum = (!known.is_empty()).then(|| known.iter().sum());
        let results = vec![Some(self.rows.len() as i64), sum, Some(distinct.len() as i64)];
        self.shown = (!self.rows.is_empty()).then_some(results);
        self.due = None;
    }
}

struct Model {
    slices: Slices,
    emit: WindowEmit,
    watermark: i64,
    now: i64,
    groups: BTreeMap<(i64, i64, Option<i64>), Group>,
    /// Results of windows that are forgotten.
    done: Vec<(RowKind, Vec<Option<i64>>)>,
}

type Log = Vec<(RowKind, Vec<Option<i64>>)>;

impl Model {
    fn feed(&mut self, log: &Log) {
        let mut touched = BTreeSet::new();
        for (kind, row) in log {
            let (key, value, time) = (row[0], row[1], row[2].unwrap());
            for end in self.slices.windows_of(self.slices.slice_end(time)) {
                if end - 1 + self.emit.lateness_ms as i64 <= self.watermark {
                    continue;
                }
                let window = (end, self.slices.window_start(end), key);
                touched.insert(window);
                let late = window.0 - 1 <= self.watermark;
                let new = || Group { over: late, at_once: late, ..Group::default() };
                let rows = &mut self.groups.entry(window).or_insert_with(new).rows;
                if RowKind::adds(*kind as i8) {
                    rows.push(value);
                } else {
                    let place = rows.iter().position(|other| *other == value);
                    rows.remove(place.unwrap());
                }
            }
        }
        for window in touched {
            let late = window.0 - 1 <= self.watermark;
            let delay = if late { self.emit.late_ms } else { self.emit.early_ms };
            let group = self.groups.get_mut(&window).unwrap();
            match delay {
                None => {}
                Some(0) => group.send(),
                Some(_) if group.at_once => group.send(),
                Some(delay) => {
                    group.due = Some(group.due.unwrap_or(self.now + delay as i64));
                }
            }
        }
        self.advance(0);
    }

    fn watermark(&mut self, watermark: i64) {
        self.watermark = watermark;
        for (window, group) in &mut self.groups {
            if !group.over && window.0 - 1 <= watermark {
                group.over = true;
                group.send();
            }
        }
        let cleanup =
            |end: i64| (end - 1).saturating_add(self.emit.lateness_ms as i64) <= watermark;
        let gone = self.groups.extract_if(.., |(end, _, _), _| cleanup(*end));
        self.done.extend(gone.filter_map(|(window, group)| row(window, &group)));
        self.advance(0);
    }

    fn advance(&mut self, ms: i64) {
        self.now += ms;
        let due = |group: &&mut Group| group.due.is_some_and(|due| due <= self.now);
        self.groups.values_mut().filter(due).for_each(Group::send);
    }

    fn table(&self) -> Vec<Row> {
        let mut all = self.done.clone();
        all.extend(self.groups.iter().filter_map(|(window, group)| row(*window, group)));
        let mut rows = rows_of(&changes(&arrow_schema(&output()), &all).rows);
        rows.sort();
        rows
    }
}

fn row(
    (end, start, key): (i64, i64, Option<i64>),
    group: &Group,
) -> Option<(RowKind, Vec<Option<i64>>)> {
    let results = group.shown.clone()?;
    Some((RowKind::Insert, [vec![key], results, vec![Some(start), Some(end)]].concat()))
}

fn check(shape: &WindowShape, emit: WindowEmit, appends: bool, updates: Updates, seed: u64) {
    let mut random = Random(seed);
    let plan = plan(shape, WindowTime::Event { column: 2 }, emit);
    let mut subject = subject(&plan, appends, updates);
    let mut model = Model {
        slices: Slices::new(shape).unwrap(),
        emit,
        watermark: MIN_WATERMARK,
        now: subject.now,
        groups: BTreeMap::new(),
        done: Vec::new(),
    };
    let stored = arrow_schema(&input());
    let mut table = Table::new(vec![(4, 9), (5, 7), (40, u64::MAX)], appends);
    for step in 0..70 {
        let mut log = table.change(1 + random.below(12), &mut random);
        // Of rows that came too late nothing is to be taken back.
        let lateness = emit.lateness_ms as i64;
        log.retain(|(_, row)| {
            let slices = &model.slices;
            let first = slices.windows_of(slices.slice_end(row[2].unwrap())).next();
            appends || first.is_some_and(|end| end - 1 + lateness > model.watermark)
        });
        table.rows.retain(|row| {
            let slices = &model.slices;
            let first = slices.windows_of(slices.slice_end(row[2].unwrap())).next();
            first.is_some_and(|end| end - 1 + lateness > model.watermark)
        });
        model.feed(&log);
        subject.feed(0, &changes(&stored, &log));
        if random.below(4) == 0 || step == 69 {
            let watermark = if step == 69 { MAX_WATERMARK } else { -50 + step };
            model.watermark(watermark);
            subject.watermark(watermark);
            table.rows.retain(|row| row[2].unwrap() > watermark);
        }
        let ms = random.below(40) as i64;
        model.advance(ms);
        subject.advance(ms);
        subject.disturb(&mut random);
        // A restored subject has its own clock.
        model.now = subject.now;
        assert_eq!(subject.replay.table(), model.table(), "{shape:?} {emit:?} seed {seed}");
    }
}

#[test]
fn early_and_late_results_are_those_of_the_rows_so_far() {
    let hop = WindowShape::Hop { size: 10, slide: 4, offset: 0 };
    let emits = [
        (Some(0), None, 0),
        (Some(30), None, 0),
        (None, Some(0), 15),
        (None, Some(25), 30),
        (Some(0), Some(0), 20),
        (Some(50), Some(20), 40),
    ];
    for (early_ms, late_ms, lateness_ms) in emits {
        let emit = WindowEmit { early_ms, late_ms, lateness_ms };
        for shape in [&TUMBLE, &hop] {
            for seed in 0..3 {
                check(shape, emit, true, Updates::BeforeAndAfter, seed);
                check(shape, emit, true, Updates::After, seed);
                check(shape, emit, false, Updates::BeforeAndAfter, seed);
            }
        }
    }
}

fn rows(keys: &[i64]) -> Changes {
    let row = |key: &i64| (RowKind::Insert, vec![Some(*key), Some(1), Some(0)]);
    changes(&arrow_schema(&input()), &keys.iter().map(row).collect::<Vec<_>>())
}

#[test]
fn a_window_of_processing_time_is_sent_early_by_the_clock_and_at_its_end() {
    let emit = WindowEmit { early_ms: Some(200), late_ms: None, lateness_ms: 0 };
    let shape = WindowShape::Tumble { size: 1_000, offset: 0 };
    let plan = plan(&shape, WindowTime::Processing, emit);
    let mut subject = subject(&plan, true, Updates::BeforeAndAfter);
    subject.now = 1_700_000_000_000;
    subject.feed(0, &rows(&[1, 1]));
    subject.advance(100);
    subject.feed(0, &rows(&[1, 2]));
    assert_eq!(subject.replay.seen, [0, 0, 0, 0]);
    subject.advance(99);
    assert_eq!(subject.replay.seen, [0, 0, 0, 0]);
    subject.advance(1);
    assert_eq!(subject.replay.seen, [1, 0, 0, 0], "key 1 after 200 ms");
    subject.advance(100);
    assert_eq!(subject.replay.seen, [2, 0, 0, 0], "key 2 after 200 ms");
    subject.advance(650);
    subject.feed(0, &rows(&[2]));
    subject.checkpoint(&mut Random(1));
    subject.restart(&[KeyGroupRange::all(crate::testing::GROUPS)]);
    assert_eq!(subject.replay.seen, [2, 0, 0, 0]);
    subject.advance(49);
    // Of key 1 nothing has changed.
    assert_eq!(subject.replay.seen, [2, 1, 1, 0], "the window's end");
    let counts: Vec<_> = subject.replay.table().into_iter().map(|row| row[1].clone()).collect();
    assert_eq!(counts, [Some("3".to_owned()), Some("2".to_owned())]);
}

#[test]
fn rows_that_no_window_takes_are_counted_and_forgotten_windows_leave_nothing() {
    let emit = WindowEmit { early_ms: Some(0), late_ms: Some(0), lateness_ms: 5 };
    let plan = plan(&TUMBLE, WindowTime::Event { column: 2 }, emit);
    let mut subject = subject(&plan, true, Updates::BeforeAndAfter);
    let empty = subject.state_bytes();
    subject.feed(0, &rows(&[1, 2, 3]));
    subject.watermark(13);
    subject.feed(0, &rows(&[4]));
    assert_eq!(subject.replay.seen, [4, 0, 0, 0]);
    subject.watermark(14);
    subject.feed(0, &rows(&[4, 5]));
    assert_eq!(subject.replay.seen, [4, 0, 0, 0]);
    assert!(subject.state_bytes() < empty + 8_192, "{} bytes", subject.state_bytes());
}
