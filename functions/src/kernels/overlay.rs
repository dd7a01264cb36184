//! OVERLAY: a text with some of its characters replaced by another.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::Int32Type;
use tidegate_types::sql_type::MAX_LENGTH;
use tidegate_types::{Error, Result, TypeKind};

use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{count, int, strict, text};
use crate::vector::{self, Lane, TextLane, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] = &[Function::new(
    "OVERLAY",
    "The text with characters from a position on replaced",
    bind,
    overlay,
)];

fn bind(args: &[Argument]) -> Result<Signature> {
    count(args, 3..=4)?;
    let mut arguments = vec![text(args, 0)?, text(args, 1)?];
    for index in 2..args.len() {
        arguments.push(int(args, index)?);
    }
    let length = |kind: &TypeKind| match kind {
        TypeKind::Char { length } | TypeKind::VarChar { length } => *length,
        _ => MAX_LENGTH,
    };
    let total = length(&arguments[0].kind).saturating_add(length(&arguments[1].kind));
    Ok(strict(args, arguments, TypeKind::VarChar { length: total.min(MAX_LENGTH) }))
}

/// The byte where character `index` begins, or the end.
fn byte_of(text: &str, index: usize) -> usize {
    text.char_indices().nth(index).map_or(text.len(), |(byte, _)| byte)
}

/// Replaces as many characters as the last argument says, else as the new text has. A position
/// that the text does not have leaves it as it is.
fn overlay(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [source, replacement, from, rest @ ..] = values else {
        return Err(Error::internal("OVERLAY takes three or four arguments"));
    };
    let (texts, replacements) = (TextLane::new(source)?, TextLane::new(replacement)?);
    let starts = Lane::<i32>::new::<Int32Type>(from)?;
    let lengths = rest.first().map(Lane::<i32>::new::<Int32Type>).transpose()?;
    let inputs: Vec<&Value> = values.iter().collect();
    let nulls = strict_nulls(&inputs, context.rows);
    let result = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        let (text, replacement) = (texts.get(row), replacements.get(row));
        let start = usize::try_from(i64::from(starts.get(row)) - 1).map(|at| byte_of(text, at));
        match start {
            Ok(start) if start < text.len() => {
                let replaced = match lengths {
                    Some(lengths) => usize::try_from(lengths.get(row)).unwrap_or(0),
                    None => replacement.chars().count(),
                };
                let tail = &text[start..];
                out.push_str(&text[..start]);
                out.push_str(replacement);
                out.push_str(&tail[byte_of(tail, replaced)..]);
            }
            _ => out.push_str(text),
        }
        Ok(true)
    })?;
    Ok(Arc::new(result))
}

#[cfg(test)]
mod tests {
    use crate::testing::{call, int, over, show, some, text, type_of};

    #[test]
    fn characters_are_replaced() {
        let two = call("OVERLAY", vec![text("abcdef"), text("X"), int(2)]);
        assert_eq!(type_of(&two), "VARCHAR(7) NOT NULL");
        assert_eq!(show(&two).as_deref(), Some("aXcdef"));
        let longer = call("OVERLAY", vec![text("abcdef"), text("XYZ"), int(2), int(1)]);
        assert_eq!(show(&longer).as_deref(), Some("aXYZcdef"));
        let beyond = call("OVERLAY", vec![text("abc"), text("X"), int(10)]);
        assert_eq!(show(&beyond).as_deref(), Some("abc"));
        let got =
            over(&[Some(""), Some("äöü")], |s| call("OVERLAY", vec![s, text("X"), int(1)]));
        assert_eq!(got, some(["", "Xöü"]));
    }
}
