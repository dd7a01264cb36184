//! Texts: case, trimming, parts, lengths. What joins and splits texts is in `compose`.
//!
//! Positions and lengths count characters (code points). Parts of an argument are copied without
//! an intermediate text; other results are built in one buffer for all rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array};
use arrow::datatypes::Int32Type;
use tidegate_types::{Error, Result, TypeKind};

use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{count, int, literal_text, may_be_null, strict, text, texts_to, varying};
use crate::vector::{self, Lane, TextLane, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("UPPER", "The text in upper case", bind_same, upper),
    Function::new("LOWER", "The text in lower case", bind_same, lower),
    Function::new("INITCAP", "Each word with a capital letter first", bind_same, initcap),
    Function::new("REVERSE", "The characters in reverse order", bind_reverse, reverse),
    Function::new("TRIM", "The text without certain characters at its ends", bind_trim, trim),
    Function::new("LTRIM", "The text without characters at its start", bind_side_trim, trim_start),
    Function::new("RTRIM", "The text without characters at its end", bind_side_trim, trim_end),
    Function::new("BTRIM", "The text without characters at both ends", bind_btrim, trim_both),
    Function::new("SUBSTRING", "Characters from a position on", bind_substring, substring)
        .aliases(&["SUBSTR"]),
    Function::new("LEFT", "The first characters", bind_end, left),
    Function::new("RIGHT", "The last characters", bind_end, right),
    Function::new("CHAR_LENGTH", "The number of characters", bind_length, char_length)
        .aliases(&["CHARACTER_LENGTH", "LENGTH"]),
];

fn bind_same(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    let ty = text(args, 0)?;
    Ok(Signature { arguments: vec![ty.clone()], result: ty })
}

fn bind_reverse(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    Ok(may_be_null(vec![text(args, 0)?], TypeKind::STRING))
}

fn bind_trim(args: &[Argument]) -> Result<Signature> {
    count(args, 3..=3)?;
    let flag = literal_text(args, 0)?;
    if !matches!(flag, "BOTH" | "LEADING" | "TRAILING") {
        return Err(crate::rules::fail(format!("'{flag}' is not BOTH, LEADING or TRAILING")));
    }
    let source = text(args, 2)?;
    let result = varying(&source.kind);
    Ok(strict(args, vec![text(args, 0)?, text(args, 1)?, source], result))
}

fn bind_side_trim(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=2)?;
    let result = varying(&text(args, 0)?.kind);
    texts_to(args, result)
}

fn bind_btrim(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=2)?;
    texts_to(args, TypeKind::STRING)
}

fn bind_substring(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=3)?;
    let source = text(args, 0)?;
    let result = varying(&source.kind);
    let mut arguments = vec![source, int(args, 1)?];
    if args.len() == 3 {
        arguments.push(int(args, 2)?);
    }
    Ok(may_be_null(arguments, result))
}

fn bind_end(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    let source = text(args, 0)?;
    let result = varying(&source.kind);
    Ok(may_be_null(vec![source, int(args, 1)?], result))
}

fn bind_length(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    texts_to(args, TypeKind::Int)
}

fn one<'a>(values: &'a [Value], context: &KernelContext<'_>) -> Result<&'a Value> {
    values.first().ok_or_else(|| Error::internal(format!("{} takes an argument", context.name)))
}

/// A text made of one text.
fn rewrite(
    values: &[Value],
    context: &KernelContext<'_>,
    write: impl Fn(&str, &mut String),
) -> Result<ArrayRef> {
    let value = one(values, context)?;
    let texts = TextLane::new(value)?;
    let nulls = strict_nulls(&[value], context.rows);
    let result = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        write(texts.get(row), out);
        Ok(true)
    })?;
    Ok(Arc::new(result))
}

fn upper(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    rewrite(values, context, |text, out| {
        if text.is_ascii() {
            let start = out.len();
            out.push_str(text);
            out[start..].make_ascii_uppercase();
        } else {
            out.push_str(&text.to_uppercase());
        }
    })
}

fn lower(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    rewrite(values, context, |text, out| {
        if text.is_ascii() {
            let start = out.len();
            out.push_str(text);
            out[start..].make_ascii_lowercase();
        } else {
            // The standard library knows that a sigma at the end of a word differs.
            out.push_str(&text.to_lowercase());
        }
    })
}

/// Words are runs of ASCII letters and digits; other characters stay as they are.
fn initcap(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    rewrite(values, context, |text, out| {
        let mut starts = true;
        out.extend(text.chars().map(|c| {
            if !c.is_ascii_alphanumeric() {
                starts = true;
                c
            } else if std::mem::take(&mut starts) {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            }
        }));
    })
}

fn reverse(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    rewrite(values, context, |text, out| out.extend(text.chars().rev()))
}

