//! Tables that are read again, or cannot be.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use tidegate_runtime::Clock;
use tidegate_runtime::clock::ManualClock;

use super::*;
use crate::connector::{SourceReader, Split};
use crate::metrics::SourceMetrics;

/// One row: 1 and how often the table was read; every reading fails while `broken` says so.
#[derive(Default)]
struct Counted {
    reads: AtomicI64,
    broken: AtomicUsize,
}

struct Table(Arc<Counted>);

fn schema() -> SchemaRef {
    let field = |name| Field::new(name, DataType::Int64, true);
    Arc::new(Schema::new(vec![field("k"), field("v")]))
}

#[async_trait]
impl Source for Table {
    fn is_bounded(&self) -> bool {
        true
    }

    async fn enumerate(&self, _known: &[Split], _discovered: bool) -> Result<Vec<Split>> {
        let state = serde_json::Value::Null;
        Ok(vec![Split { id: "table".to_owned(), state, finished: false }])
    }

    fn reader(&self, _context: ReaderContext) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(Reader { table: self.0.clone(), read: false }))
    }
}

struct Reader {
    table: Arc<Counted>,
    read: bool,
}

#[async_trait]
impl SourceReader for Reader {
    fn add_splits(&mut self, _splits: Vec<Split>) -> Result<()> {
        Ok(())
    }

    async fn next(&mut self) -> Result<Read> {
        if std::mem::replace(&mut self.read, true) {
            return Ok(Read::Finished { split: 0 });
        }
        if self.table.broken.load(Ordering::Relaxed) > 0 {
            return Err(Error::new(ErrorCode::Unavailable, "it is gone"));
        }
        let read = self.table.reads.fetch_add(1, Ordering::Relaxed) + 1;
        let columns: Vec<ArrayRef> =
            vec![Arc::new(Int64Array::from(vec![1])), Arc::new(Int64Array::from(vec![read]))];
        let rows = RecordBatch::try_new(schema(), columns).unwrap();
        Ok(Read::Batch { split: 0, rows, kinds: None })
    }

    fn snapshot(&mut self) -> Result<Vec<Split>> {
        Ok(Vec::new())
    }
}

fn table(reload: Option<Duration>) -> (FullTable, Arc<Counted>, Arc<ManualClock>) {
    let (counted, clock) = (Arc::new(Counted::default()), ManualClock::at(0));
    let reader = ReaderContext {
        subtask: 0,
        parallelism: 1,
        batch_rows: 10,
        linger: Duration::ZERO,
        metrics: Arc::new(SourceMetrics::default()),
    };
    let elapsed: Elapsed = {
        let clock = clock.clone();
        Arc::new(move || clock.elapsed())
    };
    let source = Arc::new(Table(counted.clone()));
    let table = FullTable::new("t", source, reader, schema(), vec![0], reload, elapsed).unwrap();
    (table, counted, clock)
}

/// Which reading the row of key 1 is from.
async fn reading(lookup: &mut dyn Lookup) -> Result<i64> {
    lookup.prepare().await?;
    let found = lookup.fetch(&[Arc::new(Int64Array::from(vec![1]))]).await?;
    let row = found.of(0)[0] as usize;
    Ok(found.rows.column(1).as_primitive::<Int64Type>().value(row))
}

/// Looks until the row is from that reading.
async fn wait_for(lookup: &mut dyn Lookup, expected: i64) {
    for _ in 0..1000 {
        if reading(lookup).await.unwrap() == expected {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("reading {expected} did not come");
}

#[tokio::test]
async fn all_subtasks_share_one_reading() {
    let (table, counted, clock) = table(None);
    let (mut one, mut other) = (table.connect().unwrap(), table.connect().unwrap());
    assert_eq!(reading(one.as_mut()).await.unwrap(), 1);
    clock.advance(1_000_000_000);
    assert_eq!(reading(other.as_mut()).await.unwrap(), 1);
    assert_eq!(counted.reads.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn it_is_read_again_in_the_background_and_stays_as_it_was_if_that_fails() {
    let (table, counted, clock) = table(Some(Duration::from_secs(10)));
    let mut lookup = table.connect().unwrap();
    assert_eq!(reading(lookup.as_mut()).await.unwrap(), 1);
    clock.advance(9_000);
    assert_eq!(reading(lookup.as_mut()).await.unwrap(), 1);
    clock.advance(1_000);
    // Nobody waits for it.
    assert_eq!(reading(lookup.as_mut()).await.unwrap(), 1);
    wait_for(lookup.as_mut(), 2).await;
    counted.broken.store(1, Ordering::Relaxed);
    clock.advance(10_000);
    for _ in 0..100 {
        assert_eq!(reading(lookup.as_mut()).await.unwrap(), 2);
        tokio::task::yield_now().await;
    }
    counted.broken.store(0, Ordering::Relaxed);
    assert_eq!(reading(lookup.as_mut()).await.unwrap(), 2);
    clock.advance(10_000);
    wait_for(lookup.as_mut(), 3).await;
}

#[tokio::test]
async fn the_first_reading_must_succeed() {
    let (table, counted, _) = table(Some(Duration::from_secs(10)));
    counted.broken.store(1, Ordering::Relaxed);
    let mut lookup = table.connect().unwrap();
    let error = reading(lookup.as_mut()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable);
    counted.broken.store(0, Ordering::Relaxed);
    assert_eq!(reading(lookup.as_mut()).await.unwrap(), 1);
}
