//! AND, OR, NOT and the tests `IS [NOT] NULL | TRUE | FALSE | UNKNOWN`: three-valued logic.
//!
//! The evaluator runs AND and OR by itself, left to right; the kernels here serve direct callers.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{and_kleene, not, or_kleene};
use tidegate_types::{Error, Result, TypeKind};

use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{any, boolean, count, strict};
use crate::vector::{arrow_error, booleans};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("AND", "TRUE if all conditions are", bind_connective, and),
    Function::new("OR", "TRUE if one of the conditions is", bind_connective, or),
    Function::new("NOT", "The opposite of a condition", bind_not, negation),
    Function::new("IS NULL", "Whether the value is NULL", bind_null_test, is_null),
    Function::new("IS NOT NULL", "Whether the value is not NULL", bind_null_test, is_not_null),
    Function::new("IS TRUE", "Whether the condition is TRUE", bind_test, is_true),
    Function::new("IS NOT TRUE", "Whether it is FALSE or NULL", bind_test, is_not_true),
    Function::new("IS FALSE", "Whether the condition is FALSE", bind_test, is_false),
    Function::new("IS NOT FALSE", "Whether it is TRUE or NULL", bind_test, is_not_false),
    Function::new("IS UNKNOWN", "Whether the condition is NULL", bind_test, is_null),
    Function::new("IS NOT UNKNOWN", "Whether the condition is not NULL", bind_test, is_not_null),
];

fn bind_connective(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=usize::MAX)?;
    let arguments = (0..args.len()).map(|i| boolean(args, i)).collect::<Result<Vec<_>>>()?;
    Ok(strict(args, arguments, TypeKind::Boolean))
}

fn bind_not(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    Ok(strict(args, vec![boolean(args, 0)?], TypeKind::Boolean))
}

fn bind_test(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    Ok(Signature { arguments: vec![boolean(args, 0)?], result: TypeKind::Boolean.not_null() })
}

fn bind_null_test(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    Ok(Signature { arguments: vec![any(args, 0)?], result: TypeKind::Boolean.not_null() })
}

fn and(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    connect(values, context, |left, right| and_kleene(left, right).map_err(arrow_error))
}

fn or(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    connect(values, context, |left, right| or_kleene(left, right).map_err(arrow_error))
}

fn connect(
    values: &[Value],
    context: &KernelContext<'_>,
    op: impl Fn(&BooleanArray, &BooleanArray) -> Result<BooleanArray>,
) -> Result<ArrayRef> {
    let mut result: Option<BooleanArray> = None;
    for value in values {
        let array = value.to_array(context.rows)?;
        let operand = booleans(&array)?;
        result = Some(match result {
            None => operand.clone(),
            Some(left) => op(&left, operand)?,
        });
    }
    let result = result.ok_or_else(|| Error::internal("a connective without conditions"))?;
    Ok(Arc::new(result))
}

/// The one argument as an array of all rows.
fn operand(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    match values {
        [value] => value.to_array(context.rows),
        _ => Err(Error::internal(format!("{} takes one argument", context.name))),
    }
}

fn negation(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let array = operand(values, context)?;
    Ok(Arc::new(not(booleans(&array)?).map_err(arrow_error)?))
}

fn is_null(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let array = operand(values, context)?;
    Ok(Arc::new(arrow::compute::is_null(&array).map_err(arrow_error)?))
}

fn is_not_null(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let array = operand(values, context)?;
    Ok(Arc::new(arrow::compute::is_not_null(&array).map_err(arrow_error)?))
}

/// Rows where the condition has the wanted value, and not NULL.
fn has_value(values: &[Value], context: &KernelContext<'_>, wanted: bool) -> Result<BooleanBuffer> {
    let array = operand(values, context)?;
    let conditions = booleans(&array)?;
    let bits = if wanted { conditions.values().clone() } else { !conditions.values() };
    Ok(match conditions.nulls() {
        Some(nulls) => &bits & nulls.inner(),
        None => bits,
    })
}

fn is_true(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    Ok(Arc::new(BooleanArray::new(has_value(values, context, true)?, None)))
}

fn is_not_true(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    Ok(Arc::new(BooleanArray::new(!&has_value(values, context, true)?, None)))
}

fn is_false(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    Ok(Arc::new(BooleanArray::new(has_value(values, context, false)?, None)))
}

fn is_not_false(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    Ok(Arc::new(BooleanArray::new(!&has_value(values, context, false)?, None)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{boolean as literal, call, null, show};
    use tidegate_plan::Expr;

    fn value(value: Option<bool>) -> Expr {
        value.map_or_else(|| null(TypeKind::Boolean), literal)
    }

    #[test]
    fn connectives_are_three_valued() {
        let all = [Some(true), Some(false), None];
        for a in all {
            for b in all {
                let and = show(&call("AND", vec![value(a), value(b)]));
                let or = show(&call("OR", vec![value(a), value(b)]));
                let expected_and = match (a, b) {
                    (Some(false), _) | (_, Some(false)) => Some("FALSE"),
                    (Some(true), Some(true)) => Some("TRUE"),
                    _ => None,
                };
                let expected_or = match (a, b) {
                    (Some(true), _) | (_, Some(true)) => Some("TRUE"),
                    (Some(false), Some(false)) => Some("FALSE"),
                    _ => None,
                };
                assert_eq!(and.as_deref(), expected_and, "{a:?} AND {b:?}");
                assert_eq!(or.as_deref(), expected_or, "{a:?} OR {b:?}");
            }
        }
    }

    #[test]
    fn tests_are_never_null() {
        let truth = |name: &str| {
            [Some(true), Some(false), None]
                .map(|v| show(&call(name, vec![value(v)])).as_deref() == Some("TRUE"))
        };
        assert_eq!(truth("IS TRUE"), [true, false, false]);
        assert_eq!(truth("IS NOT TRUE"), [false, true, true]);
        assert_eq!(truth("IS FALSE"), [false, true, false]);
        assert_eq!(truth("IS NOT FALSE"), [true, false, true]);
        assert_eq!(truth("IS UNKNOWN"), [false, false, true]);
        assert_eq!(truth("IS NOT NULL"), [true, true, false]);
        assert_eq!(show(&call("NOT", vec![value(None)])), None);
    }
}
