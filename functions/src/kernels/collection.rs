//! ROW, ARRAY and MAP: construction, access to elements, sizes.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, DynComparator, Int32Array, ListArray, MapArray,
    StructArray, UInt32Array, make_comparator, new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{SortOptions, interleave, take};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int32Type};
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Error, Field, Result, SqlType, TypeKind};

use super::json::variant;
use crate::coercion::common_type;
use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{count, fail, int, literal_integer, strict, text};
use crate::vector::{self, Lane, arrow_error, null_in_not_null, retype, strict_nulls, valid};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("ROW", "A row of the values", bind_row, row),
    Function::new("ARRAY", "An array of the values", bind_array, array),
    Function::new("MAP", "A map of keys and values, in turns", bind_map, map).fallible(),
    Function::new("ITEM", "An element of an array, from 1, or the value of a key", bind_item, item)
        .fallible(),
    Function::new("CARDINALITY", "The number of elements", bind_size, cardinality),
    Function::new("ELEMENT", "The only element of an array", bind_element, element).fallible(),
];

fn bind_row(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=usize::MAX)?;
    let types: Vec<SqlType> = args.iter().map(|arg| arg.ty.clone().materialized()).collect();
    let fields = types.iter().enumerate();
    let fields = fields.map(|(i, ty)| Field::new(format!("EXPR${i}"), ty.clone())).collect();
    Ok(Signature { arguments: types, result: TypeKind::Row(fields).not_null() })
}

/// The common type of some arguments.
fn common<'a>(args: impl Iterator<Item = &'a Argument>) -> Result<SqlType> {
    let types: Vec<SqlType> = args.map(|arg| arg.ty.clone().materialized()).collect();
    common_type(&types).ok_or_else(|| fail("the elements have no common type"))
}

fn bind_array(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=usize::MAX)?;
    let element = common(args.iter())?;
    Ok(Signature {
        arguments: vec![element.clone(); args.len()],
        result: TypeKind::Array(Box::new(element)).not_null(),
    })
}

fn bind_map(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=usize::MAX)?;
    if !args.len().is_multiple_of(2) {
        return Err(fail("the last key has no value"));
    }
    let key = common(args.iter().step_by(2))?;
    let value = common(args.iter().skip(1).step_by(2))?;
    let pairs = args.len() / 2;
    Ok(Signature {
        arguments: [key.clone(), value.clone()].into_iter().cycle().take(2 * pairs).collect(),
        result: TypeKind::Map(Box::new(key), Box::new(value)).not_null(),
    })
}

fn bind_item(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    let collection = args[0].ty.clone();
    match &args[0].ty.kind {
        TypeKind::Array(element) => {
            if let Some(index) = literal_integer(args, 1)
                && index < 1
            {
                return Err(fail(format!("elements are counted from 1, but the index is {index}")));
            }
            let result = element.as_ref().clone().with_nullable(true);
            Ok(Signature { arguments: vec![collection, int(args, 1)?], result })
        }
        TypeKind::Map(key, value) => {
            let wanted = key.as_ref().clone().with_nullable(args[1].ty.nullable);
            let same_family = args[1].ty.kind.is_text() && key.kind.is_text()
                || args[1].ty.kind.is_integer() && key.kind.is_integer();
            if !same_family && !crate::coercion::can_cast_implicitly(&args[1].ty, &wanted) {
                return Err(fail(format!("the keys are {}, not {}", key.kind, args[1].ty.kind)));
            }
            // Keys and what is looked up are compared in a type that holds both.
            let common = common_type(&[key.as_ref().clone(), args[1].ty.clone()]);
            let common = common.map_or(wanted.kind.clone(), |common| common.kind);
            let result = value.as_ref().clone().with_nullable(true);
            let keys = Box::new(SqlType { kind: common.clone(), nullable: key.nullable });
            let collection =
                SqlType { kind: TypeKind::Map(keys, value.clone()), nullable: collection.nullable };
            let wanted = SqlType { kind: common, nullable: wanted.nullable };
            Ok(Signature { arguments: vec![collection, wanted], result })
        }
        TypeKind::Variant => {
            let key = if args[1].ty.kind.is_text() { text(args, 1)? } else { int(args, 1)? };
            Ok(Signature { arguments: vec![collection, key], result: TypeKind::Variant.nullable() })
        }
        kind => Err(fail(format!("{kind} has no elements"))),
    }
}

