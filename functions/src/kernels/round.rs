//! ABS, SIGN, CEIL, FLOOR, ROUND, TRUNCATE: numbers of the same kind.
//!
//! FLOAT and DOUBLE are rounded at the digits that Java writes for them, halves away from zero, so
//! that 1.005 to two digits is 1.01. Integers wrap where the result does not fit.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow::datatypes::{
    Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Error, Result, SqlType, TypeKind};

use crate::decimal::{self, Shape};
use crate::float_text;
use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{count, int, literal_integer, number, strict};
use crate::vector::{self, Lane, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("ABS", "The number without its sign", bind_same, |v, c| run(v, c, Op::Absolute)),
    Function::new("SIGN", "−1, 0 or 1 by the sign", bind_same, |v, c| run(v, c, Op::Sign)),
    Function::new("CEIL", "The least whole number not below", bind_whole, |v, c| {
        run(v, c, Op::Ceiling)
    })
    .aliases(&["CEILING"]),
    Function::new("FLOOR", "The greatest whole number not above", bind_whole, |v, c| {
        run(v, c, Op::Floor)
    }),
    Function::new("ROUND", "The number rounded to digits behind the point", bind_round, |v, c| {
        run(v, c, Op::Round)
    }),
    Function::new("TRUNCATE", "The number cut to digits behind the point", bind_round, |v, c| {
        run(v, c, Op::Truncate)
    })
    .aliases(&["TRUNC"]),
];

#[derive(Clone, Copy, PartialEq)]
enum Op {
    Absolute,
    Sign,
    Ceiling,
    Floor,
    Round,
    Truncate,
}

fn bind_same(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    let ty = number(args, 0)?;
    Ok(Signature { arguments: vec![ty.clone()], result: ty })
}

/// A DECIMAL keeps its precision and loses its scale.
fn bind_whole(args: &[Argument]) -> Result<Signature> {
    let mut signature = bind_same(args)?;
    if let TypeKind::Decimal { scale, .. } = &mut signature.result.kind {
        *scale = 0;
    }
    Ok(signature)
}

fn bind_round(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=2)?;
    let ty = number(args, 0)?;
    let result = match &ty.kind {
        TypeKind::Decimal { precision, scale } => {
            let shape = (*precision, *scale);
            if args.len() == 1 {
                decimal::kind(decimal::round_shape(shape, 0))
            } else {
                // Digits that are not constant leave the type as it is.
                let digits = literal_integer(args, 1);
                decimal::kind(digits.map_or(shape, |n| decimal::round_shape(shape, n)))
            }
        }
        kind => kind.clone(),
    };
    let mut arguments = vec![ty];
    if args.len() == 2 {
        arguments.push(int(args, 1)?);
    }
    Ok(strict(args, arguments, result))
}

fn run(values: &[Value], context: &KernelContext<'_>, op: Op) -> Result<ArrayRef> {
    let [value, digits @ ..] = values else {
        return Err(Error::internal(format!("{} takes arguments", context.name)));
    };
    let digits = digits.first();
    match &context.arguments[0].kind {
        TypeKind::TinyInt => integers::<Int8Type>(value, digits, context, op, |v| v as i8),
        TypeKind::SmallInt => integers::<Int16Type>(value, digits, context, op, |v| v as i16),
        TypeKind::Int => integers::<Int32Type>(value, digits, context, op, |v| v as i32),
        TypeKind::BigInt => integers::<Int64Type>(value, digits, context, op, |v| v as i64),
        TypeKind::Float => floats::<Float32Type>(value, digits, context, op, |v| v as f32),
        TypeKind::Double => floats::<Float64Type>(value, digits, context, op, |v| v),
        TypeKind::Decimal { .. } => decimals(value, digits, context, op),
        kind => Err(Error::internal(format!("{} does not take {kind}", context.name))),
    }
}

