//! `+ - * / %` and unary minus, on numbers, dates and times, and intervals.
//!
//! Integers wrap and divide towards zero; DECIMAL follows `decimal` (overflow is NULL); FLOAT and
//! DOUBLE follow IEEE 754. Division of integers or decimals by zero fails.

use std::sync::Arc;

use arrow::array::{ArrayRef, PrimitiveArray};
use arrow::datatypes::{
    ArrowNativeTypeOp, ArrowPrimitiveType, Decimal128Type, DurationMillisecondType, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, IntervalYearMonthType,
};
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Error, Result, SqlType, TypeKind};

use crate::coercion::common_type;
use crate::datetime::{DAY_MS, civil};
use crate::decimal::{self, Shape};
use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::moments::{self, Moments};
use crate::rules::{any_nullable, count, fail};
use crate::vector::{self, Lane, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("+", "Sum; a date or time plus an interval", bind_plus, plus),
    Function::new("-", "Difference; a date or time minus an interval", bind_minus, minus),
    Function::new("*", "Product", bind_times, times),
    Function::new("/", "Quotient; of integers, cut towards zero", bind_divide, divide).fallible(),
    Function::new("%", "Remainder with the sign of the dividend", bind_mod, modulo)
        .aliases(&["MOD"])
        .fallible(),
    Function::new("NEGATE", "The number with the other sign", bind_negate, negate),
];

