//! Expressions without columns are computed when the plan is made.

use tidegate_functions::{Volatility, eval, lookup};
use tidegate_plan::{Expr, Literal, PlanSettings};

/// Whether the expression gives the same value each time it is evaluated on the same row.
pub(crate) fn is_deterministic(expr: &Expr) -> bool {
    let mut deterministic = true;
    expr.walk(&mut |part| {
        if let Expr::Call { function, .. } = part {
            deterministic &= lookup(&function.name)
                .is_some_and(|known| known.volatility == Volatility::Immutable);
        }
    });
    deterministic
}

/// The expression with every constant part computed. A part that fails (a division by zero) stays
/// as it is and fails where it is evaluated, as in Flink.
pub(crate) fn fold(mut expr: Expr, settings: &PlanSettings) -> Expr {
    if let Some(literal) = value(&expr, settings) {
        return Expr::Literal(literal);
    }
    for child in expr.children_mut() {
        let part =
            std::mem::replace(child, Expr::column(0, tidegate_types::TypeKind::Null.nullable()));
        *child = fold(part, settings);
    }
    expr
}

/// The value of a constant expression; `None` if it reads columns, varies, or fails.
pub(crate) fn value(expr: &Expr, settings: &PlanSettings) -> Option<Literal> {
    match expr {
        Expr::Literal(literal) => Some(literal.clone()),
        Expr::Column { .. } => None,
        _ if !expr.columns().is_empty() || !is_deterministic(expr) || is_nested(expr) => None,
        _ => {
            let mut literal = eval::fold(expr, settings).ok().flatten()?;
            // The type stays what the expression's rule says, as TYPEOF shows it.
            literal.ty.nullable |= expr.ty().nullable;
            Some(literal)
        }
    }
}

/// Values of nested types have no literal.
fn is_nested(expr: &Expr) -> bool {
    use tidegate_types::TypeKind as K;
    matches!(
        expr.ty().kind,
        K::Row(_)
            | K::Structured { .. }
            | K::Array(_)
            | K::Map(..)
            | K::Multiset(_)
            | K::Variant
            | K::Bitmap
    )
}
