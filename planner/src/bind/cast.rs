//! Conversions that the planner inserts.

use tidegate_functions::coercion;
use tidegate_plan::{CastMode, Expr, Literal, PlanSettings, Scalar};
use tidegate_types::{Field, SqlType, TypeKind};

use super::constant;

/// The expression as a value of `target`; nothing is inserted where the kinds agree.
pub(crate) fn coerce(expr: Expr, target: &SqlType, settings: &PlanSettings) -> Expr {
    if same_values(expr.ty(), target) {
        return expr;
    }
    if let Expr::Literal(Literal { value: Scalar::Null, .. }) = expr {
        return Expr::Literal(Literal::null(target.kind.clone()));
    }
    let ty = target.clone().with_nullable(expr.ty().nullable).materialized();
    let cast = Expr::Cast { input: Box::new(expr), ty, mode: CastMode::Cast };
    match constant::value(&cast, settings) {
        Some(literal) => Expr::Literal(literal),
        None => cast,
    }
}

/// Whether values of one type are values of the other as they are: the same kinds, and the same
/// names of ROW fields.
pub(crate) fn same_values(a: &SqlType, b: &SqlType) -> bool {
    use TypeKind as K;
    match (&a.kind, &b.kind) {
        (K::Array(a), K::Array(b)) | (K::Multiset(a), K::Multiset(b)) => same_values(a, b),
        (K::Map(k, v), K::Map(l, w)) => same_values(k, l) && same_values(v, w),
        (K::Structured { class: a, .. }, K::Structured { class: b, .. }) if a != b => false,
        (K::Row(_), K::Structured { .. }) | (K::Structured { .. }, K::Row(_)) => false,
        (
            K::Row(a) | K::Structured { fields: a, .. },
            K::Row(b) | K::Structured { fields: b, .. },
        ) => {
            let same = |(a, b): (&Field, &Field)| a.name == b.name && same_values(&a.ty, &b.ty);
            a.len() == b.len() && a.iter().zip(b).all(same)
        }
        _ => a.same_kind(b),
    }
}

/// Whether values of the type have parts with types of their own.
pub(crate) fn is_nested(ty: &SqlType) -> bool {
    use TypeKind as K;
    matches!(ty.kind, K::Array(_) | K::Map(..) | K::Multiset(_) | K::Row(_) | K::Structured { .. })
}

/// The type that all values can take; `None` if there is none. Time attributes do not survive.
pub(crate) fn unify(types: &[SqlType]) -> Option<SqlType> {
    let nullable = types.iter().any(|ty| ty.nullable);
    let typed: Vec<SqlType> = types
        .iter()
        .filter(|ty| ty.kind != TypeKind::Null)
        .map(|ty| ty.clone().materialized())
        .collect();
    let common = match typed.as_slice() {
        [] => TypeKind::Null.nullable(),
        [one] => one.clone(),
        several => coercion::common_type(several)?,
    };
    Some(common.with_nullable(nullable))
}
