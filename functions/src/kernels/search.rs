//! Texts found in texts: POSITION, LOCATE, INSTR, STARTSWITH, ENDSWITH.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::Int32Type;
use tidegate_types::{Error, Result, TypeKind};

use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{bytes, count, int, strict, text, texts_to};
use crate::vector::{self, Lane, TextLane, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("POSITION", "Where the first text begins in the second", bind_locate, locate)
        .aliases(&["LOCATE"]),
    Function::new("INSTR", "Where the second text begins in the first", bind_instr, instr)
        .fallible(),
    Function::new("STARTSWITH", "Whether a text starts with another", bind_test, starts_with),
    Function::new("ENDSWITH", "Whether a text ends with another", bind_test, ends_with),
];

fn bind_locate(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=3)?;
    bind_search(args)
}

fn bind_instr(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=4)?;
    bind_search(args)
}

fn bind_search(args: &[Argument]) -> Result<Signature> {
    let mut arguments = vec![text(args, 0)?, text(args, 1)?];
    for index in 2..args.len() {
        arguments.push(int(args, index)?);
    }
    Ok(strict(args, arguments, TypeKind::Int))
}

fn bind_test(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    if args[0].ty.kind.is_binary() {
        let arguments = vec![bytes(args, 0)?, bytes(args, 1)?];
        return Ok(strict(args, arguments, TypeKind::Boolean));
    }
    texts_to(args, TypeKind::Boolean)
}

/// The byte where the first occurrence begins.
fn find(text: &str, needle: &str) -> Option<usize> {
    match needle.as_bytes() {
        [byte] => memchr::memchr(*byte, text.as_bytes()),
        needle => memchr::memmem::find(text.as_bytes(), needle),
    }
}

/// Position, in characters from 1, of the `nth` occurrence of `needle` at or after character
/// `from`; 0 if there is none.
fn forward(text: &str, needle: &str, from: i64, nth: i64) -> i32 {
    if needle.is_empty() {
        return 1;
    }
    let Ok(skipped) = usize::try_from(from - 1) else {
        return 0;
    };
    let mut starts = text.char_indices().map(|(byte, _)| byte).chain([text.len()]);
    let Some(start) = starts.nth(skipped) else {
        return 0;
    };
    let mut from = start;
    for occurrence in 1.. {
        let Some(found) = find(&text[from..], needle).map(|offset| from + offset) else {
            return 0;
        };
        if occurrence == nth {
            return characters_before(text, found);
        }
        match text[found..].chars().next() {
            Some(c) => from = found + c.len_utf8(),
            None => return 0,
        }
    }
    0
}

/// The same from the end on: `from` is −1 for the last character.
fn backward(text: &str, needle: &str, from: i64, nth: i64) -> i32 {
    let back = usize::try_from(from.unsigned_abs() - 1).unwrap_or(usize::MAX);
    let Some((start, _)) = text.char_indices().rev().nth(back) else {
        return 0;
    };
    let mut remaining = nth;
    for (byte, _) in text.char_indices().rev().filter(|(byte, _)| *byte <= start) {
        if text[byte..].starts_with(needle) {
            remaining -= 1;
            if remaining == 0 {
                return characters_before(text, byte);
            }
        }
    }
    0
}

fn characters_before(text: &str, byte: usize) -> i32 {
    i32::try_from(text[..byte].chars().count() + 1).unwrap_or(i32::MAX)
}

fn locate(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [needle, text, rest @ ..] = values else {
        return Err(Error::internal(format!("{} takes two arguments", context.name)));
    };
    search(text, needle, rest, context, |text, needle, from, _| {
        Ok(forward(text, needle, from.max(1), 1))
    })
}

fn instr(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [text, needle, rest @ ..] = values else {
        return Err(Error::internal("INSTR takes two arguments"));
    };
    search(text, needle, rest, context, |text, needle, from, nth| match from {
        _ if nth < 1 => Err(context.error(format!("the occurrence is {nth}, it starts at 1"))),
        0 => Ok(0),
        from if from > 0 => Ok(forward(text, needle, from, nth)),
        from => Ok(backward(text, needle, from, nth)),
    })
}

