//! What JSON_ARRAYAGG and JSON_OBJECTAGG make of the values of a group, which ARRAY_AGG gathers.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _};
use tidegate_json::tree::write_text;
use tidegate_types::{Error, ErrorCode, Result, SqlType, TypeKind};

use super::options::{Named as _, OnNull};
use super::write::{self, Writer};
use crate::function::{Argument, KernelContext, Signature, Value};
use crate::rules::{count, element, fail, literal_text, text};
use crate::vector;

/// The length that Flink gives to the type of both.
const RESULT: TypeKind = TypeKind::VarChar { length: 2_000 };

/// Flags, ON NULL, the array of a group's values.
pub(super) fn bind_array(args: &[Argument]) -> Result<Signature> {
    count(args, 3..=3)?;
    check_value(args, element(args, 2)?)?;
    signature(args)
}

/// Flags, ON NULL, the array of rows of key and value.
pub(super) fn bind_object(args: &[Argument]) -> Result<Signature> {
    count(args, 3..=3)?;
    match &element(args, 2)?.kind {
        TypeKind::Row(fields) | TypeKind::Structured { fields, .. } if fields.len() == 2 => {
            if !fields[0].ty.kind.is_text() {
                return Err(fail(format!("the keys are {}, expected texts", fields[0].ty.kind))
                    .help("convert them with CAST(… AS STRING)"));
            }
            check_value(args, &fields[1].ty)?;
        }
        other => return Err(fail(format!("{other} has no key and value"))),
    }
    signature(args)
}

fn check_value(args: &[Argument], ty: &SqlType) -> Result<()> {
    literal_text(args, 0)?;
    OnNull::of_argument(args, 1)?;
    write::check(ty)
}

fn signature(args: &[Argument]) -> Result<Signature> {
    let arguments = vec![text(args, 0)?, text(args, 1)?, args[2].ty.clone()];
    Ok(Signature { arguments, result: RESULT.not_null() })
}

/// A writer of values that are JSON already (flag `r`), or of others.
fn writer<'a>(
    values: &'a [Value],
    array: &'a ArrayRef,
    ty: &'a SqlType,
    context: &KernelContext<'_>,
) -> Result<Writer<'a>> {
    match vector::constant_text(&values[0]) {
        Some("r") => Writer::raw(array),
        _ => Writer::new(array, ty, context.zone),
    }
}

/// The places of a row's elements; none of a group without rows.
fn places(list: &arrow::array::ListArray, at: usize) -> std::ops::Range<usize> {
    match list.is_valid(at) {
        true => list.offsets()[at] as usize..list.offsets()[at + 1] as usize,
        false => 0..0,
    }
}

fn inner<'t>(context: &KernelContext<'t>) -> Result<&'t SqlType> {
    match context.arguments.get(2).map(|ty| &ty.kind) {
        Some(TypeKind::Array(element)) => Ok(element),
        _ => Err(Error::internal("the values of a group are an array")),
    }
}

pub(super) fn array(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let on_null = OnNull::of_value(values, 1, context)?;
    let list = vector::lists(values[2].array())?;
    let writer = writer(values, list.values(), inner(context)?, context)?;
    let texts = vector::map_text(context.rows, None, |row, out| {
        out.push('[');
        let mut is_first = true;
        for place in places(list, row * values[2].step()) {
            if on_null == OnNull::Absent && writer.is_null(place) {
                continue;
            }
            if !std::mem::take(&mut is_first) {
                out.push(',');
            }
            writer.write(place, out)?;
        }
        out.push(']');
        Ok(true)
    })?;
    Ok(Arc::new(texts))
}

fn failure(what: &str) -> Error {
    Error::new(ErrorCode::Evaluation, format!("JSON_OBJECTAGG: {what}"))
}

pub(super) fn object(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let on_null = OnNull::of_value(values, 1, context)?;
    let list = vector::lists(values[2].array())?;
    let TypeKind::Row(fields) = &inner(context)?.kind else {
        return Err(Error::internal("the values of a group are rows"));
    };
    let rows = vector::structs(list.values())?;
    let keys = rows.column(0).as_string_view();
    let writer = writer(values, rows.column(1), &fields[1].ty, context)?;
    let texts = vector::map_text(context.rows, None, |row, out| {
        // Keys in their order by UTF-16 units.
        let mut members: Vec<(&str, usize)> = Vec::new();
        for place in places(list, row * values[2].step()) {
            if keys.is_null(place) {
                return Err(failure("a key is NULL"));
            }
            if on_null == OnNull::Null || !writer.is_null(place) {
                members.push((keys.value(place), place));
            }
        }
        members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
        if let Some(pair) = members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(failure(&format!("the key '{}' is there twice", pair[0].0)));
        }
        out.push('{');
        let mut is_first = true;
        for (key, place) in &members {
            if !std::mem::take(&mut is_first) {
                out.push(',');
            }
            write_text(key, out);
            out.push(':');
            writer.write(*place, out)?;
        }
        out.push('}');
        Ok(true)
    })?;
    Ok(Arc::new(texts))
}

#[cfg(test)]
mod tests {
    use crate::testing::{call, failure, int, null, show, text, try_call};
    use tidegate_plan::Expr;
    use tidegate_types::TypeKind;

    fn gathered(name: &str, on_null: &str, array: Expr) -> Option<String> {
        show(&call(name, vec![text("v"), text(on_null), array]))
    }

    #[test]
    fn arrays_of_a_group() {
        let array = || call("ARRAY", vec![int(1), null(TypeKind::Int), int(2)]);
        let of = |on_null| gathered("$JSON_ARRAY_OF", on_null, array());
        assert_eq!(of("ABSENT").as_deref(), Some("[1,2]"));
        assert_eq!(of("NULL").as_deref(), Some("[1,null,2]"));
        let nothing = null(TypeKind::Array(Box::new(TypeKind::Int.nullable())));
        assert_eq!(gathered("$JSON_ARRAY_OF", "NULL", nothing).as_deref(), Some("[]"));
    }

    #[test]
    fn objects_of_a_group() {
        let row = |key, value| call("ROW", vec![text(key), int(value)]);
        let rows = call("ARRAY", vec![row("b", 1), row("a", 2)]);
        let object = gathered("$JSON_OBJECT_OF", "NULL", rows);
        assert_eq!(object.as_deref(), Some(r#"{"a":2,"b":1}"#));

        let rows = call("ARRAY", vec![row("b", 1), row("a", 2), row("b", 3)]);
        let twice = try_call("$JSON_OBJECT_OF", vec![text("v"), text("NULL"), rows]).unwrap();
        assert!(failure(&twice).to_string().contains("the key 'b' is there twice"));
    }
}
