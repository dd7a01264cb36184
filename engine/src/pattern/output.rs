//! Matches on their way out: the partition's columns and the measures.

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use tidegate_functions::eval::EvalContext;
use tidegate_plan::PlanSettings;
use tidegate_plan::operator::MatchRecognize;
use tidegate_types::Result;

use super::automaton::Found;
use super::context::RowContext;
use super::internal;
use super::key_state::KeyState;
use super::rows::{NO_ROW, RowTable};

/// Matches that have been found and not been emitted.
pub(super) struct Matches {
    keys: Vec<usize>,
    measures: RowContext,
    output: SchemaRef,
    /// By match the entry of its first row.
    first: Vec<u32>,
    /// What matches are ordered by.
    order: Vec<i64>,
}

impl Matches {
    /// None yet, of a plan node.
    ///
    /// # Errors
    /// What compiling a measure fails with.
    pub(super) fn new(
        plan: &MatchRecognize,
        input: &tidegate_plan::Schema,
        output: SchemaRef,
        settings: &PlanSettings,
    ) -> Result<Self> {
        let exprs = plan.measures.iter().map(|measure| &measure.expr);
        let measures = RowContext::new(exprs, plan, input, settings)?;
        Ok(Self { keys: plan.keys.clone(), measures, output, first: Vec::new(), order: Vec::new() })
    }

    /// Number of matches.
    pub(super) fn len(&self) -> usize {
        self.measures.len()
    }

    /// Adds a match of a key, whose rows are still there.
    pub(super) fn add(&mut self, found: &Found, state: &KeyState, order: i64) {
        self.first.push(state.entry(found.rows.start).unwrap_or(NO_ROW));
        self.measures.add(&found.rows, state, NO_ROW, found.time);
        self.order.push(order);
    }

    /// The matches in order, which are forgotten.
    ///
    /// # Errors
    /// `EVALUATION` as the measures do.
    pub(super) fn take(&mut self, rows: &RowTable, context: &EvalContext) -> Result<RecordBatch> {
        let count = self.len();
        let mut columns = rows.gather(&self.first, &self.keys)?;
        columns.extend(self.measures.evaluate(rows, context)?);
        self.first.clear();
        let order = std::mem::take(&mut self.order);
        if !order.is_sorted() {
            let mut places: Vec<u32> = (0..count as u32).collect();
            places.sort_by_key(|place| order[*place as usize]);
            let places = UInt32Array::from(places);
            let sorted = columns.iter().map(|column| take(column, &places, None));
            columns =
                sorted.collect::<std::result::Result<Vec<ArrayRef>, _>>().map_err(internal)?;
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        RecordBatch::try_new_with_options(self.output.clone(), columns, &options).map_err(internal)
    }

    /// Bytes held.
    pub(super) fn memory_size(&self) -> usize {
        self.measures.memory_size()
    }
}