/// The digits to keep, by row; none for all rows without an argument.
fn digit_lane(digits: Option<&Value>) -> Result<impl Fn(usize) -> i64> {
    let lane = digits.map(Lane::<i32>::new::<Int32Type>).transpose()?;
    Ok(move |row| lane.map_or(0, |lane| i64::from(lane.get(row))))
}

fn nulls_of(
    value: &Value,
    digits: Option<&Value>,
    rows: usize,
) -> Option<arrow::buffer::NullBuffer> {
    let inputs: Vec<&Value> = std::iter::once(value).chain(digits).collect();
    strict_nulls(&inputs, rows)
}

fn integers<T>(
    value: &Value,
    digits: Option<&Value>,
    context: &KernelContext<'_>,
    op: Op,
    narrow: impl Fn(i128) -> T::Native,
) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i64>,
{
    if matches!(op, Op::Ceiling | Op::Floor) {
        return value.to_array(context.rows);
    }
    if op == Op::Absolute {
        let absolute = |v: T::Native| narrow(i128::from(v.into().wrapping_abs()));
        return Ok(Arc::new(vector::unary::<T, T>(value, context.rows, absolute)?));
    }
    let lane = Lane::<T::Native>::new::<T>(value)?;
    let digits_of = digit_lane(digits)?;
    let nulls = nulls_of(value, digits, context.rows);
    let result: PrimitiveArray<T> = vector::map_rows::<T>(context.rows, nulls, |row| {
        let value = i128::from(lane.get(row).into());
        Ok(Some(narrow(match op {
            Op::Sign => value.signum(),
            Op::Round => keep_digits(value, 0, digits_of(row), true),
            Op::Truncate => keep_digits(value, 0, digits_of(row), false),
            Op::Absolute | Op::Ceiling | Op::Floor => value,
        })))
    })?;
    Ok(Arc::new(result))
}

/// An unscaled value with zeros behind the digits to keep, rounded or cut there.
fn keep_digits(value: i128, scale: u8, digits: i64, rounds: bool) -> i128 {
    let dropped = i64::from(scale) - digits;
    if dropped <= 0 {
        return value;
    }
    if dropped > 38 {
        return 0;
    }
    let unit = decimal::pow10(dropped as u32);
    let kept = if rounds { decimal::divide_half_up(value, unit) } else { value / unit };
    kept.saturating_mul(unit)
}

fn floats<T>(
    value: &Value,
    digits: Option<&Value>,
    context: &KernelContext<'_>,
    op: Op,
    narrow: impl Fn(f64) -> T::Native,
) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType,
    T::Native: Into<f64>,
{
    let simple: Option<fn(f64) -> f64> = match op {
        Op::Absolute => Some(f64::abs),
        Op::Sign => Some(sign),
        Op::Ceiling => Some(f64::ceil),
        Op::Floor => Some(f64::floor),
        Op::Round | Op::Truncate => None,
    };
    if let Some(simple) = simple {
        let result = vector::unary::<T, T>(value, context.rows, |v| narrow(simple(v.into())))?;
        return Ok(Arc::new(result));
    }
    let lane = Lane::<T::Native>::new::<T>(value)?;
    let digits_of = digit_lane(digits)?;
    let nulls = nulls_of(value, digits, context.rows);
    let is_float = context.arguments[0].kind == TypeKind::Float;
    let mut text = String::new();
    let result: PrimitiveArray<T> = vector::map_rows::<T>(context.rows, nulls, |row| {
        let value: f64 = lane.get(row).into();
        let clear = (op == Op::Round && !is_float).then(|| round_off_ties(value, digits_of(row)));
        if let Some(rounded) = clear.flatten() {
            return Ok(Some(narrow(rounded)));
        }
        text.clear();
        if is_float {
            float_text::write_f32(value as f32, &mut text);
        } else {
            float_text::write_f64(value, &mut text);
        }
        Ok(Some(narrow(round_written(value, &mut text, digits_of(row), op == Op::Round))))
    })?;
    Ok(Arc::new(result))
}

fn sign(value: f64) -> f64 {
    if value == 0.0 || value.is_nan() { value } else { value.signum() }
}

