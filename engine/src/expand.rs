//! Several rows of each, one per grouping: `GROUPING SETS`, `ROLLUP`, `CUBE`.

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use tidegate_functions::eval::{EvalContext, Evaluator};
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::Expand as Plan;
use tidegate_plan::{Node, PlanSettings};
use tidegate_types::{Error, Result};

use crate::element::Changes;
use crate::operator::{Operator, Output};

/// Multiplies rows by projections.
pub struct Expand {
    projections: Vec<Vec<Evaluator>>,
    output: SchemaRef,
}

impl Expand {
    /// The operator of a plan node.
    ///
    /// # Errors
    /// What compiling an expression fails with.
    pub fn new(
        plan: &Plan,
        node: &Node,
        _inputs: &[&Node],
        settings: &PlanSettings,
    ) -> Result<Self> {
        let compile = |exprs: &Vec<_>| -> Result<Vec<Evaluator>> {
            exprs.iter().map(|expr| Evaluator::compile(expr, settings)).collect()
        };
        let projections = plan.projections.iter().map(compile).collect::<Result<_>>()?;
        Ok(Self { projections, output: arrow_schema(&node.schema) })
    }
}

impl Operator for Expand {
    fn process(&mut self, _input: usize, changes: Changes, out: &mut Output) -> Result<()> {
        let context = EvalContext::at(out.now_ms);
        let options = RecordBatchOptions::new().with_row_count(Some(changes.len()));
        for projection in &self.projections {
            let columns = projection.iter().map(|column| column.evaluate(&changes.rows, &context));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            let rows = RecordBatch::try_new_with_options(self.output.clone(), columns, &options)
                .map_err(|error| Error::internal(format!("expanded columns: {error}")))?;
            out.emit(Changes { kinds: changes.kinds.clone(), rows });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tidegate_plan::operator::Operator as PlanOperator;
    use tidegate_plan::{ChangelogMode, Expr, Literal, RowKind, Scalar};
    use tidegate_types::TypeKind;

    use super::*;
    use crate::testing::{changes, node, rows_of, schema};

    #[test]
    fn each_row_comes_once_per_projection_with_its_kind() {
        let int = || TypeKind::BigInt.nullable();
        let number = |value| {
            Expr::Literal(Literal {
                value: Scalar::Integer(value),
                ty: TypeKind::BigInt.not_null(),
            })
        };
        let null = Expr::Literal(Literal::null(TypeKind::BigInt));
        let plan = Plan {
            projections: vec![vec![Expr::column(0, int()), number(0)], vec![null, number(1)]],
        };
        let below =
            node(PlanOperator::Union, schema(&[int(), int()]), ChangelogMode::RETRACT, None);
        let operator = PlanOperator::Expand(plan.clone());
        let node = node(operator, below.schema.clone(), ChangelogMode::RETRACT, None);
        let mut expand = Expand::new(&plan, &node, &[&below], &PlanSettings::default()).unwrap();
        let log = [
            (RowKind::UpdateBefore, vec![Some(1), None]),
            (RowKind::UpdateAfter, vec![Some(2), None]),
        ];
        let mut out = Output::new(0);
        expand.process(0, changes(&arrow_schema(&below.schema), &log), &mut out).unwrap();
        let batches = out.take();
        let rows: Vec<_> = batches.iter().flat_map(|changes| rows_of(&changes.rows)).collect();
        let row = |a: Option<&str>, b: &str| vec![a.map(str::to_owned), Some(b.to_owned())];
        let expected = [row(Some("1"), "0"), row(Some("2"), "0"), row(None, "1"), row(None, "1")];
        assert_eq!(rows, expected);
        assert!(batches.iter().all(|changes| (changes.kind(0), changes.kind(1)) == (1, 2)));
    }
}
