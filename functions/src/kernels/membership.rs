//! IN: a value among others. Constants become a hash set once; NULL among them makes a value that
//! is not found NULL.

use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, make_view};
use arrow::buffer::BooleanBuffer;
use arrow::compute::or_kleene;
use arrow::datatypes::{
    Date32Type, Decimal128Type, DurationMillisecondType, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, IntervalYearMonthType, Time32MillisecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
};
use hashbrown::HashSet;
use tidegate_plan::arrow_type::time_unit;
use tidegate_types::{Error, Result, SqlType, TypeKind};

use super::comparison;
use crate::coercion::common_type;
use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{any_nullable, count, fail};
use crate::vector::{self, TextLane, arrow_error, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] =
    &[Function::new("IN", "Whether the first value is among the others", bind, is_in)];

/// So many members are compared one by one.
const FEW: usize = 8;

fn bind(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=usize::MAX)?;
    let types: Vec<SqlType> = args.iter().map(|arg| arg.ty.clone().materialized()).collect();
    let mut kind = common_type(&types).map(|ty| ty.kind);
    if kind.is_none() && types[0].kind.is_temporal() {
        // Texts beside a date or time are read as such.
        let readable = |ty: &SqlType| ty.kind.is_text() || ty.same_kind(&types[0]);
        kind = types[1..].iter().all(readable).then(|| types[0].kind.clone());
    }
    let kind = kind.ok_or_else(|| fail("the value and the list have no common type"))?;
    let of = |ty: &SqlType| SqlType { kind: kind.clone(), nullable: ty.nullable };
    Ok(Signature {
        arguments: types.iter().map(of).collect(),
        result: SqlType { kind: TypeKind::Boolean, nullable: any_nullable(args) },
    })
}

fn is_in(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let Some((value, list)) = values.split_first() else {
        return Err(Error::internal("IN takes a value and a list"));
    };
    if !list.iter().all(Value::is_constant) {
        return by_equality(value, list, context);
    }
    match &context.arguments[0].kind {
        TypeKind::Char { .. } | TypeKind::VarChar { .. } => texts(value, list, context),
        TypeKind::TinyInt => numbers::<Int8Type, _>(value, list, context, |v| v),
        TypeKind::SmallInt => numbers::<Int16Type, _>(value, list, context, |v| v),
        TypeKind::Int => numbers::<Int32Type, _>(value, list, context, |v| v),
        TypeKind::BigInt => numbers::<Int64Type, _>(value, list, context, |v| v),
        TypeKind::Decimal { .. } => numbers::<Decimal128Type, _>(value, list, context, |v| v),
        TypeKind::Float => numbers::<Float32Type, _>(value, list, context, |v| float_key(v.into())),
        TypeKind::Double => numbers::<Float64Type, _>(value, list, context, float_key),
        TypeKind::Date => numbers::<Date32Type, _>(value, list, context, |v| v),
        TypeKind::Time { .. } => numbers::<Time32MillisecondType, _>(value, list, context, |v| v),
        TypeKind::IntervalYearMonth => {
            numbers::<IntervalYearMonthType, _>(value, list, context, |v| v)
        }
        TypeKind::IntervalDayTime => {
            numbers::<DurationMillisecondType, _>(value, list, context, |v| v)
        }
        TypeKind::Timestamp { precision, .. } | TypeKind::TimestampLtz { precision, .. } => {
            use arrow::datatypes::TimeUnit;
            match time_unit(*precision) {
                TimeUnit::Nanosecond => {
                    numbers::<TimestampNanosecondType, _>(value, list, context, |v| v)
                }
                TimeUnit::Microsecond => {
                    numbers::<TimestampMicrosecondType, _>(value, list, context, |v| v)
                }
                _ => numbers::<TimestampMillisecondType, _>(value, list, context, |v| v),
            }
        }
        _ => by_equality(value, list, context),
    }
}

/// Bits that are equal for equal floats: −0 is 0. NaN is equal to nothing, which the caller sees
/// to.
fn float_key(value: f64) -> u64 {
    (value + 0.0).to_bits()
}

/// The constants of a list that are not NULL, and whether one is.
struct Members<K> {
    set: HashSet<K>,
    has_null: bool,
}

/// As many members as a loop without a bound to check compares with, some of them twice; none of none.
fn few<K: Copy>(members: impl Iterator<Item = K>) -> Option<[K; FEW]> {
    let members: Vec<K> = members.collect();
    let first = *members.first()?;
    Some(std::array::from_fn(|index| members.get(index).copied().unwrap_or(first)))
}

