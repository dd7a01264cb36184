//! Rows of sessions against naive enumeration: out of order and late, merging, snapshots and a
//! restore into two subtasks in the middle; processing time with a clock of its own.

use std::collections::BTreeSet;

use arrow::datatypes::TimestampMillisecondType;
use tidegate_types::MAX_WATERMARK;

use super::super::fired;
use super::super::row_store::RowStore;
use super::super::testing::{
    Event, GROUPS, Random, batch, context, context_with, drain, events, input_schema,
};
use super::*;
use crate::memory::MemoryBudget;

/// A row with its session: key, value (here its number), time, start, end.
type Out = (Option<i64>, i64, i64, i64, i64);

fn output_schema() -> Schema {
    use tidegate_types::{Field, TypeKind};
    let time = |name: &str| Field::new(name, TypeKind::timestamp(3).not_null());
    let mut schema = input_schema();
    schema.extend(["window_start", "window_end", "window_time"].map(time));
    schema
}

fn operator(gap: i64, keys: &[usize], time: WindowTime, context: &OperatorContext) -> SessionRows {
    let plan = Plan { shape: WindowShape::Session { gap }, time, partition_keys: keys.to_vec() };
    let zone = WindowZone::Unzoned;
    let mut operator = SessionRows::new(&plan, &input_schema(), &output_schema(), zone).unwrap();
    operator.state.table.store = RowStore::compacting_from(20);
    operator.open(context).unwrap();
    operator
}

/// Takes what is emitted into `found`, where nothing may be twice.
fn collect(out: &mut Output, found: &mut BTreeSet<Out>) {
    for changes in out.take() {
        let rows = &changes.rows;
        assert!(changes.kinds.is_none() && rows.num_rows() <= 7);
        let number = |column: usize| rows.column(column).as_primitive::<Int64Type>();
        let time = |column: usize| rows.column(column).as_primitive::<TimestampMillisecondType>();
        for row in 0..rows.num_rows() {
            let key = arrow::array::Array::is_valid(number(0), row).then(|| number(0).value(row));
            let (start, end) = (time(3).value(row), time(4).value(row));
            assert_eq!(time(5).value(row), end - 1);
            let row = (key, number(1).value(row), time(2).value(row), start, end);
            assert!(found.insert(row), "{row:?} came twice");
        }
    }
}

/// One row after the other, each session a list of rows.
#[derive(Default)]
struct Naive {
    open: Vec<Vec<(Option<i64>, i64, i64)>>,
    out: BTreeSet<Out>,
    late: u64,
}

impl Naive {
    fn row(&mut self, gap: i64, row: (Option<i64>, i64, i64), watermark: i64) {
        let touches = |session: &Vec<(Option<i64>, i64, i64)>| {
            session.iter().any(|other| other.0 == row.0 && (other.2 - row.2).abs() <= gap)
        };
        let (mut joined, apart): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.open).into_iter().partition(touches);
        self.open = apart;
        if joined.is_empty() && row.2 + gap - 1 <= watermark {
            self.late += 1;
            return;
        }
        joined.push(vec![row]);
        self.open.push(joined.concat());
    }

    fn watermark(&mut self, gap: i64, watermark: i64) {
        let end = |session: &Vec<(Option<i64>, i64, i64)>| {
            session.iter().map(|row| row.2).max().unwrap() + gap
        };
        let (over, open): (Vec<_>, Vec<_>) = std::mem::take(&mut self.open)
            .into_iter()
            .partition(|session| end(session) - 1 <= watermark);
        self.open = open;
        for session in over {
            let start = session.iter().map(|row| row.2).min().unwrap();
            let end = end(&session);
            self.out.extend(session.iter().map(|row| (row.0, row.1, row.2, start, end)));
        }
    }
}

struct Subject {
    gap: i64,
    keys: Vec<usize>,
    memory: Arc<MemoryBudget>,
    spilled: usize,
    subtasks: Vec<(SessionRows, OperatorContext)>,
    files: Vec<(usize, TableSnapshot)>,
    found: BTreeSet<Out>,
    late: u64,
}

fn request(full: bool) -> SnapshotRequest {
    SnapshotRequest { full, ..SnapshotRequest::default() }
}