/// Powers of ten that DOUBLE holds exactly.
const POWERS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
/// Whole numbers below it have neighbours at a distance of at most a half.
const WHOLE: f64 = (1_u64 << 52) as f64;

/// The rounded number, where neither the error of the product nor the digits that are written could make
/// another one: it is not near the middle of two. Quotients of whole numbers are the DOUBLE that is
/// nearest, as is one that is read from their digits.
fn round_off_ties(value: f64, digits: i64) -> Option<f64> {
    let unit = POWERS.get(usize::try_from(digits).ok()?)?;
    let scaled = value * unit;
    if value == 0.0 || scaled.abs() >= WHOLE || scaled.is_nan() {
        return None;
    }
    let floor = scaled.floor();
    let fraction = scaled - floor;
    // Both errors are below 2⁻⁵² of the number.
    if (fraction - 0.5).abs() <= scaled.abs() * (2.0 / WHOLE) {
        return None;
    }
    Some((if fraction < 0.5 { floor } else { floor + 1.0 }) / unit)
}

/// Rounds or cuts a number at the decimal digits of its text, which is used up.
fn round_written(value: f64, text: &mut String, digits: i64, rounds: bool) -> f64 {
    if !value.is_finite() {
        return value;
    }
    let (mantissa, exponent) = match text.split_once('E') {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().unwrap_or(0)),
        None => (text.as_str(), 0),
    };
    let fraction = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len()) as i64;
    // The number is `unscaled` × 10^−scale.
    let scale = fraction - exponent;
    if digits >= scale {
        return value;
    }
    let unscaled: i128 = mantissa
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0, |value, digit| value * 10 + i128::from(digit - b'0'));
    let dropped = scale - digits;
    if dropped > 38 {
        return 0.0;
    }
    let unit = decimal::pow10(dropped as u32);
    let kept = if rounds { decimal::divide_half_up(unscaled, unit) } else { unscaled / unit };
    let sign = if value < 0.0 && kept != 0 { "-" } else { "" };
    text.clear();
    // Writing to a string cannot fail.
    let _ = write!(text, "{sign}{kept}e{}", -digits);
    text.parse().unwrap_or(value)
}

fn shape(ty: &SqlType) -> Shape {
    decimal::shape(&ty.kind).unwrap_or((38, 0))
}

fn decimals(
    value: &Value,
    digits: Option<&Value>,
    context: &KernelContext<'_>,
    op: Op,
) -> Result<ArrayRef> {
    let scale = shape(&context.arguments[0]).1;
    let (precision, target) = shape(context.result);
    let unit = decimal::pow10(u32::from(scale));
    let lane = Lane::<i128>::new::<Decimal128Type>(value)?;
    let digits_of = digit_lane(digits)?;
    let nulls = nulls_of(value, digits, context.rows);
    let result = vector::map_rows::<Decimal128Type>(context.rows, nulls, |row| {
        let value = lane.get(row);
        Ok(match op {
            Op::Absolute => Some(value.abs()),
            Op::Sign => value.signum().checked_mul(unit),
            Op::Floor => Some(value.div_euclid(unit)),
            Op::Ceiling => Some(-(-value).div_euclid(unit)),
            Op::Round => {
                let kept = keep_digits(value, scale, digits_of(row), true);
                decimal::rescale(kept, scale, target, precision)
            }
            Op::Truncate => {
                let kept = keep_digits(value, scale, digits_of(row), false);
                decimal::rescale(kept, scale, target, precision)
            }
        }
        .filter(|value| decimal::fits(*value, precision)))
    })?;
    Ok(Arc::new(result.with_data_type(data_type(context.result))))
}

#[cfg(test)]
mod tests {
    use crate::testing::{call, cast_to, double, exact, int, over, show, some, type_of};
    use tidegate_plan::Expr;
    use tidegate_types::TypeKind;

    fn check(name: &str, args: Vec<Expr>, ty: &str, value: &str) {
        let expr = call(name, args);
        assert_eq!(type_of(&expr), format!("{ty} NOT NULL"));
        assert_eq!(show(&expr).as_deref(), Some(value));
    }

