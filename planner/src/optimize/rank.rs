//! `ROW_NUMBER() … WHERE rn <= N` becomes a rank: per window, or of the whole table.

use tidegate_plan::operator::{OverAggregate, OverFrame, OverGroup, Rank, RankFunction};
use tidegate_plan::{AggregateCall, AggregateFunction, Expr, NamedExpr, Scalar, Schema};
use tidegate_types::{Result, TypeKind};

use super::conjunction::join;
use crate::algebra::{Number, RelOp, Relation, WindowRank};
use crate::bind::over::over_order;

/// Turns a row number with conditions over it into a rank; what bounds nothing stays above. Without a
/// bound it is counted row by row.
///
/// # Errors
/// `UNSUPPORTED` for a rank of an order that cannot be counted so.
pub(super) fn bound(
    input: Relation,
    number: Number,
    schema: Schema,
    conditions: Vec<Expr>,
) -> Result<Relation> {
    let column = input.schema.len();
    let (mut from, mut to) = (1, u64::MAX);
    let mut above = Vec::new();
    for condition in conditions {
        match range(&condition, column) {
            Some((low, high)) => (from, to) = (from.max(low), to.min(high)),
            None => above.push(condition),
        }
    }
    if from > to {
        above.push(never());
    }
    let bounds = (from.max(1), to.max(from.saturating_sub(1)));
    let name = schema.last().map(|field| field.name.clone());
    let relation = if to == u64::MAX {
        // Ranks from the first on bound nothing, and what the condition says is tested row by row.
        if from > 1 {
            above.push(at_least(column, from));
        }
        counted(input, &number, schema)?
    } else if let Some(rank) = window_rank(&input, &number, bounds, name.clone()) {
        Relation { op: RelOp::WindowRank { input: Box::new(input), rank }, schema }
    } else {
        whole_rank(input, number, bounds, name, schema)
    };
    Ok(match join(above) {
        Some(predicate) => relation.filter(predicate),
        None => relation,
    })
}

/// The rank within windows, if the partition names both bounds of one.
fn window_rank(
    input: &Relation,
    number: &Number,
    (from, to): (u64, u64),
    rank_column: Option<String>,
) -> Option<WindowRank> {
    let window = input.window().filter(|_| number.function == RankFunction::RowNumber)?;
    let find =
        |columns: &[usize]| number.partition.iter().copied().find(|key| columns.contains(key));
    let (start, end) = (find(&window.starts)?, find(&window.ends)?);
    let of_window = |key: &usize| {
        [&window.starts, &window.ends, &window.times].iter().any(|columns| columns.contains(key))
    };
    Some(WindowRank {
        start,
        end,
        event: window.event,
        keys: number.partition.iter().copied().filter(|key| !of_window(key)).collect(),
        order: number.order.iter().filter(|key| !of_window(&key.column)).cloned().collect(),
        from,
        to,
        rank_column,
    })
}

/// The rank in the whole table.
fn whole_rank(
    input: Relation,
    number: Number,
    (from, to): (u64, u64),
    name: Option<String>,
    schema: Schema,
) -> Relation {
    let Number { function, partition, order, .. } = number;
    // One row number is no news.
    let constant = (function == RankFunction::RowNumber && from == to).then_some(from);
    let rank_column = if constant.is_some() { None } else { name.clone() };
    let rank = Rank { function, keys: partition, order, from, to, rank_column };
    let rows = input.schema.clone();
    let Some(value) = constant else {
        return Relation { op: RelOp::Rank { input: Box::new(input), rank }, schema };
    };
    let ranked = Relation { op: RelOp::Rank { input: Box::new(input), rank }, schema: rows };
    let mut exprs = ranked.identity();
    let ty = TypeKind::BigInt.not_null();
    let value = Scalar::Integer(i64::try_from(value).unwrap_or(i64::MAX));
    let expr = Expr::Literal(tidegate_plan::Literal { value, ty });
    exprs.push(NamedExpr { name: name.unwrap_or_default(), expr });
    ranked.project(exprs)
}

/// The number of each row as it comes.
fn counted(input: Relation, number: &Number, schema: Schema) -> Result<Relation> {
    let function = match number.function {
        RankFunction::RowNumber => AggregateFunction::RowNumber,
        RankFunction::Rank => AggregateFunction::Rank,
        RankFunction::DenseRank => AggregateFunction::DenseRank,
    };
    let order = over_order(&input, &number.order, number.span)?;
    let call = AggregateCall {
        function,
        argument: None,
        parameters: Vec::new(),
        distinct: false,
        filter: None,
        name: schema.last().map_or_else(String::new, |field| field.name.clone()),
        ty: TypeKind::BigInt.not_null(),
    };
    let group = OverGroup { frame: OverFrame::RowsUnbounded, aggregates: vec![call] };
    let over = OverAggregate { keys: number.partition.clone(), order, groups: vec![group] };
    Ok(Relation { op: RelOp::Over { input: Box::new(input), over }, schema })
}

fn at_least(column: usize, from: u64) -> Expr {
    let ty = TypeKind::BigInt.not_null();
    let value = Scalar::Integer(i64::try_from(from).unwrap_or(i64::MAX));
    let from = Expr::Literal(tidegate_plan::Literal { value, ty: ty.clone() });
    Expr::call(">=", vec![Expr::column(column, ty), from], TypeKind::Boolean.not_null())
}

/// The ranks that a condition on the rank alone leaves.
fn range(condition: &Expr, column: usize) -> Option<(u64, u64)> {
    let Expr::Call { function, args, .. } = condition else {
        return None;
    };
    let [left, right] = args.as_slice() else {
        return None;
    };
    let (name, limit) = match (rank_column(left, column), rank_column(right, column)) {
        (true, false) => (function.name.as_str(), integer(right)?),
        (false, true) => (mirrored(&function.name), integer(left)?),
        _ => return None,
    };
    let clamp = |limit: i64| u64::try_from(limit).unwrap_or(0);
    Some(match name {
        "=" => (clamp(limit), clamp(limit)),
        "<=" => (1, clamp(limit)),
        "<" => (1, clamp(limit.saturating_sub(1))),
        ">=" => (clamp(limit), u64::MAX),
        ">" => (clamp(limit.saturating_add(1)), u64::MAX),
        _ => return None,
    })
}

/// Whether the expression is the rank, possibly widened.
fn rank_column(expr: &Expr, column: usize) -> bool {
    match expr {
        Expr::Column { index, .. } => *index == column,
        Expr::Cast { input, .. } => rank_column(input, column),
        _ => false,
    }
}

fn integer(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(literal) if literal.ty.kind.is_integer() => match literal.value {
            Scalar::Integer(value) => Some(value),
            _ => None,
        },
        _ => None,
    }
}

fn mirrored(operator: &str) -> &str {
    match operator {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        other => other,
    }
}

fn never() -> Expr {
    Expr::Literal(tidegate_plan::Literal {
        value: Scalar::Boolean(false),
        ty: tidegate_types::TypeKind::Boolean.not_null(),
    })
}
