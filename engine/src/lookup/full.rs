//! A table that is read as a whole and kept in memory: `lookup.cache` = `FULL`, and what has no way to be
//! asked by key.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::ArrayRef;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use tidegate_runtime::task::{Task, spawn};
use tidegate_types::{Error, ErrorCode, Result};
use tokio::sync::Mutex;

use super::Elapsed;
use super::by_key::{RowsByKey, Search};
use crate::connector::{Found, Lookup, LookupTable, Read, ReaderContext, Source};

/// Most rows of a table that is kept.
const MAX_ROWS: usize = 50_000_000;

/// A table that is read as a whole.
pub struct FullTable {
    shared: Arc<Shared>,
}

struct Shared {
    loader: Arc<Loader>,
    /// How often the table is read again; `None`: never.
    reload: Option<Duration>,
    clock: Elapsed,
    state: Mutex<State>,
}

/// What it takes to read the table.
struct Loader {
    source: Arc<dyn Source>,
    reader: ReaderContext,
    schema: SchemaRef,
    /// Key columns among those that are read.
    keys: Vec<usize>,
    name: String,
}

#[derive(Default)]
struct State {
    /// As it was read last.
    table: Option<Arc<RowsByKey>>,
    /// When the last reading began.
    begun: Duration,
    /// A reading that is under way.
    reading: Option<Task<Result<RowsByKey>>>,
}

impl FullTable {
    /// A table that `source` reads, with the rows' `schema`, looked up by `keys`.
    ///
    /// # Errors
    /// `UNSUPPORTED` if the source does not end.
    pub fn new(
        name: &str,
        source: Arc<dyn Source>,
        reader: ReaderContext,
        schema: SchemaRef,
        keys: Vec<usize>,
        reload: Option<Duration>,
        clock: Elapsed,
    ) -> Result<Self> {
        if !source.is_bounded() {
            return Err(Error::unsupported(format!(
                "table {name} cannot be looked up: reading it does not end"
            ))
            .help("leave out 'source.monitor-interval'"));
        }
        let loader = Arc::new(Loader { source, reader, schema, keys, name: name.to_owned() });
        let state = Mutex::new(State::default());
        Ok(Self { shared: Arc::new(Shared { loader, reload, clock, state }) })
    }
}

impl LookupTable for FullTable {
    fn connect(&self) -> Result<Box<dyn Lookup>> {
        Ok(Box::new(FullLookup { shared: self.shared.clone(), search: Search::default() }))
    }
}

impl Shared {
    /// The table, which all subtasks of a process share. It is waited for only the first time: while it is read again
    /// it stays as it was, and so it does if that fails.
    async fn table(&self) -> Result<Arc<RowsByKey>> {
        let mut state = self.state.lock().await;
        let State { table, begun, reading } = &mut *state;
        let now = (self.clock)();
        let due = table.is_none() || self.reload.is_some_and(|reload| now >= *begun + reload);
        if due && reading.is_none() {
            let loader = Arc::clone(&self.loader);
            *begun = now;
            *reading = Some(spawn("lookup table", async move { loader.load().await }));
        }
        if let Some(task) = reading.as_mut().filter(|task| table.is_none() || task.is_finished()) {
            let read = task.await.and_then(|read| read);
            *reading = None;
            match (read, table.is_some()) {
                (Ok(read), _) => *table = Some(Arc::new(read)),
                (Err(error), false) => return Err(error),
                (Err(error), true) => {
                    let table = &self.loader.name;
                    tracing::warn!(%error, table, "a table for lookups stays as it was read before");
                }
            }
        }
        table.clone().ok_or_else(|| Error::internal("a table for lookups was not read"))
    }
}

impl Loader {
    async fn load(&self) -> Result<RowsByKey> {
        let splits = self.source.enumerate(&[], false).await?;
        let mut left = splits.len();
        let mut reader = self.source.reader(self.reader.clone())?;
        reader.add_splits(splits)?;
        let (mut batches, mut rows) = (Vec::new(), 0);
        while left > 0 {
            match reader.next().await? {
                Read::Finished { .. } => left -= 1,
                Read::Batch { rows: batch, .. } => {
                    rows += batch.num_rows();
                    batches.push(batch);
                }
            }
            if rows > MAX_ROWS {
                let message = format!(
                    "table {} has more than {MAX_ROWS} rows, which are not kept in memory",
                    self.name
                );
                return Err(Error::new(ErrorCode::ResourceExhausted, message)
                    .help("look rows up by key in a database: connector 'jdbc'"));
            }
        }
        let internal = |error: arrow::error::ArrowError| Error::internal(error.to_string());
        RowsByKey::new(concat_batches(&self.schema, &batches).map_err(internal)?, &self.keys)
    }
}

struct FullLookup {
    shared: Arc<Shared>,
    search: Search,
}

#[async_trait]
impl Lookup for FullLookup {
    async fn prepare(&mut self) -> Result<()> {
        self.shared.table().await.map(drop)
    }

    async fn fetch(&mut self, keys: &[ArrayRef]) -> Result<Found> {
        self.shared.table().await?.find(keys, &mut self.search)
    }
}

#[cfg(test)]
mod tests;
