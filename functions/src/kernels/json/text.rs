//! Texts as JSON: what they are, and JSON strings.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use tidegate_json::string::unescape;
use tidegate_json::tree::{Kind, Nodes, Tree};
use tidegate_types::{Error, Result, TypeKind};

use crate::function::{Argument, KernelContext, Signature, Value};
use crate::rules::{count, text, texts_to};
use crate::vector::{self, TextLane, strict_nulls};

pub(super) fn bind_test(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    Ok(Signature { arguments: vec![text(args, 0)?], result: TypeKind::Boolean.not_null() })
}

pub(super) fn bind_text(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    texts_to(args, TypeKind::STRING)
}

fn one<'a>(values: &'a [Value], context: &KernelContext<'_>) -> Result<&'a Value> {
    values.first().ok_or_else(|| Error::internal(format!("{} takes an argument", context.name)))
}

/// NULL is no JSON.
fn test(
    values: &[Value],
    context: &KernelContext<'_>,
    accepts: impl Fn(Kind) -> bool,
) -> Result<ArrayRef> {
    let value = one(values, context)?;
    let texts = TextLane::new(value)?;
    let mut nodes = Nodes::default();
    let result = vector::map_boolean(context.rows, None, |row| {
        value.array().is_valid(row * value.step())
            && nodes.read(texts.get(row)).is_ok_and(|tree| accepts(tree.kind(Tree::ROOT)))
    });
    Ok(Arc::new(result))
}

pub(super) fn is_value(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    test(values, context, |_| true)
}

pub(super) fn is_object(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    test(values, context, |kind| matches!(kind, Kind::Object(_)))
}

pub(super) fn is_array(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    test(values, context, |kind| matches!(kind, Kind::Array(_)))
}

pub(super) fn is_scalar(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    test(values, context, |kind| !matches!(kind, Kind::Array(_) | Kind::Object(_)))
}

/// Slashes and everything beyond ASCII are escaped, unlike elsewhere, as Flink does.
pub(super) fn quote(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let value = one(values, context)?;
    let texts = TextLane::new(value)?;
    let nulls = strict_nulls(&[value], context.rows);
    let quoted = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        use std::fmt::Write as _;
        out.push('"');
        for c in texts.get(row).chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '/' => out.push_str("\\/"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                ' '..='~' => out.push(c),
                other => {
                    for unit in other.encode_utf16(&mut [0; 2]) {
                        write!(out, "\\u{unit:04x}")
                            .map_err(|error| Error::internal(error.to_string()))?;
                    }
                }
            }
        }
        out.push('"');
        Ok(true)
    })?;
    Ok(Arc::new(quoted))
}

/// A text that is no JSON string stays as it is.
pub(super) fn unquote(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let value = one(values, context)?;
    let texts = TextLane::new(value)?;
    let nulls = strict_nulls(&[value], context.rows);
    let mut bytes = Vec::new();
    let unquoted = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        let text = texts.get(row);
        let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        match inner.filter(|_| is_json_string(text)) {
            Some(inner) => {
                bytes.clear();
                if unescape(inner.as_bytes(), &mut bytes).is_ok() {
                    out.push_str(&String::from_utf8_lossy(&bytes));
                } else {
                    out.push_str(text);
                }
            }
            None => out.push_str(text),
        }
        Ok(true)
    })?;
    Ok(Arc::new(unquoted))
}

fn is_json_string(text: &str) -> bool {
    let mut nodes = Nodes::default();
    nodes.read(text).is_ok_and(|tree| {
        matches!(tree.kind(Tree::ROOT), Kind::String { .. })
            && tree.raw(Tree::ROOT).len() + 2 == text.len()
    })
}
