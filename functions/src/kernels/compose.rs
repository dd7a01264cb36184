//! Texts joined, replaced in, and taken apart at separators.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{Int32Type, Int64Type};
use tidegate_types::sql_type::MAX_LENGTH;
use tidegate_types::{Error, Result, TypeKind};

use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{count, int, may_be_null, strict, text, texts_to};
use crate::vector::{self, Lane, TextLane, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("||", "The two texts joined", bind_joined, concat),
    Function::new("CONCAT", "The texts joined", bind_concat, concat),
    Function::new("CONCAT_WS", "Texts joined with a separator", bind_concat, concat_ws),
    Function::new("REPLACE", "The text with one part replaced everywhere", bind_replace, replace),
    Function::new("TRANSLATE", "The text with characters exchanged", bind_replace, translate)
        .aliases(&["TRANSLATE3"]),
    Function::new(
        "SPLIT_INDEX",
        "The part of a number, from 0, between separators",
        bind_split,
        split_index,
    ),
    Function::new("COUNT_CHAR", "How often a character occurs", bind_count_char, count_char),
];

fn bind_joined(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    let (left, right) = (text(args, 0)?, text(args, 1)?);
    let length = |kind: &TypeKind| match kind {
        TypeKind::Char { length } | TypeKind::VarChar { length } => *length,
        _ => MAX_LENGTH,
    };
    let total = length(&left.kind).saturating_add(length(&right.kind)).min(MAX_LENGTH);
    let fixed = [&left, &right].iter().all(|ty| matches!(ty.kind, TypeKind::Char { .. }));
    let result =
        if fixed { TypeKind::Char { length: total } } else { TypeKind::VarChar { length: total } };
    Ok(strict(args, vec![left, right], result))
}

fn bind_concat(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=usize::MAX)?;
    texts_to(args, TypeKind::STRING)
}

fn bind_replace(args: &[Argument]) -> Result<Signature> {
    count(args, 3..=3)?;
    texts_to(args, TypeKind::STRING)
}

fn bind_split(args: &[Argument]) -> Result<Signature> {
    count(args, 3..=3)?;
    let arguments = vec![text(args, 0)?, text(args, 1)?, int(args, 2)?];
    Ok(may_be_null(arguments, TypeKind::STRING))
}

fn bind_count_char(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    let arguments = vec![text(args, 0)?, text(args, 1)?];
    Ok(Signature { arguments, result: TypeKind::BigInt.not_null() })
}

fn one<'a>(values: &'a [Value], context: &KernelContext<'_>) -> Result<&'a Value> {
    values.first().ok_or_else(|| Error::internal(format!("{} takes an argument", context.name)))
}

fn concat(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let lanes = values.iter().map(TextLane::new).collect::<Result<Vec<_>>>()?;
    let inputs: Vec<&Value> = values.iter().collect();
    let nulls = strict_nulls(&inputs, context.rows);
    let result = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        lanes.iter().for_each(|lane| out.push_str(lane.get(row)));
        Ok(true)
    })?;
    Ok(Arc::new(result))
}

/// NULL without a separator; arguments that are NULL are left out.
fn concat_ws(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let separator = one(values, context)?;
    let separators = TextLane::new(separator)?;
    let parts = values[1..].iter().map(TextLane::new).collect::<Result<Vec<_>>>()?;
    let nulls = strict_nulls(&[separator], context.rows);
    let present = |index: usize, row: usize| {
        let value = &values[index + 1];
        value.array().is_valid(row * value.step())
    };
    let result = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        let mut first = true;
        for (index, part) in parts.iter().enumerate() {
            if present(index, row) {
                if !std::mem::take(&mut first) {
                    out.push_str(separators.get(row));
                }
                out.push_str(part.get(row));
            }
        }
        Ok(true)
    })?;
    Ok(Arc::new(result))
}

/// The three texts of each row.
fn with_three(
    values: &[Value],
    context: &KernelContext<'_>,
    write: impl Fn(&str, &str, &str, &mut String),
) -> Result<ArrayRef> {
    let [source, second, third] = values else {
        return Err(Error::internal(format!("{} takes three arguments", context.name)));
    };
    let (a, b, c) = (TextLane::new(source)?, TextLane::new(second)?, TextLane::new(third)?);
    let nulls = strict_nulls(&[source, second, third], context.rows);
    let result = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        write(a.get(row), b.get(row), c.get(row), out);
        Ok(true)
    })?;
    Ok(Arc::new(result))
}

fn replace(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    with_three(values, context, |text, search, replacement, out| {
        let mut end = 0;
        for (start, found) in text.match_indices(search) {
            out.push_str(&text[end..start]);
            out.push_str(replacement);
            end = start + found.len();
        }
        out.push_str(&text[end..]);
    })
}

/// Characters without a counterpart are left out.
fn translate(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    with_three(values, context, |text, from, to, out| {
        for c in text.chars() {
            match from.chars().position(|known| known == c) {
                None => out.push(c),
                Some(index) => out.extend(to.chars().nth(index)),
            }
        }
    })
}

fn split_index(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [source, separator, index] = values else {
        return Err(Error::internal("SPLIT_INDEX takes three arguments"));
    };
    let (texts, separators) = (TextLane::new(source)?, TextLane::new(separator)?);
    let indices = Lane::<i32>::new::<Int32Type>(index)?;
    let nulls = strict_nulls(&[source, separator, index], context.rows);
    let result = vector::map_slice(context.rows, nulls.as_ref(), |row| {
        let (text, separator) = (texts.get(row), separators.get(row));
        let index = usize::try_from(indices.get(row)).ok()?;
        if text.is_empty() {
            None
        } else if separator.is_empty() {
            // Java's splitting by nothing splits at white space.
            text.split(char::is_whitespace).nth(index)
        } else {
            text.split(separator).nth(index)
        }
    })?;
    Ok(Arc::new(result))
}

/// Counts a byte, as the function of the Nexmark benchmark does; none in a NULL.
fn count_char(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [source, wanted] = values else {
        return Err(Error::internal("COUNT_CHAR takes two arguments"));
    };
    let (texts, wanted_texts) = (TextLane::new(source)?, TextLane::new(wanted)?);
    let nulls = strict_nulls(&[source, wanted], context.rows);
    let counts = vector::map_rows::<Int64Type>(context.rows, None, |row| {
        if !vector::valid(nulls.as_ref(), row) {
            return Ok(Some(0));
        }
        let Some(byte) = wanted_texts.get(row).bytes().next() else {
            return Ok(Some(0));
        };
        let occurrences = memchr::memchr_iter(byte, texts.get(row).as_bytes()).count();
        Ok(Some(occurrences as i64))
    })?;
    Ok(Arc::new(counts))
}

#[cfg(test)]
mod tests;
