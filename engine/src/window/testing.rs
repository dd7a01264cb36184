//! What tests of windows share: random rows, the operator under test, a store of its snapshots, and
//! enumeration to compare with.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{Int64Type, TimestampMillisecondType};
use tidegate_checkpoint::{FileRef, TableState};
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::WindowAggregate as Plan;
use tidegate_plan::window::{WindowColumn, WindowShape, WindowTime};
use tidegate_plan::{AggregateCall, AggregateFunction, Schema};
use tidegate_types::{Field, KeyGroupRange, MAX_WATERMARK, MIN_WATERMARK, TypeKind, Watermark};

use super::{AggregateInput, LocalWindowAggregate, SessionAggregate, WindowAggregate, WindowZone};
use crate::checkpoint::TableFiles;
use crate::checkpoint::table_files::WrittenTable;
use crate::element::Changes;
use crate::memory::MemoryBudget;
use crate::metrics::OperatorMetrics;
use crate::operator::{
    Copied, Entries, Operator, OperatorContext, Output, Progress, SnapshotMode, SnapshotRequest,
    TableSnapshot,
};
use crate::spill::SpillFolder;

pub(super) const GROUPS: u16 = 16;
/// The key groups of two subtasks.
pub(super) const HALVES: [KeyGroupRange; 2] =
    [KeyGroupRange { start: 0, end: 5 }, KeyGroupRange { start: 5, end: GROUPS }];

/// A row: key (NULL is a key), value, time.
pub(super) type Row = (Option<i64>, Option<i64>, i64);
/// Window → (rows, sum).
pub(super) type Results = BTreeMap<(i64, i64, Option<i64>), (i64, Option<i64>)>;

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
    let call = |function, argument, name: &str| AggregateCall {
        function,
        argument,
        parameters: Vec::new(),
        distinct: false,
        filter: None,
        name: name.into(),
        ty: TypeKind::BigInt.nullable(),
    };
    Plan {
        shape: shape.clone(),
        time: WindowTime::Event { column: 2 },
        keys: vec![0],
        aggregates: vec![
            call(AggregateFunction::Count, None, "n"),
            call(AggregateFunction::Sum, Some(1), "s"),
        ],
        columns: vec![WindowColumn::Start, WindowColumn::End],
        two_phase: true,
        emit: None,
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
    context_with(owned, watermark, MemoryBudget::unlimited())
}

pub(super) fn context_with(
    owned: KeyGroupRange,
    watermark: Watermark,
    memory: Arc<MemoryBudget>,
) -> OperatorContext {
    OperatorContext {
        subtask: 0,
        parallelism: 1,
        key_groups: GROUPS,
        owned,
        watermark,
        batch_rows: 7,
        metrics: Arc::new(OperatorMetrics::default()),
        memory,
        spill: SpillFolder::new(&std::env::temp_dir()),
    }
}

pub(super) fn drain(operator: &mut dyn Operator, out: &mut Output) {
    while operator.drain(out).unwrap() == Progress::More {}
}

fn local_phase(shape: &WindowShape) -> LocalWindowAggregate {
    LocalWindowAggregate::new(&plan(shape), &input_schema(), WindowZone::Unzoned).unwrap()
}

/// A snapshot that is copied at once.
pub(super) fn whole_snapshot(
    operator: &mut dyn Operator,
    request: &SnapshotRequest,
) -> Vec<TableSnapshot> {
    let mut tables = operator.snapshot(request).unwrap();
    while !copy(operator, usize::MAX, &mut tables) {}
    tables
}

/// Copies some of a snapshot; whether that was the last of it.
pub(super) fn copy(
    operator: &mut dyn Operator,
    entries: usize,
    tables: &mut [TableSnapshot],
) -> bool {
    let place = |name| tables.iter().position(|table| table.table == name).unwrap();
    match operator.copy(entries).unwrap() {
        Copied::Some => {}
        Copied::Piece(table, piece) => tables[place(table)].pieces.push(piece),
        Copied::Changed(table, entries) => tables[place(table)].changed.append(entries),
        Copied::Done => return true,
    }
    false
}

/// The operator (or its two phases) under test, with what it emitted.
pub(super) struct Subject {
    shape: WindowShape,
    memory: Arc<MemoryBudget>,
    local: Option<LocalWindowAggregate>,
    pub(super) subtasks: Vec<(Box<dyn Operator>, OperatorContext)>,
    pub(super) results: Results,
    pub(super) late: u64,
}

