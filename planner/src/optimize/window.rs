//! A window function below its aggregate joins it: rows are not copied into their windows, slices
//! of time are aggregated once.

use tidegate_plan::window::WindowShape;
use tidegate_plan::{Expr, Literal, NamedExpr, Scalar};
use tidegate_types::TypeKind;

use super::conjunction::substitute;
use super::map_inputs;
use crate::algebra::{Aggregate, AggregateWindow, RelOp, Relation, TvfTime, WindowTvf};

/// Fuses wherever the aggregate uses the window's columns for nothing but grouping.
pub(super) fn fuse(relation: Relation) -> Relation {
    let relation = map_inputs(relation, &mut fuse);
    let schema = relation.schema;
    match relation.op {
        RelOp::Aggregate { input, aggregate } => {
            let fused = fused(&input, &aggregate);
            let (input, aggregate) = fused.unwrap_or((*input, aggregate));
            Relation { op: RelOp::Aggregate { input: Box::new(input), aggregate }, schema }
        }
        op => Relation { op, schema },
    }
}

/// The aggregate directly over the window function's input, if that means the same.
fn fused(input: &Relation, aggregate: &Aggregate) -> Option<(Relation, Aggregate)> {
    let AggregateWindow::Attached { start, end, .. } = aggregate.window else {
        return None;
    };
    let (rows, tvf, exprs) = below(input)?;
    let width = rows.schema.len();
    let is = |place: usize, column: usize| matches!(exprs.get(place), Some(NamedExpr { expr: Expr::Column { index, .. }, .. }) if *index == column);
    if !is(start, width) || !is(end, width + 1) {
        return None;
    }
    let read = aggregate.calls.iter().flat_map(|call| call.argument.into_iter().chain(call.filter));
    if aggregate.keys.iter().copied().chain(read).any(|column| column == start || column == end) {
        return None;
    }
    if !same_session_keys(tvf, aggregate, &exprs) {
        return None;
    }
    let mut kept: Vec<NamedExpr> = Vec::new();
    let mut moved = vec![usize::MAX; exprs.len()];
    for (index, named) in exprs.iter().enumerate() {
        if index == start || index == end {
            continue;
        }
        if named.expr.columns().iter().any(|column| *column >= width) {
            return None;
        }
        moved[index] = kept.len();
        kept.push(named.clone());
    }
    let time = match tvf.time {
        TvfTime::Processing => TvfTime::Processing,
        TvfTime::Event(column) => TvfTime::Event(time_column(&mut kept, rows, column)),
    };
    if kept.is_empty() {
        let value = Literal { value: Scalar::Boolean(true), ty: TypeKind::Boolean.not_null() };
        kept.push(NamedExpr { name: "$row".to_owned(), expr: Expr::Literal(value) });
    }
    let mut aggregate = aggregate.clone();
    aggregate.window = AggregateWindow::Time(time);
    aggregate.shape = tvf.shape.clone();
    remap(&mut aggregate, &moved);
    Some((rows.clone().project(kept), aggregate))
}

/// The window function below projections, its input, and the columns above as expressions over it.
fn below(input: &Relation) -> Option<(&Relation, &WindowTvf, Vec<NamedExpr>)> {
    let mut exprs = input.identity();
    let mut current = input;
    loop {
        match &current.op {
            RelOp::Project { input, exprs: lower } => {
                exprs = exprs
                    .into_iter()
                    .map(|named| NamedExpr {
                        name: named.name,
                        expr: substitute(named.expr, lower),
                    })
                    .collect();
                current = input;
            }
            RelOp::WindowTvf { input, tvf } => return Some((input, tvf, exprs)),
            _ => return None,
        }
    }
}

/// A session is one of its partition: the aggregate must group by exactly the same keys.
fn same_session_keys(tvf: &WindowTvf, aggregate: &Aggregate, exprs: &[NamedExpr]) -> bool {
    if !matches!(tvf.shape, WindowShape::Session { .. }) {
        return true;
    }
    let mut keys = Vec::new();
    for key in &aggregate.keys {
        match exprs.get(*key).map(|named| &named.expr) {
            Some(Expr::Column { index, .. }) => keys.push(*index),
            _ => return false,
        }
    }
    let mut partition = tvf.partition_keys.clone();
    keys.sort_unstable();
    partition.sort_unstable();
    keys.dedup();
    partition.dedup();
    keys == partition
}

/// Where the time column stands among the columns; it is added if it is not there.
fn time_column(kept: &mut Vec<NamedExpr>, rows: &Relation, column: usize) -> usize {
    let field = &rows.schema[column];
    let same =
        |named: &NamedExpr| matches!(&named.expr, Expr::Column { index, .. } if *index == column);
    match kept.iter().position(same) {
        Some(place) => place,
        None => {
            kept.push(NamedExpr {
                name: field.name.clone(),
                expr: Expr::column(column, field.ty.clone()),
            });
            kept.len() - 1
        }
    }
}

fn remap(aggregate: &mut Aggregate, moved: &[usize]) {
    aggregate.keys.iter_mut().for_each(|key| *key = moved[*key]);
    for call in &mut aggregate.calls {
        call.argument = call.argument.map(|argument| moved[argument]);
        call.filter = call.filter.map(|filter| moved[filter]);
    }
}
