//! Expressions in which something became constant.

use tidegate_plan::{Expr, Literal, PlanSettings, Scalar};
use tidegate_types::TypeKind;

use crate::bind::constant;

/// Computes what is constant and leaves out branches that are never taken.
pub(super) fn simplify(mut expr: Expr, settings: &PlanSettings) -> Expr {
    for child in expr.children_mut() {
        let part = std::mem::replace(child, Expr::column(0, TypeKind::Null.nullable()));
        *child = simplify(part, settings);
    }
    match expr {
        Expr::Case { branches, otherwise, ty } => case(branches, otherwise, ty),
        Expr::Call { ref function, ref args, .. }
            if matches!(function.name.as_str(), "AND" | "OR") =>
        {
            let neutral = function.name == "AND";
            match logic(args, neutral) {
                Some(simpler) => simpler,
                None => fold(expr, settings),
            }
        }
        other => fold(other, settings),
    }
}

fn fold(expr: Expr, settings: &PlanSettings) -> Expr {
    match constant::value(&expr, settings) {
        Some(literal) => Expr::Literal(literal),
        None => expr,
    }
}

/// A CASE without the branches whose condition is a constant.
fn case(branches: Vec<(Expr, Expr)>, otherwise: Box<Expr>, ty: tidegate_types::SqlType) -> Expr {
    let mut kept = Vec::with_capacity(branches.len());
    let mut last = otherwise;
    for (condition, value) in branches {
        match constant_truth(&condition) {
            Some(true) => {
                last = Box::new(value);
                break;
            }
            Some(false) => {}
            None => kept.push((condition, value)),
        }
    }
    if kept.is_empty() && last.ty().same_kind(&ty) {
        *last
    } else {
        Expr::Case { branches: kept, otherwise: last, ty }
    }
}

/// TRUE or not TRUE, if it is known; NULL is not TRUE.
fn constant_truth(condition: &Expr) -> Option<bool> {
    match condition {
        Expr::Literal(Literal { value, .. }) => Some(*value == Scalar::Boolean(true)),
        _ => None,
    }
}

/// AND and OR with a constant operand.
fn logic(args: &[Expr], neutral: bool) -> Option<Expr> {
    let [left, right] = args else { return None };
    let boolean = |expr: &Expr| match expr {
        Expr::Literal(Literal { value: Scalar::Boolean(value), .. }) => Some(*value),
        _ => None,
    };
    match (boolean(left), boolean(right)) {
        (Some(value), _) if value == neutral => Some(right.clone()),
        (_, Some(value)) if value == neutral => Some(left.clone()),
        (Some(_), _) => Some(left.clone()),
        (_, Some(_)) => Some(right.clone()),
        _ => None,
    }
}
