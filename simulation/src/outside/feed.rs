//! Where rows come from: partitions in which rows appear as time goes by. A row is its partition and its number in it.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Int32Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use async_trait::async_trait;
use serde_json::json;
use tidegate_engine::connector::{Read, ReaderContext, Source, SourceReader, Split};
use tidegate_runtime::Clock;
use tidegate_types::{Error, ErrorCode, Result};

/// How much there is to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Feed {
    pub(crate) partitions: u32,
    /// Rows in each partition.
    pub(crate) rows: u64,
    /// Time between two rows of a partition.
    pub(crate) every: Duration,
}

/// Rows in a batch at most.
const BATCH: u64 = 16;

/// The table.
pub(crate) struct FeedTable {
    pub(crate) feed: Feed,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl Source for FeedTable {
    fn is_bounded(&self) -> bool {
        true
    }

    async fn enumerate(&self, known: &[Split], _discovered: bool) -> Result<Vec<Split>> {
        let splits = (0..self.feed.partitions).map(|partition| Split {
            id: format!("p{partition}"),
            state: json!({ "next": 0 }),
            finished: false,
        });
        Ok(splits.filter(|split| !known.iter().any(|known| known.id == split.id)).collect())
    }

    fn reader(&self, _: ReaderContext) -> Result<Box<dyn SourceReader>> {
        let (feed, clock) = (self.feed, self.clock.clone());
        Ok(Box::new(Reader { feed, clock, parts: Vec::new(), turn: 0 }))
    }
}

struct Part {
    split: Split,
    number: i32,
    next: u64,
}

struct Reader {
    feed: Feed,
    clock: Arc<dyn Clock>,
    parts: Vec<Part>,
    turn: usize,
}

fn corrupt(split: &Split) -> Error {
    Error::new(ErrorCode::Corrupt, format!("split {} makes no sense: {}", split.id, split.state))
}

impl Reader {
    /// Rows of a partition that exist by now.
    fn there(&self) -> u64 {
        let every = self.feed.every.as_millis().max(1);
        ((self.clock.elapsed().as_millis() / every) as u64).min(self.feed.rows)
    }

    fn ready(&mut self) -> Option<Result<Read>> {
        let there = self.there();
        for step in 0..self.parts.len() {
            let at = (self.turn + step) % self.parts.len();
            let Some(part) = self.parts.get_mut(at).filter(|part| !part.split.finished) else {
                continue;
            };
            if part.next >= self.feed.rows {
                part.split.finished = true;
                return Some(Ok(Read::Finished { split: at }));
            }
            let end = there.min(part.next + BATCH);
            if part.next < end {
                let rows = batch(part.number, part.next..end);
                part.next = end;
                self.turn = at + 1;
                return Some(rows.map(|rows| Read::Batch { split: at, rows, kinds: None }));
            }
        }
        None
    }
}

fn batch(partition: i32, numbers: std::ops::Range<u64>) -> Result<RecordBatch> {
    let count = (numbers.end - numbers.start) as usize;
    let schema = Schema::new(vec![
        Field::new("part", DataType::Int32, true),
        Field::new("seq", DataType::Int64, true),
    ]);
    let part = Arc::new(Int32Array::from(vec![partition; count]));
    let seq = Arc::new(Int64Array::from_iter_values(numbers.map(|number| number as i64)));
    RecordBatch::try_new(Arc::new(schema), vec![part, seq])
        .map_err(|error| Error::internal(error.to_string()))
}

#[async_trait]
impl SourceReader for Reader {
    fn add_splits(&mut self, splits: Vec<Split>) -> Result<()> {
        for split in splits {
            let number = split.id.trim_start_matches('p').parse().map_err(|_| corrupt(&split))?;
            let next = split.state["next"].as_u64().ok_or_else(|| corrupt(&split))?;
            self.parts.push(Part { split, number, next });
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Read> {
        loop {
            if let Some(read) = self.ready() {
                return read;
            }
            if self.parts.iter().all(|part| part.split.finished) {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(self.feed.every).await;
        }
    }

    fn snapshot(&mut self) -> Result<Vec<Split>> {
        let now = |part: &Part| Split { state: json!({ "next": part.next }), ..part.split.clone() };
        Ok(self.parts.iter().map(now).collect())
    }
}
