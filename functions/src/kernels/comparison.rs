//! `= <> < <= > >=`, `IS [NOT] DISTINCT FROM`, GREATEST, LEAST.
//!
//! Numbers are compared in their common type, decimals of different scales exactly, FLOAT and
//! DOUBLE by IEEE 754 (NaN equals nothing, −0 equals 0); texts and bytes byte by byte without
//! padding; ROW, ARRAY and MAP for equality only.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, make_comparator};
use arrow::buffer::NullBuffer;
use arrow::compute::kernels::cmp;
use arrow::compute::kernels::zip::zip;
use arrow::compute::{SortOptions, is_null, or};
use arrow::datatypes::{Decimal128Type, Float32Type, Float64Type};
use tidegate_types::{Error, Result, SqlType, TypeKind};

use crate::coercion::{common_type, widest_type};
use crate::decimal;
use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{any_nullable, count, fail};
use crate::vector::{self, Lane, arrow_error, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("=", "Whether two values are equal", bind_equality, equal).aliases(&["=="]),
    Function::new("<>", "Whether two values differ", bind_equality, not_equal).aliases(&["!="]),
    Function::new("<", "Whether the first is less", bind_order, less),
    Function::new("<=", "Whether the first is not greater", bind_order, less_or_equal),
    Function::new(">", "Whether the first is greater", bind_order, greater),
    Function::new(">=", "Whether the first is not less", bind_order, greater_or_equal),
    Function::new(
        "IS DISTINCT FROM",
        "Whether two values differ, where NULL equals NULL",
        bind_distinct,
        distinct,
    ),
    Function::new(
        "IS NOT DISTINCT FROM",
        "Whether two values are equal, where NULL equals NULL",
        bind_distinct,
        not_distinct,
    ),
    Function::new("GREATEST", "The greatest value; NULL if one is", bind_extreme, greatest),
    Function::new("LEAST", "The least value; NULL if one is", bind_extreme, least),
];

fn bind_equality(args: &[Argument]) -> Result<Signature> {
    bind(args, false)
}

fn bind_order(args: &[Argument]) -> Result<Signature> {
    bind(args, true)
}

fn bind_distinct(args: &[Argument]) -> Result<Signature> {
    let mut signature = bind(args, false)?;
    signature.result.nullable = false;
    Ok(signature)
}

fn bind(args: &[Argument], ordered: bool) -> Result<Signature> {
    count(args, 2..=2)?;
    let arguments = comparable(&args[0].ty, &args[1].ty)?;
    if ordered && is_nested(&arguments[0].kind) {
        return Err(fail(format!("values of {} have no order", arguments[0].kind)));
    }
    let nullable = args.iter().any(|arg| holds_null(&arg.ty));
    let result = SqlType { kind: TypeKind::Boolean, nullable };
    Ok(Signature { arguments, result })
}

/// Whether a value or, of a row, one of its fields may be NULL.
fn holds_null(ty: &SqlType) -> bool {
    ty.nullable
        || matches!(&ty.kind, TypeKind::Row(fields) | TypeKind::Structured { fields, .. } if fields.iter().any(|f| holds_null(&f.ty)))
}

fn is_nested(kind: &TypeKind) -> bool {
    use TypeKind as K;
    matches!(
        kind,
        K::Array(_)
            | K::Map(..)
            | K::Multiset(_)
            | K::Row(_)
            | K::Structured { .. }
            | K::Variant
            | K::Bitmap
    )
}

