//! What lookups gave, by key: `lookup.cache` = `PARTIAL`. The least recently used keys go first.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::row::{OwnedRow, RowConverter, SortField};
use async_trait::async_trait;
use hashbrown::HashMap;
use tidegate_types::{Error, Result};

use super::Elapsed;
use crate::connector::{Found, Lookup, LookupTable};

/// How much is remembered, and for how long.
#[derive(Debug, Clone)]
pub struct CacheLimits {
    /// Most rows (keys that gave none count as one).
    pub max_rows: usize,
    /// Forgotten so long after it was read.
    pub after_write: Option<Duration>,
    /// Forgotten so long after it was last used.
    pub after_access: Option<Duration>,
    /// Whether it is remembered that a key gave nothing.
    pub missing_keys: bool,
}

/// A table with a cache for each subtask.
pub struct Cached {
    table: Arc<dyn LookupTable>,
    limits: CacheLimits,
    schema: SchemaRef,
    types: Vec<DataType>,
    clock: Elapsed,
}

impl Cached {
    /// `table`, whose rows have `schema` and keys `types`, with a cache.
    pub fn new(
        table: Arc<dyn LookupTable>,
        limits: CacheLimits,
        schema: SchemaRef,
        types: Vec<DataType>,
        clock: Elapsed,
    ) -> Self {
        Self { table, limits, schema, types, clock }
    }
}

impl LookupTable for Cached {
    fn connect(&self) -> Result<Box<dyn Lookup>> {
        let fields = self.types.iter().map(|ty| SortField::new(ty.clone())).collect();
        let converter = RowConverter::new(fields).map_err(|error| {
            Error::unsupported(format!("these columns cannot be keys: {error}"))
        })?;
        Ok(Box::new(Cache {
            inner: self.table.connect()?,
            limits: self.limits.clone(),
            schema: self.schema.clone(),
            clock: self.clock.clone(),
            converter,
            entries: HashMap::new(),
            rows: 0,
            uses: 0,
        }))
    }
}

struct Cache {
    inner: Box<dyn Lookup>,
    limits: CacheLimits,
    schema: SchemaRef,
    clock: Elapsed,
    converter: RowConverter,
    entries: HashMap<OwnedRow, Entry>,
    rows: usize,
    /// Counts fetches: the time of use for what goes first.
    uses: u64,
}

struct Entry {
    rows: RecordBatch,
    read: Duration,
    used: Duration,
    use_number: u64,
}

impl Entry {
    fn weight(&self) -> usize {
        self.rows.num_rows().max(1)
    }
}

#[async_trait]
impl Lookup for Cache {
    async fn prepare(&mut self) -> Result<()> {
        self.inner.prepare().await
    }

    async fn fetch(&mut self, keys: &[ArrayRef]) -> Result<Found> {
        let internal = |error: arrow::error::ArrowError| Error::internal(error.to_string());
        let encoded = self.converter.convert_columns(keys).map_err(internal)?;
        let encoded: Vec<OwnedRow> = encoded.iter().map(|row| row.owned()).collect();
        let now = (self.clock)();
        self.uses += 1;
        let missing: Vec<u32> = (0..encoded.len() as u32)
            .filter(|key| !self.is_known(&encoded[*key as usize], now))
            .collect();
        // What was just read is used even if the cache is too small to keep it.
        let mut fresh: HashMap<u32, RecordBatch> = HashMap::new();
        if !missing.is_empty() {
            let wanted = UInt32Array::from(missing.clone());
            let asked = keys.iter().map(|key| take(key, &wanted, None).map_err(internal));
            let found = self.inner.fetch(&asked.collect::<Result<Vec<_>>>()?).await?;
            for (index, key) in missing.into_iter().enumerate() {
                let places = UInt32Array::from(found.of(index).to_vec());
                let rows = take_record_batch(&found.rows, &places).map_err(internal)?;
                self.remember(&encoded[key as usize], rows.clone(), now);
                fresh.insert(key, rows);
            }
        }
        let mut parts: Vec<&RecordBatch> = Vec::with_capacity(encoded.len());
        let mut starts = vec![0_u32];
        for (index, key) in encoded.iter().enumerate() {
            let known = self.entries.get(key).map(|entry| &entry.rows);
            let rows = fresh.get(&(index as u32)).or(known);
            parts.extend(rows);
            let before = starts.last().copied().unwrap_or(0);
            starts.push(before + rows.map_or(0, |rows| rows.num_rows() as u32));
        }
        let rows = concat_batches(&self.schema, parts).map_err(internal)?;
        let order = (0..rows.num_rows() as u32).collect();
        self.make_room();
        Ok(Found { rows, starts, order })
    }
}

impl Cache {
    /// Whether a key is remembered and still good; then it was used now.
    fn is_known(&mut self, key: &OwnedRow, now: Duration) -> bool {
        let Some(entry) = self.entries.get_mut(key) else { return false };
        let old = |since: Duration, limit: Option<Duration>| {
            limit.is_some_and(|limit| now >= since + limit)
        };
        if old(entry.read, self.limits.after_write) || old(entry.used, self.limits.after_access) {
            self.rows -= entry.weight();
            self.entries.remove(key);
            return false;
        }
        (entry.used, entry.use_number) = (now, self.uses);
        true
    }

