//! Generated tables: columns, rows in the order of arrival, event times, watermarks, files.

use std::ops::Range;
use std::sync::Arc;

use anyhow::Result;
use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};

use super::interval;
use crate::prng::Prng;
use crate::value::{Cell, ColumnType, array};

/// 2024-03-10 00:00:00, about where event times lie.
pub(crate) const BASE: i64 = 1_710_028_800_000;
/// Before every watermark.
const NO_WATERMARK: i64 = i64::MIN / 2;

pub(crate) const KEY_TYPES: &[ColumnType] = &[
    ColumnType::Text,
    ColumnType::Text,
    ColumnType::Int,
    ColumnType::BigInt,
    ColumnType::Boolean,
    ColumnType::Date,
    ColumnType::Decimal(6, 2),
    ColumnType::SmallInt,
];
const NUMBER_TYPES: &[ColumnType] = &[
    ColumnType::Int,
    ColumnType::BigInt,
    ColumnType::SmallInt,
    ColumnType::Decimal(12, 3),
    ColumnType::Double,
];
const VALUE_TYPES: &[ColumnType] = &[
    ColumnType::Int,
    ColumnType::BigInt,
    ColumnType::Double,
    ColumnType::Decimal(10, 1),
    ColumnType::Text,
    ColumnType::Date,
    ColumnType::Boolean,
];

/// How far event times are out of order, and which rows are late therefore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lateness {
    /// The watermark stays a day behind: all windows end with the input.
    Far,
    /// The disorder is bounded and the watermark respects it: windows end on the way, no row is late.
    Bounded,
    /// Rows are late. Which ones is decided by the order in one file, given a watermark per row.
    Late,
}

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Type.
    pub ty: ColumnType,
}

/// A table with its rows.
#[derive(Debug, Clone)]
pub struct Table {
    /// Name.
    pub name: String,
    /// Key columns: few different values, and NULL.
    pub keys: Vec<Column>,
    /// Other columns; the first is numeric.
    pub values: Vec<Column>,
    /// `id`, keys, values, `ts`, in the order of arrival.
    pub rows: Vec<Vec<Cell>>,
    /// How far the watermark is behind, milliseconds.
    pub delay: i64,
    /// The rows of each file; files are in the order of time.
    pub files: Vec<Range<usize>>,
    /// Which rows are late.
    pub lateness: Lateness,
}

impl Table {
    /// A random table.
    pub fn random(name: &str, lateness: Lateness, prng: &mut Prng) -> Self {
        let named = |prefix: &str, index: usize, ty: ColumnType| Column {
            name: format!("{prefix}{index}"),
            ty,
        };
        let keys: Vec<Column> =
            (0..=prng.below(3)).map(|i| named("k", i, *prng.pick(KEY_TYPES))).collect();
        let more = 1 + prng.below(3);
        let mut values = vec![named("v", 0, *prng.pick(NUMBER_TYPES))];
        values.extend((1..=more).map(|i| named("v", i, *prng.pick(VALUE_TYPES))));
        let (times, delay) = times(lateness, prng);
        let cardinality = 1 + prng.below(5);
        let rows = times.iter().enumerate().map(|(id, time)| {
            let mut row = vec![Cell::Integer(id as i64)];
            row.extend(
                keys.iter()
                    .map(|key| nullable(15, prng, |prng| key_value(key.ty, cardinality, prng))),
            );
            row.extend(
                values.iter().map(|value| nullable(20, prng, |prng| other_value(value.ty, prng))),
            );
            row.push(Cell::Integer(*time));
            row
        });
        let rows: Vec<Vec<Cell>> = rows.collect();
        let count = if lateness == Lateness::Late { 1 } else { 1 + prng.below(4) };
        let step = rows.len().div_ceil(count);
        let files = (0..count)
            .map(|i| (i * step).min(rows.len())..((i + 1) * step).min(rows.len()))
            .collect();
        Self { name: name.to_owned(), keys, values, rows, delay, files, lateness }
    }

    /// All columns in order.
    pub fn columns(&self) -> Vec<Column> {
        let named = |name: &str, ty| Column { name: name.to_owned(), ty };
        let mut columns = vec![named("id", ColumnType::BigInt)];
        columns.extend(self.keys.iter().chain(&self.values).cloned());
        columns.push(named("ts", ColumnType::Timestamp));
        columns
    }

    /// `CREATE TABLE` over JSON files at a path; `more` options begin with a comma.
    pub fn ddl(&self, path: &str, more: &str) -> String {
        let columns = self.columns();
        let columns: Vec<String> =
            columns.iter().map(|column| format!("{} {}", column.name, column.ty.sql())).collect();
        format!(
            "CREATE TABLE {} ({}, WATERMARK FOR ts AS ts - {}) WITH ('connector'='filesystem', 'path'='{path}', 'format'='json'{more})",
            self.name,
            columns.join(", "),
            interval(self.delay),
        )
    }

    /// Some rows as JSON lines.
    pub fn json(&self, rows: Range<usize>) -> String {
        let columns = self.columns();
        let mut text = String::new();
        for row in &self.rows[rows] {
            let members = columns
                .iter()
                .zip(row)
                .map(|(column, cell)| format!("\"{}\":{}", column.name, cell.json(column.ty)));
            text.push_str(&format!("{{{}}}\n", members.collect::<Vec<_>>().join(",")));
        }
        text
    }