impl Subject {
    fn new(gap: i64, keys: &[usize], memory: usize) -> Self {
        let mut subject = Self {
            gap,
            keys: keys.to_vec(),
            memory: MemoryBudget::new(memory),
            spilled: 0,
            subtasks: Vec::new(),
            files: Vec::new(),
            found: BTreeSet::new(),
            late: 0,
        };
        subject.start(&[KeyGroupRange::all(GROUPS)], MIN_WATERMARK);
        subject
    }

    fn start(&mut self, ranges: &[KeyGroupRange], watermark: i64) {
        self.late += self.late_in_subtasks();
        let before: Vec<_> = self.subtasks.drain(..).map(|(_, context)| context.owned).collect();
        for owned in ranges {
            let context = context_with(*owned, watermark, self.memory.clone());
            let mut operator =
                operator(self.gap, &self.keys, WindowTime::Event { column: 2 }, &context);
            for (subtask, file) in &self.files {
                let Some(groups) = before[*subtask].intersection(*owned) else { continue };
                for entries in file.changed.clone().load().unwrap() {
                    operator.restore(file.table, file.version, &entries, groups).unwrap();
                }
            }
            operator.restored().unwrap();
            self.subtasks.push((operator, context));
        }
    }

    fn feed(&mut self, rows: &mut Vec<(Option<i64>, Option<i64>, i64)>) {
        let changes = batch(&std::mem::take(rows));
        let mut hashes = Vec::new();
        hash_columns(&changes.rows, &self.keys, &mut hashes).unwrap();
        for (operator, context) in &mut self.subtasks {
            let mine = |row: &u32| {
                self.keys.is_empty()
                    || context.owned.contains(key_group(hashes[*row as usize], GROUPS))
            };
            let rows: Vec<u32> = (0..changes.len() as u32).filter(mine).collect();
            let part = changes.take(&rows.into()).unwrap();
            operator.process(0, part, &mut Output::new(0)).unwrap();
        }
        let spilled: usize =
            self.subtasks.iter().map(|(operator, _)| operator.spilled_bytes()).sum();
        self.spilled = self.spilled.max(spilled);
    }

    fn watermark(&mut self, watermark: i64) {
        for (operator, _) in &mut self.subtasks {
            let mut out = Output::new(0);
            operator.watermark(watermark, &mut out).unwrap();
            drain(operator, &mut out);
            collect(&mut out, &mut self.found);
        }
    }

    fn snapshot(&mut self, full: bool) {
        if full {
            self.files.clear();
        }
        for (index, (operator, _)) in self.subtasks.iter_mut().enumerate() {
            let tables = operator.snapshot(&request(full)).unwrap();
            self.files.extend(tables.into_iter().map(|table| (index, table)));
        }
    }

    fn late_in_subtasks(&self) -> u64 {
        self.subtasks.iter().map(|(_, context)| context.metrics.late_records.get()).sum()
    }
}

/// Returns the most bytes that were on local disk.
fn check(gap: i64, keys: &[usize], seed: u64, memory: usize) -> usize {
    let mut random = Random(seed);
    let events = events(&mut random, 300);
    let restore_at = random.below(events.len() as u64) as usize;
    let mut subject = Subject::new(gap, keys, memory);
    let mut naive = Naive::default();
    let (mut rows, mut watermark) = (Vec::new(), MIN_WATERMARK);
    for (index, event) in events.iter().enumerate() {
        match event {
            Event::Row((key, _, time)) => {
                rows.push((*key, Some(index as i64), *time));
                let of = key.filter(|_| !keys.is_empty());
                naive.row(gap, (of, index as i64, *time), watermark);
            }
            Event::Watermark(mark) => {
                subject.feed(&mut rows);
                watermark = watermark.max(*mark);
                subject.watermark(watermark);
                naive.watermark(gap, watermark);
            }
        }
        if random.below(5) == 0 {
            subject.feed(&mut rows);
        }
        if random.below(20) == 0 || index == restore_at {
            subject.feed(&mut rows);
            let full = random.below(6) == 0 || (index != restore_at && subject.subtasks.len() > 1);
            subject.snapshot(full);
            if index == restore_at && !keys.is_empty() {
                let split = KeyGroupRange { start: 0, end: 5 };
                subject.start(&[split, KeyGroupRange { start: 5, end: GROUPS }], watermark);
            } else if index == restore_at {
                subject.start(&[KeyGroupRange::all(GROUPS)], watermark);
            }
        }
    }
    assert_eq!(watermark, MAX_WATERMARK);
    let found: BTreeSet<Out> = subject
        .found
        .iter()
        .map(|row| (row.0.filter(|_| !keys.is_empty()), row.1, row.2, row.3, row.4))
        .collect();
    let context = format!("gap {gap} keys {keys:?} seed {seed} memory {memory}");
    assert_eq!(found, naive.out, "{context}");
    assert_eq!(subject.late + subject.late_in_subtasks(), naive.late, "late rows, {context}");
    for (operator, _) in &subject.subtasks {
        assert!(operator.state.table.store.is_empty(), "rows are kept, {context}");
        assert_eq!(operator.spilled_bytes(), 0, "parts are kept, {context}");
    }
    subject.spilled
}

