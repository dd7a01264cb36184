//! JSON made of SQL values.

use std::sync::Arc;

use arrow::array::ArrayRef;
use tidegate_json::tree::{Nodes, Tree, write_text};
use tidegate_types::{Error, Result, SqlType, TypeKind};

use super::options::{Named as _, OnNull};
use super::write::{self, Writer};
use crate::function::{Argument, KernelContext, Signature, Value};
use crate::rules::{count, fail, literal_text, text};
use crate::vector::{self, TextLane, constant_text, strict_nulls};

pub(super) fn bind_string(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    write::check(&args[0].ty)?;
    let result = SqlType { kind: TypeKind::STRING, nullable: args[0].ty.nullable };
    Ok(Signature { arguments: vec![args[0].ty.clone()], result })
}

/// A text that is JSON: its value stands for itself in objects and arrays.
pub(super) fn bind_json(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    let result = SqlType { kind: TypeKind::STRING, nullable: args[0].ty.nullable };
    Ok(Signature { arguments: vec![text(args, 0)?], result })
}

/// One letter per value: `r` for a value that is JSON already, `v` for others; then ON NULL.
fn bind_values(args: &[Argument], values: usize) -> Result<Vec<SqlType>> {
    let flags = literal_text(args, 0)?;
    if flags.len() != values {
        return Err(fail("the number of values is another"));
    }
    OnNull::of_argument(args, 1)?;
    Ok(vec![text(args, 0)?, text(args, 1)?])
}

/// Flags, ON NULL, then keys and values in turns.
pub(super) fn bind_object(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=usize::MAX)?;
    let mut arguments = bind_values(args, (args.len() - 2) / 2)?;
    for (index, arg) in args.iter().enumerate().skip(2) {
        if index % 2 == 0 {
            let key = text(args, index)?;
            if key.nullable {
                return Err(fail("the keys of a JSON object cannot be NULL")
                    .help("give a key that is NOT NULL, such as COALESCE(key, '')"));
            }
            arguments.push(key);
        } else {
            write::check(&arg.ty)?;
            arguments.push(arg.ty.clone());
        }
    }
    Ok(Signature { arguments, result: TypeKind::STRING.not_null() })
}

/// Flags, ON NULL, then values.
pub(super) fn bind_array(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=usize::MAX)?;
    let mut arguments = bind_values(args, args.len() - 2)?;
    for arg in &args[2..] {
        write::check(&arg.ty)?;
        arguments.push(arg.ty.clone());
    }
    Ok(Signature { arguments, result: TypeKind::STRING.not_null() })
}

pub(super) fn string(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [value] = values else { return Err(Error::internal("JSON_STRING takes a value")) };
    let writer = Writer::new(value.array(), &context.arguments[0], context.zone)?;
    let nulls = strict_nulls(&[value], context.rows);
    let texts = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        writer.write(row * value.step(), out)?;
        Ok(true)
    })?;
    Ok(Arc::new(texts))
}

pub(super) fn json(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [value] = values else { return Err(Error::internal("JSON takes a text")) };
    let texts = TextLane::new(value)?;
    let nulls = strict_nulls(&[value], context.rows);
    let mut nodes = Nodes::default();
    let made = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        if texts.get(row).trim().is_empty() {
            // Nothing is null, as for Jackson.
            out.push_str("null");
            return Ok(true);
        }
        let tree = nodes.read(texts.get(row)).map_err(|fault| {
            let text: String = texts.get(row).chars().take(100).collect();
            context
                .error(format!("'{text}' is not JSON: {} (byte {})", fault.message, fault.offset))
        })?;
        tree.write(Tree::ROOT, out);
        Ok(true)
    })?;
    Ok(Arc::new(made))
}

/// The writers of values; `values` and `types` start behind flags and ON NULL.
fn writers<'a>(
    flags: &str,
    values: impl Iterator<Item = (&'a Value, &'a SqlType)>,
    context: &KernelContext<'_>,
) -> Result<Vec<(Writer<'a>, usize)>> {
    flags
        .bytes()
        .zip(values)
        .map(|(flag, (value, ty))| {
            let writer = match flag {
                b'r' => Writer::raw(value.array())?,
                _ => Writer::new(value.array(), ty, context.zone)?,
            };
            Ok((writer, value.step()))
        })
        .collect()
}

fn flags(values: &[Value]) -> Result<&str> {
    // A call without values has empty flags.
    let flags = values.first().and_then(constant_text);
    flags.ok_or_else(|| Error::internal("a JSON constructor without flags"))
}

pub(super) fn object(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let on_null = OnNull::of_value(values, 1, context)?;
    let keys = values[2..].iter().step_by(2).map(TextLane::new).collect::<Result<Vec<_>>>()?;
    let typed = values.iter().zip(context.arguments).skip(3).step_by(2);
    let writers = writers(flags(values)?, typed, context)?;
    let texts = vector::map_text(context.rows, None, |row, out| {
        out.push('{');
        // Of equal keys the last value stays, at the place of the first.
        let mut members: Vec<(&str, &Writer<'_>, usize)> = Vec::with_capacity(keys.len());
        for (key, (writer, step)) in keys.iter().zip(&writers) {
            let at = row * step;
            if on_null == OnNull::Absent && writer.is_null(at) {
                continue;
            }
            let key = key.get(row);
            match members.iter_mut().find(|(known, ..)| *known == key) {
                Some(member) => *member = (key, writer, at),
                None => members.push((key, writer, at)),
            }
        }
        members.sort_by(|(a, ..), (b, ..)| a.encode_utf16().cmp(b.encode_utf16()));
        for (index, (key, writer, at)) in members.into_iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            write_text(key, out);
            out.push(':');
            writer.write(at, out)?;
        }
        out.push('}');
        Ok(true)
    })?;
    Ok(Arc::new(texts))
}

pub(super) fn array(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let on_null = OnNull::of_value(values, 1, context)?;
    let typed = values.iter().zip(context.arguments).skip(2);
    let writers = writers(flags(values)?, typed, context)?;
    let texts = vector::map_text(context.rows, None, |row, out| {
        out.push('[');
        let mut is_first = true;
        for (writer, step) in &writers {
            let at = row * step;
            if on_null == OnNull::Absent && writer.is_null(at) {
                continue;
            }
            if !std::mem::take(&mut is_first) {
                out.push(',');
            }
            writer.write(at, out)?;
        }
        out.push(']');
        Ok(true)
    })?;
    Ok(Arc::new(texts))
}