/// The types in which two values are compared.
pub(super) fn comparable(left: &SqlType, right: &SqlType) -> Result<Vec<SqlType>> {
    let (a, b) = (&left.kind, &right.kind);
    let keep = |ty: &SqlType| ty.clone().materialized();
    let to = |kind: &TypeKind, ty: &SqlType| SqlType { kind: kind.clone(), nullable: ty.nullable };
    if a.is_text() && b.is_text() || a.is_binary() && b.is_binary() {
        return Ok(vec![keep(left), keep(right)]);
    }
    if a.is_approximate() || b.is_approximate() {
        if a.is_numeric() && b.is_numeric() {
            let kind = if a == b { a } else { &TypeKind::Double };
            return Ok(vec![to(kind, left), to(kind, right)]);
        }
    } else if let (Some(l), Some(r)) = (decimal::shape(a), decimal::shape(b))
        && !(a.is_integer() && b.is_integer())
    {
        // Decimals keep their scales: the kernel compares them exactly.
        return Ok(vec![to(&decimal::kind(l), left), to(&decimal::kind(r), right)]);
    }
    // A constant text beside a date or time is read as one.
    if a.is_text() && b.is_temporal() {
        return Ok(vec![to(&keep(right).kind, left), keep(right)]);
    }
    if a.is_temporal() && b.is_text() {
        return Ok(vec![keep(left), to(&keep(left).kind, right)]);
    }
    let date_and_time = a.is_temporal() && b.is_temporal() && a.is_timestamp() != b.is_timestamp();
    let common = if date_and_time { None } else { common_type(&[keep(left), keep(right)]) };
    let common = common.ok_or_else(|| {
        fail(format!("{a} and {b} cannot be compared")).help("convert one of them with CAST")
    })?;
    let kind = common.materialized().kind;
    Ok(vec![to(&kind, left), to(&kind, right)])
}

fn equal(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    compare(values, context, Op::Equal)
}

fn not_equal(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    compare(values, context, Op::NotEqual)
}

fn less(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    compare(values, context, Op::Less)
}

fn less_or_equal(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    compare(values, context, Op::LessOrEqual)
}

fn greater(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    compare(values, context, Op::Greater)
}

fn greater_or_equal(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    compare(values, context, Op::GreaterOrEqual)
}

#[derive(Clone, Copy, PartialEq)]
enum Op {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Op {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }

    fn holds_for_floats<T: PartialOrd>(self, a: T, b: T) -> bool {
        match self {
            Self::Equal => a == b,
            Self::NotEqual => a != b,
            Self::Less => a < b,
            Self::LessOrEqual => a <= b,
            Self::Greater => a > b,
            Self::GreaterOrEqual => a >= b,
        }
    }
}

fn pair<'a>(values: &'a [Value], context: &KernelContext<'_>) -> Result<(&'a Value, &'a Value)> {
    match values {
        [left, right] => Ok((left, right)),
        _ => Err(Error::internal(format!("{} takes two arguments", context.name))),
    }
}

fn compare(values: &[Value], context: &KernelContext<'_>, op: Op) -> Result<ArrayRef> {
    let (left, right) = pair(values, context)?;
    let types = (&context.arguments[0], &context.arguments[1]);
    Ok(Arc::new(compare_values(left, right, types, context.rows, op)?))
}

/// Equality of two values, for functions that test it; NULL where one of them is.
pub(super) fn equality(
    left: &Value,
    right: &Value,
    types: (&SqlType, &SqlType),
    rows: usize,
) -> Result<BooleanArray> {
    compare_values(left, right, types, rows, Op::Equal)
}

fn compare_values(
    left: &Value,
    right: &Value,
    types: (&SqlType, &SqlType),
    rows: usize,
    op: Op,
) -> Result<BooleanArray> {
    match (&types.0.kind, &types.1.kind) {
        (TypeKind::Float, TypeKind::Float) => {
            let (a, b) =
                (Lane::<f32>::new::<Float32Type>(left)?, Lane::<f32>::new::<Float32Type>(right)?);
            Ok(by_row(left, right, rows, |row| op.holds_for_floats(a.get(row), b.get(row))))
        }
        (TypeKind::Double, TypeKind::Double) => {
            let (a, b) =
                (Lane::<f64>::new::<Float64Type>(left)?, Lane::<f64>::new::<Float64Type>(right)?);
            Ok(by_row(left, right, rows, |row| op.holds_for_floats(a.get(row), b.get(row))))
        }
        (TypeKind::Decimal { scale: s1, .. }, TypeKind::Decimal { scale: s2, .. }) => {
            let a = Lane::<i128>::new::<Decimal128Type>(left)?;
            let b = Lane::<i128>::new::<Decimal128Type>(right)?;
            Ok(by_row(left, right, rows, |row| {
                op.holds(if s1 == s2 {
                    a.get(row).cmp(&b.get(row))
                } else {
                    decimal::compare(a.get(row), *s1, b.get(row), *s2)
                })
            }))
        }
        (kind, _) if is_nested(kind) => nested(left, right, rows, op),
        _ => native(left, right, rows, op),
    }
}

