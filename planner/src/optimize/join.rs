//! Joins: which conditions go to which side, outer joins that are inner ones in fact, and columns for
//! keys that are computed.

use tidegate_plan::operator::JoinKind;
use tidegate_plan::{Expr, NamedExpr};

use super::map_inputs;
use crate::algebra::{Join, JoinForm, RelOp, Relation};
use crate::bind::constant::is_deterministic;
use crate::bind::join::build;

/// Where conditions above and in a join belong.
pub(super) struct Spread {
    pub(super) left: Relation,
    pub(super) right: Relation,
    pub(super) join: Join,
    pub(super) to_left: Vec<Expr>,
    pub(super) to_right: Vec<Expr>,
    pub(super) above: Vec<Expr>,
}

/// Which sides a condition reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
    Both,
}

fn side(condition: &Expr, width: usize) -> Side {
    let columns = condition.columns();
    match (columns.first(), columns.last()) {
        (Some(_), Some(last)) if *last < width => Side::Left,
        (Some(first), Some(_)) if *first >= width => Side::Right,
        _ => Side::Both,
    }
}

/// Sorts the conditions above a join and its own by where they can be applied.
pub(super) fn spread(
    left: Relation,
    right: Relation,
    mut join: Join,
    conditions: Vec<Expr>,
) -> Spread {
    let width = left.schema.len();
    simplify_kind(&mut join, &conditions, width);
    // A version or a looked-up row is found first and tested then.
    let to_right_works = matches!(
        join.form,
        JoinForm::Undecided
            | JoinForm::Regular
            | JoinForm::Interval { .. }
            | JoinForm::Window { .. }
    );
    let (mut to_left, mut to_right, mut above, mut on) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let shifted = |mut condition: Expr| {
        condition.remap_columns(&|index| index - width);
        condition
    };
    for condition in conditions {
        let inner = join.kind == JoinKind::Inner;
        match side(&condition, width) {
            _ if !is_deterministic(&condition) => above.push(condition),
            Side::Left if !join.kind.keeps_right() => to_left.push(condition),
            Side::Right if join.kind.has_right_columns() && !join.kind.keeps_left() => {
                match to_right_works {
                    true => to_right.push(shifted(condition)),
                    false if inner => on.push(condition),
                    false => above.push(condition),
                }
            }
            Side::Both if inner && !condition.columns().is_empty() => on.push(condition),
            _ => above.push(condition),
        }
    }
    for condition in std::mem::take(&mut join.on) {
        // Rows that a condition of ON fails for have no partner; who stays alone is not filtered.
        let left_stays = join.kind.keeps_left();
        match side(&condition, width) {
            _ if !is_deterministic(&condition) => on.push(condition),
            Side::Left if !left_stays => to_left.push(condition),
            Side::Right if to_right_works && !join.kind.keeps_right() => {
                to_right.push(shifted(condition));
            }
            _ => on.push(condition),
        }
    }
    join.on = on;
    Spread { left, right, join, to_left, to_right, above }
}

/// An outer join whose padded rows a condition above drops is an inner one.
fn simplify_kind(join: &mut Join, conditions: &[Expr], width: usize) {
    let drops = |right: bool| {
        conditions
            .iter()
            .any(|condition| rejects_null(condition, &|column| (column >= width) == right))
    };
    join.kind = match join.kind {
        JoinKind::Left if drops(true) => JoinKind::Inner,
        JoinKind::Right if drops(false) => JoinKind::Inner,
        JoinKind::Full => match (drops(true), drops(false)) {
            (true, true) => JoinKind::Inner,
            // Rows padded on the right are dropped: only those of the right side stay alone.
            (true, false) => JoinKind::Right,
            (false, true) => JoinKind::Left,
            (false, false) => JoinKind::Full,
        },
        kind => kind,
    };
}

/// Whether a condition cannot be TRUE where the columns of a side are NULL.
fn rejects_null(condition: &Expr, of_side: &dyn Fn(usize) -> bool) -> bool {
    let Expr::Call { function, args, .. } = condition else { return false };
    match function.name.as_str() {
        "AND" => args.iter().any(|arg| rejects_null(arg, of_side)),
        "OR" => args.iter().all(|arg| rejects_null(arg, of_side)),
        "=" | "<>" | "<" | "<=" | ">" | ">=" | "LIKE" | "IN" | "IS NOT NULL" | "IS TRUE" => {
            args.iter().any(|arg| null_with(arg, of_side))
        }
        _ => false,
    }
}

