//! Common types, and which conversions exist: explicit (`CAST`) and implicit (INSERT, arguments).
//!
//! Rules of Flink's `LogicalTypeMerging` and `LogicalTypeCasts`. How values are converted is in
//! `cast`.

use tidegate_types::{Field, SqlType, TimeAttribute, TypeKind};

use crate::decimal;

/// The least restrictive type that all the types convert to; nullable if one of them is. None if
/// there is no such type.
pub fn common_type(types: &[SqlType]) -> Option<SqlType> {
    let nullable = types.iter().any(|ty| ty.nullable || ty.kind == TypeKind::Null);
    let mut kinds = types.iter().map(|ty| &ty.kind).filter(|kind| **kind != TypeKind::Null);
    let Some(first) = kinds.next() else {
        return (!types.is_empty()).then(|| TypeKind::Null.nullable());
    };
    let kind = kinds.try_fold(first.clone(), |common, kind| common_kind(&common, kind))?;
    Some(SqlType { kind, nullable })
}

fn common_kind(left: &TypeKind, right: &TypeKind) -> Option<TypeKind> {
    use TypeKind as K;
    if left == right {
        return Some(left.clone());
    }
    match (left, right) {
        (a, b) if a.is_numeric() && b.is_numeric() => common_numeric(a, b),
        (a, b) if a.is_text() && b.is_text() => Some(common_text(a, b)),
        (a, b) if a.is_binary() && b.is_binary() => Some(common_binary(a, b)),
        (K::Time { precision: a }, K::Time { precision: b }) => {
            Some(K::Time { precision: *a.max(b) })
        }
        (a, b) if a.is_temporal() && b.is_temporal() => common_temporal(a, b),
        (K::Array(a), K::Array(b)) => Some(K::Array(Box::new(common_pair(a, b)?))),
        (K::Multiset(a), K::Multiset(b)) => Some(K::Multiset(Box::new(common_pair(a, b)?))),
        (K::Map(k, v), K::Map(l, w)) => {
            Some(K::Map(Box::new(common_pair(k, l)?), Box::new(common_pair(v, w)?)))
        }
        (K::Structured { class: a, .. }, K::Structured { class: b, .. }) if a != b => None,
        (
            K::Row(a) | K::Structured { fields: a, .. },
            K::Row(b) | K::Structured { fields: b, .. },
        ) if a.len() == b.len() => {
            let fields = a
                .iter()
                .zip(b)
                .map(|(a, b)| Some(Field { name: a.name.clone(), ty: common_pair(&a.ty, &b.ty)? }));
            Some(left.with_fields(fields.collect::<Option<_>>()?))
        }
        _ => None,
    }
}

fn common_pair(left: &SqlType, right: &SqlType) -> Option<SqlType> {
    common_type(&[left.clone(), right.clone()])
}

fn common_numeric(left: &TypeKind, right: &TypeKind) -> Option<TypeKind> {
    use TypeKind as K;
    let has = |kind: K| *left == kind || *right == kind;
    match (left.is_approximate(), right.is_approximate()) {
        // Of FLOAT and DOUBLE the first wins, as in Flink.
        (true, true) => return Some(left.clone()),
        (true, false) => return Some(approximate(left, right)),
        (false, true) => return Some(approximate(right, left)),
        (false, false) => {}
    }
    if left.is_integer() && right.is_integer() {
        let widths = [K::TinyInt, K::SmallInt, K::Int, K::BigInt];
        return widths.into_iter().rev().find(|kind| has(kind.clone()));
    }
    let shape = decimal::common_shape(decimal::shape(left)?, decimal::shape(right)?);
    Some(decimal::kind(shape))
}

fn approximate(approximate: &TypeKind, exact: &TypeKind) -> TypeKind {
    match exact {
        TypeKind::Decimal { .. } => TypeKind::Double,
        _ => approximate.clone(),
    }
}

fn length(kind: &TypeKind) -> u32 {
    match kind {
        TypeKind::Char { length }
        | TypeKind::VarChar { length }
        | TypeKind::Binary { length }
        | TypeKind::VarBinary { length } => *length,
        _ => 0,
    }
}