    fn remember(&mut self, key: &OwnedRow, rows: RecordBatch, now: Duration) {
        if rows.num_rows() == 0 && !self.limits.missing_keys {
            return;
        }
        let entry = Entry { rows, read: now, used: now, use_number: self.uses };
        self.rows += entry.weight();
        if let Some(before) = self.entries.insert(key.clone(), entry) {
            self.rows -= before.weight();
        }
    }

    /// Forgets the least recently used keys, a tenth more than is needed so that this is rare.
    fn make_room(&mut self) {
        if self.rows <= self.limits.max_rows {
            return;
        }
        let target = self.limits.max_rows - self.limits.max_rows / 10;
        let mut uses: Vec<(u64, usize)> =
            self.entries.values().map(|entry| (entry.use_number, entry.weight())).collect();
        uses.sort_unstable();
        let mut left = self.rows;
        let last = uses.iter().take_while(|(_, weight)| {
            let more = left > target;
            left -= if more { *weight } else { 0 };
            more
        });
        let Some(last) = last.map(|(number, _)| *number).max() else { return };
        let mut rows = self.rows;
        self.entries.retain(|_, entry| {
            let kept = entry.use_number > last;
            rows -= if kept { 0 } else { entry.weight() };
            kept
        });
        self.rows = rows;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::{Field, Int64Type, Schema};
    use tidegate_runtime::Clock;
    use tidegate_runtime::clock::ManualClock;

    use super::*;

    /// Even keys are there, once; counts the keys that are asked for.
    struct Evens(Arc<AtomicUsize>);

    impl LookupTable for Evens {
        fn connect(&self) -> Result<Box<dyn Lookup>> {
            Ok(Box::new(Self(self.0.clone())))
        }
    }

    #[async_trait]
    impl Lookup for Evens {
        async fn fetch(&mut self, keys: &[ArrayRef]) -> Result<Found> {
            let keys = keys[0].as_primitive::<Int64Type>();
            self.0.fetch_add(keys.len(), Ordering::Relaxed);
            let even: Vec<i64> = keys.values().iter().copied().filter(|key| key % 2 == 0).collect();
            let mut starts = vec![0];
            for key in keys.values() {
                starts.push(starts[starts.len() - 1] + u32::from(key % 2 == 0));
            }
            let order = (0..even.len() as u32).collect();
            let rows =
                RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from(even))]).unwrap();
            Ok(Found { rows, starts, order })
        }
    }

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, true)]))
    }

    fn cached(limits: CacheLimits) -> (Box<dyn Lookup>, Arc<AtomicUsize>, Arc<ManualClock>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let clock = ManualClock::at(0);
        let table = Arc::new(Evens(asked.clone()));
        let elapsed: Elapsed = {
            let clock = clock.clone();
            Arc::new(move || clock.elapsed())
        };
        let cached = Cached::new(table, limits, schema(), vec![DataType::Int64], elapsed);
        (cached.connect().unwrap(), asked, clock)
    }

    async fn sizes(lookup: &mut dyn Lookup, keys: Vec<i64>) -> Vec<usize> {
        let count = keys.len();
        let found = lookup.fetch(&[Arc::new(Int64Array::from(keys))]).await.unwrap();
        (0..count).map(|key| found.of(key).len()).collect()
    }

    fn limits() -> CacheLimits {
        CacheLimits { max_rows: 10, after_write: None, after_access: None, missing_keys: true }
    }

    #[tokio::test]
    async fn known_keys_are_not_asked_for_again() {
        let (mut lookup, asked, _) = cached(limits());
        assert_eq!(sizes(lookup.as_mut(), vec![1, 2, 3]).await, [0, 1, 0]);
        assert_eq!(sizes(lookup.as_mut(), vec![2, 3, 4]).await, [1, 0, 1]);
        assert_eq!(asked.load(Ordering::Relaxed), 4);
    }

    #[tokio::test]
    async fn missing_keys_may_be_asked_for_again() {
        let (mut lookup, asked, _) = cached(CacheLimits { missing_keys: false, ..limits() });
        sizes(lookup.as_mut(), vec![1, 2]).await;
        sizes(lookup.as_mut(), vec![1, 2]).await;
        assert_eq!(asked.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn entries_grow_old() {
        let ttl = Some(Duration::from_secs(10));
        let (mut lookup, asked, clock) = cached(CacheLimits { after_write: ttl, ..limits() });
        sizes(lookup.as_mut(), vec![2]).await;
        clock.advance(9_000);
        sizes(lookup.as_mut(), vec![2]).await;
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        clock.advance(1_000);
        sizes(lookup.as_mut(), vec![2]).await;
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn the_least_recently_used_go_and_more_than_fits_still_answers() {
        let (mut lookup, asked, _) = cached(limits());
        for key in 0..12 {
            sizes(lookup.as_mut(), vec![0, key]).await;
        }
        let before = asked.load(Ordering::Relaxed);
        sizes(lookup.as_mut(), vec![0, 11]).await;
        assert_eq!(asked.load(Ordering::Relaxed), before, "0 was used all the time");
        sizes(lookup.as_mut(), vec![1]).await;
        assert_eq!(asked.load(Ordering::Relaxed), before + 1);
        let many: Vec<i64> = (0..100).collect();
        let found = sizes(lookup.as_mut(), many).await;
        assert_eq!(found.iter().sum::<usize>(), 50);
    }
}
