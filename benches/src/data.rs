//! The batch that all functions read: the same for every run.

use std::sync::Arc;

use anyhow::Result;
use arrow::array::{
    ArrayRef, Decimal128Array, Float64Array, Int32Array, Int64Array, ListBuilder, RecordBatch,
    StringViewArray, StringViewBuilder, TimestampMillisecondArray,
};
use arrow::datatypes::{Field, Schema};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

/// One value in so many is NULL.
const NULLS: u32 = 20;

/// The table of the batch, for the planner.
pub(crate) const TABLE: &str = "CREATE TABLE t (i INT, n INT, b BIGINT, d DOUBLE, e DOUBLE, m DECIMAL(12, 2), \
    s STRING, u STRING, w STRING, j STRING, q STRING, t TIMESTAMP(3), v TIMESTAMP(3), a ARRAY<STRING>) \
    WITH ('connector' = 'datagen')";

const WORDS: &[&str] = &[
    "stream",
    "table",
    "window",
    "Berlin",
    "pressure",
    "a",
    "of",
    "checkpoint",
    "数据流",
    "Zürich",
    "join",
    "42",
];

fn present(random: &mut StdRng) -> bool {
    !random.random_ratio(1, NULLS)
}

fn column<T>(
    rows: usize,
    random: &mut StdRng,
    mut make: impl FnMut(&mut StdRng) -> T,
) -> Vec<Option<T>> {
    (0..rows).map(|_| present(random).then(|| make(random))).collect()
}

fn words(random: &mut StdRng) -> String {
    let count = random.random_range(1..6);
    let words: Vec<&str> = (0..count).filter_map(|_| WORDS.choose(random).copied()).collect();
    words.join(" ")
}

fn moment(random: &mut StdRng) -> i64 {
    random.random_range(1_500_000_000_000..1_800_000_000_000)
}

/// Rows of every type that the functions take.
///
/// # Errors
/// If Arrow refuses the columns, which only a defect here could make.
pub(crate) fn batch(rows: usize) -> Result<RecordBatch> {
    let random = &mut StdRng::seed_from_u64(23);
    let ints = |values: Vec<Option<i32>>| Arc::new(Int32Array::from(values)) as ArrayRef;
    let doubles = |values: Vec<Option<f64>>| Arc::new(Float64Array::from(values)) as ArrayRef;
    let texts = |values: Vec<Option<String>>| {
        Arc::new(values.into_iter().collect::<StringViewArray>()) as ArrayRef
    };
    let moments =
        |values: Vec<Option<i64>>| Arc::new(TimestampMillisecondArray::from(values)) as ArrayRef;
    let decimals =
        column(rows, random, |random| i128::from(random.random_range(-1_000_000..1_000_000)));
    let mut lists = ListBuilder::new(StringViewBuilder::new());
    for _ in 0..rows {
        for _ in 0..random.random_range(0..5) {
            lists.values().append_option(WORDS.choose(random));
        }
        lists.append(true);
    }
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("i", ints(column(rows, random, |random| random.random_range(-1_000_000..1_000_000)))),
        ("n", ints(column(rows, random, |random| random.random_range(1..50)))),
        (
            "b",
            Arc::new(Int64Array::from(column(rows, random, |random| {
                random.random_range(0..1 << 40)
            }))),
        ),
        ("d", doubles(column(rows, random, |random| random.random_range(-1e6..1e6)))),
        ("e", doubles(column(rows, random, |random| random.random_range(0.1..100.0)))),
        ("m", Arc::new(Decimal128Array::from(decimals).with_precision_and_scale(12, 2)?)),
        ("s", texts(column(rows, random, words))),
        (
            "u",
            texts(column(rows, random, |random| {
                let id = random.random_range(0..100_000);
                format!("https://shop.example.org/item/{id}?channel=mail&id={id}")
            })),
        ),
        (
            "w",
            texts(column(rows, random, |random| random.random_range(-99_999..99_999).to_string())),
        ),
        (
            "j",
            texts(column(rows, random, |random| {
                let id = random.random_range(0..1_000_000);
                format!(
                    "{{\"id\":{id},\"user\":{{\"name\":\"{}\",\"city\":\"Berlin\"}},\"tags\":[1,2,3]}}",
                    WORDS.choose(random).unwrap_or(&"")
                )
            })),
        ),
        (
            "q",
            texts(column(rows, random, |random| {
                let (month, day) = (random.random_range(1..13), random.random_range(1..29));
                format!("20{}-{month:02}-{day:02} 12:34:56", random.random_range(10..30))
            })),
        ),
        ("t", moments(column(rows, random, moment))),
        ("v", moments(column(rows, random, moment))),
        ("a", Arc::new(lists.finish())),
    ];
    let fields =
        columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}
