//! DataFusion in batch as the oracle of relational content.

use anyhow::{Context, Result};
use arrow::array::RecordBatch;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::compare::Row;
use crate::rows::batch_rows;

/// Tables in memory and queries over them.
pub struct Oracle {
    context: SessionContext,
    runtime: tokio::runtime::Runtime,
}

impl Oracle {
    /// No tables.
    ///
    /// # Errors
    /// If the system has no room for a runtime.
    pub fn new() -> Result<Self> {
        let config = SessionConfig::new().with_target_partitions(1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { context: SessionContext::new_with_config(config), runtime })
    }

    /// Adds a table.
    ///
    /// # Errors
    /// If the name is taken.
    pub fn table(&self, name: &str, rows: RecordBatch) -> Result<()> {
        self.context.register_batch(name, rows).with_context(|| format!("register {name}"))?;
        Ok(())
    }

    /// The rows of a query.
    ///
    /// # Errors
    /// With the query.
    pub fn query(&self, sql: &str) -> Result<Vec<Row>> {
        let batches = self.runtime.block_on(async { self.context.sql(sql).await?.collect().await });
        let mut rows = Vec::new();
        for batch in batches.with_context(|| format!("ask DataFusion: {sql}"))? {
            rows.extend(batch_rows(&batch)?);
        }
        Ok(rows)
    }
}
