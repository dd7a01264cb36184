//! `ROW_NUMBER() … WHERE rn <= N` over windows becomes a window rank.

use tidegate_plan::{Expr, Scalar, Schema};
use tidegate_types::{Error, Result};

use super::conjunction::join;
use crate::algebra::{Number, Rank, RelOp, Relation};

/// Turns a row number with conditions over it into a rank; what bounds nothing stays above.
///
/// # Errors
/// `UNSUPPORTED` if no condition bounds the number, or it is not numbered per window.
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
    let refuse = |message: &str, help: &str| {
        Err(Error::unsupported(message.to_owned()).at(number.span).help(help))
    };
    if to == u64::MAX {
        return refuse(
            "ROW_NUMBER without a bound on its result is not supported yet",
            "filter on it outside the subquery: SELECT … FROM (SELECT *, ROW_NUMBER() OVER (…) AS rn FROM …) WHERE rn <= 10",
        );
    }
    let help = "partition by the window_start and window_end of a window table function";
    let Some(window) = input.window() else {
        return refuse("Top-N without a window is not supported yet", help);
    };
    let find =
        |columns: &[usize]| number.partition.iter().copied().find(|key| columns.contains(key));
    let (Some(start), Some(end)) = (find(&window.starts), find(&window.ends)) else {
        return refuse("Top-N needs both window_start and window_end in PARTITION BY", help);
    };
    let of_window = |key: &usize| {
        [&window.starts, &window.ends, &window.times].iter().any(|columns| columns.contains(key))
    };
    let rank = Rank {
        start,
        end,
        event: window.event,
        keys: number.partition.iter().copied().filter(|key| !of_window(key)).collect(),
        order: number.order.into_iter().filter(|key| !of_window(&key.column)).collect(),
        from,
        to: to.max(from.saturating_sub(1)),
        rank_column: schema.last().map(|field| field.name.clone()),
    };
    if from > to {
        above.push(never());
    }
    let relation = Relation { op: RelOp::Rank { input: Box::new(input), rank }, schema };
    Ok(match join(above) {
        Some(predicate) => relation.filter(predicate),
        None => relation,
    })
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
