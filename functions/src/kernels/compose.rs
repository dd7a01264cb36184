//! Texts joined, replaced in, and taken apart at separators.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryViewBuilder};
use arrow::datatypes::{Int32Type, Int64Type};
use memchr::memmem::Finder;
use tidegate_types::sql_type::MAX_LENGTH;
use tidegate_types::{Error, Result, TypeKind};

use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{bytes, count, int, may_be_null, strict, text, texts_to};
use crate::vector::{self, Lane, TextLane, strict_nulls};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("||", "The two texts joined", bind_joined, joined),
    Function::new("CONCAT", "The texts joined", bind_concat, concat),
    Function::new("CONCAT_WS", "Texts joined with a separator", bind_concat, concat_ws),
    Function::new("REPLACE", "The text with one part replaced everywhere", bind_replace, replace),
    Function::new("TRANSLATE", "The text with characters exchanged", bind_translate, translate)
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
    if args[0].ty.kind.is_binary() {
        return bind_joined_bytes(args);
    }
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

fn bind_joined_bytes(args: &[Argument]) -> Result<Signature> {
    let (left, right) = (bytes(args, 0)?, bytes(args, 1)?);
    let length = |kind: &TypeKind| match kind {
        TypeKind::Binary { length } | TypeKind::VarBinary { length } => *length,
        _ => MAX_LENGTH,
    };
    let length = length(&left.kind).saturating_add(length(&right.kind)).min(MAX_LENGTH);
    let fixed = [&left, &right].iter().all(|ty| matches!(ty.kind, TypeKind::Binary { .. }));
    let result = if fixed { TypeKind::Binary { length } } else { TypeKind::VarBinary { length } };
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

/// Only a NULL text gives NULL.
fn bind_translate(args: &[Argument]) -> Result<Signature> {
    let mut signature = bind_replace(args)?;
    signature.result.nullable = args[0].ty.nullable;
    Ok(signature)
}

fn bind_split(args: &[Argument]) -> Result<Signature> {
    count(args, 3..=3)?;
    // A number is the code of the separator.
    let separator = if args[1].ty.kind.is_integer() { int(args, 1)? } else { text(args, 1)? };
    Ok(may_be_null(vec![text(args, 0)?, separator, int(args, 2)?], TypeKind::STRING))
}

fn bind_count_char(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    let arguments = vec![text(args, 0)?, text(args, 1)?];
    Ok(Signature { arguments, result: TypeKind::BigInt.not_null() })
}

fn one<'a>(values: &'a [Value], context: &KernelContext<'_>) -> Result<&'a Value> {
    values.first().ok_or_else(|| Error::internal(format!("{} takes an argument", context.name)))
}

fn joined(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let ([left, right], true) = (values, context.result.kind.is_binary()) else {
        return concat(values, context);
    };
    let (first, second) = (vector::binaries(left.array())?, vector::binaries(right.array())?);
    let nulls = strict_nulls(&[left, right], context.rows);
    let mut builder = BinaryViewBuilder::with_capacity(context.rows);
    let mut bytes = Vec::new();
    for row in 0..context.rows {
        if !vector::valid(nulls.as_ref(), row) {
            builder.append_null();
            continue;
        }
        bytes.clear();
        bytes.extend_from_slice(first.value(row * left.step()));
        bytes.extend_from_slice(second.value(row * right.step()));
        builder.try_append_value(&bytes).map_err(vector::arrow_error)?;
    }
    Ok(Arc::new(builder.finish()))
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
    // One finder for all rows, if they look for the same.
    let fixed = values.get(1).and_then(vector::constant_text).filter(|search| !search.is_empty());
    let finder = fixed.map(Finder::new);
    with_three(values, context, |text, search, replacement, out| {
        let mut end = 0;
        let mut replace = |start: usize| {
            out.push_str(&text[end..start]);
            out.push_str(replacement);
            end = start + search.len();
        };
        match &finder {
            Some(finder) => finder.find_iter(text.as_bytes()).for_each(&mut replace),
            None => text.match_indices(search).for_each(|(start, _)| replace(start)),
        }
        out.push_str(&text[end..]);
    })
}

/// Characters without a counterpart are left out; a NULL is no characters.
fn translate(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [source, from, to] = values else {
        return Err(Error::internal("TRANSLATE takes three arguments"));
    };
    let (texts, froms, tos) = (TextLane::new(source)?, TextLane::new(from)?, TextLane::new(to)?);
    let or_nothing = |value: &Value, lane: &TextLane<'_>, row: usize| -> String {
        match value.array().is_valid(row * value.step()) {
            true => lane.get(row).to_owned(),
            false => String::new(),
        }
    };
    let fixed = from.is_constant() && to.is_constant();
    let mut tables = (String::new(), String::new());
    let nulls = strict_nulls(&[source], context.rows);
    let result = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        if !fixed || row == 0 {
            tables = (or_nothing(from, &froms, row), or_nothing(to, &tos, row));
        }
        for c in texts.get(row).chars() {
            match tables.0.chars().position(|known| known == c) {
                None => out.push(c),
                Some(index) => out.extend(tables.1.chars().nth(index)),
            }
        }
        Ok(true)
    })?;
    Ok(Arc::new(result))
}

fn split_index(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [source, separator, index] = values else {
        return Err(Error::internal("SPLIT_INDEX takes three arguments"));
    };
    let coded;
    let separator = if context.arguments[1].kind.is_integer() {
        let codes = Lane::<i32>::new::<Int32Type>(separator)?;
        let texts = (0..separator.array().len()).map(|at| {
            let code = u32::try_from(codes.get(at)).ok().and_then(char::from_u32);
            separator.array().is_valid(at).then(|| code.unwrap_or('\0').to_string())
        });
        let texts: ArrayRef = Arc::new(texts.collect::<arrow::array::StringViewArray>());
        coded = match separator.is_constant() {
            true => Value::Constant(texts),
            false => Value::Array(texts),
        };
        &coded
    } else {
        separator
    };
    let (texts, separators) = (TextLane::new(source)?, TextLane::new(separator)?);
    let indices = Lane::<i32>::new::<Int32Type>(index)?;
    let nulls = strict_nulls(&[source, separator, index], context.rows);
    let result = vector::map_slice(texts, context.rows, nulls.as_ref(), |row, text| {
        let separator = separators.get(row);
        let index = usize::try_from(indices.get(row)).ok()?;
        if text.is_empty() {
            None
        } else if separator.is_empty() {
            // Java's splitting by nothing splits at its white space, which no-break spaces are not.
            let splits = |c: char| c.is_whitespace() && !"\u{a0}\u{2007}\u{202f}\u{85}".contains(c);
            text.split(splits).nth(index)
        } else {
            match separator.as_bytes() {
                [byte] => text.split(char::from(*byte)).nth(index),
                _ => text.split(separator).nth(index),
            }
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
