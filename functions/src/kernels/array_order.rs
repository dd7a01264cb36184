//! Arrays whose order matters: SORT, SLICE, MAX, MIN, JOIN.

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Int32Type};
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Error, Result, SqlType, TypeKind};

use super::collection::{comparator, take_places};
use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{any_nullable, boolean, count, element, fail, int, text};
use crate::vector::{self, Lane, TextLane, null_in_not_null, retype, strict_nulls, valid};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("ARRAY_SORT", "The elements in order", bind_sort, sort),
    Function::new("ARRAY_SLICE", "The elements between two places", bind_slice, slice),
    Function::new("ARRAY_MAX", "The largest element", bind_extreme, max),
    Function::new("ARRAY_MIN", "The smallest element", bind_extreme, min),
    Function::new("ARRAY_JOIN", "The elements as one text", bind_join, join),
];

/// Whether values of a type have an order.
fn has_order(ty: &SqlType) -> bool {
    !matches!(
        ty.kind,
        TypeKind::Map(..)
            | TypeKind::Multiset(_)
            | TypeKind::Row(_)
            | TypeKind::Structured { .. }
            | TypeKind::Array(_)
    )
}

fn ordered_element(args: &[Argument]) -> Result<&SqlType> {
    let item = element(args, 0)?;
    if has_order(item) {
        return Ok(item);
    }
    Err(fail(format!("elements of type {} have no order", item.kind)))
}

fn bind_sort(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=3)?;
    ordered_element(args)?;
    let mut arguments = vec![args[0].ty.clone()];
    for index in 1..args.len() {
        arguments.push(boolean(args, index)?);
    }
    let result = args[0].ty.clone().with_nullable(any_nullable(args));
    Ok(Signature { arguments, result })
}

fn bind_slice(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=3)?;
    element(args, 0)?;
    let mut arguments = vec![args[0].ty.clone()];
    for index in 1..args.len() {
        arguments.push(int(args, index)?);
    }
    let result = args[0].ty.clone().with_nullable(any_nullable(args));
    Ok(Signature { arguments, result })
}

fn bind_extreme(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    let result = ordered_element(args)?.clone().with_nullable(true);
    Ok(Signature { arguments: vec![args[0].ty.clone()], result })
}

fn bind_join(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=3)?;
    let item = element(args, 0)?;
    if !item.kind.is_text() {
        return Err(fail(format!("the elements are {}, expected texts", item.kind))
            .help("convert the array with CAST(… AS ARRAY<STRING>)"));
    }
    let mut arguments = vec![args[0].ty.clone()];
    for index in 1..args.len() {
        arguments.push(text(args, index)?);
    }
    let result = SqlType { kind: TypeKind::STRING, nullable: any_nullable(args) };
    Ok(Signature { arguments, result })
}

/// The elements of a row's array.
fn range(list: &ListArray, row: usize) -> Range<usize> {
    list.offsets()[row] as usize..list.offsets()[row + 1] as usize
}

fn first<'a>(values: &'a [Value], context: &KernelContext<'_>) -> Result<&'a Value> {
    values.first().ok_or_else(|| Error::internal(format!("{} takes an argument", context.name)))
}