#[test]
fn rows_of_sessions_agree_with_enumeration() {
    for gap in [1, 3, 9, 30] {
        for seed in 0..200 {
            check(gap, &[0], seed, usize::MAX);
        }
        for seed in 0..40 {
            check(gap, &[], seed, usize::MAX);
        }
    }
}

#[test]
fn rows_of_sessions_beyond_memory_agree_with_enumeration() {
    for gap in [3, 9, 25] {
        for seed in 1_000..1_024 {
            let memory = if seed % 10 == 0 { 0 } else { 15_000 + 500 * (seed as usize - 1_000) };
            let spilled = check(gap, &[0], seed, memory);
            assert!(spilled > 0 || memory > 0, "nothing was spilled, seed {seed}");
            if seed % 6 == 0 {
                check(gap, &[], seed, memory);
            }
        }
    }
}

/// Rows at their times by the clock, then the timers up to `until`.
fn run(operator: &mut SessionRows, rows: &[(i64, i64)], until: i64) -> Vec<Out> {
    let mut found = BTreeSet::new();
    let mut timers = |operator: &mut SessionRows, now: i64| {
        while let Some(at) = operator.next_timer().filter(|at| *at <= now) {
            let mut out = Output::new(at.max(0));
            operator.timer(&mut out).unwrap();
            drain(operator, &mut out);
            collect(&mut out, &mut found);
        }
    };
    for (number, now) in rows {
        timers(operator, *now);
        let row = batch(&[(Some(1), Some(*number), 0)]);
        operator.process(0, row, &mut Output::new(*now)).unwrap();
    }
    timers(operator, until);
    found.into_iter().collect()
}

#[test]
fn by_processing_time_a_session_is_over_by_the_clock_and_does_not_come_again_after_a_restore() {
    let all = context(KeyGroupRange::all(GROUPS), MIN_WATERMARK);
    let mut first = operator(10, &[0], WindowTime::Processing, &all);
    let mut files = Vec::new();
    assert_eq!(run(&mut first, &[(1, 100), (2, 105)], 113), []);
    files.extend(first.snapshot(&request(false)).unwrap());
    let session = |number: i64, start: i64, end: i64| (Some(1), number, 0, start, end);
    assert_eq!(run(&mut first, &[], 114), [session(1, 100, 115), session(2, 100, 115)]);
    // The next row comes exactly where that session ended, which is over by then.
    assert_eq!(run(&mut first, &[(3, 115)], 115), []);
    files.extend(first.snapshot(&request(false)).unwrap());
    for full in [false, true] {
        let mut second = operator(10, &[0], WindowTime::Processing, &all);
        for file in &files {
            for entries in &file.changed.batches {
                let groups = KeyGroupRange::all(GROUPS);
                second.restore(file.table, file.version, entries, groups).unwrap();
            }
        }
        second.restored().unwrap();
        if full {
            files = second.snapshot(&request(true)).unwrap();
        }
        assert_eq!(
            run(&mut second, &[(4, 120)], 200),
            [session(3, 115, 130), session(4, 115, 130)]
        );
        assert_eq!(second.next_timer(), None);
    }
}

#[test]
fn what_other_tables_and_layouts_hold_is_refused() {
    let all = context(KeyGroupRange::all(GROUPS), MIN_WATERMARK);
    let mut operator = operator(10, &[0], WindowTime::Event { column: 2 }, &all);
    let rows = batch(&[(Some(1), Some(1), 0)]).rows;
    for table in [TABLE, fired::TABLE] {
        let refused = operator.restore(table, 1, &rows, all.owned).unwrap_err();
        assert_eq!(refused.code(), tidegate_types::ErrorCode::Incompatible);
    }
}
