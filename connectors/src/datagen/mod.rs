//! `datagen`: random and sequential rows, with Flink's options.
//!
//! Row *n* is a function of the options and *n* (and of the clock, where a column shows the current
//! date or time), so that every run at every parallelism gives the same rows, and sequences have neither
//! gaps nor doubles. `seed` is Tidegate's own option. The source ends behind `number-of-rows`, or when
//! the first sequence ends.
//!
//! Rows leave by the clock, `rows-per-second` over all subtasks together. Splits, pacing and restore are
//! in `numbered`.

mod field_options;
mod generator;
mod nested;
mod scalar;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use serde_json::{Value, json};
use tidegate_connector_spec::Options;
use tidegate_engine::connector::{ReaderContext, Source, SourceReader, Split};
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator;
use tidegate_types::{Error, ErrorCode, Result};

use self::field_options::FieldOptions;
use self::generator::{Column, Moment};
use crate::env::ConnectorEnv;
use crate::numbered::{self, Emission, Layout, Reader, Rows};

const NAME: &str = "datagen";
const DEFAULT_RATE: i64 = 10_000;
/// Bytes of generated values that a batch holds at most, unless a single row has more.
const BATCH_BYTES: u64 = 16 << 20;

/// A source of generated rows.
pub(crate) struct Datagen {
    shared: Arc<Shared>,
    emission: Emission,
}

/// What all readers share.
struct Shared {
    schema: SchemaRef,
    /// The columns that are read.
    columns: Vec<Column>,
    /// Estimated bytes of a row.
    row_bytes: u64,
    rate: u64,
    shape: Value,
    env: ConnectorEnv,
}

impl Datagen {
    /// The source of a plan.
    ///
    /// # Errors
    /// `INVALID_OPTION` for options that do not fit the columns.
    pub(crate) fn new(
        plan: &operator::Source,
        options: &Options,
        env: &ConnectorEnv,
    ) -> Result<Self> {
        if let Some(column) = plan.metadata.first() {
            let message =
                format!("column {}: the datagen connector has no metadata", column.field.name);
            return Err(Error::new(ErrorCode::InvalidOption, message));
        }
        let seed = options.integer("seed")?.unwrap_or(0) as u64;
        let fields = FieldOptions::new(options);
        let mut end = match options.integer("number-of-rows")? {
            Some(rows) => u64::try_from(rows)
                .map_err(|_| invalid(format!("option 'number-of-rows' is {rows}")))?,
            None => u64::MAX,
        };
        let mut columns = Vec::new();
        // Columns that are not read are made too: their sequences end the table, their options are checked.
        for declared in &plan.table.columns {
            let column = Column::new(seed, &declared.name, &declared.ty, &fields)?;
            end = end.min(column.rows().unwrap_or(u64::MAX));
            if plan.read.iter().any(|read| read.name == declared.name) {
                columns.push(column);
            }
        }
        fields.check_all_used()?;
        let rate = options.integer("rows-per-second")?.unwrap_or(DEFAULT_RATE);
        let rate = u64::try_from(rate).ok().filter(|rate| *rate > 0);
        let shared = Shared {
            schema: arrow_schema(&plan.read),
            row_bytes: columns.iter().map(Column::bytes).sum(),
            columns,
            rate: rate
                .ok_or_else(|| invalid("option 'rows-per-second' must be at least 1".to_owned()))?,
            shape: shape(plan, seed),
            env: env.clone(),
        };
        Ok(Self {
            shared: Arc::new(shared),
            emission: Emission { end, keep_alive: false, paced: true },
        })
    }
}

/// Everything that decides what row *n* is.
fn shape(plan: &operator::Source, seed: u64) -> Value {
    let columns: Vec<String> =
        plan.table.columns.iter().map(|column| format!("{} {}", column.name, column.ty)).collect();
    let options: BTreeMap<&String, &String> = plan
        .table
        .options
        .iter()
        // Where a sequence ends may change: it moves the end of the table only.
        .filter(|(key, _)| key.starts_with("fields.") && !key.ends_with(".end"))
        .collect();
    json!({"seed": seed, "columns": columns, "options": options})
}

fn invalid(message: String) -> Error {
    Error::new(ErrorCode::InvalidOption, message)
}

#[async_trait]
impl Source for Datagen {
    fn is_bounded(&self) -> bool {
        self.emission.is_bounded()
    }

    async fn enumerate(&self, known: &[Split], _discovered: bool) -> Result<Vec<Split>> {
        numbered::enumerate(NAME, &self.shared.shape, Layout::paced(self.shared.rate), known)
    }

    fn reader(&self, context: ReaderContext) -> Result<Box<dyn SourceReader>> {
        let rows = Generator { shared: Arc::clone(&self.shared) };
        let clock = Arc::clone(&self.shared.env.clock);
        Ok(Box::new(Reader::new(rows, self.emission, clock, &context)))
    }
}

/// Makes batches of the columns that a query reads.
struct Generator {
    shared: Arc<Shared>,
}

impl Rows for Generator {
    fn name(&self) -> &'static str {
        NAME
    }

    fn shape(&self) -> &Value {
        &self.shared.shape
    }

    fn due_ms(&self, number: u64) -> i64 {
        let ms = u128::from(number) * 1000 / u128::from(self.shared.rate);
        i64::try_from(ms).unwrap_or(i64::MAX)
    }

    fn numbers_for(&self, rows: u64) -> Option<u64> {
        Some(rows.min(BATCH_BYTES / self.shared.row_bytes.max(1)).max(1))
    }

    fn generate(&mut self, first: u64, end: u64) -> Result<Option<RecordBatch>> {
        let shared = &self.shared;
        let moment = Moment::new((shared.env.clock)(), shared.env.zone);
        let arrays = shared
            .columns
            .iter()
            .map(|column| column.generate(first..end, &moment))
            .collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some((end - first) as usize));
        RecordBatch::try_new_with_options(Arc::clone(&shared.schema), arrays, &options)
            .map(Some)
            .map_err(|error| Error::internal(format!("generate rows: {error}")))
    }
}
