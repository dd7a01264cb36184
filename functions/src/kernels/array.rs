//! Arrays and maps taken apart and searched: ARRAY_CONTAINS and relatives, MAP_KEYS, SPLIT.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, ListArray, ListBuilder, StringViewBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type};
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Error, Result, SqlType, TypeKind};

use super::collection::{equality, take_places};
use crate::coercion::common_type;
use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{any_nullable, count, element, fail, strict, text};
use crate::vector::{self, TextLane, null_in_not_null, retype, strict_nulls, valid};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("ARRAY_CONTAINS", "Whether an array has an element", bind_contains, contains),
    Function::new("ARRAY_POSITION", "Where an element is first, from 1", bind_position, position),
    Function::new("ARRAY_DISTINCT", "The elements, each once", bind_same, distinct),
    Function::new("ARRAY_REVERSE", "The elements in reverse order", bind_same, reverse),
    Function::new("MAP_KEYS", "The keys of a map", bind_keys, keys),
    Function::new("MAP_VALUES", "The values of a map", bind_values, map_values),
    Function::new(
        "$COPIES",
        "An array of a length, for rows that stand several times",
        bind_copies,
        copies,
    ),
    Function::new("SPLIT", "The parts of a text between separators", bind_split, split),
];

fn bind_copies(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    let list = TypeKind::Array(Box::new(TypeKind::Int.not_null()));
    Ok(strict(args, vec![TypeKind::BigInt.nullable()], list))
}

/// 1 to the length; none for a length below 1.
fn copies(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [length] = values else { return Err(Error::internal("$COPIES takes a length")) };
    let lengths = length.to_array(context.rows)?;
    let lengths = lengths.as_primitive::<Int64Type>();
    let length = |row: usize| match lengths.is_valid(row) {
        true => usize::try_from(lengths.value(row)).unwrap_or(0).min(MAX_COPIES),
        false => 0,
    };
    let offsets = OffsetBuffer::from_lengths((0..context.rows).map(length));
    let elements: Int32Array = (0..context.rows).flat_map(|row| 1..=length(row) as i32).collect();
    let field = Arc::new(Field::new_list_field(DataType::Int32, false));
    let list = ListArray::try_new(field, offsets, Arc::new(elements), lengths.nulls().cloned());
    Ok(Arc::new(list.map_err(|error| Error::internal(error.to_string()))?))
}

/// Most copies of a row.
const MAX_COPIES: usize = 1_000_000;

fn bind_search(args: &[Argument], result: TypeKind) -> Result<Signature> {
    count(args, 2..=2)?;
    let common = common_type(&[element(args, 0)?.clone(), args[1].ty.clone()])
        .ok_or_else(|| fail("the array has elements of another type"))?;
    let list = TypeKind::Array(Box::new(common.clone()));
    let array = SqlType { kind: list, nullable: args[0].ty.nullable };
    let result = SqlType { kind: result, nullable: args[0].ty.nullable };
    Ok(Signature { arguments: vec![array, common], result })
}

fn bind_contains(args: &[Argument]) -> Result<Signature> {
    bind_search(args, TypeKind::Boolean)
}

fn bind_position(args: &[Argument]) -> Result<Signature> {
    let mut signature = bind_search(args, TypeKind::Int)?;
    signature.result.nullable = any_nullable(args);
    Ok(signature)
}

fn bind_same(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    element(args, 0)?;
    Ok(Signature { arguments: vec![args[0].ty.clone()], result: args[0].ty.clone() })
}

fn bind_part(args: &[Argument], part: fn(&SqlType, &SqlType) -> SqlType) -> Result<Signature> {
    count(args, 1..=1)?;
    match &args[0].ty.kind {
        TypeKind::Map(key, value) => {
            let list = TypeKind::Array(Box::new(part(key, value)));
            Ok(strict(args, vec![args[0].ty.clone()], list))
        }
        kind => Err(fail(format!("argument 1 is {kind}, expected a map"))),
    }
}

fn bind_keys(args: &[Argument]) -> Result<Signature> {
    bind_part(args, |key, _| key.clone())
}

