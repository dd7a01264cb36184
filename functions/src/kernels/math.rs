//! Functions of DOUBLE: powers, roots, logarithms, angles; and the constants π and e.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::Float64Type;
use tidegate_types::{Error, Result, TypeKind};

use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{count, double, strict};
use crate::vector;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("SQRT", "The square root", bind_one, |v, c| unary(v, c, square_root)),
    Function::new("EXP", "The power of e", bind_one, |v, c| unary(v, c, f64::exp)),
    Function::new("LN", "The natural logarithm", bind_one, |v, c| unary(v, c, f64::ln)),
    Function::new("LOG10", "The logarithm to base 10", bind_one, |v, c| unary(v, c, f64::log10)),
    Function::new("LOG2", "The logarithm to base 2", bind_one, |v, c| unary(v, c, log2)),
    Function::new("LOG", "The natural logarithm, or that to a base", bind_log, log),
    Function::new("POWER", "The first number to the power of the second", bind_two, |v, c| {
        binary(v, c, power)
    }),
    Function::new("SIN", "The sine", bind_one, |v, c| unary(v, c, f64::sin)),
    Function::new("COS", "The cosine", bind_one, |v, c| unary(v, c, f64::cos)),
    Function::new("TAN", "The tangent", bind_one, |v, c| unary(v, c, f64::tan)),
    Function::new("COT", "The cotangent", bind_one, |v, c| unary(v, c, |a| 1.0 / a.tan())),
    Function::new("ASIN", "The angle of a sine", bind_one, |v, c| unary(v, c, f64::asin)),
    Function::new("ACOS", "The angle of a cosine", bind_one, |v, c| unary(v, c, f64::acos)),
    Function::new("ATAN", "The angle of a tangent", bind_one, |v, c| unary(v, c, f64::atan)),
    Function::new("ATAN2", "The angle of a point (y, x)", bind_two, |v, c| {
        binary(v, c, f64::atan2)
    }),
    Function::new("SINH", "The hyperbolic sine", bind_one, |v, c| unary(v, c, f64::sinh)),
    Function::new("COSH", "The hyperbolic cosine", bind_one, |v, c| unary(v, c, f64::cosh)),
    Function::new("TANH", "The hyperbolic tangent", bind_one, |v, c| unary(v, c, f64::tanh)),
    Function::new("DEGREES", "Degrees of an angle in radians", bind_one, |v, c| {
        unary(v, c, |a| a * (180.0 / std::f64::consts::PI))
    }),
    Function::new("RADIANS", "Radians of an angle in degrees", bind_one, |v, c| {
        unary(v, c, |a| a * (std::f64::consts::PI / 180.0))
    }),
    Function::new("PI", "π", bind_none, |_, c| constant(std::f64::consts::PI, c)),
    Function::new("E", "The base of the natural logarithm", bind_none, |_, c| {
        constant(std::f64::consts::E, c)
    }),
];

fn bind_none(args: &[Argument]) -> Result<Signature> {
    count(args, 0..=0)?;
    Ok(Signature { arguments: Vec::new(), result: TypeKind::Double.not_null() })
}

fn bind_one(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    Ok(strict(args, vec![double(args, 0)?], TypeKind::Double))
}

fn bind_two(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    Ok(strict(args, vec![double(args, 0)?, double(args, 1)?], TypeKind::Double))
}

fn bind_log(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=2)?;
    if args.len() == 1 { bind_one(args) } else { bind_two(args) }
}

fn constant(value: f64, context: &KernelContext<'_>) -> Result<ArrayRef> {
    Ok(Arc::new(Float64Array::from_value(value, context.rows)))
}

fn unary(
    values: &[Value],
    context: &KernelContext<'_>,
    op: impl Fn(f64) -> f64,
) -> Result<ArrayRef> {
    match values {
        [value] => {
            Ok(Arc::new(vector::unary::<Float64Type, Float64Type>(value, context.rows, op)?))
        }
        _ => Err(Error::internal(format!("{} takes one argument", context.name))),
    }
}

fn binary(
    values: &[Value],
    context: &KernelContext<'_>,
    op: impl Fn(f64, f64) -> f64,
) -> Result<ArrayRef> {
    match values {
        [left, right] => {
            let result = vector::binary::<Float64Type, Float64Type, Float64Type>(
                left,
                right,
                context.rows,
                op,
            )?;
            Ok(Arc::new(result))
        }
        _ => Err(Error::internal(format!("{} takes two arguments", context.name))),
    }
}

/// Flink computes `POWER(x, 0.5)`, which is 0 for −0 and infinite for −∞.
fn square_root(value: f64) -> f64 {
    if value == 0.0 {
        0.0
    } else if value == f64::NEG_INFINITY {
        f64::INFINITY
    } else {
        value.sqrt()
    }
}

/// Java's `pow` has no value for 1 to a power that is not a number.
fn power(base: f64, exponent: f64) -> f64 {
    if exponent.is_nan() || base.abs() == 1.0 && exponent.is_infinite() {
        f64::NAN
    } else {
        base.powf(exponent)
    }
}

fn log2(value: f64) -> f64 {
    value.ln() / std::f64::consts::LN_2
}

/// `LOG(x)`, or `LOG(base, x)`.
fn log(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    if values.len() == 1 {
        unary(values, context, f64::ln)
    } else {
        binary(values, context, |base, value| value.ln() / base.ln())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{call, cast_to, double, exact, int, over, show};
    use tidegate_plan::Expr;
    use tidegate_types::TypeKind;

    fn value(name: &str, args: Vec<Expr>) -> String {
        show(&call(name, args)).unwrap()
    }

    #[test]
    fn powers_and_roots() {
        assert_eq!(value("POWER", vec![int(2), int(10)]), "1024.0");
        assert_eq!(value("POWER", vec![exact("2.5"), int(2)]), "6.25");
        assert_eq!(value("POWER", vec![int(-8), double(1.0 / 3.0)]), "NaN");
        assert_eq!(value("SQRT", vec![int(2)]), "1.4142135623730951");
        assert_eq!(value("SQRT", vec![int(-1)]), "NaN");
        assert_eq!(value("SQRT", vec![double(-0.0)]), "0.0");
        assert_eq!(value("EXP", vec![int(1)]), "2.718281828459045");
    }

    #[test]
    fn logarithms() {
        assert_eq!(value("LN", vec![int(0)]), "-Infinity");
        assert_eq!(value("LOG10", vec![int(1000)]), "3.0");
        assert_eq!(value("LOG2", vec![int(8)]), "3.0");
        assert_eq!(value("LOG", vec![int(2), int(8)]), "3.0");
        assert_eq!(value("LOG", vec![int(10)]), "2.302585092994046");
    }

    #[test]
    fn angles_and_constants() {
        assert_eq!(value("SIN", vec![int(0)]), "0.0");
        assert_eq!(value("ATAN2", vec![int(0), int(1)]), "0.0");
        assert_eq!(value("DEGREES", vec![exact("3.14")]), "179.9087476710785");
        assert_eq!(value("RADIANS", vec![int(180)]), "3.141592653589793");
        assert_eq!(value("PI", vec![]), "3.141592653589793");
        assert_eq!(value("E", vec![]), "2.718281828459045");
    }

    #[test]
    fn nulls_stay() {
        let got = over(&[Some("4"), None], |s| call("SQRT", vec![cast_to(s, TypeKind::Int)]));
        assert_eq!(got, [Some("2.0".to_owned()), None]);
    }
}
