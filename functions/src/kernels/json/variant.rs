//! VARIANT: `PARSE_JSON`, `TRY_PARSE_JSON`, and access to elements.
//!
//! A VARIANT is kept as JSON text in one form: keys sorted, no white space, numbers as the narrowest
//! of BIGINT, DECIMAL and DOUBLE that holds them shows them. So equal values are equal texts.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::Int32Type;
use tidegate_json::tree::{Kind, NodeId, Nodes, Tree, write_text};
use tidegate_types::{Error, Result, SqlType, TypeKind};

use crate::float_text::{parse_f64, write_f64};
use crate::function::{Argument, KernelContext, Signature, Value};
use crate::rules::{any_nullable, boolean, count, text};
use crate::vector::{self, Lane, TextLane, strict_nulls};

/// Digits that a DECIMAL holds.
const DECIMAL_DIGITS: usize = 38;

pub(super) fn bind_parse(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=2)?;
    let mut arguments = vec![text(args, 0)?];
    if args.len() == 2 {
        arguments.push(boolean(args, 1)?);
    }
    let result = SqlType { kind: TypeKind::Variant, nullable: any_nullable(args) };
    Ok(Signature { arguments, result })
}

pub(super) fn bind_try_parse(args: &[Argument]) -> Result<Signature> {
    let mut signature = bind_parse(args)?;
    signature.result.nullable = true;
    Ok(signature)
}

/// Appends a value in its one form; or says which key an object has twice.
fn write(
    tree: &Tree<'_>,
    node: NodeId,
    twice: bool,
    out: &mut String,
) -> std::result::Result<(), String> {
    match tree.kind(node) {
        Kind::Integer | Kind::Decimal => number(tree.raw(node), out),
        Kind::Array(_) => {
            out.push('[');
            for (index, element) in tree.elements(node).enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(tree, element, twice, out)?;
            }
            out.push(']');
        }
        Kind::Object(_) => {
            if !twice {
                let mut known = HashSet::new();
                for (key, _) in tree.members(node) {
                    let key = tree.string(key);
                    if known.contains(&key) {
                        return Err(format!("the key '{key}' stands there twice"));
                    }
                    known.insert(key);
                }
            }
            let mut members = tree.distinct_members(node);
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(key, out);
                out.push(':');
                write(tree, *value, twice, out)?;
            }
            out.push('}');
        }
        _ => tree.write(node, out),
    }
    Ok(())
}

fn number(text: &str, out: &mut String) {
    if let Ok(number) = text.parse::<i64>() {
        out.push_str(&number.to_string());
        return;
    }
    let digits = text.trim_start_matches('-').bytes().filter(u8::is_ascii_digit).count();
    if digits <= DECIMAL_DIGITS && !text.contains(['e', 'E']) {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let fraction = fraction.trim_end_matches('0');
        let zero = fraction.is_empty() && whole.trim_start_matches('-') == "0";
        out.push_str(if zero { "0" } else { whole });
        if !fraction.is_empty() {
            out.push('.');
            out.push_str(fraction);
        }
        return;
    }
    write_f64(parse_f64(text).unwrap_or(f64::NAN), out);
}

fn parsed(values: &[Value], context: &KernelContext<'_>, fails: bool) -> Result<ArrayRef> {
    let [source, rest @ ..] = values else {
        return Err(Error::internal(format!("{} takes a text", context.name)));
    };
    let texts = TextLane::new(source)?;
    let twice = match rest.first() {
        Some(value) => Some((vector::booleans(value.array())?, value.step())),
        None => None,
    };
    let nulls = strict_nulls(&values.iter().collect::<Vec<_>>(), context.rows);
    let mut nodes = Nodes::default();
    let made = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        let twice = twice.is_some_and(|(array, step)| array.value(row * step));
        let text = texts.get(row);
        let outcome = match nodes.read(text) {
            Ok(tree) => write(&tree, Tree::ROOT, twice, out),
            Err(fault) => Err(format!("at byte {}, {}", fault.offset, fault.message)),
        };
        match outcome {
            Ok(()) => Ok(true),
            Err(_) if !fails => Ok(false),
            Err(reason) => {
                let shown: String = text.chars().take(100).collect();
                Err(context
                    .error(format!("'{shown}' is not JSON: {reason}"))
                    .help("TRY_PARSE_JSON gives NULL for such texts"))
            }
        }
    })?;
    Ok(Arc::new(made))
}