fn bind_size(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    match &args[0].ty.kind {
        TypeKind::Array(_) | TypeKind::Map(..) | TypeKind::Multiset(_) => {
            Ok(strict(args, vec![args[0].ty.clone()], TypeKind::Int))
        }
        kind => Err(fail(format!("{kind} has no number of elements"))),
    }
}

fn bind_element(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    match &args[0].ty.kind {
        TypeKind::Array(element) => {
            let nullable = element.nullable || args[0].ty.nullable;
            let result = element.as_ref().clone().with_nullable(nullable);
            Ok(Signature { arguments: vec![args[0].ty.clone()], result })
        }
        kind => Err(fail(format!("{kind} is not an array"))),
    }
}

fn row(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let DataType::Struct(fields) = data_type(context.result) else {
        return Err(Error::internal("ROW without fields"));
    };
    let columns = values
        .iter()
        .zip(&fields)
        .map(|(value, field)| retype(&value.to_array(context.rows)?, field.data_type()));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let rows = StructArray::try_new_with_length(fields, columns, None, context.rows);
    Ok(Arc::new(rows.map_err(null_in_not_null)?))
}

/// The values of a row side by side, row by row, as elements of a list.
fn side_by_side(values: &[&Value], rows: usize, element: &DataType) -> Result<ArrayRef> {
    let arrays = values.iter().map(|value| retype(value.array(), element));
    let arrays = arrays.collect::<Result<Vec<_>>>()?;
    let steps: Vec<usize> = values.iter().map(|value| value.step()).collect();
    let places: Vec<(usize, usize)> = (0..rows)
        .flat_map(|row| steps.iter().enumerate().map(move |(index, step)| (index, row * step)))
        .collect();
    let sources: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
    interleave(&sources, &places).map_err(arrow_error)
}

fn array(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let DataType::List(item) = data_type(context.result) else {
        return Err(Error::internal("ARRAY without elements"));
    };
    let sources: Vec<&Value> = values.iter().collect();
    let elements = side_by_side(&sources, context.rows, item.data_type())?;
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(values.len(), context.rows));
    let list = ListArray::try_new(item, offsets, elements, None);
    Ok(Arc::new(list.map_err(null_in_not_null)?))
}

/// Of equal keys the last wins.
fn map(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let DataType::Map(entries, sorted) = data_type(context.result) else {
        return Err(Error::internal("MAP without entries"));
    };
    let DataType::Struct(fields) = entries.data_type().clone() else {
        return Err(Error::internal("MAP without entries"));
    };
    let of = |offset: usize| values.iter().skip(offset).step_by(2).collect::<Vec<_>>();
    let keys = side_by_side(&of(0), context.rows, fields[0].data_type())?;
    let mapped = side_by_side(&of(1), context.rows, fields[1].data_type())?;
    let pairs = values.len() / 2;
    let compare = comparator(&keys, &keys)?;
    let mut kept = Vec::with_capacity(keys.len());
    let mut lengths = Vec::with_capacity(context.rows);
    for row in 0..context.rows {
        let (start, end) = (row * pairs, (row + 1) * pairs);
        let before = kept.len();
        let is_last = |entry: &usize| (entry + 1..end).all(|later| compare(*entry, later).is_ne());
        kept.extend((start..end).filter(is_last).map(|entry| entry as u32));
        lengths.push(kept.len() - before);
    }
    let indices = UInt32Array::from(kept);
    let columns = vec![
        take(&keys, &indices, None).map_err(arrow_error)?,
        take(&mapped, &indices, None).map_err(arrow_error)?,
    ];
    let entries_array = StructArray::try_new(fields, columns, None).map_err(null_in_not_null)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    let map = MapArray::try_new(entries, offsets, entries_array, None, sorted);
    Ok(Arc::new(map.map_err(null_in_not_null)?))
}

