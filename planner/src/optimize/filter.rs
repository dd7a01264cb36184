//! Filters go down, through projections, unions and windows, as far as their columns allow.

use tidegate_plan::Expr;
use tidegate_plan::window::WindowShape;
use tidegate_types::Result;

use super::conjunction::{join as conjunction, may_substitute, split, substitute};
use super::{join, rank};
use crate::algebra::{RelOp, Relation, WindowTvf};
use crate::bind::constant::is_deterministic;

/// Pushes all filters down.
pub(super) fn push_down(relation: Relation) -> Result<Relation> {
    push(relation, Vec::new())
}

/// The relation with conditions over its columns applied as far down as possible.
fn push(relation: Relation, mut conditions: Vec<Expr>) -> Result<Relation> {
    let schema = relation.schema;
    let (op, left) = match relation.op {
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
            let (mut below, above) = on_keys(conditions, &(0..keys.len()).collect::<Vec<_>>());
            below.iter_mut().for_each(|condition| condition.remap_columns(&|column| keys[column]));
            (RelOp::Aggregate { input: Box::new(push(*input, below)?), aggregate }, above)
        }
        RelOp::Group { input, group } => {
            let keys = group.keys.clone();
            let (mut below, above) = on_keys(conditions, &(0..keys.len()).collect::<Vec<_>>());
            below.iter_mut().for_each(|condition| condition.remap_columns(&|column| keys[column]));
            (RelOp::Group { input: Box::new(push(*input, below)?), group }, above)
        }
        RelOp::Number { input, number } => {
            let (below, above) = on_keys(conditions, &number.partition);
            let input = push(*input, below)?;
            return rank::bound(input, number, schema, above);
        }
        RelOp::Over { input, over } => {
            let (below, above) = on_keys(conditions, &over.keys);
            (RelOp::Over { input: Box::new(push(*input, below)?), over }, above)
        }
        RelOp::Match { input, pattern } => {
            let keys = pattern.keys.clone();
            let (mut below, above) = on_keys(conditions, &(0..keys.len()).collect::<Vec<_>>());
            below.iter_mut().for_each(|condition| condition.remap_columns(&|column| keys[column]));
            (RelOp::Match { input: Box::new(push(*input, below)?), pattern }, above)
        }
        RelOp::Rank { input, rank } => {
            let (below, above) = on_keys(conditions, &rank.keys);
            (RelOp::Rank { input: Box::new(push(*input, below)?), rank }, above)
        }
        RelOp::WindowRank { input, rank } => {
            (RelOp::WindowRank { input: Box::new(push(*input, Vec::new())?), rank }, conditions)
        }
        RelOp::Sort { input, sort } => {
            (RelOp::Sort { input: Box::new(push(*input, conditions)?), sort }, Vec::new())
        }
        RelOp::Gate { input, keys } => {
            (RelOp::Gate { input: Box::new(push(*input, Vec::new())?), keys }, conditions)
        }
        RelOp::Late { input, late } => {
            (RelOp::Late { input: Box::new(push(*input, Vec::new())?), late }, conditions)
        }
        RelOp::ToChangelog { input, changelog, timed } => {
            let input = Box::new(push(*input, Vec::new())?);
            (RelOp::ToChangelog { input, changelog, timed }, conditions)
        }
        RelOp::FromChangelog { input, changelog } => (
            RelOp::FromChangelog { input: Box::new(push(*input, Vec::new())?), changelog },
            conditions,
        ),
        RelOp::Expand { input, projections } => {
            (RelOp::Expand { input: Box::new(push(*input, Vec::new())?), projections }, conditions)
        }
        RelOp::Unnest { input, unnest } => {
            let width = input.schema.len();
            let (below, above) = conditions
                .into_iter()
                .partition(|condition: &Expr| condition.columns().iter().all(|c| *c < width));
            (RelOp::Unnest { input: Box::new(push(*input, below)?), unnest }, above)
        }
        RelOp::Join { left, right, join } => {
            let spread = join::spread(*left, *right, join, conditions);
            let (left, right) =
                (push(spread.left, spread.to_left)?, push(spread.right, spread.to_right)?);
            let relation = crate::bind::join::build(left, right, spread.join);
            return Ok(above(Relation { schema, ..relation }, spread.above));
        }
    };
    Ok(above(Relation { op, schema }, left))
}

/// A relation under the conditions that stay above it.
fn above(relation: Relation, conditions: Vec<Expr>) -> Relation {
    match conjunction(conditions) {
        Some(predicate) => relation.filter(predicate),
        None => relation,
    }
}

/// Conditions that read these columns and no others, which pass whole groups of rows or none; and the
/// rest.
fn on_keys(conditions: Vec<Expr>, keys: &[usize]) -> (Vec<Expr>, Vec<Expr>) {
    conditions.into_iter().partition(|condition| {
        let columns = condition.columns();
        !columns.is_empty()
            && is_deterministic(condition)
            && columns.iter().all(|column| keys.contains(column))
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
