//! When rows of a join of whole tables can be forgotten: where its condition bounds the event time of
//! the other side from above.
//!
//! A row of the other side that is not late has a time `t` above the watermark `w`. If the condition
//! says `t <= e` for an expression `e` over the row that is kept, no such row can be its partner once
//! `w >= e`. The time of the other side is its rowtime column, or the end of its windows, whose rows come
//! when the watermark has reached `end - 1`.

use tidegate_plan::{Expr, Literal, Scalar};
use tidegate_types::{TimeAttribute, TypeKind};

use crate::algebra::Relation;
use crate::bind::constant::is_deterministic;

/// Per side the time from which on its rows have no new partners, over its columns.
pub(crate) fn expiry(left: &Relation, right: &Relation, on: &[Expr]) -> [Option<Expr>; 2] {
    let width = left.schema.len();
    let (left_times, right_times) = (times(left), times(right));
    let of_left = |column: usize| column < width && left_times.contains(&column);
    let of_right = |column: usize| column >= width && right_times.contains(&(column - width));
    // The other side's time bounds a row's life.
    let left_expiry = bound(on, &of_right, &|column| column < width);
    let mut right_expiry = bound(on, &of_left, &|column| column >= width);
    if let Some(expr) = &mut right_expiry {
        expr.remap_columns(&|column| column - width);
    }
    [left_expiry, right_expiry]
}

/// Columns with a time that on-time rows have above the watermark.
fn times(relation: &Relation) -> Vec<usize> {
    let attribute =
        |column: &usize| relation.schema[*column].ty.kind.time_attribute() == TimeAttribute::Event;
    let mut columns: Vec<usize> = (0..relation.schema.len()).filter(attribute).collect();
    if let Some(window) = relation.window().filter(|window| window.event) {
        columns.extend(window.ends);
    }
    columns
}

/// The first `e` for which the conditions say `time <= e`.
fn bound(
    on: &[Expr],
    is_time: &dyn Fn(usize) -> bool,
    is_own: &dyn Fn(usize) -> bool,
) -> Option<Expr> {
    on.iter().find_map(|condition| {
        let Expr::Call { function, args, .. } = condition else { return None };
        let [a, b] = args.as_slice() else { return None };
        let (time, other) = match function.name.as_str() {
            "<" | "<=" => (a, b),
            ">" | ">=" => (b, a),
            "=" if moved(a).is_some_and(|(column, _)| is_time(column)) => (a, b),
            "=" => (b, a),
            _ => return None,
        };
        let (column, moved_by) = moved(time)?;
        let own = !other.columns().is_empty() && other.columns().iter().all(|c| is_own(*c));
        let timestamp = matches!(
            other.ty().kind,
            TypeKind::Timestamp { precision: 0..=3, .. }
                | TypeKind::TimestampLtz { precision: 0..=3, .. }
        );
        if !is_time(column) || !own || !timestamp || !is_deterministic(other) {
            return None;
        }
        Some(shifted(other.clone(), moved_by.checked_neg()?))
    })
}

/// A column, moved by a constant number of milliseconds.
pub(crate) fn moved(expr: &Expr) -> Option<(usize, i64)> {
    match expr {
        Expr::Column { index, .. } => Some((*index, 0)),
        Expr::Call { function, args, .. } => {
            let [time, Expr::Literal(by)] = args.as_slice() else { return None };
            let (column, before) = moved(time)?;
            let (TypeKind::IntervalDayTime, Scalar::Integer(millis)) = (&by.ty.kind, &by.value)
            else {
                return None;
            };
            let after = match function.name.as_str() {
                "+" => before.checked_add(*millis)?,
                "-" => before.checked_sub(*millis)?,
                _ => return None,
            };
            Some((column, after))
        }
        _ => None,
    }
}

fn shifted(expr: Expr, millis: i64) -> Expr {
    if millis == 0 {
        return expr;
    }
    let by = Literal { value: Scalar::Integer(millis), ty: TypeKind::IntervalDayTime.not_null() };
    let ty = expr.ty().clone().materialized();
    Expr::call("+", vec![expr, Expr::Literal(by)], ty)
}