fn common_text(left: &TypeKind, right: &TypeKind) -> TypeKind {
    // Equal CHARs were taken before; CHARs of several lengths become varying.
    TypeKind::VarChar { length: length(left).max(length(right)) }
}

fn common_binary(left: &TypeKind, right: &TypeKind) -> TypeKind {
    TypeKind::VarBinary { length: length(left).max(length(right)) }
}

fn common_temporal(left: &TypeKind, right: &TypeKind) -> Option<TypeKind> {
    use TypeKind as K;
    let precision = |kind: &K| match kind {
        K::Timestamp { precision, .. } | K::TimestampLtz { precision, .. } => *precision,
        K::Time { precision } => *precision,
        _ => 0,
    };
    if !left.is_timestamp() && !right.is_timestamp() {
        // DATE and TIME have nothing in common.
        return None;
    }
    let precision = precision(left).max(precision(right));
    let same_time_attribute = left.time_attribute() == right.time_attribute();
    let attribute = if same_time_attribute { left.time_attribute() } else { TimeAttribute::None };
    let local = matches!(left, K::TimestampLtz { .. }) || matches!(right, K::TimestampLtz { .. });
    Some(if local {
        K::TimestampLtz { precision, attribute }
    } else {
        K::Timestamp { precision, attribute }
    })
}

/// The common type of the arguments of COALESCE, GREATEST and their relatives: of FLOAT and DOUBLE
/// the wider one, unlike in [`common_type`].
pub(crate) fn widest_type(types: &[SqlType]) -> Option<SqlType> {
    let common = common_type(types)?;
    let doubles = types.iter().any(|ty| ty.kind == TypeKind::Double);
    Some(match common.kind {
        TypeKind::Float if doubles => TypeKind::Double.nullable().with_nullable(common.nullable),
        _ => common,
    })
}

/// Whether a value of type `from` goes into a place of type `to` without a `CAST`.
pub fn can_cast_implicitly(from: &SqlType, to: &SqlType) -> bool {
    use TypeKind as K;
    match (&from.kind, &to.kind) {
        (K::Null, _) => true,
        (a, b) if a == b => true,
        (a, K::Char { .. }) => matches!(a, K::Char { .. }),
        (a, K::VarChar { .. }) => a.is_text(),
        (a, K::Binary { .. }) => matches!(a, K::Binary { .. }),
        (a, K::VarBinary { .. }) => a.is_binary(),
        (a, K::Decimal { .. } | K::Float | K::Double) if a.is_numeric() => {
            // Only FLOAT does not take every number: a DOUBLE would lose digits.
            !(to.kind == K::Float && *a == K::Double)
        }
        (a, b) if a.is_integer() && b.is_integer() => {
            decimal::shape(a).map(|s| s.0) <= decimal::shape(b).map(|s| s.0)
        }
        (a, b) if a.is_timestamp() && b.is_timestamp() => true,
        (K::Timestamp { .. }, K::Date | K::Time { .. }) => true,
        (K::Time { .. }, K::Time { .. }) => true,
        (K::Array(a), K::Array(b)) | (K::Multiset(a), K::Multiset(b)) => can_cast_implicitly(a, b),
        (K::Map(k, v), K::Map(l, w)) => can_cast_implicitly(k, l) && can_cast_implicitly(v, w),
        (
            K::Row(a) | K::Structured { fields: a, .. },
            K::Row(b) | K::Structured { fields: b, .. },
        ) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| can_cast_implicitly(&a.ty, &b.ty)),
        _ => false,
    }
}

