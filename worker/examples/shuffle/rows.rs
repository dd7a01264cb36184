//! The rows that are exchanged: made once, sent again and again.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringViewBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use tidegate_engine::element::Changes;

/// Rows of a batch, as many as the engine makes.
const BATCH: usize = 4096;
/// Batches that take turns.
const BATCHES: usize = 16;

/// What a row has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Two numbers, as between the phases of an aggregate.
    Narrow,
    /// Six numbers and four texts of 8, 16, 30 and 60 bytes, as a record of a log.
    Wide,
}

impl Shape {
    pub(crate) const ALL: [Self; 2] = [Self::Narrow, Self::Wide];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Narrow => "narrow",
            Self::Wide => "wide",
        }
    }

    fn texts(self) -> &'static [usize] {
        match self {
            Self::Narrow => &[],
            Self::Wide => &[8, 16, 30, 60],
        }
    }
}

/// The columns of a shape; the first is the key.
pub(crate) fn schema(shape: Shape) -> SchemaRef {
    let mut fields =
        vec![Field::new("key", DataType::Int64, true), Field::new("value", DataType::Int64, true)];
    if shape == Shape::Wide {
        fields.extend([
            Field::new("price", DataType::Int64, true),
            Field::new("size", DataType::Int32, true),
            Field::new("code", DataType::Int32, true),
            Field::new("ts", DataType::Timestamp(TimeUnit::Millisecond, None), true),
        ]);
    }
    let texts = shape.texts().iter();
    fields.extend(texts.map(|n| Field::new(format!("text{n}"), DataType::Utf8View, true)));
    Arc::new(Schema::new(fields))
}

/// Bytes of a row in memory: values, views and texts that do not fit into a view.
pub(crate) fn bytes_per_row(shape: Shape) -> usize {
    let numbers = match shape {
        Shape::Narrow => 16,
        Shape::Wide => 40,
    };
    numbers + shape.texts().iter().map(|n| 16 + if *n > 12 { *n } else { 0 }).sum::<usize>()
}

/// The batches.
pub(crate) fn batches(shape: Shape) -> Vec<Changes> {
    let mut random = Random(7);
    (0..BATCHES).map(|_| batch(shape, &mut random)).collect()
}

fn batch(shape: Shape, random: &mut Random) -> Changes {
    let mut longs = || -> ArrayRef {
        Arc::new(Int64Array::from_iter_values((0..BATCH).map(|_| (random.next() % 100_000) as i64)))
    };
    let mut columns = vec![longs(), longs()];
    if shape == Shape::Wide {
        columns.push(longs());
        for _ in 0..2 {
            let values = (0..BATCH).map(|_| random.next() as i32);
            columns.push(Arc::new(Int32Array::from_iter_values(values)));
        }
        let times = Int64Array::from_iter_values((0..BATCH as i64).map(|n| 1_700_000_000_000 + n));
        let to = DataType::Timestamp(TimeUnit::Millisecond, None);
        columns.push(arrow::compute::cast(&times, &to).expect("numbers can be times"));
    }
    for length in shape.texts() {
        let mut texts = StringViewBuilder::new();
        for _ in 0..BATCH {
            let text: String =
                (0..*length).map(|_| char::from(b'a' + (random.next() % 26) as u8)).collect();
            texts.append_value(text);
        }
        columns.push(Arc::new(texts.finish()));
    }
    let rows = RecordBatch::try_new(schema(shape), columns).expect("columns are of the schema");
    Changes::append(rows)
}

/// A small generator: the same rows in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
