//! Arrays made of the elements of others: APPEND, PREPEND, CONCAT, UNION, EXCEPT, INTERSECT, REMOVE.
//!
//! Each function says for a row which elements of which argument follow each other; they are
//! gathered for all rows at once. NULLs are equal to each other here, as in Flink.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::interleave;
use arrow::datatypes::DataType;
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Error, Result, SqlType, TypeKind};

use super::collection::{Equality, equality};
use crate::coercion::{can_cast_implicitly, common_type};
use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{any_nullable, count, element, fail};
use crate::vector::{arrow_error, null_in_not_null, retype, strict_nulls, valid};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("ARRAY_APPEND", "An array with an element at its end", bind_added, append),
    Function::new("ARRAY_PREPEND", "An array with an element at its start", bind_added, prepend),
    Function::new("ARRAY_REMOVE", "An array without an element", bind_remove, remove),
    Function::new("ARRAY_CONCAT", "The elements of all arrays", bind_concat, concat),
    Function::new("ARRAY_UNION", "The elements of two arrays, each once", bind_two, union),
    Function::new("ARRAY_EXCEPT", "The elements that a second array lacks", bind_two, except),
    Function::new("ARRAY_INTERSECT", "The elements of both arrays", bind_two, intersect),
];

/// An array and an element, whose type widens that of the array's elements.
fn bind_added(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    let item = element(args, 0)?;
    if !can_cast_implicitly(&args[1].ty, item) && args[1].ty.kind != TypeKind::Null {
        let found = &args[1].ty.kind;
        return Err(fail(format!("the elements are {}, not {found}", item.kind)));
    }
    let item = item.clone().with_nullable(item.nullable || args[1].ty.nullable);
    let list = TypeKind::Array(Box::new(item.clone()));
    let array = SqlType { kind: list.clone(), nullable: args[0].ty.nullable };
    let result = SqlType { kind: list, nullable: any_nullable(args) };
    Ok(Signature { arguments: vec![array, item], result })
}

fn bind_remove(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    let item = element(args, 0)?;
    if !can_cast_implicitly(&args[1].ty, item) {
        let found = &args[1].ty.kind;
        return Err(fail(format!("the elements are {}, not {found}", item.kind)));
    }
    let wanted = item.clone().with_nullable(args[1].ty.nullable);
    Ok(Signature { arguments: vec![args[0].ty.clone(), wanted], result: args[0].ty.clone() })
}

/// Arrays of a common type.
fn bind_concat(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=usize::MAX)?;
    for index in 0..args.len() {
        element(args, index)?;
    }
    let types: Vec<SqlType> = args.iter().map(|arg| arg.ty.clone()).collect();
    let common = common_type(&types).ok_or_else(|| fail("the arrays have no common type"))?;
    let common = common.with_nullable(any_nullable(args));
    Ok(Signature { arguments: vec![common.clone(); args.len()], result: common })
}

fn bind_two(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    bind_concat(args)
}

/// Arguments as columns of elements, and where the elements of each row are.
struct Sources<'a> {
    values: &'a [Value],
    elements: Vec<ArrayRef>,
    /// None for an argument that is an element itself.
    lists: Vec<Option<&'a ListArray>>,
}

impl<'a> Sources<'a> {
    fn new(values: &'a [Value], item: &DataType) -> Result<Self> {
        let (mut elements, mut lists) = (Vec::new(), Vec::new());
        for value in values {
            let list = value.array().as_any().downcast_ref::<ListArray>();
            // An array of arrays may take an array as an element.
            let list = list.filter(|list| data_type_matches(list.values().data_type(), item));
            elements.push(retype(list.map_or(value.array(), ListArray::values), item)?);
            lists.push(list);
        }
        Ok(Self { values, elements, lists })
    }

    /// Where the elements of an argument are in a row.
    fn range(&self, index: usize, row: usize) -> Range<usize> {
        let at = row * self.values[index].step();
        match self.lists[index] {
            Some(list) => list.offsets()[at] as usize..list.offsets()[at + 1] as usize,
            None => at..at + 1,
        }
    }

