//! Inputs of the questions about changing tables: tables that only grow, with event time, and tables
//! whose rows are updated and deleted, as Debezium's JSON; some of those are versions by time.
//!
//! All inputs of a run have columns of the same types, so that any two of them can be joined.

use std::collections::BTreeMap;
use std::ops::Range;

use anyhow::Result;
use arrow::array::RecordBatch;

use crate::cases::table::Column;
use crate::cases::table::{BASE, KEY_TYPES, key_value, nullable, other_value};
use crate::cases::{Lateness, Table};
use crate::prng::Prng;
use crate::value::{Cell, ColumnType};

const NUMBER_TYPES: &[ColumnType] = &[
    ColumnType::Int,
    ColumnType::Int,
    ColumnType::BigInt,
    ColumnType::Decimal(9, 2),
    ColumnType::Double,
];
const VALUE_TYPES: &[ColumnType] = &[
    ColumnType::Int,
    ColumnType::BigInt,
    ColumnType::Text,
    ColumnType::Date,
    ColumnType::Boolean,
    ColumnType::Decimal(9, 2),
];
/// Values of a key column; the first is far more frequent.
const KEYS: usize = 5;

/// What the inputs of a run have in common.
#[derive(Debug, Clone)]
pub struct Schema {
    keys: Vec<Column>,
    values: Vec<Column>,
    /// Mean distance of event times, ms.
    pub spacing: i64,
}

impl Schema {
    /// Random types.
    pub fn random(prng: &mut Prng) -> Self {
        let column = |name: &str, ty| Column { name: name.to_owned(), ty };
        Self {
            keys: vec![column("k0", *prng.pick(KEY_TYPES)), column("k1", *prng.pick(KEY_TYPES))],
            values: vec![
                column("v0", *prng.pick(NUMBER_TYPES)),
                column("v1", *prng.pick(VALUE_TYPES)),
            ],
            spacing: *prng.pick(&[20, 200, 1_000, 3_000]),
        }
    }

    fn row(&self, id: usize, time: i64, prng: &mut Prng) -> Vec<Cell> {
        let mut row = vec![Cell::Integer(id as i64)];
        row.extend(self.keys.iter().map(|key| nullable(12, prng, |prng| skewed(key.ty, prng))));
        row.extend(
            self.values.iter().map(|value| nullable(15, prng, |prng| small(value.ty, prng))),
        );
        row.push(Cell::Integer(time));
        row
    }

    fn table(&self, name: &str, rows: Vec<Vec<Cell>>, delay: i64, lateness: Lateness) -> Table {
        Table {
            name: name.to_owned(),
            keys: self.keys.clone(),
            values: self.values.clone(),
            rows,
            delay,
            files: Vec::new(),
            lateness,
        }
    }
}

fn skewed(ty: ColumnType, prng: &mut Prng) -> Cell {
    let cardinality = if prng.chance(40) { 1 } else { KEYS };
    key_value(ty, cardinality, prng)
}

/// So small that sums of sums over joins stay in their type, and exact in any order.
fn small(ty: ColumnType, prng: &mut Prng) -> Cell {
    match ty {
        ColumnType::Int | ColumnType::BigInt => Cell::Integer(prng.between(-20, 20)),
        ColumnType::Decimal(..) => Cell::Unscaled(i128::from(prng.between(-999, 999))),
        ColumnType::Double => Cell::Double(prng.between(-80, 80) as f64 / 4.0),
        _ => other_value(ty, prng),
    }
}

/// An input.
#[derive(Debug, Clone)]
pub struct Input {
    /// Columns, and the rows: all of a table that only grows, those that remain in the end of one that
    /// changes, all versions of one of versions.
    pub table: Table,
    /// What kind it is.
    pub kind: Kind,
    /// Whether no two rows have the same event time.
    pub distinct_times: bool,
    /// Content of the files.
    files: Vec<String>,
    /// How many changes are in them.
    pub changes: usize,
    /// Whether the key is declared.
    pub declared: bool,
    /// Whether one subtask always reads it, file by file, so that changes of a key come in order.
    pub one_by_one: bool,
}

/// How an input changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Rows are added only; there is event time.
    Append,
    /// Rows are updated and deleted; `id` is the key, and there is no event time.
    Changes,
    /// Versions by event time, of the key `k0`.
    Versions,
    /// Rows are added in the order of event time; the last one per `k0`, as a view, are versions too.
    Ordered,
}

