//! A table that is read as a whole and kept in memory: `lookup.cache` = `FULL`, and what has no way to be
//! asked by key.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use tidegate_types::{Error, ErrorCode, Result};
use tokio::sync::Mutex;

use super::Elapsed;
use crate::connector::{Found, Lookup, LookupTable, Read, ReaderContext, Source};
use crate::keys::KeyTable;
use crate::keys::hash::{SEED, hash_array};

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
    loaded: Mutex<Option<(Duration, Arc<Loaded>)>>,
}

/// The rows by key.
struct Loaded {
    rows: RecordBatch,
    keys: KeyTable,
    starts: Vec<u32>,
    order: Vec<u32>,
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
        Ok(Box::new(FullLookup {
            shared: self.shared.clone(),
            hashes: Vec::new(),
            slots: Vec::new(),
        }))
    }
}

impl Shared {
    /// The table, read if it is time. All subtasks of a process share it.
    async fn table(&self) -> Result<Arc<Loaded>> {
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

    async fn load(&self) -> Result<Loaded> {
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
        Loaded::new(concat_batches(&self.schema, &batches).map_err(internal)?, &self.keys)
    }
}

impl Loaded {
    fn new(rows: RecordBatch, keys: &[usize]) -> Result<Self> {
        let columns: Vec<ArrayRef> = keys.iter().map(|key| rows.column(*key).clone()).collect();
        let types: Vec<_> = columns.iter().map(|column| column.data_type().clone()).collect();
        let mut table = KeyTable::new(&types)?;
        let (mut hashes, mut slots) = (vec![SEED; rows.num_rows()], Vec::new());
        columns.iter().try_for_each(|column| hash_array(column, &mut hashes))?;
        table.upsert(&columns, &hashes, &mut slots)?;
        // A counting sort of the rows by key, in their order.
        let mut starts = vec![0_u32; table.len() + 1];
        slots.iter().for_each(|slot| starts[*slot as usize + 1] += 1);
        for slot in 1..starts.len() {
            starts[slot] += starts[slot - 1];
        }
        let mut place = starts.clone();
        let mut order = vec![0; slots.len()];
        for (row, slot) in slots.iter().enumerate() {
            let next = &mut place[*slot as usize];
            order[*next as usize] = row as u32;
            *next += 1;
        }
        Ok(Self { rows, keys: table, starts, order })
    }
}

struct FullLookup {
    shared: Arc<Shared>,
    hashes: Vec<u64>,
    slots: Vec<u32>,
}

#[async_trait]
impl Lookup for FullLookup {
    async fn fetch(&mut self, keys: &[ArrayRef]) -> Result<Found> {
        let table = self.shared.table().await?;
        let count = keys.first().map_or(0, |key| key.len());
        self.hashes.clear();
        self.hashes.resize(count, SEED);
        keys.iter().try_for_each(|key| hash_array(key, &mut self.hashes))?;
        table.keys.find(keys, &self.hashes, &mut self.slots)?;
        let mut starts = Vec::with_capacity(count + 1);
        let mut order = Vec::with_capacity(count);
        starts.push(0);
        for slot in self.slots.iter().map(|slot| *slot as usize) {
            // A key that is not there has a slot behind the last.
            if slot < table.keys.len() {
                let rows = table.starts[slot] as usize..table.starts[slot + 1] as usize;
                order.extend_from_slice(&table.order[rows]);
            }
            starts.push(order.len() as u32);
        }
        Ok(Found { rows: table.rows.clone(), starts, order })
    }
}