pub(super) fn parse(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    parsed(values, context, true)
}

pub(super) fn try_parse(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    parsed(values, context, false)
}

/// `variant['key']` and `variant[1]`: NULL where there is nothing.
pub(in crate::kernels) fn item(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [variant, key] = values else {
        return Err(Error::internal("ITEM takes two arguments"));
    };
    let texts = TextLane::new(variant)?;
    let by_name = context.arguments[1].kind.is_text();
    let names = if by_name { Some(TextLane::new(key)?) } else { None };
    let numbers = if by_name { None } else { Some(Lane::<i32>::new::<Int32Type>(key)?) };
    let nulls = strict_nulls(&[variant, key], context.rows);
    let mut nodes = Nodes::default();
    let made = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        let tree = nodes
            .read(texts.get(row))
            .map_err(|fault| Error::internal(format!("a VARIANT is no JSON: {}", fault.message)))?;
        let found = match (&names, &numbers, tree.kind(Tree::ROOT)) {
            (Some(names), _, Kind::Object(_)) => tree.member(Tree::ROOT, names.get(row)),
            (_, Some(numbers), Kind::Array(_)) => {
                let index = usize::try_from(numbers.get(row)).ok().and_then(|n| n.checked_sub(1));
                index.and_then(|index| tree.elements(Tree::ROOT).nth(index))
            }
            (Some(_), ..) => return Err(context.error("a VARIANT that is no object has no keys")),
            _ => return Err(context.error("a VARIANT that is no array has no numbered elements")),
        };
        match found {
            // What is stored is in its one form, and so is each part of it.
            Some(node) => {
                write(&tree, node, true, out).map(|()| true).map_err(|e| context.error(e))
            }
            None => Ok(false),
        }
    })?;
    Ok(Arc::new(made))
}

#[cfg(test)]
mod tests {
    use crate::testing::{call, failure, int, over, show, text, type_of};

    #[test]
    fn variants_have_one_form() {
        let of = |json: &str| show(&call("PARSE_JSON", vec![text(json)]));
        for (json, wanted) in [
            (r#" {"b": 1.10, "a": [1e2, null] } "#, r#"{"a":[100.0,null],"b":1.1}"#),
            ("-0.0", "0"),
            ("12345678901234567890", "12345678901234567890"),
            ("12345678901234567890123456789012345678901", "1.2345678901234568E40"),
        ] {
            assert_eq!(of(json).as_deref(), Some(wanted), "{json}");
        }
        assert_eq!(type_of(&call("PARSE_JSON", vec![text("1")])), "VARIANT NOT NULL");
        let twice = failure(&call("PARSE_JSON", vec![text(r#"{"a":1,"a":2}"#)]));
        assert!(twice.to_string().contains("twice"), "{twice}");
        let got = over(&[Some("{"), Some("[]"), None], |s| call("TRY_PARSE_JSON", vec![s]));
        assert_eq!(got, [None, Some("[]".to_owned()), None]);
    }

    #[test]
    fn elements_of_variants() {
        let json = || call("PARSE_JSON", vec![text(r#"{"a":{"b":[10,20]},"n":null}"#)]);
        let a = call("ITEM", vec![json(), text("a")]);
        let b = call("ITEM", vec![a.clone(), text("b")]);
        assert_eq!(show(&a).as_deref(), Some(r#"{"b":[10,20]}"#));
        assert_eq!(show(&call("ITEM", vec![b.clone(), int(2)])).as_deref(), Some("20"));
        assert_eq!(show(&call("ITEM", vec![b.clone(), int(3)])), None);
        assert_eq!(show(&call("ITEM", vec![json(), text("n")])).as_deref(), Some("null"));
        assert_eq!(show(&call("ITEM", vec![json(), text("x")])), None);
        assert!(failure(&call("ITEM", vec![b, text("x")])).to_string().contains("no object"));
    }
}
