//! Lookups of many keys at once.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use tidegate_connector_spec::Options;
use tidegate_engine::connector::{Found, Lookup, LookupTable};
use tidegate_engine::lookup::{CacheLimits, Cached, RowsByKey, Search};
use tidegate_plan::arrow_type::{arrow_schema, data_type};
use tidegate_plan::operator::LookupJoin;
use tidegate_types::{Error, Field, Result};

use super::address::Address;
use super::failure::Failure;
use super::pool::{CONNECTIONS, Pool};
use super::sql::{self, Condition};
use crate::env::ConnectorEnv;
use crate::format::answers::Answers;

/// Rows that a subtask remembers, unless the table says otherwise.
const CACHED_ROWS: usize = 1_000_000;

/// The table of a lookup join that asks for keys. Opens no connection.
///
/// # Errors
/// `INVALID_OPTION` or `UNSUPPORTED` for options and column types.
pub(crate) fn table(
    plan: &LookupJoin,
    options: &Options,
    env: &ConnectorEnv,
) -> Result<Arc<dyn LookupTable>> {
    let address = Address::new(options)?;
    let columns: Option<Vec<Field>> =
        plan.keys.iter().map(|(column, _)| plan.read.get(*column).cloned()).collect();
    let columns = columns.ok_or_else(|| Error::internal("a key is no column that is read"))?;
    Answers::new(&plan.read, address.product.dialect())?;
    let retries = options.integer("lookup.max-retries")?.unwrap_or(3);
    let table = Table {
        select: sql::select(&address, &plan.read),
        condition: Condition::new(address.product, &columns)?,
        read: plan.read.clone(),
        schema: arrow_schema(&plan.read),
        keys: plan.keys.iter().map(|(column, _)| *column).collect(),
        pool: Pool::new(address, u32::try_from(retries).unwrap_or(3)),
        warned: AtomicBool::new(false),
    };
    let table: Arc<dyn LookupTable> = Arc::new(JdbcTable(Arc::new(table)));
    let Some(mut limits) = limits(options)? else { return Ok(table) };
    // Who asks again for what was not found does not want to hear the same again.
    limits.missing_keys &= plan.retry.is_none();
    let types = columns.iter().map(|field| data_type(&field.ty)).collect();
    let cached = Cached::new(table, limits, arrow_schema(&plan.read), types, env.monotonic.clone());
    Ok(Arc::new(cached))
}

/// What is remembered; `None`: nothing.
fn limits(options: &Options) -> Result<Option<CacheLimits>> {
    let old = options.explicit("lookup.cache.max-rows").is_some();
    let cache = options.text("lookup.cache").unwrap_or_default();
    if !cache.eq_ignore_ascii_case("PARTIAL") && !old {
        return Ok(None);
    }
    let rows = match options.integer("lookup.partial-cache.max-rows")? {
        Some(rows) => Some(rows),
        None => options.integer("lookup.cache.max-rows")?,
    };
    let ttl = |key| -> Result<Option<Duration>> {
        Ok(options.duration(key)?.filter(|limit| !limit.is_zero()))
    };
    let missing = match options.explicit("lookup.cache.caching-missing-key") {
        Some(_) => options.boolean("lookup.cache.caching-missing-key")?,
        None => options.boolean("lookup.partial-cache.cache-missing-key")?,
    };
    Ok(Some(CacheLimits {
        max_rows: rows.and_then(|rows| usize::try_from(rows).ok()).unwrap_or(CACHED_ROWS),
        after_write: match ttl("lookup.partial-cache.expire-after-write")? {
            Some(limit) => Some(limit),
            None => ttl("lookup.cache.ttl")?,
        },
        after_access: ttl("lookup.partial-cache.expire-after-access")?,
        missing_keys: missing,
    }))
}

struct Table {
    select: String,
    condition: Condition,
    read: Vec<Field>,
    schema: SchemaRef,
    /// Key columns among those that are read.
    keys: Vec<usize>,
    pool: Arc<Pool>,
    /// Whether a key was named that the database's column cannot hold.
    warned: AtomicBool,
}

struct JdbcTable(Arc<Table>);

impl LookupTable for JdbcTable {
    fn connect(&self) -> Result<Box<dyn Lookup>> {
        Ok(Box::new(JdbcLookup { table: Arc::clone(&self.0), search: Search::default() }))
    }
}

struct JdbcLookup {
    table: Arc<Table>,
    search: Search,
}

impl Table {
    /// The rows that have one of the keys, and others that the database takes for the same.
    async fn rows(&self, keys: &[ArrayRef]) -> Result<RecordBatch> {
        let count = keys.first().map_or(0, |key| key.len());
        let mut next = 0;
        // Written as they are asked: many long keys are not all statements at once.
        let statements = std::iter::from_fn(|| {
            let from = next;
            (from < count).then(|| {
                let (condition, behind) = self.condition.write(keys, from, count)?;
                next = behind;
                Ok((condition, from..behind))
            })
        });
        let answers = stream::iter(statements)
            .map(|statement: Result<_>| async { self.answers(keys, statement?).await });
        let answers: Vec<Vec<RecordBatch>> = answers.buffered(CONNECTIONS).try_collect().await?;
        concat_batches(&self.schema, answers.iter().flatten())
            .map_err(|error| Error::internal(error.to_string()))
    }

    /// The rows for a condition and the keys in it. A key that is nothing the column could hold finds nothing: where the
    /// database refuses a statement for it, the keys are asked for in halves, until it is alone.
    async fn answers(
        &self,
        keys: &[ArrayRef],
        (condition, range): (String, Range<usize>),
    ) -> Result<Vec<RecordBatch>> {
        let mut answers = Vec::new();
        let mut left = vec![(condition, range)];
        while let Some((condition, range)) = left.pop() {
            let sql = format!("{}{condition}", self.select);
            match self.pool.ask(&sql, &self.read).await {
                Ok(rows) => answers.push(rows),
                Err(Failure::Value(_)) if range.len() > 1 => {
                    let middle = range.start + range.len() / 2;
                    for half in [middle..range.end, range.start..middle] {
                        left.push((self.condition.write(keys, half.start, half.end)?.0, half));
                    }
                }
                Err(Failure::Value(error)) => {
                    if !self.warned.swap(true, Ordering::Relaxed) {
                        tracing::warn!(%error, "a key that the column cannot hold finds nothing");
                    }
                }
                Err(Failure::Other(error)) => return Err(error),
            }
        }
        Ok(answers)
    }
}

#[async_trait]
impl Lookup for JdbcLookup {
    async fn fetch(&mut self, keys: &[ArrayRef]) -> Result<Found> {
        let rows = self.table.rows(keys).await?;
        // The database may find more than was asked for, such as texts in another case.
        RowsByKey::new(rows, &self.table.keys)?.find(keys, &mut self.search)
    }
}
