//! Filters go down, through projections, unions and windows, as far as their columns allow.

use tidegate_plan::Expr;
use tidegate_plan::window::WindowShape;
use tidegate_types::Result;

use super::conjunction::{join, may_substitute, split, substitute};
use super::rank;
use crate::algebra::{RelOp, Relation, WindowTvf};

/// Pushes all filters down.
pub(super) fn push_down(relation: Relation) -> Result<Relation> {
    push(relation, Vec::new())
}

/// The relation with conditions over its columns applied as far down as possible.
fn push(relation: Relation, mut conditions: Vec<Expr>) -> Result<Relation> {
    let schema = relation.schema;
    let (op, above) = match relation.op {
        RelOp::Filter { input, predicate } => {
            // What filters first also guards what comes after it.
            let mut all = split(predicate);
            all.append(&mut conditions);
            return push(*input, all);
        }
        op @ (RelOp::Scan(_) | RelOp::Values(_)) => (op, conditions),
        RelOp::Project { input, exprs } => {
            let (below, above) = conditions
                .into_iter()
                .partition(|condition: &Expr| may_substitute(condition, &exprs));
            let below: Vec<Expr> = below;
            let below = below.into_iter().map(|condition| substitute(condition, &exprs)).collect();
            (RelOp::Project { input: Box::new(push(*input, below)?), exprs }, above)
        }
        RelOp::Union { inputs } => {
            let inputs = inputs
                .into_iter()
                .map(|input| push(input, conditions.clone()))
                .collect::<Result<Vec<_>>>()?;
            (RelOp::Union { inputs }, Vec::new())
        }
        RelOp::WindowTvf { input, tvf } => {
            let width = input.schema.len();
            let (below, above) = conditions
                .into_iter()
                .partition(|condition: &Expr| passes_window(condition, &tvf, width));
            (RelOp::WindowTvf { input: Box::new(push(*input, below)?), tvf }, above)
        }
        RelOp::Aggregate { input, aggregate } => {
            let keys = aggregate.keys.clone();
            let (below, above) = conditions.into_iter().partition(|condition: &Expr| {
                let columns = condition.columns();
                !columns.is_empty() && columns.iter().all(|column| *column < keys.len())
            });
            let mut below: Vec<Expr> = below;
            below.iter_mut().for_each(|condition| condition.remap_columns(&|column| keys[column]));
            (RelOp::Aggregate { input: Box::new(push(*input, below)?), aggregate }, above)
        }
        RelOp::Number { input, number } => {
            let input = push(*input, Vec::new())?;
            return rank::bound(input, number, schema, conditions);
        }
        RelOp::Rank { input, rank } => {
            (RelOp::Rank { input: Box::new(push(*input, Vec::new())?), rank }, conditions)
        }
    };
    let relation = Relation { op, schema };
    Ok(match join(above) {
        Some(predicate) => relation.filter(predicate),
        None => relation,
    })
}

/// A condition on the rows' own columns gives the same rows before the windows are assigned; for
/// sessions only a condition on the partition does, as every row of it shapes the session.
fn passes_window(condition: &Expr, tvf: &WindowTvf, width: usize) -> bool {
    let columns = condition.columns();
    match tvf.shape {
        WindowShape::Session { .. } => {
            !columns.is_empty() && columns.iter().all(|column| tvf.partition_keys.contains(column))
        }
        _ => columns.iter().all(|column| *column < width),
    }
}