/// `contains` also runs on rows that are NULL.
fn found<K>(
    members: &Members<K>,
    value: &Value,
    rows: usize,
    contains: impl FnMut(usize) -> bool,
) -> ArrayRef {
    let nulls = strict_nulls(&[value], rows);
    let hits = BooleanArray::new(BooleanBuffer::collect_bool(rows, contains), nulls.clone());
    if !members.has_null {
        return Arc::new(hits);
    }
    // Not found among values one of which is unknown: unknown.
    let (bits, _) = hits.into_parts();
    let known = match nulls {
        Some(nulls) => &bits & nulls.inner(),
        None => bits.clone(),
    };
    Arc::new(BooleanArray::new(bits, Some(known.into())))
}

fn texts(value: &Value, list: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let members = context.prepared.get_or_try(|| {
        let mut members = Members { set: HashSet::new(), has_null: false };
        for constant in list {
            match vector::constant_text(constant) {
                Some(text) => {
                    members.set.insert(text.to_owned());
                }
                None => members.has_null = true,
            }
        }
        Ok(members)
    })?;
    let lane = TextLane::new(value)?;
    // Texts that lie in their views are equal if these are.
    if members.set.len() <= FEW && members.set.iter().all(|text| text.len() <= 12) {
        let views = members.set.iter().map(|text| make_view(text.as_bytes(), 0, 0));
        let views: Vec<u128> = views.collect();
        return Ok(found(members, value, context.rows, |row| {
            let view = lane.view(row);
            views.iter().fold(false, |hit, member| hit | (*member == view))
        }));
    }
    Ok(found(members, value, context.rows, |row| members.set.contains(lane.get(row))))
}

fn numbers<T, K>(
    value: &Value,
    list: &[Value],
    context: &KernelContext<'_>,
    key: impl Fn(T::Native) -> K,
) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    K: Copy + Hash + Eq + Send + Sync + 'static,
{
    let members = context.prepared.get_or_try(|| {
        let mut members = Members { set: HashSet::new(), has_null: false };
        for constant in list {
            let array = vector::primitive::<T>(constant.array())?;
            if array.is_null(0) {
                members.has_null = true;
            } else if !is_nan(array.value(0)) {
                members.set.insert(key(array.value(0)));
            }
        }
        Ok(members)
    })?;
    let array = vector::primitive::<T>(value.array())?;
    let (values, step) = (array.values(), value.step());
    if members.set.len() <= FEW {
        let Some(few) = few(members.set.iter().copied()) else {
            return Ok(found(members, value, context.rows, |_| false));
        };
        return Ok(found(members, value, context.rows, |row| {
            let key = key(values[row * step]);
            few.iter().fold(false, |hit, member| hit | (*member == key))
        }));
    }
    Ok(found(members, value, context.rows, |row| members.set.contains(&key(values[row * step]))))
}

/// Only NaN differs from itself.
#[allow(clippy::eq_op, reason = "that is the definition of NaN for a generic number")]
fn is_nan<N: PartialEq>(value: N) -> bool {
    value != value
}

/// One equality per member, joined by OR.
fn by_equality(value: &Value, list: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let mut result: Option<BooleanArray> = None;
    let own = &context.arguments[0];
    for (member, ty) in list.iter().zip(&context.arguments[1..]) {
        let equal = comparison::equality(value, member, (own, ty), context.rows)?;
        result = Some(match result {
            None => equal,
            Some(earlier) => or_kleene(&earlier, &equal).map_err(arrow_error)?,
        });
    }
    let result = result.ok_or_else(|| Error::internal("IN without a list"))?;
    Ok(Arc::new(result))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{call, cast_to, double, int, null, over, show, some, text};

    #[test]
    fn a_null_in_the_list_hides_misses() {
        let values = [Some("1"), Some("7"), None];
        let number = |column| cast_to(column, TypeKind::Int);
        let got =
            over(&values, |c| call("IN", vec![number(c), int(0), int(1), null(TypeKind::Int)]));
        assert_eq!(got, [Some("TRUE".to_owned()), None, None]);
        let got = over(&values, |c| call("IN", vec![number(c), int(0), int(1)]));
        assert_eq!(got, [Some("TRUE".to_owned()), Some("FALSE".to_owned()), None]);
    }

    #[test]
    fn texts_and_floats() {
        let got = over(&[Some("a"), Some("")], |c| call("IN", vec![c, text("b"), text("")]));
        assert_eq!(got, some(["FALSE", "TRUE"]));
        let got = over(&[Some("-0.0"), Some("NaN"), Some("1")], |c| {
            call("IN", vec![cast_to(c, TypeKind::Double), double(0.0), double(f64::NAN)])
        });
        assert_eq!(got, some(["TRUE", "FALSE", "FALSE"]));
    }

    #[test]
    fn members_may_be_columns() {
        let got = over(&[Some("a"), None], |c| call("IN", vec![c.clone(), text("x"), c]));
        assert_eq!(got, [Some("TRUE".to_owned()), None]);
        assert_eq!(show(&call("IN", vec![int(1), double(1.0), int(2)])).as_deref(), Some("TRUE"));
    }
}
