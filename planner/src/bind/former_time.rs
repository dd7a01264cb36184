//! Columns that were time attributes below: a regular join or an aggregation gives out times as plain
//! timestamps, yet event time goes on through it. Group windows take them, as Flink's do.

use tidegate_plan::Expr;
use tidegate_types::TimeAttribute;

use crate::algebra::{RelOp, Relation};

/// What a column was before an operator made a plain timestamp of it; itself if it still is one. None if it
/// was computed.
pub(super) fn former_time(relation: &Relation, column: usize) -> TimeAttribute {
    let field = relation.schema.get(column);
    let now = field.map_or(TimeAttribute::None, |field| field.ty.kind.time_attribute());
    if now != TimeAttribute::None {
        return now;
    }
    let of_column = |input: &Relation, expr: Option<&Expr>| match expr {
        Some(Expr::Column { index, .. }) => former_time(input, *index),
        _ => TimeAttribute::None,
    };
    let of_key = |input: &Relation, keys: &[usize]| {
        keys.get(column).map_or(TimeAttribute::None, |key| former_time(input, *key))
    };
    match &relation.op {
        RelOp::Scan(_) | RelOp::Values(_) => TimeAttribute::None,
        RelOp::Project { input, exprs } => {
            of_column(input, exprs.get(column).map(|named| &named.expr))
        }
        RelOp::Expand { input, projections } => {
            let of = |projection: &Vec<Expr>| of_column(input, projection.get(column));
            common(projections.iter().map(of))
        }
        RelOp::Union { inputs } => common(inputs.iter().map(|input| former_time(input, column))),
        RelOp::Group { input, group } => of_key(input, &group.keys),
        RelOp::Match { input, pattern } => of_key(input, &pattern.keys),
        RelOp::Aggregate { input, aggregate } => of_key(input, &aggregate.keys),
        RelOp::Filter { input, .. }
        | RelOp::WindowTvf { input, .. }
        | RelOp::Number { input, .. }
        | RelOp::WindowRank { input, .. }
        | RelOp::Rank { input, .. }
        | RelOp::Over { input, .. }
        | RelOp::Sort { input, .. }
        | RelOp::Unnest { input, .. }
        | RelOp::Gate { input, .. }
        | RelOp::Late { input, .. } => former_time(input, column),
        RelOp::ToChangelog { input, .. } => match column.checked_sub(1) {
            None => TimeAttribute::None,
            Some(column) => former_time(input, column),
        },
        RelOp::FromChangelog { input, changelog } => {
            former_time(input, column + usize::from(column >= changelog.column))
        }
        RelOp::Join { left, right, .. } => match column.checked_sub(left.schema.len()) {
            None => former_time(left, column),
            Some(column) => former_time(right, column),
        },
    }
}

/// What all agree on.
fn common(mut attributes: impl Iterator<Item = TimeAttribute>) -> TimeAttribute {
    let first = attributes.next().unwrap_or(TimeAttribute::None);
    if attributes.all(|attribute| attribute == first) { first } else { TimeAttribute::None }
}
