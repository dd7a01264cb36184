//! Expressions as DataFusion evaluates them.

use std::sync::Arc;

use anyhow::Result;
use arrow::array::{ArrayRef, RecordBatch};
use datafusion::common::DFSchema;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::prelude::SessionContext;

/// A compiled expression.
pub(crate) struct Other(Arc<dyn PhysicalExpr>);

/// Plans an expression over the columns of the batch, simplified as in a query.
///
/// # Errors
/// What DataFusion says.
pub(crate) fn compile(sql: &str, batch: &RecordBatch) -> Result<Other> {
    let context = SessionContext::new();
    let schema = Arc::new(DFSchema::try_from(batch.schema())?);
    let rules = SimplifyContext::builder().with_schema(Arc::clone(&schema)).build();
    let simplifier = ExprSimplifier::new(rules);
    let expr = simplifier.coerce(context.parse_sql_expr(sql, &schema)?, &schema)?;
    let expr = simplifier.simplify(expr)?;
    Ok(Other(context.create_physical_expr(expr, &schema)?))
}

impl Other {
    pub(crate) fn run(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        Ok(self.0.evaluate(batch)?.into_array(batch.num_rows())?)
    }
}
