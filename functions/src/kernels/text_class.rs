//! What texts are made of: IS_ALPHA, IS_DIGIT, IS_DECIMAL. NULL is made of nothing.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use tidegate_types::{Error, Result, TypeKind};

use crate::float_text::parse_f64;
use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{count, text};
use crate::vector::{self, TextLane};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("IS_ALPHA", "Whether a text has letters only", bind, is_alpha),
    Function::new("IS_DIGIT", "Whether a text has digits only", bind, is_digit),
    Function::new("IS_DECIMAL", "Whether a text is a number", bind, is_decimal),
];

fn bind(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    let argument = match args[0].ty.kind.is_numeric() {
        true => args[0].ty.clone(),
        false => text(args, 0)?,
    };
    Ok(Signature { arguments: vec![argument], result: TypeKind::Boolean.not_null() })
}

fn test(
    values: &[Value],
    context: &KernelContext<'_>,
    number: bool,
    test: impl Fn(&str) -> bool,
) -> Result<ArrayRef> {
    let value = values.first().ok_or_else(|| Error::internal("a test takes a text"))?;
    if context.arguments[0].kind.is_numeric() {
        // Of a number its type says what it is made of, also if it is NULL.
        return Ok(Arc::new(vector::map_boolean(context.rows, None, |_| number)));
    }
    let texts = TextLane::new(value)?;
    let is_there = |row: usize| value.array().is_valid(row * value.step());
    let result =
        vector::map_boolean(context.rows, None, |row| is_there(row) && test(texts.get(row)));
    Ok(Arc::new(result))
}

fn is_alpha(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    test(values, context, false, |text| !text.is_empty() && text.chars().all(char::is_alphabetic))
}

fn is_digit(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    // The digits of all scripts.
    let whole = context.arguments[0].kind.is_integer();
    let is_digit = |c: char| c.is_ascii_digit() || !c.is_ascii() && c.is_numeric();
    test(values, context, whole, |text| !text.is_empty() && text.chars().all(is_digit))
}

/// What Java reads as a DOUBLE.
fn is_decimal(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    test(values, context, true, |text| parse_f64(text).is_some())
}

#[cfg(test)]
mod tests {
    use crate::testing::{call, over, some};

    #[test]
    fn classes_of_texts() {
        let texts = [Some("abc"), Some("12"), Some("-1.5"), Some("日本"), Some(""), None];
        let of = |name| over(&texts, |s| call(name, vec![s]));
        assert_eq!(of("IS_ALPHA"), some(["TRUE", "FALSE", "FALSE", "TRUE", "FALSE", "FALSE"]));
        assert_eq!(of("IS_DIGIT"), some(["FALSE", "TRUE", "FALSE", "FALSE", "FALSE", "FALSE"]));
        assert_eq!(of("IS_DECIMAL"), some(["FALSE", "TRUE", "TRUE", "FALSE", "FALSE", "FALSE"]));
    }
}