/// Texts without characters at the ends; without `characters`, blanks.
fn trimmed(
    source: &Value,
    characters: Option<&Value>,
    (start, end): (bool, bool),
    context: &KernelContext<'_>,
) -> Result<ArrayRef> {
    let texts = TextLane::new(source)?;
    let sets = characters.map(TextLane::new).transpose()?;
    let inputs: Vec<&Value> = std::iter::once(source).chain(characters).collect();
    let nulls = strict_nulls(&inputs, context.rows);
    let result = vector::map_slice(texts, context.rows, nulls.as_ref(), |row, mut text| {
        let set = sets.map_or(" ", |sets| sets.get(row));
        if let [byte] = set.as_bytes() {
            let c = char::from(*byte);
            text = if start { text.trim_start_matches(c) } else { text };
            return Some(if end { text.trim_end_matches(c) } else { text });
        }
        if start {
            text = text.trim_start_matches(|c: char| set.contains(c));
        }
        if end {
            text = text.trim_end_matches(|c: char| set.contains(c));
        }
        Some(text)
    })?;
    Ok(Arc::new(result))
}

fn trim(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [flag, characters, source] = values else {
        return Err(Error::internal("TRIM takes three arguments"));
    };
    let ends = match vector::constant_text(flag) {
        Some("LEADING") => (true, false),
        Some("TRAILING") => (false, true),
        _ => (true, true),
    };
    trimmed(source, Some(characters), ends, context)
}

fn trim_start(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    trimmed(one(values, context)?, values.get(1), (true, false), context)
}

fn trim_end(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    trimmed(one(values, context)?, values.get(1), (false, true), context)
}

fn trim_both(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    trimmed(one(values, context)?, values.get(1), (true, true), context)
}

/// The byte where character `index` begins; the end if there are fewer characters.
fn byte_of(text: &str, index: usize) -> usize {
    if text.is_ascii() {
        return index.min(text.len());
    }
    text.char_indices().nth(index).map_or(text.len(), |(byte, _)| byte)
}

/// Characters from position `from` on (1 is the first, 0 too, −1 the last), `length` of them. A
/// position before the first character or after the last gives no characters.
fn part(text: &str, from: i64, length: i64) -> &str {
    if from >= 0 && text.is_ascii() {
        let bytes = |n: i64| usize::try_from(n).unwrap_or(usize::MAX);
        let start = bytes(from.max(1) - 1).min(text.len());
        let end = start.saturating_add(bytes(length.max(0))).min(text.len());
        return &text[start..end];
    }
    let start = if from < 0 {
        let characters = text.chars().count() as i64;
        match usize::try_from(characters + from) {
            Ok(start) => start,
            Err(_) => return "",
        }
    } else {
        usize::try_from(from.max(1) - 1).unwrap_or(usize::MAX)
    };
    let rest = &text[byte_of(text, start)..];
    &rest[..byte_of(rest, usize::try_from(length).unwrap_or(0))]
}

fn substring(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let (source, from) = match values {
        [source, from, ..] => (source, from),
        _ => return Err(Error::internal("SUBSTRING takes two or three arguments")),
    };
    let texts = TextLane::new(source)?;
    let starts = Lane::<i32>::new::<Int32Type>(from)?;
    let lengths = values.get(2).map(Lane::<i32>::new::<Int32Type>).transpose()?;
    let inputs: Vec<&Value> = values.iter().collect();
    let nulls = strict_nulls(&inputs, context.rows);
    let result = vector::map_slice(texts, context.rows, nulls.as_ref(), |row, text| {
        let length = lengths.map_or(i64::MAX, |lengths| i64::from(lengths.get(row)));
        (length >= 0).then(|| part(text, i64::from(starts.get(row)), length))
    })?;
    Ok(Arc::new(result))
}

fn end_part(
    values: &[Value],
    context: &KernelContext<'_>,
    take: impl Fn(&str, usize) -> usize,
    from_left: bool,
) -> Result<ArrayRef> {
    let [source, amount] = values else {
        return Err(Error::internal(format!("{} takes two arguments", context.name)));
    };
    let texts = TextLane::new(source)?;
    let amounts = Lane::<i32>::new::<Int32Type>(amount)?;
    let nulls = strict_nulls(&[source, amount], context.rows);
    let result = vector::map_slice(texts, context.rows, nulls.as_ref(), |row, text| {
        let cut = take(text, usize::try_from(amounts.get(row)).unwrap_or(0));
        Some(if from_left { &text[..cut] } else { &text[cut..] })
    })?;
    Ok(Arc::new(result))
}

fn left(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    end_part(values, context, byte_of, true)
}

fn right(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let cut = |text: &str, amount: usize| match amount.checked_sub(1) {
        None => text.len(),
        Some(last) => text.char_indices().rev().nth(last).map_or(0, |(byte, _)| byte),
    };
    end_part(values, context, cut, false)
}

fn char_length(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let value = one(values, context)?;
    let texts = TextLane::new(value)?;
    let nulls = strict_nulls(&[value], context.rows);
    let lengths = (0..context.rows).map(|row| {
        let text = texts.get(row);
        let characters = if text.is_ascii() { text.len() } else { text.chars().count() };
        i32::try_from(characters).unwrap_or(i32::MAX)
    });
    let lengths: Vec<i32> = lengths.collect();
    Ok(Arc::new(Int32Array::new(lengths.into(), nulls)))
}

#[cfg(test)]
mod tests;