/// Whether elements of two arrays of the same type are equal: NULLs are, and of numbers those that
/// `=` takes as equal (zeros of both signs are, NaN is not equal to itself).
pub(super) fn equality(left: &ArrayRef, right: &ArrayRef) -> Result<Equality> {
    fn of_floats<T: ArrowPrimitiveType>(left: &ArrayRef, right: &ArrayRef) -> Equality
    where
        T::Native: PartialEq,
    {
        let (left, right) = (left.as_primitive::<T>().clone(), right.as_primitive::<T>().clone());
        Box::new(move |a, b| match (left.is_null(a), right.is_null(b)) {
            (false, false) => left.value(a) == right.value(b),
            (a, b) => a && b,
        })
    }
    Ok(match left.data_type() {
        DataType::Float32 => of_floats::<Float32Type>(left, right),
        DataType::Float64 => of_floats::<Float64Type>(left, right),
        _ => {
            let compare = comparator(left, right)?;
            Box::new(move |a, b| compare(a, b).is_eq())
        }
    })
}

/// Whether two elements are equal.
pub(super) type Equality = Box<dyn Fn(usize, usize) -> bool>;

/// Compares elements of two arrays of the same type.
pub(super) fn comparator(left: &ArrayRef, right: &ArrayRef) -> Result<DynComparator> {
    make_comparator(left, right, SortOptions::default()).map_err(arrow_error)
}

fn item(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [collection, key] = values else {
        return Err(Error::internal("ITEM takes two arguments"));
    };
    if context.arguments[0].kind == TypeKind::Variant {
        return variant::item(values, context);
    }
    let nulls = strict_nulls(&[collection, key], context.rows);
    let step = collection.step();
    if let TypeKind::Map(..) = context.arguments[0].kind {
        let map = vector::maps(collection.array())?;
        let compare = comparator(map.keys(), key.array())?;
        let offsets = map.offsets();
        let places = (0..context.rows).map(|row| {
            if !valid(nulls.as_ref(), row) {
                return None;
            }
            let (start, end) = (offsets[row * step] as usize, offsets[row * step + 1] as usize);
            (start..end).find(|entry| compare(*entry, row * key.step()).is_eq())
        });
        return take_places(map.values(), places);
    }
    let list = vector::lists(collection.array())?;
    let indices = Lane::<i32>::new::<Int32Type>(key)?;
    let offsets = list.offsets();
    let places = (0..context.rows).map(|row| {
        let index = usize::try_from(indices.get(row)).ok()?.checked_sub(1)?;
        let (start, end) = (offsets[row * step] as usize, offsets[row * step + 1] as usize);
        (valid(nulls.as_ref(), row) && index < end - start).then_some(start + index)
    });
    take_places(list.values(), places)
}

/// Values at places; NULL without a place.
pub(super) fn take_places(
    values: &ArrayRef,
    places: impl Iterator<Item = Option<usize>>,
) -> Result<ArrayRef> {
    let indices: UInt32Array = places.map(|place| place.map(|place| place as u32)).collect();
    if values.is_empty() {
        return Ok(new_null_array(values.data_type(), indices.len()));
    }
    take(values, &indices, None).map_err(arrow_error)
}

fn one<'a>(values: &'a [Value], context: &KernelContext<'_>) -> Result<&'a Value> {
    values.first().ok_or_else(|| Error::internal(format!("{} takes an argument", context.name)))
}

fn cardinality(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let value = one(values, context)?;
    let offsets = match context.arguments[0].kind {
        TypeKind::Array(_) => vector::lists(value.array())?.offsets(),
        _ => vector::maps(value.array())?.offsets(),
    };
    let step = value.step();
    let sizes = (0..context.rows).map(|row| offsets[row * step + 1] - offsets[row * step]);
    let sizes: Vec<i32> = sizes.collect();
    Ok(Arc::new(Int32Array::new(sizes.into(), strict_nulls(&[value], context.rows))))
}