    /// All rows for the oracle: the columns, but the time as `ts_ms`, and `wm`, the watermark that
    /// has passed before each row if there is one after every row.
    ///
    /// # Errors
    /// If Arrow refuses a value.
    pub fn batch(&self) -> Result<RecordBatch> {
        let mut fields = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for (index, column) in self.columns().iter().enumerate() {
            let name = if column.name == "ts" { "ts_ms" } else { &column.name };
            fields.push(Field::new(name, column.ty.arrow(), true));
            arrays.push(array(column.ty, self.rows.iter().map(|row| &row[index]))?);
        }
        fields.push(Field::new("wm", DataType::Int64, false));
        arrays.push(Arc::new(Int64Array::from(self.watermarks())));
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
    }

    fn watermarks(&self) -> Vec<i64> {
        let mut highest = NO_WATERMARK;
        let before = self.rows.iter().map(|row| {
            let before = highest;
            if let Some(Cell::Integer(time)) = row.last() {
                highest = highest.max(time - self.delay);
            }
            before
        });
        before.collect()
    }
}

/// Event times in the order of arrival, and the delay of the watermark.
fn times(lateness: Lateness, prng: &mut Prng) -> (Vec<i64>, i64) {
    let count = match lateness {
        Lateness::Late => prng.between(20, 80),
        _ => prng.between(20, 250),
    };
    let (disorder, delay) = match lateness {
        Lateness::Far => (prng.between(0, 60_000), 86_400_000),
        Lateness::Bounded => {
            let disorder = 500 * prng.between(0, 10);
            (disorder, 2 * disorder + 2_000)
        }
        Lateness::Late => (prng.between(1_000, 20_000), 500 * prng.between(0, 10)),
    };
    let spacing = *prng.pick(&[50, 200, 1_000, 3_000]);
    let whole_seconds = prng.chance(40);
    let mut clock = BASE + prng.between(0, 3_600_000);
    let mut times = Vec::new();
    for _ in 0..count {
        clock += prng.between(0, 2 * spacing);
        if prng.chance(3) {
            clock += prng.between(5_000, 60_000);
        }
        let time = clock + prng.between(-disorder, disorder);
        times.push(if whole_seconds { time - time % 1_000 } else { time });
    }
    (times, delay)
}

pub(crate) fn nullable(
    percent: u64,
    prng: &mut Prng,
    value: impl FnOnce(&mut Prng) -> Cell,
) -> Cell {
    if prng.chance(percent) { Cell::Null } else { value(prng) }
}

pub(crate) fn key_value(ty: ColumnType, cardinality: usize, prng: &mut Prng) -> Cell {
    const TEXTS: &[&str] = &[
        "a",
        "A",
        "",
        "b\"\\,\n",
        "a key that is too long to be kept inline",
        "änderung 東京 \u{1F600}",
    ];
    let choice = prng.below(cardinality.min(TEXTS.len())) as i64;
    match ty {
        ColumnType::Text => Cell::Text(TEXTS[choice as usize].to_owned()),
        ColumnType::Boolean => Cell::Boolean(choice % 2 == 1),
        ColumnType::Decimal(..) => Cell::Unscaled(i128::from(choice) * 25 - 50),
        ColumnType::Date => Cell::Integer(19_700 + choice),
        ColumnType::BigInt => Cell::Integer(i64::MAX / 7 * (choice - 2)),
        _ => Cell::Integer(choice - 1),
    }
}

pub(crate) fn other_value(ty: ColumnType, prng: &mut Prng) -> Cell {
    const TEXTS: &[&str] =
        &["", "Z", "a", "aa", "\u{FFFD}", "\u{1F600}", "ä", "zulu zulu zulu zulu zulu"];
    match ty {
        ColumnType::Text => Cell::Text((*prng.pick(TEXTS)).to_owned()),
        ColumnType::Boolean => Cell::Boolean(prng.chance(50)),
        ColumnType::Decimal(..) => Cell::Unscaled(i128::from(prng.between(-99_999, 99_999))),
        // Quarters of small numbers add up exactly in any order.
        ColumnType::Double => Cell::Double(prng.between(-4_000, 4_000) as f64 / 4.0),
        ColumnType::Date => Cell::Integer(prng.between(-500, 20_000)),
        // So small that no sum leaves the type: Flink's wraps around, the oracle's does not.
        ColumnType::SmallInt => Cell::Integer(prng.between(-50, 50)),
        ColumnType::Int => Cell::Integer(prng.between(-1_000, 1_000)),
        _ => Cell::Integer(prng.between(-1_000_000_000_000, 1_000_000_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_disorder_makes_no_row_late() {
        for seed in 0..200 {
            let table = Table::random("t", Lateness::Bounded, &mut Prng::new(seed));
            for (row, watermark) in table.rows.iter().zip(table.watermarks()) {
                assert!(
                    matches!(row.last(), Some(Cell::Integer(time)) if *time > watermark),
                    "seed {seed}"
                );
            }
        }
    }

    #[test]
    fn files_hold_every_row_once() {
        for seed in 0..50 {
            let table = Table::random("t", Lateness::Far, &mut Prng::new(seed));
            let lines: usize =
                table.files.iter().map(|file| table.json(file.clone()).lines().count()).sum();
            assert_eq!(lines, table.rows.len());
            assert_eq!(table.batch().unwrap().num_rows(), lines);
        }
    }
}