#[derive(Clone, Copy, PartialEq)]
enum Op {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

fn bind_plus(args: &[Argument]) -> Result<Signature> {
    bind_sum(args, Op::Add)
}

fn bind_minus(args: &[Argument]) -> Result<Signature> {
    bind_sum(args, Op::Subtract)
}

fn bind_sum(args: &[Argument], op: Op) -> Result<Signature> {
    let (left, right) = two(args)?;
    let nullable = any_nullable(args);
    if left.is_temporal() && right.is_interval() {
        let temporal = args[0].ty.clone().materialized();
        return Ok(Signature {
            result: temporal.clone().with_nullable(nullable),
            arguments: vec![temporal, args[1].ty.clone()],
        });
    }
    if left.is_interval() && right.is_temporal() && op == Op::Add {
        let temporal = args[1].ty.clone().materialized();
        return Ok(Signature {
            result: temporal.clone().with_nullable(nullable),
            arguments: vec![args[0].ty.clone(), temporal],
        });
    }
    if left.is_interval() && left == right {
        return Ok(Signature {
            arguments: args.iter().map(|arg| arg.ty.clone()).collect(),
            result: SqlType { kind: left, nullable },
        });
    }
    bind_numeric(args, decimal::sum_shape)
}

fn bind_times(args: &[Argument]) -> Result<Signature> {
    let (left, right) = two(args)?;
    if left.is_interval() && right.is_numeric() {
        return Ok(scaled_interval(args, 0, 1));
    }
    if left.is_numeric() && right.is_interval() {
        return Ok(scaled_interval(args, 1, 0));
    }
    bind_numeric(args, decimal::product_shape)
}

fn bind_divide(args: &[Argument]) -> Result<Signature> {
    let (left, right) = two(args)?;
    if left.is_interval() && right.is_numeric() {
        return Ok(scaled_interval(args, 0, 1));
    }
    bind_numeric(args, decimal::quotient_shape)
}

/// An interval times or divided by a number, which becomes BIGINT or DOUBLE.
fn scaled_interval(args: &[Argument], interval: usize, number: usize) -> Signature {
    let kind = if args[number].ty.kind.is_integer() { TypeKind::BigInt } else { TypeKind::Double };
    let mut arguments = vec![args[0].ty.clone(), args[1].ty.clone()];
    arguments[number].kind = kind;
    let result = args[interval].ty.clone().with_nullable(any_nullable(args));
    Signature { arguments, result }
}

fn bind_mod(args: &[Argument]) -> Result<Signature> {
    let (left, right) = two(args)?;
    if left.is_approximate() || right.is_approximate() {
        return Err(fail("the remainder is defined for integers and DECIMAL only"));
    }
    let mut signature = bind_numeric(args, decimal::remainder_shape)?;
    if right.is_integer() && left.is_integer() {
        // Computed in the wider type; the result fits the divisor's type.
        signature.result.kind = right;
    }
    Ok(signature)
}

fn bind_negate(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    let ty = match &args[0].ty.kind {
        TypeKind::Null => TypeKind::Int.nullable(),
        kind if kind.is_numeric() || kind.is_interval() => args[0].ty.clone(),
        kind => return Err(fail(format!("{kind} has no negative"))),
    };
    Ok(Signature { arguments: vec![ty.clone()], result: ty })
}

/// The kinds of two operands, where an untyped NULL takes the kind of the other.
fn two(args: &[Argument]) -> Result<(TypeKind, TypeKind)> {
    count(args, 2..=2)?;
    let (left, right) = (args[0].ty.kind.clone(), args[1].ty.kind.clone());
    Ok(match (&left, &right) {
        (TypeKind::Null, TypeKind::Null) => (TypeKind::Int, TypeKind::Int),
        (TypeKind::Null, _) => (right.clone(), right),
        (_, TypeKind::Null) => (left.clone(), left),
        _ => (left, right),
    })
}

fn bind_numeric(args: &[Argument], shape: fn(Shape, Shape) -> Shape) -> Result<Signature> {
    let (left, right) = two(args)?;
    if !left.is_numeric() || !right.is_numeric() {
        return Err(fail("expected two numbers, or a date or time and an interval")
            .help("convert texts to numbers with CAST"));
    }
    let nullable = any_nullable(args);
    let with = |kind: &TypeKind, index: usize| SqlType {
        kind: kind.clone(),
        nullable: args[index].ty.nullable,
    };
    let is_decimal = |kind: &TypeKind| matches!(kind, TypeKind::Decimal { .. });
    if let (Some(l), Some(r)) = (decimal::shape(&left), decimal::shape(&right))
        && (is_decimal(&left) || is_decimal(&right))
    {
        return Ok(Signature {
            arguments: vec![with(&decimal::kind(l), 0), with(&decimal::kind(r), 1)],
            result: SqlType { kind: decimal::kind(shape(l, r)), nullable },
        });
    }
    let common = common_type(&[left.not_null(), right.not_null()])
        .ok_or_else(|| fail("the two numbers have no common type"))?;
    Ok(Signature {
        arguments: vec![with(&common.kind, 0), with(&common.kind, 1)],
        result: SqlType { kind: common.kind, nullable },
    })
}

fn plus(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    arithmetic(values, context, Op::Add)
}

fn minus(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    arithmetic(values, context, Op::Subtract)
}

fn times(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    arithmetic(values, context, Op::Multiply)
}

fn divide(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    arithmetic(values, context, Op::Divide)
}

fn modulo(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    // The operands have the common type, the result that of the divisor.
    let common = &context.arguments[0].kind;
    if common.is_integer() && *common != context.result.kind {
        let wide = SqlType { kind: common.clone(), nullable: context.result.nullable };
        let inner = KernelContext { result: &wide, ..*context };
        let remainder = arithmetic(values, &inner, Op::Remainder)?;
        return crate::cast::cast(
            &remainder,
            &wide,
            context.result,
            tidegate_plan::CastMode::Cast,
            context.zone,
        );
    }
    arithmetic(values, context, Op::Remainder)
}

fn arithmetic(values: &[Value], context: &KernelContext<'_>, op: Op) -> Result<ArrayRef> {
    let [left, right] = values else {
        return Err(Error::internal(format!("{} takes two arguments", context.name)));
    };
    let intervals = context.arguments.iter().any(|ty| ty.kind.is_interval());
    match &context.result.kind {
        TypeKind::TinyInt => integers::<Int8Type>(left, right, context, op),
        TypeKind::SmallInt => integers::<Int16Type>(left, right, context, op),
        TypeKind::Int => integers::<Int32Type>(left, right, context, op),
        TypeKind::BigInt => integers::<Int64Type>(left, right, context, op),
        TypeKind::Float => natives::<Float32Type>(left, right, context, op),
        TypeKind::Double => natives::<Float64Type>(left, right, context, op),
        TypeKind::Decimal { .. } => decimals(left, right, context, op),
        TypeKind::IntervalYearMonth | TypeKind::IntervalDayTime => {
            interval_arithmetic(left, right, context, op)
        }
        kind if kind.is_temporal() && intervals => shift(left, right, context, op),
        kind => Err(Error::internal(format!("{} has no arithmetic on {kind}", context.name))),
    }
}

/// Operations without failure, over all rows at once.
fn natives<T: ArrowPrimitiveType>(
    left: &Value,
    right: &Value,
    context: &KernelContext<'_>,
    op: Op,
) -> Result<ArrayRef> {
    let rows = context.rows;
    let array: PrimitiveArray<T> = match op {
        Op::Add => vector::binary::<T, T, T>(left, right, rows, |a, b| a.add_wrapping(b)),
        Op::Subtract => vector::binary::<T, T, T>(left, right, rows, |a, b| a.sub_wrapping(b)),
        Op::Multiply => vector::binary::<T, T, T>(left, right, rows, |a, b| a.mul_wrapping(b)),
        Op::Divide => vector::binary::<T, T, T>(left, right, rows, |a, b| a.div_wrapping(b)),
        Op::Remainder => vector::binary::<T, T, T>(left, right, rows, |a, b| a.mod_wrapping(b)),
    }?;
    Ok(Arc::new(array))
}

fn integers<T: ArrowPrimitiveType>(
    left: &Value,
    right: &Value,
    context: &KernelContext<'_>,
    op: Op,
) -> Result<ArrayRef> {
    if !matches!(op, Op::Divide | Op::Remainder) {
        return natives::<T>(left, right, context, op);
    }
    let rows = context.rows;
    let divisors = Lane::<T::Native>::new::<T>(right)?;
    let nulls = strict_nulls(&[left, right], rows);
    let zero = |row: usize| divisors.get(row).is_zero() && vector::valid(nulls.as_ref(), row);
    let checked = if right.is_constant() { rows.min(1) } else { rows };
    if let Some(row) = (0..checked).find(|row| zero(*row)) {
        let dividend = Lane::<T::Native>::new::<T>(left)?.get(row);
        return Err(division_by_zero(context, format!("{dividend:?}")));
    }
    // NULL rows may still hold a zero.
    let guarded = |b: T::Native| if b.is_zero() { T::Native::ONE } else { b };
    // By −1 nothing is left either, and the smallest number cannot be divided by it.
    let minus_one = T::Native::ZERO.sub_wrapping(T::Native::ONE);
    let array: PrimitiveArray<T> = if op == Op::Divide {
        vector::binary::<T, T, T>(left, right, rows, |a, b| a.div_wrapping(guarded(b)))?
    } else {
        vector::binary::<T, T, T>(left, right, rows, |a, b| {
            a.mod_wrapping(if b == minus_one { T::Native::ONE } else { guarded(b) })
        })?
    };
    Ok(Arc::new(array))
}

fn division_by_zero(context: &KernelContext<'_>, dividend: String) -> Error {
    context
        .error(format!("{dividend} is divided by zero"))
        .help("keep zero out with NULLIF(divisor, 0) or CASE")
}

fn scale(ty: &SqlType) -> u8 {
    decimal::shape(&ty.kind).map_or(0, |shape| shape.1)
}

fn decimals(left: &Value, right: &Value, context: &KernelContext<'_>, op: Op) -> Result<ArrayRef> {
    let (s1, s2) = (scale(&context.arguments[0]), scale(&context.arguments[1]));
    let to = decimal::shape(&context.result.kind)
        .ok_or_else(|| Error::internal("a decimal result without a precision"))?;
    if let Some(array) = fitting(left, right, context, op, to)? {
        return Ok(Arc::new(array.with_data_type(data_type(context.result))));
    }
    let l = Lane::<i128>::new::<Decimal128Type>(left)?;
    let r = Lane::<i128>::new::<Decimal128Type>(right)?;
    let nulls = strict_nulls(&[left, right], context.rows);
    let array = vector::map_rows::<Decimal128Type>(context.rows, nulls, |row| {
        let (a, b) = (l.get(row), r.get(row));
        Ok(match op {
            Op::Add => decimal::add(a, s1, b, s2, to),
            Op::Subtract => decimal::add(a, s1, -b, s2, to),
            Op::Multiply => decimal::multiply(a, s1, b, s2, to),
            Op::Divide | Op::Remainder if b == 0 => {
                let mut dividend = String::new();
                decimal::write(a, s1, &mut dividend);
                return Err(division_by_zero(context, dividend));
            }
            Op::Divide => decimal::divide(a, s1, b, s2, to),
            Op::Remainder => decimal::remainder(a, s1, b, s2, to),
        })
    })?;
    Ok(Arc::new(array.with_data_type(data_type(context.result))))
}

/// Sums and products whose type holds the result of any operands, without rounding.
fn fitting(
    left: &Value,
    right: &Value,
    context: &KernelContext<'_>,
    op: Op,
    (precision, scale): Shape,
) -> Result<Option<PrimitiveArray<Decimal128Type>>> {
    let shape = |index: usize| decimal::shape(&context.arguments[index].kind);
    let (Some((p1, s1)), Some((p2, s2))) = (shape(0), shape(1)) else {
        return Ok(None);
    };
    type D = Decimal128Type;
    let rows = context.rows;
    Ok(Some(match op {
        Op::Add | Op::Subtract
            if scale == s1.max(s2) && (p1 - s1).max(p2 - s2) + scale < precision =>
        {
            let factors = [s1, s2].map(|s| decimal::pow10(u32::from(scale - s)));
            match (op, factors) {
                (Op::Add, [1, 1]) => {
                    vector::binary::<D, D, D>(left, right, rows, |a, b| a.wrapping_add(b))?
                }
                (Op::Add, [l, r]) => vector::binary::<D, D, D>(left, right, rows, |a, b| {
                    a.wrapping_mul(l).wrapping_add(b.wrapping_mul(r))
                })?,
                (_, [l, r]) => vector::binary::<D, D, D>(left, right, rows, |a, b| {
                    a.wrapping_mul(l).wrapping_sub(b.wrapping_mul(r))
                })?,
            }
        }
        // Operands of 64 bits are multiplied in one step.
        Op::Multiply if scale == s1 + s2 && p1.max(p2) <= 18 && p1 + p2 <= precision => {
            vector::binary::<D, D, D>(left, right, rows, |a, b| {
                i128::from(a as i64) * i128::from(b as i64)
            })?
        }
        Op::Multiply if scale == s1 + s2 && p1 + p2 <= precision => {
            vector::binary::<D, D, D>(left, right, rows, |a, b| a.wrapping_mul(b))?
        }
        _ => return Ok(None),
    }))
}

fn interval_arithmetic(
    left: &Value,
    right: &Value,
    context: &KernelContext<'_>,
    op: Op,
) -> Result<ArrayRef> {
    if matches!(op, Op::Add | Op::Subtract) {
        return match context.result.kind {
            TypeKind::IntervalYearMonth => {
                natives::<IntervalYearMonthType>(left, right, context, op)
            }
            _ => natives::<DurationMillisecondType>(left, right, context, op),
        };
    }
    let (interval, number, kind) = if context.arguments[0].kind.is_interval() {
        (left, right, &context.arguments[1].kind)
    } else {
        (right, left, &context.arguments[0].kind)
    };
    let moments = Moments::new(interval)?;
    let nulls = strict_nulls(&[left, right], context.rows);
    if *kind == TypeKind::Double {
        let factors = Lane::<f64>::new::<Float64Type>(number)?;
        return moments::collect(context.result, context.rows, nulls, |row| {
            let (value, factor) = (moments.get(row) as f64, factors.get(row));
            Ok(Some(if op == Op::Divide { value / factor } else { value * factor } as i64))
        });
    }
    let factors = Lane::<i64>::new::<Int64Type>(number)?;
    moments::collect(context.result, context.rows, nulls, |row| {
        let (value, factor) = (moments.get(row), factors.get(row));
        match op {
            Op::Divide if factor == 0 => Err(division_by_zero(context, "an interval".to_owned())),
            Op::Divide => Ok(Some(value.wrapping_div(factor))),
            _ => Ok(Some(value.wrapping_mul(factor))),
        }
    })
}

/// A date, time or timestamp plus or minus an interval.
fn shift(left: &Value, right: &Value, context: &KernelContext<'_>, op: Op) -> Result<ArrayRef> {
    let (temporal, interval, kind) = if context.arguments[1].kind.is_interval() {
        (left, right, &context.arguments[1].kind)
    } else {
        (right, left, &context.arguments[0].kind)
    };
    let moments = Moments::new(temporal)?;
    let amounts = Moments::new(interval)?;
    let sign = if op == Op::Subtract { -1 } else { 1 };
    let months = *kind == TypeKind::IntervalYearMonth;
    let nulls = strict_nulls(&[left, right], context.rows);
    let result = &context.result.kind;
    if !months && result.is_timestamp() && interval.is_constant() && nulls.is_none() {
        // Watermarks do this for every row.
        let delta = shifted(0, amounts.get(0).wrapping_mul(sign), months, result);
        return moments::collect(context.result, context.rows, nulls, |row| {
            Ok(Some(moments.get(row).wrapping_add(delta)))
        });
    }
    moments::collect(context.result, context.rows, nulls, |row| {
        let amount = amounts.get(row).wrapping_mul(sign);
        Ok(Some(shifted(moments.get(row), amount, months, result)))
    })
}

/// A value of a temporal type, moved by months or by milliseconds. Instants move by the calendar
/// of UTC, as in Flink.
pub(super) fn shifted(value: i64, amount: i64, months: bool, kind: &TypeKind) -> i64 {
    match (kind, months) {
        (TypeKind::Date, true) => civil::add_months(value, amount),
        // A DATE moves by whole days only.
        (TypeKind::Date, false) => value.wrapping_add(amount / DAY_MS),
        (TypeKind::Time { .. }, true) => value,
        (TypeKind::Time { .. }, false) => value.wrapping_add(amount).rem_euclid(DAY_MS),
        (_, true) => {
            let day = moments::per_second(kind) * (DAY_MS / 1_000);
            let days = civil::add_months(value.div_euclid(day), amount);
            days.wrapping_mul(day).wrapping_add(value.rem_euclid(day))
        }
        (_, false) => value.wrapping_add(amount.wrapping_mul(moments::per_second(kind) / 1_000)),
    }
}

fn negate(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [value] = values else {
        return Err(Error::internal("unary minus takes one argument"));
    };
    fn negated<T: ArrowPrimitiveType>(value: &Value, rows: usize) -> Result<PrimitiveArray<T>> {
        vector::unary::<T, T>(value, rows, |a| a.neg_wrapping())
    }
    let rows = context.rows;
    Ok(match &context.result.kind {
        TypeKind::TinyInt => Arc::new(negated::<Int8Type>(value, rows)?),
        TypeKind::SmallInt => Arc::new(negated::<Int16Type>(value, rows)?),
        TypeKind::Int => Arc::new(negated::<Int32Type>(value, rows)?),
        TypeKind::BigInt => Arc::new(negated::<Int64Type>(value, rows)?),
        TypeKind::Float => Arc::new(negated::<Float32Type>(value, rows)?),
        TypeKind::Double => Arc::new(negated::<Float64Type>(value, rows)?),
        TypeKind::Decimal { .. } => {
            let array = negated::<Decimal128Type>(value, rows)?;
            Arc::new(array.with_data_type(data_type(context.result)))
        }
        TypeKind::IntervalYearMonth => Arc::new(negated::<IntervalYearMonthType>(value, rows)?),
        TypeKind::IntervalDayTime => Arc::new(negated::<DurationMillisecondType>(value, rows)?),
        kind => return Err(Error::internal(format!("{kind} has no negative"))),
    })
}

#[cfg(test)]
mod tests;
