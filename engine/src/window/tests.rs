//! Windowed aggregation against naive enumeration: random rows out of order and late, random
//! batches, one and two phases, snapshots and a restore into two subtasks in the middle.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{Int64Type, TimestampMillisecondType};
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::WindowAggregate as Plan;
use tidegate_plan::window::{WindowColumn, WindowShape, WindowTime};
use tidegate_plan::{AggregateCall, AggregateFunction, Schema};
use tidegate_types::{Field, KeyGroupRange, MAX_WATERMARK, MIN_WATERMARK, TypeKind, Watermark};

use super::{AggregateInput, LocalWindowAggregate, SessionAggregate, WindowAggregate, WindowZone};
use crate::element::Changes;
use crate::metrics::OperatorMetrics;
use crate::operator::{Operator, OperatorContext, Output, Progress, SnapshotMode, TableSnapshot};

pub(super) const GROUPS: u16 = 16;

/// A row: key (NULL is a key), value, time.
pub(super) type Row = (Option<i64>, Option<i64>, i64);
/// Window → (rows, sum).
type Results = BTreeMap<(i64, i64, Option<i64>), (i64, Option<i64>)>;

/// splitmix64: the same cases for the same seed, everywhere.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

pub(super) fn input_schema() -> Schema {
    vec![
        Field::new("k", TypeKind::BigInt.nullable()),
        Field::new("v", TypeKind::BigInt.nullable()),
        Field::new("t", TypeKind::timestamp(3).not_null()),
    ]
}

fn output_schema() -> Schema {
    vec![
        Field::new("k", TypeKind::BigInt.nullable()),
        Field::new("n", TypeKind::BigInt.not_null()),
        Field::new("s", TypeKind::BigInt.nullable()),
        Field::new("window_start", TypeKind::timestamp(3).not_null()),
        Field::new("window_end", TypeKind::timestamp(3).not_null()),
    ]
}

fn plan(shape: &WindowShape) -> Plan {
    timed(shape, WindowTime::Event { column: 2 })
}

fn timed(shape: &WindowShape, time: WindowTime) -> Plan {
    let call = |function, argument, name: &str| AggregateCall {
        function,
        argument,
        distinct: false,
        filter: None,
        name: name.into(),
        ty: TypeKind::BigInt.nullable(),
    };
    Plan {
        shape: shape.clone(),
        time,
        keys: vec![0],
        aggregates: vec![
            call(AggregateFunction::Count, None, "n"),
            call(AggregateFunction::Sum, Some(1), "s"),
        ],
        columns: vec![WindowColumn::Start, WindowColumn::End],
        two_phase: true,
    }
}

pub(super) fn batch(rows: &[Row]) -> Changes {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>()),
        Arc::new(TimestampMillisecondArray::from_iter_values(rows.iter().map(|row| row.2))),
    ];
    Changes::append(RecordBatch::try_new(arrow_schema(&input_schema()), columns).unwrap())
}

pub(super) fn context(owned: KeyGroupRange, watermark: Watermark) -> OperatorContext {
    OperatorContext {
        subtask: 0,
        parallelism: 1,
        key_groups: GROUPS,
        owned,
        watermark,
        batch_rows: 7,
        metrics: Arc::new(OperatorMetrics::default()),
    }
}

pub(super) fn drain(operator: &mut dyn Operator, out: &mut Output) {
    while operator.drain(out).unwrap() == Progress::More {}
}

/// The operator (or its two phases) under test, with what it emitted.
struct Subject {
    shape: WindowShape,
    local: Option<LocalWindowAggregate>,
    subtasks: Vec<(Box<dyn Operator>, OperatorContext)>,
    results: Results,
    late: u64,
}

impl Subject {
    fn new(shape: &WindowShape, two_phase: bool) -> Self {
        let mut subject = Self {
            shape: shape.clone(),
            local: None,
            subtasks: vec![],
            results: Results::new(),
            late: 0,
        };
        if two_phase {
            let local =
                LocalWindowAggregate::new(&plan(shape), &input_schema(), WindowZone::Unzoned);
            subject.local = Some(local.unwrap());
        }
        subject.subtasks.push(subject.subtask(KeyGroupRange::all(GROUPS), MIN_WATERMARK));
        subject
    }