impl Input {
    /// A table that only grows.
    pub fn append(name: &str, schema: &Schema, lateness: Lateness, prng: &mut Prng) -> Self {
        let distinct_times = prng.chance(70);
        let count = prng.between(15, 70);
        let (times, delay) = times(schema.spacing, count, lateness, distinct_times, prng);
        let rows = times
            .iter()
            .enumerate()
            .map(|(id, time)| schema.row(id, *time, prng))
            .collect::<Vec<_>>();
        let (rows_count, mut table) = (rows.len(), schema.table(name, rows, delay, lateness));
        let count = if lateness == Lateness::Late { 1 } else { prng.between(2, 7) as usize };
        table.files = split(rows_count, count);
        let files = table.files.iter().map(|range| table.json(range.clone())).collect();
        let kind = Kind::Append;
        Self {
            files,
            changes: rows_count,
            declared: false,
            one_by_one: false,
            kind,
            distinct_times,
            table,
        }
    }

    /// A table that grows in the order of time, of which [`Input::view`] makes versions.
    pub fn ordered(name: &str, schema: &Schema, lateness: Lateness, prng: &mut Prng) -> Self {
        let count = prng.between(8, 40);
        let (mut times, delay) = times(schema.spacing, count, lateness, true, prng);
        times.sort_unstable();
        let rows: Vec<_> =
            times.iter().enumerate().map(|(id, time)| schema.row(id, *time, prng)).collect();
        let changes = rows.len();
        let table = schema.table(name, rows, delay, lateness);
        let ranges = split(changes, prng.between(1, 4) as usize);
        let files = ranges.into_iter().map(|range| table.json(range)).collect();
        let kind = Kind::Ordered;
        let (declared, one_by_one) = (false, true);
        Self { table, kind, distinct_times: true, files, changes, declared, one_by_one }
    }

    /// What versions are read of.
    pub fn versioned(&self) -> String {
        match self.kind {
            Kind::Ordered => format!("last_{}", self.table.name),
            _ => self.table.name.clone(),
        }
    }

    /// The view that makes versions of rows, as a statement.
    pub fn view(&self) -> Option<String> {
        (self.kind == Kind::Ordered).then(|| {
            format!(
                "CREATE TEMPORARY VIEW {} AS SELECT k0, k1, v0, v1, ts FROM (SELECT *, \
                 ROW_NUMBER() OVER (PARTITION BY k0 ORDER BY ts DESC) AS rn FROM {}) WHERE rn = 1",
                self.versioned(),
                self.table.name
            )
        })
    }

    /// Whether one subtask must read it, file by file; `coming`: files come one by one.
    pub fn is_sequential(&self, coming: bool) -> bool {
        self.one_by_one || coming && self.table.lateness == Lateness::Bounded
    }

    /// Whether changes of it are only new rows.
    pub fn is_append(&self) -> bool {
        matches!(self.kind, Kind::Append | Kind::Ordered)
    }

    /// A table whose rows are updated and deleted. The life of one row is in one file, as files are
    /// read side by side.
    pub fn changing(name: &str, schema: &Schema, prng: &mut Prng) -> Self {
        let count = prng.between(2, 7) as usize;
        let empty = schema.table(name, Vec::new(), 0, Lateness::Far);
        let mut files = vec![String::new(); count];
        let mut alive: BTreeMap<usize, Vec<Cell>> = BTreeMap::new();
        let (mut next, mut changes) = (0, 0);
        for _ in 0..prng.between(30, 110) {
            let time = BASE + prng.between(0, 50 * schema.spacing);
            let choice = prng.below(100);
            let known = (!alive.is_empty()).then(|| prng.below(alive.len().max(1)));
            let known = known.and_then(|nth| alive.keys().nth(nth).copied());
            let (id, before, after) = match known {
                Some(id) if choice < 20 => (id, alive.remove(&id), None),
                Some(id) if choice < 50 => {
                    let after = changed(&alive[&id], schema.row(id, time, prng), prng);
                    (id, alive.insert(id, after.clone()), Some(after))
                }
                _ => {
                    // A key that was deleted may come again.
                    let id = if next > 0 && prng.chance(25) { prng.below(next) } else { next };
                    next = next.max(id + 1);
                    if alive.contains_key(&id) {
                        continue;
                    }
                    let after = schema.row(id, time, prng);
                    (id, alive.insert(id, after.clone()), Some(after))
                }
            };
            changes += if before.is_some() && after.is_some() { 2 } else { 1 };
            files[id % count].push_str(&event(&empty, before, after));
        }
        let table = Table { rows: alive.into_values().collect(), ..empty };
        let declared = prng.chance(50);
        let (kind, one_by_one) = (Kind::Changes, false);
        Self { table, kind, distinct_times: false, files, changes, declared, one_by_one }
    }