/// Whether a value is NULL where the columns of a side are.
fn null_with(expr: &Expr, of_side: &dyn Fn(usize) -> bool) -> bool {
    match expr {
        Expr::Column { index, .. } => of_side(*index),
        Expr::Cast { input, .. } | Expr::Field { input, .. } => null_with(input, of_side),
        Expr::Call { function, args, .. } => {
            matches!(function.name.as_str(), "+" | "-" | "*" | "/" | "%" | "UPPER" | "LOWER")
                && args.iter().any(|arg| null_with(arg, of_side))
        }
        _ => false,
    }
}

/// The two sides of an equality between expressions of either side, left one first, and whether NULL
/// equals NULL.
pub(crate) fn equality(condition: &Expr, width: usize) -> Option<(&Expr, &Expr, bool)> {
    let Expr::Call { function, args, .. } = condition else { return None };
    let [a, b] = args.as_slice() else { return None };
    let null_safe = match function.name.as_str() {
        "=" => false,
        "IS NOT DISTINCT FROM" => true,
        _ => return None,
    };
    if !a.ty().same_kind(b.ty()) || !is_deterministic(condition) {
        return None;
    }
    match (side(a, width), side(b, width)) {
        (Side::Left, Side::Right) => Some((a, b, null_safe)),
        (Side::Right, Side::Left) => Some((b, a, null_safe)),
        _ => None,
    }
}

/// Gives computed keys a column of their own.
pub(super) fn key_columns(relation: Relation) -> Relation {
    let relation = map_inputs(relation, &mut key_columns);
    let Relation { op, schema } = relation;
    let RelOp::Join { left, right, mut join } = op else {
        return Relation { op, schema };
    };
    let (width, right_width) = (left.schema.len(), right.schema.len());
    let (mut left_exprs, mut right_exprs) = (left.identity(), right.identity());
    // A looked-up table has only its own columns.
    let right_too = !matches!(join.form, JoinForm::Lookup { .. });
    let mut equal = Vec::new();
    for condition in &join.on {
        let Some((a, b, _)) = equality(condition, width) else { continue };
        let mut b = b.clone();
        b.remap_columns(&|index| index - width);
        if !right_too && !matches!(b, Expr::Column { .. }) {
            continue;
        }
        let a_place = place(&mut left_exprs, a);
        let b_place = place(&mut right_exprs, &b);
        equal.push((condition.clone(), a_place, b_place));
    }
    if left_exprs.len() == width && right_exprs.len() == right_width {
        return Relation { op: RelOp::Join { left, right, join }, schema };
    }
    let new_width = left_exprs.len();
    for condition in &mut join.on {
        let known = equal.iter().find(|(known, ..)| known == condition);
        match (known, &mut *condition) {
            (Some((_, a, b)), Expr::Call { args, .. }) => {
                let column = |exprs: &[NamedExpr], at: usize| exprs[at].expr.ty().clone();
                *args = vec![
                    Expr::column(*a, column(&left_exprs, *a)),
                    Expr::column(new_width + b, column(&right_exprs, *b)),
                ];
            }
            _ => condition.remap_columns(&|index| match index.checked_sub(width) {
                Some(right) => new_width + right,
                None => index,
            }),
        }
    }
    let has_right = join.kind.has_right_columns();
    let wide = |input: Relation, exprs: Vec<NamedExpr>| match exprs.len() == input.schema.len() {
        true => input,
        false => input.project(exprs),
    };
    let joined = build(wide(*left, left_exprs), wide(*right, right_exprs), join);
    let columns =
        (0..width).chain(if has_right { new_width..new_width + right_width } else { 0..0 });
    let exprs = columns.zip(&schema).map(|(index, field)| NamedExpr {
        name: field.name.clone(),
        expr: Expr::column(index, field.ty.clone()),
    });
    let exprs = exprs.collect();
    joined.project(exprs)
}

fn place(exprs: &mut Vec<NamedExpr>, expr: &Expr) -> usize {
    let same = |named: &NamedExpr| match (&named.expr, expr) {
        // Types differ in time attributes and nullability.
        (Expr::Column { index: a, .. }, Expr::Column { index: b, .. }) => a == b,
        (a, b) => a == b,
    };
    exprs.iter().position(same).unwrap_or_else(|| {
        exprs.push(NamedExpr { name: format!("$f{}", exprs.len()), expr: expr.clone() });
        exprs.len() - 1
    })
}