fn bind_values(args: &[Argument]) -> Result<Signature> {
    bind_part(args, |_, value| value.clone())
}

fn bind_split(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    let list = TypeKind::Array(Box::new(TypeKind::STRING.nullable()));
    Ok(strict(args, vec![text(args, 0)?, text(args, 1)?], list))
}

fn one<'a>(values: &'a [Value], context: &KernelContext<'_>) -> Result<&'a Value> {
    values.first().ok_or_else(|| Error::internal(format!("{} takes an argument", context.name)))
}

/// For each row the place of the wanted element in its array, from 0. NULL is found as NULL.
fn places<'a>(
    values: &'a [Value],
    context: &KernelContext<'_>,
) -> Result<impl Fn(usize) -> Option<usize> + 'a> {
    let [array, wanted] = values else {
        return Err(Error::internal(format!("{} takes two arguments", context.name)));
    };
    let list = vector::lists(array.array())?;
    let equal = equality(list.values(), wanted.array())?;
    let (list_step, wanted_step) = (array.step(), wanted.step());
    Ok(move |row| {
        let offsets = list.offsets();
        let start = offsets[row * list_step] as usize;
        let end = offsets[row * list_step + 1] as usize;
        let found = (start..end).find(|place| equal(*place, row * wanted_step));
        found.map(|place| place - start)
    })
}

fn contains(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let find = places(values, context)?;
    let nulls = strict_nulls(&[one(values, context)?], context.rows);
    Ok(Arc::new(vector::map_boolean(context.rows, nulls, |row| find(row).is_some())))
}

fn position(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let find = places(values, context)?;
    let nulls = strict_nulls(&values.iter().collect::<Vec<_>>(), context.rows);
    let positions = vector::map_rows::<Int32Type>(context.rows, nulls, |row| {
        Ok(Some(find(row).map_or(0, |place| place as i32 + 1)))
    })?;
    Ok(Arc::new(positions))
}

/// Arrays of some of their elements, in an order that `choose` gives.
fn chosen(
    values: &[Value],
    context: &KernelContext<'_>,
    choose: impl Fn(std::ops::Range<usize>, &mut Vec<usize>),
) -> Result<ArrayRef> {
    let value = one(values, context)?;
    let list = vector::lists(value.array())?;
    let nulls = strict_nulls(&[value], context.rows);
    let (mut places, mut lengths) = (Vec::new(), Vec::with_capacity(context.rows));
    for row in 0..context.rows {
        let before = places.len();
        if valid(nulls.as_ref(), row) {
            let at = row * value.step();
            let range = list.offsets()[at] as usize..list.offsets()[at + 1] as usize;
            choose(range, &mut places);
        }
        lengths.push(places.len() - before);
    }
    let DataType::List(item) = data_type(context.result) else {
        return Err(Error::internal(format!("{} does not make an array", context.name)));
    };
    let elements = take_places(list.values(), places.into_iter().map(Some))?;
    let elements = retype(&elements, item.data_type())?;
    let list = ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), elements, nulls);
    Ok(Arc::new(list.map_err(null_in_not_null)?))
}

fn distinct(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let elements = vector::lists(one(values, context)?.array())?.values();
    let equal = equality(elements, elements)?;
    chosen(values, context, |range, places| {
        let first = places.len();
        for place in range {
            if !places[first..].iter().any(|known| equal(*known, place)) {
                places.push(place);
            }
        }
    })
}

fn reverse(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    chosen(values, context, |range, places| places.extend(range.rev()))
}

fn keys(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    part(values, context, 0)
}

fn map_values(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    part(values, context, 1)
}

/// One column of a map's entries, as arrays.
fn part(values: &[Value], context: &KernelContext<'_>, column: usize) -> Result<ArrayRef> {
    let source = one(values, context)?.to_array(context.rows)?;
    let map = vector::maps(&source)?;
    let DataType::List(item) = data_type(context.result) else {
        return Err(Error::internal(format!("{} does not make an array", context.name)));
    };
    let elements = retype(map.entries().column(column), item.data_type())?;
    let list = ListArray::try_new(item, map.offsets().clone(), elements, map.nulls().cloned());
    Ok(Arc::new(list.map_err(null_in_not_null)?))
}

