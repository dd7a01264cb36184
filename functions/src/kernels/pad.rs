//! LPAD, RPAD, REPEAT: texts made longer. Lengths of pads count UTF-16 units, as Java does.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::Int32Type;
use tidegate_types::{Error, Result, TypeKind};

use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{count, int, strict, text};
use crate::vector::{self, Lane, TextLane, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("LPAD", "The text, filled up at its start to a length", bind_pad, lpad)
        .fallible(),
    Function::new("RPAD", "The text, filled up at its end to a length", bind_pad, rpad).fallible(),
    Function::new("REPEAT", "The text several times", bind_repeat, repeat).fallible(),
];

/// Longest text, in bytes, that these functions make.
const LONGEST: usize = 64 << 20;

fn bind_pad(args: &[Argument]) -> Result<Signature> {
    count(args, 3..=3)?;
    let arguments = vec![text(args, 0)?, int(args, 1)?, text(args, 2)?];
    Ok(strict(args, arguments, TypeKind::STRING))
}

fn bind_repeat(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    Ok(strict(args, vec![text(args, 0)?, int(args, 1)?], TypeKind::STRING))
}

fn lpad(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    pad(values, context, true)
}

fn rpad(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    pad(values, context, false)
}

/// NULL for a negative length and for an empty filling.
fn pad(values: &[Value], context: &KernelContext<'_>, at_start: bool) -> Result<ArrayRef> {
    let [source, length, filling] = values else {
        return Err(Error::internal(format!("{} takes three arguments", context.name)));
    };
    let (texts, fillings) = (TextLane::new(source)?, TextLane::new(filling)?);
    let lengths = Lane::<i32>::new::<Int32Type>(length)?;
    let nulls = strict_nulls(&[source, length, filling], context.rows);
    let result = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        let (text, filling) = (texts.get(row), fillings.get(row));
        let Ok(length) = usize::try_from(lengths.get(row)) else {
            return Ok(false);
        };
        if filling.is_empty() {
            return Ok(false);
        }
        if length > LONGEST {
            return Err(too_long(context, length));
        }
        let own = first_units(text, length);
        let missing = length - units(own);
        if at_start {
            push_units(filling, missing, out);
            out.push_str(own);
        } else {
            out.push_str(own);
            push_units(filling, missing, out);
        }
        Ok(true)
    })?;
    Ok(Arc::new(result))
}

fn units(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.chars().map(char::len_utf16).sum()
}

/// The longest start of a text that has at most `limit` units.
fn first_units(text: &str, limit: usize) -> &str {
    if text.is_ascii() {
        return &text[..limit.min(text.len())];
    }
    let mut taken = 0;
    for (byte, c) in text.char_indices() {
        taken += c.len_utf16();
        if taken > limit {
            return &text[..byte];
        }
    }
    text
}

/// Appends a filling again and again, up to `missing` units.
fn push_units(filling: &str, missing: usize, out: &mut String) {
    if let [byte] = filling.as_bytes() {
        return out.extend(std::iter::repeat_n(char::from(*byte), missing));
    }
    let mut left = missing;
    for c in filling.chars().cycle() {
        if left < c.len_utf16() {
            break;
        }
        left -= c.len_utf16();
        out.push(c);
    }
}

fn too_long(context: &KernelContext<'_>, length: usize) -> Error {
    context.error(format!("a text of {length} characters is longer than the bound of {LONGEST}"))
}

fn repeat(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [source, times] = values else {
        return Err(Error::internal("REPEAT takes two arguments"));
    };
    let texts = TextLane::new(source)?;
    let counts = Lane::<i32>::new::<Int32Type>(times)?;
    let nulls = strict_nulls(&[source, times], context.rows);
    let result = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        let text = texts.get(row);
        let times = usize::try_from(counts.get(row)).unwrap_or(0);
        let length = text.len().saturating_mul(times);
        if length > LONGEST {
            return Err(too_long(context, length));
        }
        if !text.is_empty() {
            (0..times).for_each(|_| out.push_str(text));
        }
        Ok(true)
    })?;
    Ok(Arc::new(result))
}

#[cfg(test)]
mod tests {
    use crate::testing::{call, failure, int, over, show, some, text};

    #[test]
    fn pads_count_utf_16_units() {
        let values = [Some(""), Some("a"), Some("Hello"), Some("日本"), Some("😀x")];
        let padded = |name: &str| over(&values, |s| call(name, vec![s, int(5), text("xy")]));
        assert_eq!(padded("LPAD"), some(["xyxyx", "xyxya", "Hello", "xyx日本", "xy😀x"]));
        assert_eq!(padded("RPAD"), some(["xyxyx", "axyxy", "Hello", "日本xyx", "😀xxy"]));
    }

    #[test]
    fn lengths_that_make_no_sense_are_null() {
        let pad =
            |length, filling| show(&call("LPAD", vec![text("hi"), int(length), text(filling)]));
        assert_eq!(pad(-1, "?"), None);
        assert_eq!(pad(4, ""), None);
        assert_eq!(pad(0, "x").as_deref(), Some(""));
    }

    #[test]
    fn repetition_is_bounded() {
        let times = |n| call("REPEAT", vec![text("ab"), int(n)]);
        assert_eq!(show(&times(3)).as_deref(), Some("ababab"));
        assert_eq!(show(&times(-1)).as_deref(), Some(""));
        assert!(failure(&times(i32::MAX)).to_string().contains("longer than the bound"));
    }
}
