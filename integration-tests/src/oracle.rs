//! DataFusion in batch as the oracle of relational content.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use arrow::array::RecordBatch;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::optimizer::OptimizerRule;
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::replace_distinct_aggregate::ReplaceDistinctWithAggregate;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::compare::Row;
use crate::rows::batch_rows;

/// Bytes of stack for a query.
const STACK: usize = 64 << 20;

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
        let mut config = SessionConfig::new().with_target_partitions(1);
        let physical = &mut config.options_mut().optimizer;
        // Sorting the parts of a union fails where two columns are the same one there; joins that change
        // sides lose rows.
        (physical.repartition_sorts, physical.join_reordering) = (false, false);
        // A judge need not be fast: without those of its rules that only make queries faster it errs less.
        // (Simplifying replaces COALESCE, which is not computed as it stands.)
        let rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![
            Arc::new(ReplaceDistinctWithAggregate::new()),
            Arc::new(ExtractEquijoinPredicate::new()),
            Arc::new(SimplifyExpressions::new()),
        ];
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_config(config)
            .with_optimizer_rules(rules)
            .build();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { context: SessionContext::new_with_state(state), runtime })
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
        let ask = || self.runtime.block_on(async { self.context.sql(sql).await?.collect().await });
        // Its planner recurses deeply where queries nest.
        let batches = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, ask)?;
            thread.join().map_err(|_| anyhow!("DataFusion panicked: {sql}"))
        })?;
        let mut rows = Vec::new();
        for batch in batches.with_context(|| format!("ask DataFusion: {sql}"))? {
            rows.extend(batch_rows(&batch)?);
        }
        Ok(rows)
    }
}