fn by_row(
    left: &Value,
    right: &Value,
    rows: usize,
    holds: impl FnMut(usize) -> bool,
) -> BooleanArray {
    vector::map_boolean(rows, strict_nulls(&[left, right], rows), holds)
}

/// Arrow's own comparison, for types without a special case.
fn native(left: &Value, right: &Value, rows: usize, op: Op) -> Result<BooleanArray> {
    if left.is_constant() && right.is_constant() && rows != 1 {
        let one = native(left, right, 1, op)?;
        let repeated = vector::repeat(&(Arc::new(one) as ArrayRef), rows)?;
        return vector::booleans(&repeated).cloned();
    }
    let (l, r) = (left.datum(), right.datum());
    let (l, r) = (l.as_ref(), r.as_ref());
    match op {
        Op::Equal => cmp::eq(l, r),
        Op::NotEqual => cmp::neq(l, r),
        Op::Less => cmp::lt(l, r),
        Op::LessOrEqual => cmp::lt_eq(l, r),
        Op::Greater => cmp::gt(l, r),
        Op::GreaterOrEqual => cmp::gt_eq(l, r),
    }
    .map_err(arrow_error)
}

/// ROW, ARRAY and MAP: equal if all their elements are, where NULL equals NULL inside.
fn nested(left: &Value, right: &Value, rows: usize, op: Op) -> Result<BooleanArray> {
    let compare = make_comparator(left.array(), right.array(), SortOptions::default())
        .map_err(arrow_error)?;
    let (l, r) = (left.step(), right.step());
    Ok(by_row(left, right, rows, |row| op.holds(compare(row * l, row * r))))
}

fn distinct(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let same = same_values(values, context)?;
    Ok(Arc::new(BooleanArray::new(!same.values(), None)))
}

fn not_distinct(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    Ok(Arc::new(same_values(values, context)?))
}

fn same_values(values: &[Value], context: &KernelContext<'_>) -> Result<BooleanArray> {
    let (left, right) = pair(values, context)?;
    let rows = context.rows;
    let types = (&context.arguments[0], &context.arguments[1]);
    let equal = compare_values(left, right, types, rows, Op::Equal)?;
    let Some(nulls) = equal.nulls() else {
        return Ok(equal);
    };
    // Where either is NULL: equal if both are.
    let absent = |value: &Value| -> Result<_> {
        let array = value.to_array(rows)?;
        Ok(match array.logical_nulls() {
            Some(nulls) => !nulls.inner(),
            None => arrow::buffer::BooleanBuffer::new_unset(rows),
        })
    };
    let both = &absent(left)? & &absent(right)?;
    let bits = &(equal.values() & nulls.inner()) | &both;
    Ok(BooleanArray::new(bits, None))
}

fn bind_extreme(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=usize::MAX)?;
    let types: Vec<SqlType> = args.iter().map(|arg| arg.ty.clone().materialized()).collect();
    let common = widest_type(&types)
        .filter(|ty| !is_nested(&ty.kind))
        .ok_or_else(|| fail("the arguments have no common type with an order"))?;
    let argument = |ty: &SqlType| common.clone().with_nullable(ty.nullable);
    Ok(Signature {
        arguments: types.iter().map(argument).collect(),
        result: common.clone().with_nullable(any_nullable(args)),
    })
}

fn greatest(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    extreme(values, context, Op::Greater)
}

fn least(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    extreme(values, context, Op::Less)
}