    fn subtask(
        &self,
        owned: KeyGroupRange,
        watermark: Watermark,
    ) -> (Box<dyn Operator>, OperatorContext) {
        let (plan, input, output) = (plan(&self.shape), input_schema(), output_schema());
        let zone = WindowZone::Unzoned;
        let mut operator: Box<dyn Operator> = if matches!(self.shape, WindowShape::Session { .. }) {
            Box::new(SessionAggregate::new(&plan, &input, &output, zone).unwrap())
        } else {
            let kind =
                if self.local.is_some() { AggregateInput::Partials } else { AggregateInput::Rows };
            Box::new(WindowAggregate::new(&plan, &input, &output, zone, kind).unwrap())
        };
        let context = context(owned, watermark);
        operator.open(&context).unwrap();
        (operator, context)
    }

    fn feed(&mut self, changes: Changes) {
        let mut partials = vec![changes];
        if let Some(local) = &mut self.local {
            let mut out = Output::new(0);
            local.process(0, partials.remove(0), &mut out).unwrap();
            drain(local, &mut out);
            partials = out.take();
        }
        self.process(partials);
    }

    /// Gives rows to the subtask that owns their key group, as an exchange does.
    fn process(&mut self, batches: Vec<Changes>) {
        let key = usize::from(self.local.is_some());
        for changes in batches {
            let mut hashes = Vec::new();
            crate::keys::hash::hash_columns(&changes.rows, &[key], &mut hashes).unwrap();
            for index in 0..self.subtasks.len() {
                let owned = self.subtasks[index].1.owned;
                let mine = |row: &u32| {
                    let group = tidegate_types::key_group::key_group(hashes[*row as usize], GROUPS);
                    owned.contains(group)
                };
                let rows: Vec<u32> = (0..changes.len() as u32).filter(mine).collect();
                let mut out = Output::new(0);
                let part = changes.take(&rows.into()).unwrap();
                self.subtasks[index].0.process(0, part, &mut out).unwrap();
            }
        }
    }

    fn flush_local(&mut self, act: impl FnOnce(&mut LocalWindowAggregate, &mut Output)) {
        if let Some(local) = &mut self.local {
            let mut out = Output::new(0);
            act(local, &mut out);
            drain(local, &mut out);
            let partials = out.take();
            self.process(partials);
        }
    }

    fn watermark(&mut self, watermark: Watermark) {
        self.flush_local(|local, out| local.watermark(watermark, out).unwrap());
        for index in 0..self.subtasks.len() {
            let mut out = Output::new(0);
            let operator = self.subtasks[index].0.as_mut();
            operator.watermark(watermark, &mut out).unwrap();
            drain(operator, &mut out);
            for changes in out.take() {
                self.collect(&changes.rows);
            }
        }
    }

    fn collect(&mut self, rows: &RecordBatch) {
        let number = |column: usize| rows.column(column).as_primitive::<Int64Type>();
        let time = |column: usize| rows.column(column).as_primitive::<TimestampMillisecondType>();
        for row in 0..rows.num_rows() {
            let key = number(0).is_valid(row).then(|| number(0).value(row));
            let sum = number(2).is_valid(row).then(|| number(2).value(row));
            let window = (time(3).value(row), time(4).value(row), key);
            let before = self.results.insert(window, (number(1).value(row), sum));
            assert_eq!(before, None, "window {window:?} was emitted twice");
        }
    }

    fn snapshot(&mut self, mode: SnapshotMode, files: &mut Vec<TableSnapshot>) {
        self.flush_local(|local, out| local.before_barrier(out).unwrap());
        if mode == SnapshotMode::Full {
            files.clear();
        }
        for (operator, _) in &mut self.subtasks {
            files.extend(operator.snapshot(mode).unwrap());
        }
    }

    /// Replaces the subtasks by two that share the key groups, restored from the files.
    fn restore(&mut self, files: &[TableSnapshot], watermark: Watermark) {
        self.late += self.late_in_subtasks();
        self.subtasks.clear();
        for owned in [KeyGroupRange { start: 0, end: 5 }, KeyGroupRange { start: 5, end: GROUPS }] {
            let (mut operator, context) = self.subtask(owned, watermark);
            for file in files.iter().filter(|file| file.expires.is_none_or(|at| at > watermark)) {
                for entries in &file.batches {
                    operator.restore(file.table, file.version, entries, owned).unwrap();
                }
            }
            operator.restored().unwrap();
            self.subtasks.push((operator, context));
        }
    }

    fn late_in_subtasks(&self) -> u64 {
        self.subtasks.iter().map(|(_, context)| context.metrics.late_records.get()).sum()
    }
}