/// Nothing in an empty text; the characters for an empty separator.
fn split(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [text, separator] = values else {
        return Err(Error::internal("SPLIT takes two arguments"));
    };
    let (texts, separators) = (TextLane::new(text)?, TextLane::new(separator)?);
    let nulls = strict_nulls(&[text, separator], context.rows);
    let mut builder = ListBuilder::new(StringViewBuilder::new());
    for row in 0..context.rows {
        if !valid(nulls.as_ref(), row) {
            builder.append_null();
            continue;
        }
        let (text, separator) = (texts.get(row), separators.get(row));
        if separator.is_empty() {
            let mut buffer = [0; 4];
            for c in text.chars() {
                builder.values().append_value(c.encode_utf8(&mut buffer));
            }
        } else if !text.is_empty() {
            text.split(separator).for_each(|part| builder.values().append_value(part));
        }
        builder.append(true);
    }
    retype(&(Arc::new(builder.finish()) as ArrayRef), &data_type(context.result))
}

#[cfg(test)]
mod tests {
    use crate::testing::{call, int, null, over, show, some, text, try_call, type_of};
    use tidegate_plan::Expr;
    use tidegate_types::TypeKind;

    fn numbers(values: &[i32]) -> Expr {
        call("ARRAY", values.iter().map(|value| int(*value)).collect())
    }

    #[test]
    fn searching() {
        let found = |name, wanted| show(&call(name, vec![numbers(&[1, 2, 2]), int(wanted)]));
        assert_eq!(found("ARRAY_CONTAINS", 2).as_deref(), Some("TRUE"));
        assert_eq!(found("ARRAY_CONTAINS", 3).as_deref(), Some("FALSE"));
        assert_eq!(found("ARRAY_POSITION", 2).as_deref(), Some("2"));
        assert_eq!(found("ARRAY_POSITION", 3).as_deref(), Some("0"));
        let with_null = call("ARRAY", vec![int(1), null(TypeKind::Int)]);
        let null_found = call("ARRAY_CONTAINS", vec![with_null, null(TypeKind::Int)]);
        assert_eq!(show(&null_found).as_deref(), Some("TRUE"));
        assert!(try_call("ARRAY_CONTAINS", vec![int(1), int(1)]).is_err());
    }

    #[test]
    fn rearranging() {
        let of = |name, values: &[i32]| show(&call(name, vec![numbers(values)]));
        assert_eq!(of("ARRAY_DISTINCT", &[1, 1, 2, 1]).as_deref(), Some("[1, 2]"));
        assert_eq!(of("ARRAY_REVERSE", &[1, 2]).as_deref(), Some("[2, 1]"));
        let got = over(&[Some("a"), None], |s| {
            call("ARRAY_REVERSE", vec![call("ARRAY", vec![s, text("z")])])
        });
        assert_eq!(got, some(["[z, a]", "[z, NULL]"]));
    }

    #[test]
    fn parts_of_maps_and_texts() {
        let map = || call("MAP", vec![text("a"), int(1), text("b"), int(2)]);
        let keys = call("MAP_KEYS", vec![map()]);
        assert_eq!(type_of(&keys), "ARRAY<CHAR(1) NOT NULL> NOT NULL");
        assert_eq!(show(&keys).as_deref(), Some("[a, b]"));
        assert_eq!(show(&call("MAP_VALUES", vec![map()])).as_deref(), Some("[1, 2]"));
        let got =
            over(&[Some("a,b,,c"), Some(""), Some("abc")], |s| call("SPLIT", vec![s, text(",")]));
        assert_eq!(got, some(["[a, b, , c]", "[]", "[abc]"]));
        let characters = call("SPLIT", vec![text("abc"), text("")]);
        assert_eq!(show(&characters).as_deref(), Some("[a, b, c]"));
    }
}
