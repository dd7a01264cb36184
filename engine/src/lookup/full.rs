//! A table that is read as a whole and kept in memory: `lookup.cache` = `FULL`, and what has no way to be
//! asked by key.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::ArrayRef;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
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
    source: Arc<dyn Source>,
    reader: ReaderContext,
    schema: SchemaRef,
    /// Key columns among those that are read.
    keys: Vec<usize>,
    /// How often the table is read again; `None`: never.
    reload: Option<Duration>,
    clock: Elapsed,
    name: String,
    loaded: Mutex<Option<(Duration, Arc<RowsByKey>)>>,
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
        let (name, loaded) = (name.to_owned(), Mutex::new(None));
        let shared = Shared { source, reader, schema, keys, reload, clock, name, loaded };
        Ok(Self { shared: Arc::new(shared) })
    }
}

impl LookupTable for FullTable {
    fn connect(&self) -> Result<Box<dyn Lookup>> {
        Ok(Box::new(FullLookup { shared: self.shared.clone(), search: Search::default() }))
    }
}

impl Shared {
    /// The table, read if it is time. All subtasks of a process share it.
    async fn table(&self) -> Result<Arc<RowsByKey>> {
        let mut loaded = self.loaded.lock().await;
        let now = (self.clock)();
        if let Some((read, table)) = loaded.as_ref()
            && self.reload.is_none_or(|reload| now < *read + reload)
        {
            return Ok(table.clone());
        }
        let table = Arc::new(self.load().await?);
        *loaded = Some((now, table.clone()));
        Ok(table)
    }

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
    async fn fetch(&mut self, keys: &[ArrayRef]) -> Result<Found> {
        self.shared.table().await?.find(keys, &mut self.search)
    }
}