/// What the windows hold if rows are taken one after the other; and how many rows are late.
fn naive(shape: &WindowShape, events: &[Event]) -> (Results, u64) {
    let mut open: Results = Results::new();
    let mut done = Results::new();
    let (mut watermark, mut late) = (MIN_WATERMARK, 0);
    for event in events {
        match event {
            Event::Row((key, value, time)) => {
                let windows = windows(shape, &open, *key, *time);
                let live: Vec<_> =
                    windows.into_iter().filter(|(_, end)| end - 1 > watermark).collect();
                late += u64::from(live.is_empty());
                for (start, end) in live {
                    let mut content = (1, *value);
                    if matches!(shape, WindowShape::Session { .. }) {
                        let inside =
                            |w: &(i64, i64, Option<i64>)| w.2 == *key && w.0 >= start && w.1 <= end;
                        let merged: Vec<_> = open.keys().copied().filter(inside).collect();
                        merged.iter().for_each(|w| content = add(content, open.remove(w).unwrap()));
                        open.insert((start, end, *key), content);
                    } else {
                        let entry = open.entry((start, end, *key)).or_insert((0, None));
                        *entry = add(*entry, content);
                    }
                }
            }
            Event::Watermark(mark) => {
                watermark = watermark.max(*mark);
                let complete: Vec<_> =
                    open.keys().copied().filter(|(_, end, _)| end - 1 <= watermark).collect();
                for window in complete {
                    done.insert(window, open.remove(&window).unwrap());
                }
            }
        }
    }
    (done, late)
}

fn add(a: (i64, Option<i64>), b: (i64, Option<i64>)) -> (i64, Option<i64>) {
    let sum = match (a.1, b.1) {
        (Some(x), Some(y)) => Some(x + y),
        (x, y) => x.or(y),
    };
    (a.0 + b.0, sum)
}

fn windows(shape: &WindowShape, open: &Results, key: Option<i64>, time: i64) -> Vec<(i64, i64)> {
    let floor = |size: i64, offset: i64| time - (time - offset).rem_euclid(size);
    match *shape {
        WindowShape::Tumble { size, offset } => {
            vec![(floor(size, offset), floor(size, offset) + size)]
        }
        WindowShape::Hop { size, slide, offset } => (0..size / slide)
            .map(|i| floor(slide, offset) - i * slide)
            .map(|start| (start, start + size))
            .collect(),
        WindowShape::Cumulate { max_size, step, offset } => (1..=max_size / step)
            .map(|i| (floor(max_size, offset), floor(max_size, offset) + i * step))
            .filter(|(_, end)| time < *end)
            .collect(),
        WindowShape::Session { gap } => {
            let (mut start, mut end) = (time, time + gap);
            loop {
                let grown = open
                    .keys()
                    .filter(|(s, e, k)| *k == key && *s <= end && *e >= start)
                    .fold((start, end), |(s, e), w| (s.min(w.0), e.max(w.1)));
                if grown == (start, end) {
                    return vec![grown];
                }
                (start, end) = grown;
            }
        }
    }
}

#[derive(Clone, Copy)]
pub(super) enum Event {
    Row(Row),
    Watermark(Watermark),
}

pub(super) fn events(random: &mut Random, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    let mut now = -50;
    for _ in 0..count {
        now += random.below(4) as i64;
        let delay = if random.below(10) == 0 { random.below(60) } else { random.below(8) };
        let key = (random.below(12) > 0).then(|| random.below(6) as i64);
        let value = (random.below(5) > 0).then(|| random.below(100) as i64 - 50);
        events.push(Event::Row((key, value, now - delay as i64)));
        if random.below(6) == 0 {
            events.push(Event::Watermark(now - 10));
        }
    }
    events.push(Event::Watermark(MAX_WATERMARK));
    events
}

