//! Filter and projection.
//!
//! Only the columns that the projection reads are filtered, and a projection of plain columns
//! copies nothing.

use arrow::array::{Array, RecordBatch, RecordBatchOptions};
use arrow::compute::{FilterBuilder, filter};
use arrow::datatypes::SchemaRef;
use tidegate_functions::eval::{EvalContext, Evaluator};
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::Calc as Plan;
use tidegate_plan::{PlanSettings, Schema};
use tidegate_types::{Error, MIN_WATERMARK, Result, Watermark};

use crate::element::Changes;
use crate::operator::{Operator, OperatorContext, Output};

/// Drops rows where the condition is not TRUE, then computes columns.
pub struct Calc {
    condition: Option<Evaluator>,
    /// Input columns that the projection reads; the expressions index these.
    used: Vec<usize>,
    projection: Vec<Evaluator>,
    output: SchemaRef,
    watermark: Watermark,
}

impl Calc {
    /// The operator of a plan node with output `schema`.
    ///
    /// # Errors
    /// What compiling an expression fails with.
    pub fn new(plan: &Plan, schema: &Schema, settings: &PlanSettings) -> Result<Self> {
        let mut used: Vec<usize> =
            plan.projection.iter().flat_map(|column| column.expr.columns()).collect();
        used.sort_unstable();
        used.dedup();
        let projection = plan.projection.iter().map(|column| {
            let mut expr = column.expr.clone();
            expr.remap_columns(&|index| used.binary_search(&index).unwrap_or(index));
            Evaluator::compile(&expr, settings)
        });
        let projection = projection.collect::<Result<_>>()?;
        let condition = plan.filter.as_ref().map(|expr| Evaluator::compile(expr, settings));
        Ok(Self {
            condition: condition.transpose()?,
            used,
            projection,
            output: arrow_schema(schema),
            watermark: MIN_WATERMARK,
        })
    }
}

impl Operator for Calc {
    fn open(&mut self, context: &OperatorContext) -> Result<()> {
        self.watermark = context.watermark;
        Ok(())
    }

    fn watermark(&mut self, watermark: Watermark, _out: &mut Output) -> Result<()> {
        self.watermark = watermark;
        Ok(())
    }

    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        let context = EvalContext {
            watermark_ms: (self.watermark != MIN_WATERMARK).then_some(self.watermark),
            ..EvalContext::at(out.now_ms)
        };
        let internal = |error: arrow::error::ArrowError| Error::internal(error.to_string());
        let mut rows = changes.rows.project(&self.used).map_err(internal)?;
        let mut kinds = changes.kinds;
        if let Some(condition) = &self.condition {
            let selected = condition.evaluate_filter(&changes.rows, &context)?;
            let count = selected.true_count();
            if count == 0 {
                return Ok(());
            }
            if count < selected.len() {
                let predicate = FilterBuilder::new(&selected).optimize().build();
                rows = predicate.filter_record_batch(&rows).map_err(internal)?;
                if let Some(all) = &kinds {
                    let kept = filter(all, &selected).map_err(internal)?;
                    kinds = kept.as_any().downcast_ref().cloned();
                }
            }
        }
        let columns = self.projection.iter().map(|column| column.evaluate(&rows, &context));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let rows = RecordBatch::try_new_with_options(self.output.clone(), columns, &options)
            .map_err(|error| Error::internal(format!("computed columns: {error}")))?;
        out.emit(Changes { kinds, rows });
        Ok(())
    }
}

/// Passes the rows of all inputs on.
pub struct Union;

impl Operator for Union {
    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        out.emit(changes);
        Ok(())
    }
}