/// Arrays of some elements of the first argument; NULL where an argument is.
fn chosen(
    values: &[Value],
    context: &KernelContext<'_>,
    mut choose: impl FnMut(usize, Range<usize>, &mut Vec<usize>),
) -> Result<ArrayRef> {
    let value = first(values, context)?;
    let list = vector::lists(value.array())?;
    let nulls = strict_nulls(&values.iter().collect::<Vec<_>>(), context.rows);
    let (mut places, mut lengths) = (Vec::new(), Vec::with_capacity(context.rows));
    for row in 0..context.rows {
        let before = places.len();
        if valid(nulls.as_ref(), row) {
            choose(row, range(list, row * value.step()), &mut places);
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

/// A truth value by row, or the same for all.
enum Flag<'a> {
    Given(&'a BooleanArray, usize),
    Fixed(bool),
}

impl<'a> Flag<'a> {
    fn new(value: Option<&'a Value>, default: bool) -> Result<Self> {
        match value {
            Some(value) => Ok(Self::Given(vector::booleans(value.array())?, value.step())),
            None => Ok(Self::Fixed(default)),
        }
    }

    fn get(&self, row: usize) -> bool {
        match self {
            Self::Given(array, step) => array.value(row * step),
            Self::Fixed(value) => *value,
        }
    }
}

/// Ascending by default; NULLs come first in ascending, last in descending order unless said.
fn sort(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let list = vector::lists(first(values, context)?.array())?;
    let elements = Arc::clone(list.values());
    let compare = comparator(&elements, &elements)?;
    let ascending = Flag::new(values.get(1), true)?;
    let nulls_first = match values.get(2) {
        Some(value) => Some(Flag::new(Some(value), true)?),
        None => None,
    };
    let nulls = elements.logical_nulls();
    chosen(values, context, |row, range, places| {
        let up = ascending.get(row);
        let nulls_first = nulls_first.as_ref().map_or(up, |flag| flag.get(row));
        let from = places.len();
        places.extend(range);
        places[from..].sort_by(|a, b| {
            let (a_is, b_is) = (valid(nulls.as_ref(), *a), valid(nulls.as_ref(), *b));
            match (a_is, b_is) {
                (true, true) if up => compare(*a, *b),
                (true, true) => compare(*b, *a),
                (false, false) => Ordering::Equal,
                (false, true) if nulls_first => Ordering::Less,
                (true, false) if !nulls_first => Ordering::Less,
                _ => Ordering::Greater,
            }
        });
    })
}

/// From the first place to the last, both included, counted from 1, or from the end if negative.
fn slice(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let starts = values.get(1).ok_or_else(|| Error::internal("ARRAY_SLICE takes a start"))?;
    let starts = Lane::<i32>::new::<Int32Type>(starts)?;
    let ends = values.get(2).map(Lane::<i32>::new::<Int32Type>).transpose()?;
    chosen(values, context, |row, range, places| {
        let length = range.len() as i64;
        let place = |given: i64| if given < 0 { given + length + 1 } else { given };
        let start = place(i64::from(starts.get(row))).max(1);
        let end = ends.as_ref().map_or(length, |ends| match i64::from(ends.get(row)) {
            0 => 1,
            end => place(end),
        });
        let end = end.min(length);
        if start <= end {
            places.extend(range.start + start as usize - 1..range.start + end as usize);
        }
    })
}

fn max(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    extreme(values, context, Ordering::Greater)
}

fn min(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    extreme(values, context, Ordering::Less)
}

/// The element that compares so with all others; NULLs do not count.
fn extreme(values: &[Value], context: &KernelContext<'_>, wanted: Ordering) -> Result<ArrayRef> {
    let value = first(values, context)?;
    let list = vector::lists(value.array())?;
    let compare = comparator(list.values(), list.values())?;
    let absent = list.values().logical_nulls();
    let nulls = strict_nulls(&[value], context.rows);
    let best = |row: usize| {
        if !valid(nulls.as_ref(), row) {
            return None;
        }
        let present = range(list, row * value.step()).filter(|p| valid(absent.as_ref(), *p));
        present.reduce(|best, place| if compare(place, best) == wanted { place } else { best })
    };
    take_places(list.values(), (0..context.rows).map(best))
}

/// NULL elements are left out, or replaced.
fn join(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [array, separator, replacement @ ..] = values else {
        return Err(Error::internal("ARRAY_JOIN takes two arguments"));
    };
    let list = vector::lists(array.array())?;
    let texts = vector::texts(list.values())?;
    let separators = TextLane::new(separator)?;
    let replacements = replacement.first().map(TextLane::new).transpose()?;
    let nulls = strict_nulls(&values.iter().collect::<Vec<_>>(), context.rows);
    let joined = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        let mut is_first = true;
        for place in range(list, row * array.step()) {
            let part = match &replacements {
                _ if texts.is_valid(place) => texts.value(place),
                Some(replacements) => replacements.get(row),
                None => continue,
            };
            if !std::mem::take(&mut is_first) {
                out.push_str(separators.get(row));
            }
            out.push_str(part);
        }
        Ok(true)
    })?;
    Ok(Arc::new(joined))
}

#[cfg(test)]
mod tests {
    use crate::testing::{boolean, call, int, null, over, show, some, text, try_call, type_of};
    use tidegate_plan::Expr;
    use tidegate_types::TypeKind;

    fn numbers() -> Expr {
        call("ARRAY", vec![int(3), null(TypeKind::Int), int(1), int(2)])
    }

    #[test]
    fn sorting() {
        let sorted = |rest: Vec<Expr>| {
            show(&call("ARRAY_SORT", std::iter::once(numbers()).chain(rest).collect()))
        };
        assert_eq!(sorted(vec![]).as_deref(), Some("[NULL, 1, 2, 3]"));
        assert_eq!(sorted(vec![boolean(false)]).as_deref(), Some("[3, 2, 1, NULL]"));
        let flags = |up, first| sorted(vec![boolean(up), boolean(first)]);
        assert_eq!(flags(true, false).as_deref(), Some("[1, 2, 3, NULL]"));
        assert_eq!(flags(false, true).as_deref(), Some("[NULL, 3, 2, 1]"));
        assert_eq!(sorted(vec![null(TypeKind::Boolean)]), None);
    }

    #[test]
    fn parts() {
        let part = |from, to| show(&call("ARRAY_SLICE", vec![numbers(), int(from), int(to)]));
        assert_eq!(part(2, 3).as_deref(), Some("[NULL, 1]"));
        assert_eq!(part(-2, -1).as_deref(), Some("[1, 2]"));
        assert_eq!(part(0, 9).as_deref(), Some("[3, NULL, 1, 2]"));
        assert_eq!(part(3, 2).as_deref(), Some("[]"));
        let rest = call("ARRAY_SLICE", vec![numbers(), int(4)]);
        assert_eq!(show(&rest).as_deref(), Some("[2]"));
    }

    #[test]
    fn extremes() {
        assert_eq!(show(&call("ARRAY_MAX", vec![numbers()])).as_deref(), Some("3"));
        assert_eq!(show(&call("ARRAY_MIN", vec![numbers()])).as_deref(), Some("1"));
        assert_eq!(type_of(&call("ARRAY_MIN", vec![numbers()])), "INT");
        let nested = call("ARRAY", vec![numbers()]);
        assert!(try_call("ARRAY_MAX", vec![nested]).is_err());
    }

    #[test]
    fn joining() {
        let got = over(&[Some("x"), None], |s| {
            call("ARRAY_JOIN", vec![call("ARRAY", vec![s, text("z")]), text("-")])
        });
        assert_eq!(got, some(["x-z", "z"]));
        let got = over(&[Some("x"), None], |s| {
            call("ARRAY_JOIN", vec![call("ARRAY", vec![s, text("z")]), text("-"), text("?")])
        });
        assert_eq!(got, some(["x-z", "?-z"]));
        assert!(try_call("ARRAY_JOIN", vec![numbers(), text("-")]).is_err());
    }
}