    fn equality(&self, left: usize, right: usize) -> Result<Equality> {
        equality(&self.elements[left], &self.elements[right])
    }
}

/// Whether elements of one type are stored as those of the other, up to names and nullability.
fn data_type_matches(found: &DataType, wanted: &DataType) -> bool {
    found.equals_datatype(wanted) || *found == DataType::Null
}

/// Where an element comes from: the argument, and its place there.
type Place = (usize, usize);

/// Arrays of the elements that `choose` names for each row; NULL where an array is.
fn gather<'a, C>(
    values: &'a [Value],
    context: &KernelContext<'_>,
    arrays: usize,
    prepare: impl FnOnce(&Sources<'a>) -> Result<C>,
    mut choose: impl FnMut(&Sources<'a>, &C, usize, &mut Vec<Place>),
) -> Result<ArrayRef> {
    let DataType::List(item) = data_type(context.result) else {
        return Err(Error::internal(format!("{} does not make an array", context.name)));
    };
    let sources = Sources::new(values, item.data_type())?;
    let prepared = prepare(&sources)?;
    let strict: Vec<&Value> = values[..arrays].iter().collect();
    let nulls: Option<NullBuffer> = strict_nulls(&strict, context.rows);
    let (mut places, mut lengths) = (Vec::new(), Vec::with_capacity(context.rows));
    for row in 0..context.rows {
        let before = places.len();
        if valid(nulls.as_ref(), row) {
            choose(&sources, &prepared, row, &mut places);
        }
        lengths.push(places.len() - before);
    }
    let columns: Vec<&dyn Array> = sources.elements.iter().map(AsRef::as_ref).collect();
    let elements = interleave(&columns, &places).map_err(arrow_error)?;
    let list = ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), elements, nulls);
    Ok(Arc::new(list.map_err(null_in_not_null)?))
}

fn nothing(_: &Sources<'_>) -> Result<()> {
    Ok(())
}

fn append(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    gather(values, context, 1, nothing, |sources, (), row, places| {
        places.extend(sources.range(0, row).map(|place| (0, place)));
        places.push((1, row * sources.values[1].step()));
    })
}

fn prepend(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    gather(values, context, 1, nothing, |sources, (), row, places| {
        places.push((1, row * sources.values[1].step()));
        places.extend(sources.range(0, row).map(|place| (0, place)));
    })
}

fn remove(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let equal = |sources: &Sources<'_>| sources.equality(0, 1);
    gather(values, context, 1, equal, |sources, equal, row, places| {
        let wanted = row * sources.values[1].step();
        let kept = sources.range(0, row).filter(|place| !equal(*place, wanted));
        places.extend(kept.map(|place| (0, place)));
    })
}

fn concat(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    gather(values, context, values.len(), nothing, |sources, (), row, places| {
        for index in 0..sources.values.len() {
            places.extend(sources.range(index, row).map(|place| (index, place)));
        }
    })
}

/// Compares elements of the two arguments, whichever side they are on.
struct Pairs([Equality; 4]);

impl Pairs {
    fn new(sources: &Sources<'_>) -> Result<Self> {
        Ok(Self([
            sources.equality(0, 0)?,
            sources.equality(0, 1)?,
            sources.equality(1, 0)?,
            sources.equality(1, 1)?,
        ]))
    }

    fn equal(&self, left: Place, right: Place) -> bool {
        (self.0[left.0 * 2 + right.0])(left.1, right.1)
    }

    /// Adds an element that is not among those of this row yet.
    fn add_new(&self, place: Place, first: usize, places: &mut Vec<Place>) {
        if !places[first..].iter().any(|known| self.equal(*known, place)) {
            places.push(place);
        }
    }
}

fn union(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    gather(values, context, 2, Pairs::new, |sources, pairs, row, places| {
        let first = places.len();
        for side in 0..2 {
            for place in sources.range(side, row) {
                pairs.add_new((side, place), first, places);
            }
        }
    })
}