/// Keeps the better of each pair. Floats are in total order here: NaN is the greatest, as in
/// Java's `compare`.
fn extreme(values: &[Value], context: &KernelContext<'_>, better: Op) -> Result<ArrayRef> {
    let rows = context.rows;
    let Some((first, others)) = values.split_first() else {
        return Err(Error::internal(format!("{} takes arguments", context.name)));
    };
    let mut best = first.to_array(rows)?;
    for other in others {
        let best_value = Value::Array(Arc::clone(&best));
        let other = Value::Array(other.to_array(rows)?);
        let wins = native(&other, &best_value, rows, better)?;
        // A NULL stays, wherever it comes from.
        let missing = is_null(other.array()).map_err(arrow_error)?;
        let takes = BooleanArray::new(wins.values() & &valid_bits(&wins), None);
        let takes = or(&takes, &missing).map_err(arrow_error)?;
        best = zip(&takes, other.array(), &best).map_err(arrow_error)?;
    }
    Ok(best)
}

fn valid_bits(array: &BooleanArray) -> arrow::buffer::BooleanBuffer {
    match array.nulls().map(NullBuffer::inner) {
        Some(bits) => bits.clone(),
        None => arrow::buffer::BooleanBuffer::new_set(array.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{
        call, cast_to, double, exact, int, null, over, show, some, text, try_call,
    };

    fn test(op: &str, left: &str, right: &str) -> Vec<Option<String>> {
        let values = [Some(left)];
        over(&values, |column| {
            let double = |expr| cast_to(expr, TypeKind::Double);
            call(op, vec![double(column), double(text(right))])
        })
    }

    #[test]
    fn floats_follow_ieee_754() {
        assert_eq!(test("=", "NaN", "NaN"), some(["FALSE"]));
        assert_eq!(test("<>", "NaN", "NaN"), some(["TRUE"]));
        assert_eq!(test("=", "-0.0", "0"), some(["TRUE"]));
        assert_eq!(test("IS NOT DISTINCT FROM", "NaN", "NaN"), some(["FALSE"]));
        assert_eq!(test("GREATEST", "NaN", "1"), some(["NaN"]));
        assert_eq!(test("LEAST", "NaN", "1"), some(["1.0"]));
    }

    #[test]
    fn decimals_of_different_scales_are_compared_exactly() {
        let wide = exact("99999999999999999999999999999999999999");
        let fine = exact("0.00000000000000000000000000000000000001");
        assert_eq!(show(&call(">", vec![wide, fine])).as_deref(), Some("TRUE"));
        assert_eq!(show(&call("=", vec![exact("1.50"), exact("1.5")])).as_deref(), Some("TRUE"));
        assert_eq!(show(&call("=", vec![int(1), exact("1.0")])).as_deref(), Some("TRUE"));
        assert_eq!(show(&call("=", vec![int(1), double(1.0)])).as_deref(), Some("TRUE"));
    }

    #[test]
    fn nulls_are_unknown_but_not_distinct() {
        let nothing = || null(TypeKind::Int);
        assert_eq!(show(&call("=", vec![nothing(), nothing()])), None);
        let same = call("IS NOT DISTINCT FROM", vec![nothing(), nothing()]);
        assert_eq!(show(&same).as_deref(), Some("TRUE"));
        let differs = call("IS DISTINCT FROM", vec![int(1), nothing()]);
        assert_eq!(show(&differs).as_deref(), Some("TRUE"));
        assert_eq!(show(&call("GREATEST", vec![int(1), nothing(), int(3)])), None);
        assert_eq!(show(&call("LEAST", vec![int(3), int(1), int(2)])).as_deref(), Some("1"));
    }

    #[test]
    fn texts_are_compared_without_padding() {
        let values = [Some("a"), Some("a "), Some("ä"), None];
        let got = over(&values, |column| call("=", vec![column, text("a")]));
        assert_eq!(
            got,
            [Some("TRUE"), Some("FALSE"), Some("FALSE"), None].map(|v| v.map(str::to_owned))
        );
        let got = over(&values[..3], |column| call(">", vec![column, text("z")]));
        assert_eq!(got, some(["FALSE", "FALSE", "TRUE"]));
    }

    #[test]
    fn types_that_have_nothing_in_common_are_refused() {
        let error = try_call("=", vec![text("1"), int(1)]).unwrap_err();
        assert!(error.to_string().contains("CHAR(1) and INT cannot be compared"), "{error}");
        assert!(try_call("GREATEST", vec![int(1), text("a")]).is_err());
    }
}