    /// Versions of few keys. A deletion has the time from which on there is no version.
    pub fn versions(name: &str, schema: &Schema, lateness: Lateness, prng: &mut Prng) -> Self {
        let count = prng.between(8, 40);
        let (mut times, delay) = times(schema.spacing, count, lateness, true, prng);
        times.sort_unstable();
        let mut table = schema.table(name, Vec::new(), delay, lateness);
        let mut keys: Vec<(Cell, Option<Vec<Cell>>)> = Vec::new();
        for _ in 0..50 {
            let key = key_value(schema.keys[0].ty, KEYS, prng);
            if keys.iter().all(|(other, _)| *other != key) {
                keys.push((key, None));
            }
        }
        let (mut events, mut changes) = (Vec::new(), 0);
        for time in times {
            let place = prng.below(keys.len());
            let (key, last) = &mut keys[place];
            // `id` tells versions (0) from deletions (1) in the oracle's table of versions.
            let mut row = schema.row(0, time, prng);
            row[1] = key.clone();
            if last.is_some() && prng.chance(25) {
                let mut deleted = last.take().unwrap_or_default();
                deleted.pop();
                deleted.push(Cell::Integer(time));
                events.push(event(&table, Some(deleted.clone()), None));
                deleted[0] = Cell::Integer(1);
                table.rows.push(deleted);
                changes += 1;
            } else {
                changes += if last.is_some() { 2 } else { 1 };
                events.push(event(&table, last.replace(row.clone()), Some(row.clone())));
                table.rows.push(row);
            }
        }
        let ranges = split(events.len(), prng.between(1, 4) as usize);
        let files = ranges.into_iter().map(|range| events[range].concat()).collect();
        let (kind, declared, one_by_one) = (Kind::Versions, true, prng.chance(60));
        Self { table, kind, distinct_times: true, files, changes, declared, one_by_one }
    }

    /// `CREATE TABLE` over files at a path; `more` options begin with a comma.
    pub fn ddl(&self, path: &str, more: &str) -> String {
        if self.is_append() {
            return self.table.ddl(path, more);
        }
        let more = format!(", 'format'='debezium-json'{more}");
        let ddl = self.table.ddl(path, &more).replacen(", 'format'='json'", "", 1);
        let watermark = ddl.find(", WATERMARK").zip(ddl.find(") WITH ("));
        let Some((watermark, end)) = watermark else { return ddl };
        let time = if self.kind == Kind::Versions { &ddl[watermark..end] } else { "" };
        let key = match self.kind {
            Kind::Versions => ", PRIMARY KEY (k0) NOT ENFORCED",
            _ if self.declared => ", PRIMARY KEY (id) NOT ENFORCED",
            _ => "",
        };
        format!("{}{time}{key}{}", &ddl[..watermark], &ddl[end..])
    }

    /// The content of the files, in their order.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// The rows for the oracle, see [`Table::batch`].
    ///
    /// # Errors
    /// If Arrow refuses a value.
    pub fn batch(&self) -> Result<RecordBatch> {
        self.table.batch()
    }
}

fn changed(before: &[Cell], fresh: Vec<Cell>, prng: &mut Prng) -> Vec<Cell> {
    // Now and then nothing changes at all.
    let share = *prng.pick(&[0, 30, 30, 60]);
    let mix = |(old, new): (&Cell, Cell)| if prng.chance(share) { new } else { old.clone() };
    before.iter().zip(fresh).map(mix).collect()
}

fn event(table: &Table, before: Option<Vec<Cell>>, after: Option<Vec<Cell>>) -> String {
    let op = match (&before, &after) {
        (Some(_), Some(_)) => "u",
        (Some(_), None) => "d",
        _ => "c",
    };
    let object = |row: Option<Vec<Cell>>| match row {
        Some(row) => {
            let one = Table { rows: vec![row], ..table.clone() };
            one.json(0..1).trim_end().to_owned()
        }
        None => "null".to_owned(),
    };
    format!("{{\"before\":{},\"after\":{},\"op\":\"{op}\"}}\n", object(before), object(after))
}

fn split(rows: usize, count: usize) -> Vec<Range<usize>> {
    let step = rows.div_ceil(count).max(1);
    (0..count).map(|i| (i * step).min(rows)..((i + 1) * step).min(rows)).collect()
}

/// Event times in the order of arrival from about [`BASE`] on, and the delay of the watermark.
fn times(
    spacing: i64,
    count: i64,
    lateness: Lateness,
    distinct: bool,
    prng: &mut Prng,
) -> (Vec<i64>, i64) {
    let (disorder, delay) = match lateness {
        Lateness::Far => (prng.between(0, 20 * spacing), 86_400_000),
        Lateness::Bounded => {
            let disorder = spacing * prng.between(0, 5);
            (disorder, 2 * disorder + spacing + 1_000)
        }
        Lateness::Late => (spacing * prng.between(2, 10), spacing * prng.between(0, 4)),
    };
    let (mut clock, mut times) = (BASE + prng.between(0, 5 * spacing), Vec::new());
    for _ in 0..count {
        clock += prng.between(0, 2 * spacing);
        let mut time = clock + prng.between(-disorder, disorder);
        time -= if distinct { 0 } else { time % spacing };
        while distinct && times.contains(&time) {
            time += 1;
        }
        times.push(time);
    }
    (times, delay)
}