fn search(
    text: &Value,
    needle: &Value,
    numbers: &[Value],
    context: &KernelContext<'_>,
    find: impl Fn(&str, &str, i64, i64) -> Result<i32>,
) -> Result<ArrayRef> {
    let (texts, needles) = (TextLane::new(text)?, TextLane::new(needle)?);
    let starts = numbers.first().map(Lane::<i32>::new::<Int32Type>).transpose()?;
    let occurrences = numbers.get(1).map(Lane::<i32>::new::<Int32Type>).transpose()?;
    let inputs: Vec<&Value> = [text, needle].into_iter().chain(numbers).collect();
    let nulls = strict_nulls(&inputs, context.rows);
    let positions = vector::map_rows::<Int32Type>(context.rows, nulls, |row| {
        let from = starts.map_or(1, |lane| i64::from(lane.get(row)));
        let nth = occurrences.map_or(1, |lane| i64::from(lane.get(row)));
        find(texts.get(row), needles.get(row), from, nth).map(Some)
    })?;
    Ok(Arc::new(positions))
}

fn test(
    values: &[Value],
    context: &KernelContext<'_>,
    holds: impl Fn(&[u8], &[u8]) -> bool,
) -> Result<ArrayRef> {
    let [text, part] = values else {
        return Err(Error::internal(format!("{} takes two arguments", context.name)));
    };
    let nulls = strict_nulls(&[text, part], context.rows);
    let result = if context.arguments[0].kind.is_binary() {
        let (whole, ends) = (vector::binaries(text.array())?, vector::binaries(part.array())?);
        let (step, end_step) = (text.step(), part.step());
        vector::map_boolean(context.rows, nulls, |row| {
            holds(whole.value(row * step), ends.value(row * end_step))
        })
    } else {
        let (texts, parts) = (TextLane::new(text)?, TextLane::new(part)?);
        vector::map_boolean(context.rows, nulls, |row| {
            holds(texts.get(row).as_bytes(), parts.get(row).as_bytes())
        })
    };
    Ok(Arc::new(result))
}

fn starts_with(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    test(values, context, |text, part| text.starts_with(part))
}

fn ends_with(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    test(values, context, |text, part| text.ends_with(part))
}

#[cfg(test)]
mod tests {
    use crate::testing::{call, int, null, over, show, some, text};
    use tidegate_plan::Expr;
    use tidegate_types::TypeKind;

    fn value(name: &str, args: Vec<Expr>) -> Option<String> {
        show(&call(name, args))
    }

    #[test]
    fn positions_count_characters_from_one() {
        let got =
            over(&[Some("日本語"), Some(""), None], |s| call("POSITION", vec![text("語"), s]));
        assert_eq!(got, [Some("3".to_owned()), Some("0".to_owned()), None]);
        assert_eq!(value("POSITION", vec![text(""), text("abc")]).as_deref(), Some("1"));
        let late = value("LOCATE", vec![text("a"), text("banana"), int(3)]);
        assert_eq!(late.as_deref(), Some("4"));
        assert_eq!(value("POSITION", vec![null(TypeKind::STRING), text("abc")]), None);
    }

    #[test]
    fn instr_goes_both_ways() {
        let instr =
            |from, nth| value("INSTR", vec![text("banana"), text("a"), int(from), int(nth)]);
        assert_eq!(instr(1, 2).as_deref(), Some("4"));
        assert_eq!(instr(-1, 1).as_deref(), Some("6"));
        assert_eq!(instr(-1, 3).as_deref(), Some("2"));
        assert_eq!(instr(1, 4).as_deref(), Some("0"));
        assert_eq!(instr(0, 1).as_deref(), Some("0"));
    }

    #[test]
    fn starts_and_ends() {
        let got = over(&[Some("abc"), Some("ab")], |s| call("ENDSWITH", vec![s, text("bc")]));
        assert_eq!(got, some(["TRUE", "FALSE"]));
        assert_eq!(value("STARTSWITH", vec![text("abc"), text("")]).as_deref(), Some("TRUE"));
    }
}
