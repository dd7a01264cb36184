//! Expressions as Tidegate's jobs evaluate them.

use anyhow::{Context as _, Result, bail};
use arrow::array::{ArrayRef, RecordBatch};
use tidegate_functions::{EvalContext, Evaluator};
use tidegate_plan::{Expr, Operator, PlanSettings};
use tidegate_planner::{Planned, Session, parse_script};

use crate::data::TABLE;

/// A compiled expression.
pub(crate) struct Ours(Evaluator);

/// Plans `SELECT expression FROM t` and takes the expression out of the plan.
///
/// # Errors
/// What the planner says.
pub(crate) fn compile(sql: &str, batch: &RecordBatch) -> Result<Ours> {
    let mut session = Session::new(Default::default())?;
    let script = parse_script(&format!("{TABLE}; SELECT {sql} AS x FROM t"))?;
    let mut job = None;
    for statement in &script {
        if let Planned::Job(planned) = session.plan(statement)? {
            job = Some(planned);
        }
    }
    let job = job.context("no query was planned")?;
    let schema = batch.schema();
    for node in &job.graph.nodes {
        // The columns of the batch that the plan reads, by name.
        let (projection, names): (_, Vec<String>) = match &node.operator {
            Operator::Source(source) => {
                let read = source.read.iter().map(|field| field.name.clone()).collect();
                (&source.projection, read)
            }
            Operator::Calc(calc) => {
                let input = node.inputs.first().context("a Calc without input")?;
                let fields = &job.graph.nodes.get(input.node).context("no input")?.schema;
                (&calc.projection, fields.iter().map(|field| field.name.clone()).collect())
            }
            _ => continue,
        };
        let computed = projection.iter().find(|named| !matches!(named.expr, Expr::Column { .. }));
        if let Some(named) = computed {
            let mut expr = named.expr.clone();
            let place = |index: usize| schema.index_of(&names[index]).unwrap_or(usize::MAX);
            expr.remap_columns(&place);
            return Ok(Ours(Evaluator::compile(&expr, &PlanSettings::default())?));
        }
    }
    bail!("the plan of {sql} computes nothing")
}

impl Ours {
    pub(crate) fn run(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        Ok(self.0.evaluate(batch, &EvalContext::at(1_700_000_000_000))?)
    }
}
