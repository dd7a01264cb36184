//! Conditions as lists of conjuncts, and the substitution of columns.

use tidegate_plan::{Expr, NamedExpr, Scalar};
use tidegate_types::TypeKind;

use crate::bind::constant::is_deterministic;

/// The parts of nested ANDs, in order.
pub(crate) fn split(condition: Expr) -> Vec<Expr> {
    let mut parts = Vec::new();
    let mut rest = vec![condition];
    while let Some(next) = rest.pop() {
        match next {
            Expr::Call { function, args, .. } if function.name == "AND" => {
                rest.extend(args.into_iter().rev())
            }
            Expr::Literal(literal) if literal.value == Scalar::Boolean(true) => {}
            other => parts.push(other),
        }
    }
    parts
}

/// One condition of several as a balanced tree; none for no parts.
pub(crate) fn join(parts: Vec<Expr>) -> Option<Expr> {
    combine("AND", parts)
}

/// Parts joined by AND or OR, as a balanced tree.
pub(super) fn combine(name: &str, mut parts: Vec<Expr>) -> Option<Expr> {
    while parts.len() > 1 {
        let mut next = Vec::with_capacity(parts.len().div_ceil(2));
        let mut pairs = parts.into_iter();
        while let Some(left) = pairs.next() {
            next.push(match pairs.next() {
                Some(right) => {
                    let nullable = left.ty().nullable || right.ty().nullable;
                    let ty = TypeKind::Boolean.nullable().with_nullable(nullable);
                    Expr::call(name, vec![left, right], ty)
                }
                None => left,
            });
        }
        parts = next;
    }
    parts.pop()
}

/// The expression with every column replaced by what a projection computes for it.
pub(super) fn substitute(expr: Expr, exprs: &[NamedExpr]) -> Expr {
    match expr {
        Expr::Column { index, .. } => exprs[index].expr.clone(),
        mut other => {
            for child in other.children_mut() {
                let part = std::mem::replace(child, Expr::column(0, TypeKind::Null.nullable()));
                *child = substitute(part, exprs);
            }
            other
        }
    }
}

/// Whether a condition over a projection may be evaluated below it instead.
pub(super) fn may_substitute(condition: &Expr, exprs: &[NamedExpr]) -> bool {
    condition.columns().iter().all(|column| is_deterministic(&exprs[*column].expr))
}