/// The elements of the first array that are in the second, or that are not, each once.
fn compared(values: &[Value], context: &KernelContext<'_>, wanted: bool) -> Result<ArrayRef> {
    gather(values, context, 2, Pairs::new, |sources, pairs, row, places| {
        let first = places.len();
        for place in sources.range(0, row) {
            let found = sources.range(1, row).any(|other| pairs.equal((0, place), (1, other)));
            if found == wanted {
                pairs.add_new((0, place), first, places);
            }
        }
    })
}

fn except(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    compared(values, context, false)
}

fn intersect(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    compared(values, context, true)
}

#[cfg(test)]
mod tests {
    use crate::testing::{call, cast_to, int, null, over, show, some, text, type_of};
    use tidegate_plan::Expr;
    use tidegate_types::TypeKind;

    fn numbers(values: &[i32]) -> Expr {
        call("ARRAY", values.iter().map(|value| int(*value)).collect())
    }

    fn with_null() -> Expr {
        call("ARRAY", vec![int(1), null(TypeKind::Int), int(1)])
    }

    #[test]
    fn elements_are_added_and_taken_away() {
        let with = |name, element| show(&call(name, vec![numbers(&[1, 2]), element]));
        assert_eq!(with("ARRAY_APPEND", int(3)).as_deref(), Some("[1, 2, 3]"));
        assert_eq!(with("ARRAY_PREPEND", null(TypeKind::Int)).as_deref(), Some("[NULL, 1, 2]"));
        assert_eq!(with("ARRAY_REMOVE", int(1)).as_deref(), Some("[2]"));
        let without = call("ARRAY_REMOVE", vec![with_null(), null(TypeKind::Int)]);
        assert_eq!(show(&without).as_deref(), Some("[1, 1]"));
        let nullable = call("ARRAY_APPEND", vec![numbers(&[1]), null(TypeKind::Int)]);
        assert_eq!(type_of(&nullable), "ARRAY<INT>");
        let of_arrays = call("ARRAY", vec![numbers(&[1])]);
        let nested = call("ARRAY_APPEND", vec![of_arrays, numbers(&[2, 3])]);
        assert_eq!(show(&nested).as_deref(), Some("[[1], [2, 3]]"));
    }

    #[test]
    fn sets_keep_the_order_and_each_element_once() {
        let of = |name| show(&call(name, vec![numbers(&[3, 1, 3, 2]), numbers(&[2, 4, 4])]));
        assert_eq!(of("ARRAY_UNION").as_deref(), Some("[3, 1, 2, 4]"));
        assert_eq!(of("ARRAY_EXCEPT").as_deref(), Some("[3, 1]"));
        assert_eq!(of("ARRAY_INTERSECT").as_deref(), Some("[2]"));
        assert_eq!(of("ARRAY_CONCAT").as_deref(), Some("[3, 1, 3, 2, 2, 4, 4]"));
        let nulls = call("ARRAY_INTERSECT", vec![with_null(), with_null()]);
        assert_eq!(show(&nulls).as_deref(), Some("[1, NULL]"));
        let nothing = null(TypeKind::Array(Box::new(TypeKind::Int.nullable())));
        assert_eq!(show(&call("ARRAY_UNION", vec![numbers(&[1]), nothing])), None);
    }

    #[test]
    fn rows_have_sets_of_their_own() {
        let got = over(&[Some("a"), Some("b"), None], |s| {
            let first = call("ARRAY", vec![s, text("b"), text("b")]);
            call("ARRAY_EXCEPT", vec![first, call("ARRAY", vec![text("a")])])
        });
        assert_eq!(got, some(["[b]", "[b]", "[NULL, b]"]));
        let got = over(&[Some("1"), Some("2")], |s| {
            call("ARRAY_APPEND", vec![numbers(&[1]), cast_to(s, TypeKind::Int)])
        });
        assert_eq!(got, some(["[1, 1]", "[1, 2]"]));
    }
}