fn check(shape: &WindowShape, two_phase: bool, seed: u64) {
    let mut random = Random(seed);
    let events = events(&mut random, 300);
    let restore_at = random.below(events.len() as u64) as usize;
    let mut subject = Subject::new(shape, two_phase);
    let mut files = Vec::new();
    let mut rows = Vec::new();
    let mut watermark = MIN_WATERMARK;
    for (index, event) in events.iter().enumerate() {
        match event {
            Event::Row(row) => rows.push(*row),
            Event::Watermark(mark) => {
                subject.feed(batch(&std::mem::take(&mut rows)));
                watermark = watermark.max(*mark);
                subject.watermark(watermark);
            }
        }
        if random.below(5) == 0 {
            subject.feed(batch(&std::mem::take(&mut rows)));
        }
        if random.below(40) == 0 || index == restore_at {
            subject.feed(batch(&std::mem::take(&mut rows)));
            let full = random.below(4) == 0;
            let mode = if full { SnapshotMode::Full } else { SnapshotMode::Incremental };
            subject.snapshot(mode, &mut files);
            if index == restore_at {
                subject.restore(&files, watermark);
            }
        }
    }
    let (expected, late) = naive(shape, &events);
    let context = format!("{shape:?} two_phase {two_phase} seed {seed}");
    assert_eq!(subject.results, expected, "{context}");
    assert_eq!(subject.late + subject.late_in_subtasks(), late, "late rows, {context}");
}

#[test]
fn windows_agree_with_enumeration() {
    let shapes = [
        WindowShape::Tumble { size: 10, offset: 3 },
        WindowShape::Hop { size: 12, slide: 4, offset: 0 },
        WindowShape::Hop { size: 30, slide: 5, offset: -2 },
        WindowShape::Cumulate { max_size: 20, step: 5, offset: 0 },
        WindowShape::Session { gap: 3 },
        WindowShape::Session { gap: 9 },
    ];
    for shape in &shapes {
        for seed in 0..150 {
            check(shape, false, seed);
            if !matches!(shape, WindowShape::Session { .. }) {
                check(shape, true, seed);
            }
        }
    }
}

/// Runs an operator's timers up to `now`; the windows that fire, as `(start, end, key)`, and counts.
fn fire(operator: &mut dyn Operator, now: i64) -> Vec<(i64, i64, i64)> {
    let mut fired = Vec::new();
    while let Some(at) = operator.next_timer().filter(|at| *at <= now) {
        let mut out = Output::new(at);
        operator.timer(&mut out).unwrap();
        drain(operator, &mut out);
        for changes in out.take() {
            let rows = &changes.rows;
            let time =
                |column: usize| rows.column(column).as_primitive::<TimestampMillisecondType>();
            let count = rows.column(1).as_primitive::<Int64Type>();
            fired.extend(
                (0..rows.num_rows())
                    .map(|row| (time(3).value(row), time(4).value(row), count.value(row))),
            );
        }
    }
    fired
}

#[test]
fn what_fired_by_processing_time_does_not_fire_again_after_a_restore() {
    let hop = WindowShape::Hop { size: 20, slide: 10, offset: 0 };
    for (shape, before, after) in [
        (WindowShape::Tumble { size: 10, offset: 0 }, vec![(0, 10, 2)], vec![(10, 20, 1)]),
        (hop, vec![(-10, 10, 2)], vec![(0, 20, 3), (10, 30, 1)]),
        (WindowShape::Session { gap: 4 }, vec![(5, 10, 2)], vec![(12, 16, 1)]),
    ] {
        let plan = timed(&shape, WindowTime::Processing);
        let all = KeyGroupRange::all(GROUPS);
        let start = || -> Box<dyn Operator> {
            let (input, output, zone) = (input_schema(), output_schema(), WindowZone::Unzoned);
            let mut operator: Box<dyn Operator> = match shape {
                WindowShape::Session { .. } => {
                    Box::new(SessionAggregate::new(&plan, &input, &output, zone).unwrap())
                }
                _ => {
                    let kind = AggregateInput::Rows;
                    Box::new(WindowAggregate::new(&plan, &input, &output, zone, kind).unwrap())
                }
            };
            operator.open(&context(all, MIN_WATERMARK)).unwrap();
            operator
        };
        let mut first = start();
        let row = || batch(&[(Some(1), Some(1), 0)]);
        let mut files = Vec::new();
        for now in [5, 6] {
            first.process(0, row(), &mut Output::new(now)).unwrap();
        }
        files.extend(first.snapshot(SnapshotMode::Incremental).unwrap());
        assert_eq!(fire(first.as_mut(), 11), before, "{shape:?}");
        first.process(0, row(), &mut Output::new(12)).unwrap();
        files.extend(first.snapshot(SnapshotMode::Incremental).unwrap());
        let mut second = start();
        // Tables come in the order of their names.
        files.sort_by_key(|file| file.table);
        for file in &files {
            for entries in &file.batches {
                second.restore(file.table, file.version, entries, all).unwrap();
            }
        }
        second.restored().unwrap();
        assert_eq!(fire(second.as_mut(), 100), after, "{shape:?}");
    }
}
