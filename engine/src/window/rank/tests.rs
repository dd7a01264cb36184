//! Window Top-N against naive enumeration: ties, late rows, snapshots and a restore into two subtasks
//! in the middle, with all rows in memory, some of them, and as few as possible.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, ArrayRef, TimestampMillisecondArray};
use arrow::datatypes::TimestampMillisecondType;
use tidegate_plan::operator::SortKey;
use tidegate_types::key_group::key_group;
use tidegate_types::{Field as SqlField, MAX_WATERMARK, TypeKind};

use super::super::testing::{Event, GROUPS, HALVES, Random, Stored, context_with, drain, events};
use super::*;
use crate::memory::MemoryBudget;

const SIZE: i64 = 20;

/// Key, value, number, window start.
type Row = (Option<i64>, Option<i64>, i64, i64);

fn schema(rank: bool) -> Schema {
    let number = |name: &str| SqlField::new(name, TypeKind::BigInt.nullable());
    let time = |name: &str| SqlField::new(name, TypeKind::timestamp(3).not_null());
    let mut schema =
        vec![number("k"), number("v"), number("n"), time("window_start"), time("window_end")];
    schema.extend(rank.then(|| SqlField::new("r", TypeKind::BigInt.not_null())));
    schema
}

fn operator(from: u64, to: u64, context: &OperatorContext) -> WindowRank {
    let plan = Plan {
        time: WindowTime::Attached { start: 3, end: 4 },
        keys: vec![0],
        order: vec![SortKey { column: 1, descending: true, nulls_first: false }],
        from,
        to,
        rank_column: Some("r".into()),
    };
    let mut operator =
        WindowRank::new(&plan, &schema(false), &schema(true), WindowZone::Unzoned).unwrap();
    operator.open(context).unwrap();
    operator
}

fn batch(rows: &[Row]) -> Changes {
    let time = |end: i64| -> ArrayRef {
        Arc::new(TimestampMillisecondArray::from_iter_values(rows.iter().map(|row| row.3 + end)))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
        Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>()),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2))),
        time(0),
        time(SIZE),
    ];
    Changes::append(RecordBatch::try_new(arrow_schema(&schema(false)), columns).unwrap())
}

struct Subject {
    ranks: (u64, u64),
    memory: Arc<MemoryBudget>,
    subtasks: Vec<(WindowRank, OperatorContext)>,
    stored: Stored,
    /// Rows with their ranks.
    found: BTreeSet<(Row, i64)>,
    late: u64,
    spilled: usize,
}

impl Subject {
    fn start(&mut self, ranges: &[KeyGroupRange], watermark: i64) {
        self.late += self.late_in_subtasks();
        self.subtasks.clear();
        let tables = self.stored.take_tables();
        for owned in ranges {
            let context = context_with(*owned, watermark, self.memory.clone());
            let mut operator = operator(self.ranks.0, self.ranks.1, &context);
            self.stored.restore(&mut operator, &tables, *owned);
            self.subtasks.push((operator, context));
        }
    }

    fn feed(&mut self, rows: &mut Vec<Row>) {
        let changes = batch(&std::mem::take(rows));
        let mut hashes = Vec::new();
        hash_columns(&changes.rows, &[0], &mut hashes).unwrap();
        for (operator, context) in &mut self.subtasks {
            let mine = |row: &u32| context.owned.contains(key_group(hashes[*row as usize], GROUPS));
            let rows: Vec<u32> = (0..changes.len() as u32).filter(mine).collect();
            operator.process(0, changes.take(&rows.into()).unwrap(), &mut Output::new(0)).unwrap();
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
            for changes in out.take() {
                let number =
                    |column: usize| changes.rows.column(column).as_primitive::<Int64Type>();
                let some = |column: usize, row: usize| {
                    number(column).is_valid(row).then(|| number(column).value(row))
                };
                let starts = changes.rows.column(3).as_primitive::<TimestampMillisecondType>();
                for row in 0..changes.len() {
                    let values =
                        (some(0, row), some(1, row), number(2).value(row), starts.value(row));
                    assert!(self.found.insert((values, number(5).value(row))), "{values:?} twice");
                }
            }
        }
    }

    fn snapshot(&mut self, full: bool, watermark: i64) {
        for (index, (operator, _)) in self.subtasks.iter_mut().enumerate() {
            let request = SnapshotRequest { full, ..SnapshotRequest::default() };
            for table in operator.snapshot(&request).unwrap() {
                self.stored.write(index, table, watermark);
            }
        }
    }

    fn late_in_subtasks(&self) -> u64 {
        self.subtasks.iter().map(|(_, context)| context.metrics.late_records.get()).sum()
    }
}

/// Every row on time of each window and key, in the order of ranks.
fn naive(rows: BTreeMap<(i64, Option<i64>), Vec<Row>>, from: u64, to: u64) -> BTreeSet<(Row, i64)> {
    let mut all = BTreeSet::new();
    for (_, mut rows) in rows {
        rows.sort_by_key(|row| std::cmp::Reverse(row.1));
        let ranked = rows.into_iter().zip(1i64..);
        all.extend(ranked.filter(|(_, rank)| (from..=to).contains(&(*rank as u64))));
    }
    all
}

fn check(ranks: (u64, u64), seed: u64) {
    let mut random = Random(seed);
    let events = events(&mut random, 300);
    let restore_at = random.below(events.len() as u64) as usize;
    let memory = [0, 6_000, 9_000, usize::MAX, 12_000, 4_000][seed as usize % 6];
    let mut subject = Subject {
        ranks,
        memory: MemoryBudget::new(memory),
        subtasks: Vec::new(),
        stored: Stored::default(),
        found: BTreeSet::new(),
        late: 0,
        spilled: 0,
    };
    subject.start(&[KeyGroupRange::all(GROUPS)], MIN_WATERMARK);
    let (mut rows, mut watermark, mut late) = (Vec::new(), MIN_WATERMARK, 0);
    let mut expected: BTreeMap<_, Vec<Row>> = BTreeMap::new();
    for (index, event) in events.iter().enumerate() {
        match event {
            Event::Row((key, value, time)) => {
                let start = time - time.rem_euclid(SIZE);
                let row = (*key, value.map(|value| value / 20), index as i64, start);
                rows.push(row);
                match start + SIZE - 1 > watermark {
                    true => expected.entry((start, *key)).or_default().push(row),
                    false => late += 1,
                }
            }
            Event::Watermark(mark) => {
                subject.feed(&mut rows);
                watermark = watermark.max(*mark);
                subject.watermark(watermark);
            }
        }
        if random.below(5) == 0 {
            subject.feed(&mut rows);
        }
        if random.below(20) == 0 || index == restore_at {
            subject.feed(&mut rows);
            subject.snapshot(random.below(5) == 0, watermark);
            if index == restore_at {
                subject.start(&HALVES, watermark);
                // Of files that both have, neither may drop any: what is written next is everything.
                subject.snapshot(true, watermark);
            }
        }
    }
    assert_eq!(watermark, MAX_WATERMARK);
    let context = format!("ranks {ranks:?} seed {seed} memory {memory}");
    assert_eq!(subject.found, naive(expected, ranks.0, ranks.1), "{context}");
    assert_eq!(subject.late + subject.late_in_subtasks(), late, "late rows, {context}");
    assert!(subject.spilled > 0 || memory > 0, "nothing was spilled, {context}");
}

#[test]
fn first_rows_agree_with_enumeration() {
    for ranks in [(1, 1), (1, 3), (2, 5), (1, 1_000)] {
        for seed in 0..48 {
            check(ranks, seed);
        }
    }
}
