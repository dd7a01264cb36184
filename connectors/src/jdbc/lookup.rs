//! Lookups of many keys at once.

use std::sync::Arc;
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

use super::address::{Address, Product};
use super::pool::{CONNECTIONS, Pool};
use super::sql::{self, Condition};
use crate::env::ConnectorEnv;
use crate::format::answers::Answers;

/// Most keys in one statement.
const KEYS: usize = 500;
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
    Answers::new(&plan.read, address.product == Product::Postgres)?;
    let retries = options.integer("lookup.max-retries")?.unwrap_or(3);
    let table = Table {
        select: sql::select(&address, &plan.read),
        condition: Condition::new(address.product, &columns)?,
        read: plan.read.clone(),
        schema: arrow_schema(&plan.read),
        keys: plan.keys.iter().map(|(column, _)| *column).collect(),
        pool: Pool::new(address, u32::try_from(retries).unwrap_or(3)),
    };
    let table: Arc<dyn LookupTable> = Arc::new(JdbcTable(Arc::new(table)));
    let Some(limits) = limits(options)? else { return Ok(table) };
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
    /// The rows that have one of the keys.
    async fn rows(&self, keys: &[ArrayRef]) -> Result<RecordBatch> {
        let count = keys.first().map_or(0, |key| key.len());
        let starts = (0..count).step_by(KEYS);
        let statements = starts.map(|start| {
            let condition = self.condition.write(keys, start, count.min(start + KEYS))?;
            Ok(format!("{}{condition}", self.select))
        });
        let statements: Vec<String> = statements.collect::<Result<_>>()?;
        let answers = stream::iter(statements)
            .map(|sql| async move { self.pool.ask(&sql, &self.read).await });
        let answers: Vec<RecordBatch> = answers.buffered(CONNECTIONS).try_collect().await?;
        concat_batches(&self.schema, &answers).map_err(|error| Error::internal(error.to_string()))
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
