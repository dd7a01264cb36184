//! Rows of bids and auctions, as Nexmark's generator makes them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampMillisecondArray};
use tidegate_plan::Schema;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_types::{Error, Field, Result, TypeKind};

/// Rows of a batch.
pub(crate) const BATCH: usize = 4096;
/// Event time that an event takes, in ms: 100 000 events make a second.
const EVENTS_PER_MS: i64 = 100;

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

/// A batch of a side, and the watermark behind it.
pub(crate) struct Input {
    pub(crate) side: usize,
    pub(crate) rows: RecordBatch,
    pub(crate) watermark: i64,
}

/// `id`, `number`, `time`, `until`, `text`.
pub(crate) fn schema(text: bool) -> Schema {
    let time = |name| Field::new(name, TypeKind::timestamp(3).not_null());
    let mut schema = vec![
        Field::new("id", TypeKind::BigInt.not_null()),
        Field::new("number", TypeKind::BigInt.not_null()),
        time("time"),
        time("until"),
    ];
    if text {
        schema.push(Field::new("text", TypeKind::STRING.not_null()));
    }
    schema
}

#[derive(Default)]
struct Columns {
    ids: Vec<i64>,
    numbers: Vec<i64>,
    times: Vec<i64>,
    untils: Vec<i64>,
    texts: Vec<String>,
}

impl Columns {
    fn push(&mut self, id: i64, number: i64, time: i64, until: i64, text: Option<String>) {
        self.ids.push(id);
        self.numbers.push(number);
        self.times.push(time);
        self.untils.push(until);
        self.texts.extend(text);
    }

    fn batch(self, text: bool) -> Result<RecordBatch> {
        let time = |values| Arc::new(TimestampMillisecondArray::from(values)) as ArrayRef;
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(self.ids)),
            Arc::new(Int64Array::from(self.numbers)),
            time(self.times),
            time(self.untils),
        ];
        if text {
            columns.push(Arc::new(StringViewArray::from_iter_values(self.texts)));
        }
        RecordBatch::try_new(arrow_schema(&schema(text)), columns)
            .map_err(|error| Error::internal(error.to_string()))
    }
}

/// Auctions (side 1) and bids (side 0) of so many events; one auction in `every` is kept.
pub(crate) fn auctions_and_bids(events: i64, every: u64, text: bool) -> Result<Vec<Input>> {
    let mut random = Random(7);
    let (mut inputs, mut auctions) = (Vec::new(), 0i64);
    let mut sides = [Columns::default(), Columns::default()];
    for event in 0..events {
        let time = event / EVENTS_PER_MS;
        let describe = |random: &mut Random| text.then(|| format!("{:060}", random.below(1 << 60)));
        match event % 50 {
            0 => {}
            1..=3 => {
                auctions += 1;
                if random.below(every) == 0 {
                    let until = time + 1 + random.below(30) as i64;
                    let text = describe(&mut random);
                    sides[1].push(auctions, event, time, until, text);
                }
            }
            _ => {
                // Half of the bids go to the hot auction, the others to one of the last hundred.
                let hot = auctions / 100 * 100;
                let recent = (auctions - random.below(100) as i64).max(1);
                let id = if random.below(2) == 0 { hot.max(1) } else { recent };
                let text = describe(&mut random);
                sides[0].push(id, event, time, time, text);
            }
        }
        if sides[0].ids.len() == BATCH {
            for (side, columns) in sides.iter_mut().enumerate().rev() {
                let rows = std::mem::take(columns).batch(text)?;
                inputs.push(Input { side, rows, watermark: time - 1 });
            }
        }
    }
    Ok(inputs)
}

/// Rows of both sides in turn, each with one of so many keys.
pub(crate) fn many_to_many(rows: i64, keys: u64) -> Result<Vec<Input>> {
    let mut random = Random(9);
    let mut inputs = Vec::new();
    for batch in 0..rows / BATCH as i64 {
        let mut columns = Columns::default();
        for row in 0..BATCH as i64 {
            columns.push(random.below(keys) as i64, row, batch, batch, None);
        }
        let rows = columns.batch(false)?;
        inputs.push(Input { side: (batch % 2) as usize, rows, watermark: batch - 1 });
    }
    Ok(inputs)
}
