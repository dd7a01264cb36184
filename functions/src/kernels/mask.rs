//! `$MASK_PARTIAL(text)`: a text of which only the ends can be read.

use std::sync::Arc;

use arrow::array::ArrayRef;
use tidegate_types::{Error, Result};

use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{count, text};
use crate::vector::{self, TextLane, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] = &[Function::new(
    "$MASK_PARTIAL",
    "The text with stars for all but its first and last characters",
    bind,
    mask,
)];

/// Most characters that stay at each end.
const SHOWN: usize = 3;

/// The text keeps its length, and so its type.
fn bind(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    let ty = text(args, 0)?;
    Ok(Signature { arguments: vec![ty.clone()], result: ty })
}

fn mask(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [source] = values else {
        return Err(Error::internal("$MASK_PARTIAL takes one value"));
    };
    let texts = TextLane::new(source)?;
    let nulls = strict_nulls(&[source], context.rows);
    let masked = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        write_masked(texts.get(row), out);
        Ok(true)
    })?;
    Ok(Arc::new(masked))
}

/// A quarter of the characters stays at each end, at most [`SHOWN`]: never more than half of a text.
fn write_masked(text: &str, out: &mut String) {
    let length = if text.is_ascii() { text.len() } else { text.chars().count() };
    let shown = (length / 4).min(SHOWN);
    let hidden = shown..length - shown;
    for (place, c) in text.chars().enumerate() {
        out.push(if hidden.contains(&place) { '*' } else { c });
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{call, over, some, text, type_of};

    #[test]
    fn a_quarter_of_a_text_stays_at_each_end_and_at_most_three_characters() {
        let values = [
            Some(""),
            Some("a"),
            Some("abc"),
            Some("abcd"),
            Some("abcdefg"),
            Some("13812345678"),
            Some("4111111111111111"),
            Some("张三丰李四😀赵六"),
        ];
        let masked = over(&values, |s| call("$MASK_PARTIAL", vec![s]));
        let expected =
            ["", "*", "***", "a**d", "a*****g", "13*******78", "411**********111", "张三****赵六"];
        assert_eq!(masked, some(expected));
    }

    #[test]
    fn null_stays_null_and_the_type_stays() {
        assert_eq!(over(&[None], |s| call("$MASK_PARTIAL", vec![s])), [None]);
        let own = type_of(&text("secret"));
        assert_eq!(type_of(&call("$MASK_PARTIAL", vec![text("secret")])), own);
    }
}