/// NULL of an empty array; an array of several elements fails.
fn element(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let value = one(values, context)?;
    let list = vector::lists(value.array())?;
    let (offsets, step) = (list.offsets(), value.step());
    let nulls = strict_nulls(&[value], context.rows);
    let mut places = Vec::with_capacity(context.rows);
    for row in 0..context.rows {
        let (start, end) = (offsets[row * step] as usize, offsets[row * step + 1] as usize);
        if !valid(nulls.as_ref(), row) {
            places.push(None);
        } else if end - start > 1 {
            return Err(context.error(format!("an array has {} elements, not one", end - start)));
        } else {
            places.push((start < end).then_some(start));
        }
    }
    take_places(list.values(), places.into_iter())
}

#[cfg(test)]
mod tests {
    use crate::testing::{
        call, cast_to, exact, failure, int, null, over, show, some, text, try_call, type_of,
    };
    use tidegate_plan::Expr;
    use tidegate_types::TypeKind;

    fn numbers() -> Expr {
        call("ARRAY", vec![int(1), int(2), int(3)])
    }

    #[test]
    fn construction_finds_the_common_type() {
        let mixed = call("ARRAY", vec![int(1), exact("2.5")]);
        assert_eq!(type_of(&mixed), "ARRAY<DECIMAL(11, 1) NOT NULL> NOT NULL");
        assert_eq!(show(&mixed).as_deref(), Some("[1.0, 2.5]"));
        let map = call("MAP", vec![text("a"), int(1), text("bc"), exact("2.5")]);
        assert_eq!(type_of(&map), "MAP<VARCHAR(2) NOT NULL, DECIMAL(11, 1) NOT NULL> NOT NULL");
        assert_eq!(show(&map).as_deref(), Some("{a=1.0, bc=2.5}"));
        let twice = call("MAP", vec![text("a"), int(1), text("a"), int(2)]);
        assert_eq!(show(&twice).as_deref(), Some("{a=2}"));
        assert!(try_call("ARRAY", vec![int(1), text("a")]).is_err());
        assert!(try_call("MAP", vec![text("a")]).is_err());
        let row = call("ROW", vec![int(1), text("a")]);
        assert_eq!(type_of(&row), "ROW<`EXPR$0` INT NOT NULL, `EXPR$1` CHAR(1) NOT NULL> NOT NULL");
    }

    #[test]
    fn columns_become_elements() {
        let got = over(&[Some("x"), None], |s| call("ARRAY", vec![s, text("y")]));
        assert_eq!(got, some(["[x, y]", "[NULL, y]"]));
        let got = over(&[Some("x"), Some("y")], |s| {
            let map = call("MAP", vec![s, int(1), text("y"), int(2)]);
            call("ITEM", vec![map, text("y")])
        });
        assert_eq!(got, some(["2", "2"]));
    }

    #[test]
    fn elements_by_index_and_key() {
        let at = |index| show(&call("ITEM", vec![numbers(), int(index)]));
        assert_eq!(at(1).as_deref(), Some("1"));
        assert_eq!(at(4), None);
        assert!(try_call("ITEM", vec![numbers(), int(0)]).is_err());
        let got = over(&[Some("3"), Some("0"), Some("-1"), None], |s| {
            call("ITEM", vec![numbers(), cast_to(s, TypeKind::Int)])
        });
        assert_eq!(got, [Some("3".to_owned()), None, None, None]);
        let map = || call("MAP", vec![text("a"), int(1), text("b"), int(2)]);
        assert_eq!(show(&call("ITEM", vec![map(), text("b")])).as_deref(), Some("2"));
        assert_eq!(show(&call("ITEM", vec![map(), text("x")])), None);
        assert!(try_call("ITEM", vec![map(), int(1)]).is_err());
    }

    #[test]
    fn sizes() {
        assert_eq!(show(&call("CARDINALITY", vec![numbers()])).as_deref(), Some("3"));
        let nothing = null(TypeKind::Array(Box::new(TypeKind::Int.nullable())));
        assert_eq!(show(&call("CARDINALITY", vec![nothing.clone()])), None);
        assert_eq!(show(&call("ELEMENT", vec![nothing])), None);
        let one = call("ARRAY", vec![int(7)]);
        assert_eq!(show(&call("ELEMENT", vec![one])).as_deref(), Some("7"));
        let error = failure(&call("ELEMENT", vec![numbers()]));
        assert!(error.to_string().contains("has 3 elements"), "{error}");
    }
}