impl Subject {
    pub(super) fn new(shape: &WindowShape, two_phase: bool, memory: usize) -> Self {
        let mut subject = Self {
            shape: shape.clone(),
            memory: MemoryBudget::new(memory),
            local: None,
            subtasks: vec![],
            results: Results::new(),
            late: 0,
        };
        if two_phase {
            subject.local = Some(local_phase(shape));
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
            Box::new(
                SessionAggregate::new(&plan, &input, &output, zone, AggregateInput::Rows).unwrap(),
            )
        } else {
            let kind =
                if self.local.is_some() { AggregateInput::Partials } else { AggregateInput::Rows };
            Box::new(WindowAggregate::new(&plan, &input, &output, zone, kind).unwrap())
        };
        let context = context_with(owned, watermark, self.memory.clone());
        operator.open(&context).unwrap();
        (operator, context)
    }

    pub(super) fn feed(&mut self, changes: Changes) {
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

    pub(super) fn flush_local(&mut self, act: impl FnOnce(&mut LocalWindowAggregate, &mut Output)) {
        if let Some(local) = &mut self.local {
            let mut out = Output::new(0);
            act(local, &mut out);
            drain(local, &mut out);
            let partials = out.take();
            self.process(partials);
        }
    }

    pub(super) fn watermark(&mut self, watermark: Watermark) {
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

    pub(super) fn snapshot(
        &mut self,
        mode: SnapshotMode,
        stored: &mut Stored,
        watermark: Watermark,
    ) {
        self.flush_local(|local, out| local.before_barrier(out).unwrap());
        let request = SnapshotRequest {
            full: mode == SnapshotMode::Full,
            tables: BTreeMap::from([("windows".to_owned(), mode)]),
        };
        for (index, (operator, _)) in self.subtasks.iter_mut().enumerate() {
            for table in whole_snapshot(operator.as_mut(), &request) {
                stored.write(index, table, watermark);
            }
        }
    }

    /// Empties the local phase, as a crash does.
    pub(super) fn restart_local(&mut self) {
        if let Some(local) = &mut self.local {
            *local = local_phase(&self.shape);
        }
    }

    /// Replaces the subtasks by two that share the key groups, restored from the files.
    pub(super) fn restore(&mut self, stored: &mut Stored, watermark: Watermark) {
        self.late += self.late_in_subtasks();
        self.subtasks.clear();
        let tables = stored.take_tables();
        for owned in HALVES {
            let (mut operator, context) = self.subtask(owned, watermark);
            stored.restore(operator.as_mut(), &tables, owned);
            self.subtasks.push((operator, context));
        }
    }

    pub(super) fn late_in_subtasks(&self) -> u64 {
        self.subtasks.iter().map(|(_, context)| context.metrics.late_records.get()).sum()
    }
}

/// Snapshots as a checkpoint store keeps them.
#[derive(Default)]
pub(super) struct Stored {
    files: BTreeMap<String, Vec<RecordBatch>>,
    /// By subtask.
    tables: Vec<TableFiles>,
}

impl Stored {
    /// The tables of all subtasks, whose place new ones take.
    pub(super) fn take_tables(&mut self) -> Vec<TableState> {
        let tables = std::mem::take(&mut self.tables);
        tables.iter().filter_map(|files| files.state("windows", None)).collect()
    }

    /// Restores a subtask.
    pub(super) fn restore(
        &mut self,
        operator: &mut dyn Operator,
        tables: &[TableState],
        owned: KeyGroupRange,
    ) {
        for table in tables {
            for file in &table.files {
                for entries in &self.files[&file.path] {
                    operator.restore("windows", table.version, entries, owned).unwrap();
                }
            }
        }
        operator.restored().unwrap();
        self.tables.push(tables.first().map(TableFiles::restored).unwrap_or_default());
    }

    pub(super) fn write(&mut self, subtask: usize, table: TableSnapshot, watermark: Watermark) {
        let lap = table.lap.unwrap_or_default();
        let mut pieces = Vec::new();
        for piece in table.pieces {
            let mark = piece.mark(lap);
            pieces.extend(self.file(piece.entries).map(|file| (file, mark)));
        }
        let written = WrittenTable {
            version: table.version,
            mode: table.mode,
            changed: self.file(table.changed),
            pieces,
            lap: table.lap,
            live: table.live,
        };
        self.tables.resize_with(self.tables.len().max(subtask + 1), TableFiles::default);
        self.tables[subtask].apply(written, watermark);
    }

    fn file(&mut self, entries: Entries) -> Option<FileRef> {
        let (rows, path) = (entries.rows() as u64, self.files.len().to_string());
        let (digest, expires) = (String::new(), entries.expires);
        self.files.insert(path.clone(), entries.load().unwrap());
        (rows > 0).then_some(FileRef { path, size: rows, rows, digest, expires })
    }
}

/// What the windows hold if rows are taken one after the other; and how many rows are late.
pub(super) fn naive(shape: &WindowShape, events: &[Event]) -> (Results, u64) {
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