/// Whether `CAST(x AS to)` exists for an x of type `from`.
pub fn can_cast(from: &SqlType, to: &SqlType) -> bool {
    use TypeKind as K;
    match (&from.kind, &to.kind) {
        (K::Null, _) => true,
        // As in Flink: JSON_STRING makes texts of VARIANT.
        (K::Bitmap, b) if b.is_text() || b.is_binary() => true,
        (K::Variant | K::Bitmap, _) | (_, K::Variant | K::Bitmap) => from.kind == to.kind,
        (_, K::Char { .. } | K::VarChar { .. }) => true,
        (a, b) if a.is_text() => {
            *b == K::Boolean || b.is_numeric() || b.is_temporal() || b.is_binary()
        }
        (a, b) if a.is_binary() => b.is_binary(),
        (K::Boolean, b) => *b == K::Boolean || b.is_numeric(),
        (a, K::Boolean) => a.is_numeric(),
        (a, b) if a.is_numeric() => b.is_numeric() || (a.is_integer() && b.is_interval()),
        (K::Date, b) => *b == K::Date || b.is_timestamp(),
        (K::Time { .. }, b) => matches!(b, K::Time { .. }) || b.is_timestamp(),
        (a, b) if a.is_timestamp() => b.is_temporal(),
        (a, b) if a.is_interval() => a == b,
        (K::Array(a), K::Array(b)) | (K::Multiset(a), K::Multiset(b)) => can_cast(a, b),
        (K::Map(k, v), K::Map(l, w)) => can_cast(k, l) && can_cast(v, w),
        (
            K::Row(a) | K::Structured { fields: a, .. },
            K::Row(b) | K::Structured { fields: b, .. },
        ) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| can_cast(&a.ty, &b.ty)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TypeKind as K;

    fn common(types: &[TypeKind]) -> Option<String> {
        let types: Vec<SqlType> = types.iter().map(|kind| kind.clone().not_null()).collect();
        common_type(&types).map(|ty| ty.to_string())
    }

    #[test]
    fn common_types_widen() {
        let decimal = |precision, scale| K::Decimal { precision, scale };
        let is = |types: &[K], expected: &str| {
            assert_eq!(common(types).as_deref(), Some(expected));
        };
        is(&[K::TinyInt, K::Int], "INT NOT NULL");
        is(&[K::BigInt, K::Float], "FLOAT NOT NULL");
        is(&[K::Float, decimal(3, 1)], "DOUBLE NOT NULL");
        is(&[K::Float, K::Double], "FLOAT NOT NULL");
        is(&[K::Double, K::Float], "DOUBLE NOT NULL");
        is(&[K::Int, decimal(4, 2)], "DECIMAL(12, 2) NOT NULL");
        is(&[K::Char { length: 1 }, K::Char { length: 3 }], "VARCHAR(3) NOT NULL");
        is(&[K::Char { length: 3 }, K::Null, K::Char { length: 3 }], "CHAR(3)");
        is(&[K::Date, K::timestamp(6)], "TIMESTAMP(6) NOT NULL");
        is(&[K::timestamp(3), K::timestamp_ltz(6)], "TIMESTAMP_LTZ(6) NOT NULL");
        is(&[K::Null], "NULL");
        assert_eq!(common(&[K::Int, K::Boolean]), None);
        assert_eq!(common(&[]), None);
    }

    #[test]
    fn nested_types_merge_element_by_element() {
        let array = |kind: K| K::Array(Box::new(kind.not_null()));
        assert_eq!(
            common(&[array(K::Int), array(K::BigInt)]).as_deref(),
            Some("ARRAY<BIGINT NOT NULL> NOT NULL")
        );
    }

    #[test]
    fn implicit_casts_do_not_lose() {
        let can = |from: K, to: K| can_cast_implicitly(&from.nullable(), &to.nullable());
        assert!(can(K::Int, K::BigInt) && !can(K::BigInt, K::Int));
        assert!(can(K::BigInt, K::Float) && !can(K::Double, K::Float));
        assert!(can(K::Char { length: 1 }, K::STRING) && !can(K::Int, K::STRING));
        assert!(can(K::timestamp_ltz(3), K::timestamp(3)) && !can(K::STRING, K::Date));
        assert!(can(K::Null, K::Boolean));
    }

    #[test]
    fn explicit_casts_follow_the_matrix() {
        let can = |from: K, to: K| can_cast(&from.nullable(), &to.nullable());
        assert!(can(K::STRING, K::Boolean) && can(K::Boolean, K::Double));
        assert!(!can(K::Int, K::Date) && !can(K::Int, K::timestamp(3)) && !can(K::Int, K::BYTES));
        assert!(!can(K::Date, K::Time { precision: 0 }) && !can(K::timestamp_ltz(3), K::BigInt));
        assert!(can(K::timestamp(3), K::STRING) && can(K::STRING, K::BYTES));
    }
}