    #[test]
    fn decimals_change_their_shape() {
        check("ROUND", vec![exact("2.5")], "DECIMAL(2, 0)", "3");
        check("ROUND", vec![exact("-2.5")], "DECIMAL(2, 0)", "-3");
        check("ROUND", vec![exact("1.005"), int(2)], "DECIMAL(4, 2)", "1.01");
        check("ROUND", vec![exact("123.456"), int(-1)], "DECIMAL(4, 0)", "120");
        check("ROUND", vec![exact("123.456"), int(5)], "DECIMAL(6, 3)", "123.456");
        check("TRUNCATE", vec![exact("-123.456"), int(1)], "DECIMAL(5, 1)", "-123.4");
        check("CEIL", vec![exact("-1.2")], "DECIMAL(2, 0)", "-1");
        check("FLOOR", vec![exact("-1.2")], "DECIMAL(2, 0)", "-2");
        check("SIGN", vec![exact("-2.5")], "DECIMAL(2, 1)", "-1.0");
        check("ABS", vec![exact("-1.5")], "DECIMAL(2, 1)", "1.5");
    }

    #[test]
    fn integers_keep_their_type_and_wrap() {
        check("ROUND", vec![int(-125), int(-1)], "INT", "-130");
        check("ROUND", vec![int(i32::MAX), int(-1)], "INT", "-2147483646");
        check("TRUNCATE", vec![int(125), int(-1)], "INT", "120");
        check("FLOOR", vec![int(5)], "INT", "5");
        check("ABS", vec![cast_to(int(-128), TypeKind::TinyInt)], "TINYINT", "-128");
        check("SIGN", vec![int(-5)], "INT", "-1");
    }

    #[test]
    fn doubles_are_rounded_at_their_written_digits() {
        let values = ["0.5", "2.5", "-2.5", "1.005", "2.675", "-0.4", "123456.789", "1e300"];
        let round = |digits| {
            over(&values.map(Some), |s| {
                call("ROUND", vec![cast_to(s, TypeKind::Double), int(digits)])
            })
        };
        assert_eq!(
            round(0),
            some(["1.0", "3.0", "-3.0", "1.0", "3.0", "0.0", "123457.0", "1.0E300"])
        );
        assert_eq!(
            round(2),
            some(["0.5", "2.5", "-2.5", "1.01", "2.68", "-0.4", "123456.79", "1.0E300"])
        );
        assert_eq!(round(-2)[6].as_deref(), Some("123500.0"));
        check("TRUNCATE", vec![double(123.456), int(2)], "DOUBLE", "123.45");
        check("ROUND", vec![double(f64::NAN)], "DOUBLE", "NaN");
        let float = cast_to(exact("1.25"), TypeKind::Float);
        check("ROUND", vec![float, int(1)], "FLOAT", "1.3");
        check("CEIL", vec![double(1.2)], "DOUBLE", "2.0");
        check("SIGN", vec![double(-2.5)], "DOUBLE", "-1.0");
    }

    #[test]
    fn the_short_way_rounds_as_the_digits_do() {
        let mut bits = 0x9E37_79B9_7F4A_7C15_u64;
        let mut short = 0;
        for _ in 0..50_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
            let digits = (bits % 6) as i64;
            // Halves and hundredths, and numbers of all digits.
            let values = [
                (bits >> 40) as f64 / 200.0,
                (bits >> 44) as f64 / 1_000.0 - 500.0,
                bits as i64 as f64 / 1e13,
            ];
            for value in values {
                let mut text = String::new();
                crate::float_text::write_f64(value, &mut text);
                if let Some(rounded) = super::round_off_ties(value, digits) {
                    short += 1;
                    let expected = super::round_written(value, &mut text, digits, true);
                    assert_eq!(rounded.to_bits(), expected.to_bits(), "{value} to {digits}");
                }
            }
        }
        assert!(short > 100_000, "{short}");
    }
}
