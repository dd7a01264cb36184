//! BITMAP: sets of 32-bit numbers, in the portable format of Roaring bitmaps.
//!
//! The numbers are unsigned: an INT stands for its two's complement.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewBuilder, Int32Builder, ListArray, ListBuilder,
};
use arrow::datatypes::{Int32Type, Int64Type};
use roaring::RoaringBitmap;
use tidegate_plan::arrow_type::data_type;
use tidegate_types::{Error, ErrorCode, Result, SqlType, TypeKind};

use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::{bytes, count, element, fail, may_be_null, strict};
use crate::vector::{self, retype, strict_nulls, valid};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function::new("BITMAP_BUILD", "The set of an array's numbers", bind_build, build),
    Function::new("BITMAP_FROM_BYTES", "A bitmap of its bytes", bind_from_bytes, from_bytes)
        .fallible(),
    Function::new("BITMAP_TO_BYTES", "The bytes of a bitmap", bind_to_bytes, to_bytes),
    Function::new("BITMAP_TO_ARRAY", "The numbers of a bitmap", bind_to_array, to_array),
    Function::new("BITMAP_TO_STRING", "The numbers of a bitmap as text", bind_to_text, to_text),
    Function::new("BITMAP_CARDINALITY", "How many numbers there are", bind_size, cardinality),
    Function::new("BITMAP_AND", "The numbers of both bitmaps", bind_two, and),
    Function::new("BITMAP_OR", "The numbers of either bitmap", bind_two, or),
    Function::new("BITMAP_XOR", "The numbers of one bitmap only", bind_two, xor),
    Function::new("BITMAP_ANDNOT", "The numbers that the second bitmap lacks", bind_two, and_not),
    Function::new("$BITMAP_AND_OF", "The numbers of all bitmaps of a group", bind_group, and_all),
    Function::new("$BITMAP_OR_OF", "The numbers of any bitmap of a group", bind_group, or_all),
    Function::new(
        "$BITMAP_XOR_OF",
        "The numbers of an odd number of bitmaps of a group",
        bind_group,
        xor_all,
    ),
    Function::new("$BITMAP_BUILD_OF", "The set of a group's numbers", bind_numbers, build_all),
];

fn bind_build(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    let item = element(args, 0)?;
    if !matches!(item.kind, TypeKind::TinyInt | TypeKind::SmallInt | TypeKind::Int) {
        return Err(fail(format!("the elements are {}, expected INT", item.kind)));
    }
    let list = TypeKind::Array(Box::new(TypeKind::Int.nullable()));
    let list = SqlType { kind: list, nullable: args[0].ty.nullable };
    Ok(strict(args, vec![list], TypeKind::Bitmap))
}

/// The bitmaps of a group in an array; NULL if there are none.
fn bind_group(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    match element(args, 0)?.kind {
        TypeKind::Bitmap => Ok(may_be_null(vec![args[0].ty.clone()], TypeKind::Bitmap)),
        ref other => Err(fail(format!("the values are {other}, expected BITMAP"))),
    }
}

/// The numbers of a group in an array; NULL if there are none.
fn bind_numbers(args: &[Argument]) -> Result<Signature> {
    let signature = bind_build(args)?;
    Ok(may_be_null(signature.arguments, TypeKind::Bitmap))
}

fn bind_from_bytes(args: &[Argument]) -> Result<Signature> {
    count(args, 1..=1)?;
    Ok(strict(args, vec![bytes(args, 0)?], TypeKind::Bitmap))
}

fn bitmaps(args: &[Argument]) -> Result<Vec<SqlType>> {
    for (index, arg) in args.iter().enumerate() {
        if arg.ty.kind != TypeKind::Bitmap {
            let found = &arg.ty.kind;
            return Err(fail(format!("argument {} is {found}, expected a BITMAP", index + 1)));
        }
    }
    Ok(args.iter().map(|arg| arg.ty.clone()).collect())
}

fn bind_one(args: &[Argument], result: TypeKind) -> Result<Signature> {
    count(args, 1..=1)?;
    Ok(strict(args, bitmaps(args)?, result))
}

fn bind_to_bytes(args: &[Argument]) -> Result<Signature> {
    bind_one(args, TypeKind::BYTES)
}

fn bind_to_array(args: &[Argument]) -> Result<Signature> {
    bind_one(args, TypeKind::Array(Box::new(TypeKind::Int.nullable())))
}

fn bind_to_text(args: &[Argument]) -> Result<Signature> {
    bind_one(args, TypeKind::STRING)
}

fn bind_size(args: &[Argument]) -> Result<Signature> {
    bind_one(args, TypeKind::BigInt)
}

fn bind_two(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    Ok(strict(args, bitmaps(args)?, TypeKind::Bitmap))
}

/// A bitmap from its bytes.
///
/// # Errors
/// `EVALUATION` if they are none.
pub(crate) fn read(bytes: &[u8]) -> Result<RoaringBitmap> {
    RoaringBitmap::deserialize_from(bytes).map_err(|error| {
        let message = format!("the {} bytes are no Roaring bitmap: {error}", bytes.len());
        Error::new(ErrorCode::Evaluation, message)
    })
}

/// The bytes of a bitmap.
///
/// # Errors
/// `INTERNAL` if memory cannot be written to.
pub(crate) fn write(mut bitmap: RoaringBitmap) -> Result<Vec<u8>> {
    // Runs of numbers are stored as such, as Flink does.
    bitmap.optimize();
    let mut bytes = Vec::with_capacity(bitmap.serialized_size());
    bitmap
        .serialize_into(&mut bytes)
        .map_err(|error| Error::internal(format!("a bitmap was not written: {error}")))?;
    Ok(bytes)
}

/// Appends the numbers as `{1,2,3}`.
pub(crate) fn write_numbers(bitmap: &RoaringBitmap, out: &mut String) {
    out.push('{');
    for (index, number) in bitmap.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&number.to_string());
    }
    out.push('}');
}

fn one<'a>(values: &'a [Value], context: &KernelContext<'_>) -> Result<&'a Value> {
    values.first().ok_or_else(|| Error::internal(format!("{} takes an argument", context.name)))
}

fn at(value: &Value, row: usize) -> Result<RoaringBitmap> {
    read(vector::binaries(value.array())?.value(row * value.step()))
}

/// A bitmap per row that is not NULL.
fn made(
    values: &[Value],
    context: &KernelContext<'_>,
    mut make: impl FnMut(usize) -> Result<RoaringBitmap>,
) -> Result<ArrayRef> {
    let nulls = strict_nulls(&values.iter().collect::<Vec<_>>(), context.rows);
    let mut builder = BinaryViewBuilder::with_capacity(context.rows);
    for row in 0..context.rows {
        if valid(nulls.as_ref(), row) {
            let bytes = write(make(row)?)?;
            builder.try_append_value(bytes).map_err(vector::arrow_error)?;
        } else {
            builder.append_null();
        }
    }
    Ok(Arc::new(builder.finish()))
}

fn build(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let value = one(values, context)?;
    let list: &ListArray = vector::lists(value.array())?;
    let numbers = list.values().as_primitive::<Int32Type>();
    made(values, context, |row| {
        let offsets = &list.offsets()[row * value.step()..];
        let places = offsets[0] as usize..offsets[1] as usize;
        let present = places.filter(|place| numbers.is_valid(*place));
        Ok(present.map(|place| numbers.value(place) as u32).collect())
    })
}

fn build_all(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let value = one(values, context)?;
    let list: &ListArray = vector::lists(value.array())?;
    let numbers = list.values().as_primitive::<Int32Type>();
    gathered(value, context, |places| {
        let present = places.filter(|place| numbers.is_valid(*place));
        let mut set = RoaringBitmap::new();
        let mut any = false;
        for place in present {
            set.insert(numbers.value(place) as u32);
            any = true;
        }
        Ok(any.then_some(set))
    })
}

/// A bitmap of the elements of each row's array, or NULL.
fn gathered(
    value: &Value,
    context: &KernelContext<'_>,
    mut make: impl FnMut(std::ops::Range<usize>) -> Result<Option<RoaringBitmap>>,
) -> Result<ArrayRef> {
    let list = vector::lists(value.array())?;
    let mut builder = BinaryViewBuilder::with_capacity(context.rows);
    for row in 0..context.rows {
        let at = row * value.step();
        let places = list.offsets()[at] as usize..list.offsets()[at + 1] as usize;
        let made = if list.is_valid(at) { make(places)? } else { None };
        match made {
            Some(bitmap) => {
                builder.try_append_value(write(bitmap)?).map_err(vector::arrow_error)?;
            }
            None => builder.append_null(),
        }
    }
    Ok(Arc::new(builder.finish()))
}

fn combine_all(
    values: &[Value],
    context: &KernelContext<'_>,
    combine: fn(&mut RoaringBitmap, RoaringBitmap),
) -> Result<ArrayRef> {
    let value = one(values, context)?;
    let bitmaps = vector::binaries(vector::lists(value.array())?.values())?;
    gathered(value, context, |places| {
        let mut all: Option<RoaringBitmap> = None;
        for place in places.filter(|place| bitmaps.is_valid(*place)) {
            let next = read(bitmaps.value(place))?;
            match &mut all {
                Some(all) => combine(all, next),
                None => all = Some(next),
            }
        }
        Ok(all)
    })
}

fn and_all(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    combine_all(values, context, |all, next| *all &= next)
}

fn or_all(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    combine_all(values, context, |all, next| *all |= next)
}

fn xor_all(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    combine_all(values, context, |all, next| *all ^= next)
}

fn from_bytes(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let value = one(values, context)?;
    made(values, context, |row| at(value, row))
}

fn to_bytes(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    one(values, context)?.to_array(context.rows)
}

fn to_array(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let value = one(values, context)?;
    let nulls = strict_nulls(&[value], context.rows);
    let mut builder = ListBuilder::new(Int32Builder::new());
    for row in 0..context.rows {
        let is_there = valid(nulls.as_ref(), row);
        if is_there {
            builder.values().append_values(
                &at(value, row)?.iter().map(|number| number as i32).collect::<Vec<_>>(),
                &vec![true; at(value, row)?.len() as usize],
            );
        }
        builder.append(is_there);
    }
    retype(&(Arc::new(builder.finish()) as ArrayRef), &data_type(context.result))
}

fn to_text(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let value = one(values, context)?;
    let nulls = strict_nulls(&[value], context.rows);
    let texts = vector::map_text(context.rows, nulls.as_ref(), |row, out| {
        write_numbers(&at(value, row)?, out);
        Ok(true)
    })?;
    Ok(Arc::new(texts))
}

/// How many numbers there are, from the descriptions of containers in front: a cookie, the number of containers
/// (in the cookie, if some have runs, which flags behind it say), then for each its key and its size less one. See
/// the specification of the Roaring format.
fn counted(bytes: &[u8]) -> Option<i64> {
    const WITHOUT_RUNS: u32 = 12_346;
    const WITH_RUNS: u32 = 12_347;
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let cookie = word(0)?;
    let (containers, start) = if cookie == WITHOUT_RUNS {
        (word(4)? as usize, 8)
    } else if cookie & 0xffff == WITH_RUNS {
        let containers = (cookie >> 16) as usize + 1;
        (containers, 4 + containers.div_ceil(8))
    } else {
        return None;
    };
    let described = bytes.get(start..start.checked_add(containers.checked_mul(4)?)?)?;
    Some(
        described
            .chunks_exact(4)
            .map(|pair| i64::from(u16::from_le_bytes([pair[2], pair[3]])) + 1)
            .sum(),
    )
}

fn cardinality(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let value = one(values, context)?;
    let nulls = strict_nulls(&[value], context.rows);
    let bitmaps = vector::binaries(value.array())?;
    let sizes = vector::map_rows::<Int64Type>(context.rows, nulls, |row| {
        let bytes = bitmaps.value(row * value.step());
        match counted(bytes) {
            Some(size) => Ok(Some(size)),
            None => Ok(Some(read(bytes)?.len() as i64)),
        }
    })?;
    Ok(Arc::new(sizes))
}

fn combined(
    values: &[Value],
    context: &KernelContext<'_>,
    combine: fn(RoaringBitmap, RoaringBitmap) -> RoaringBitmap,
) -> Result<ArrayRef> {
    let [left, right] = values else {
        return Err(Error::internal(format!("{} takes two bitmaps", context.name)));
    };
    made(values, context, |row| Ok(combine(at(left, row)?, at(right, row)?)))
}

fn and(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    combined(values, context, |a, b| a & b)
}

fn or(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    combined(values, context, |a, b| a | b)
}

fn xor(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    combined(values, context, |a, b| a ^ b)
}

fn and_not(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    combined(values, context, |a, b| a - b)
}

#[cfg(test)]
mod tests {
    use crate::testing::{call, failure, int, literal, null, show, type_of};
    use tidegate_plan::{Expr, Scalar};
    use tidegate_types::TypeKind;

    fn set(numbers: &[i32]) -> Expr {
        let numbers = numbers.iter().map(|number| int(*number));
        let nothing = std::iter::once(null(TypeKind::Int));
        call("BITMAP_BUILD", vec![call("ARRAY", numbers.chain(nothing).collect())])
    }

    #[test]
    fn sets_of_numbers() {
        let of = |name| show(&call(name, vec![set(&[1, 2, 3, -1]), set(&[3, 2, 4])]));
        assert_eq!(of("BITMAP_AND").as_deref(), Some("{2,3}"));
        assert_eq!(of("BITMAP_OR").as_deref(), Some("{1,2,3,4,4294967295}"));
        assert_eq!(of("BITMAP_XOR").as_deref(), Some("{1,4,4294967295}"));
        assert_eq!(of("BITMAP_ANDNOT").as_deref(), Some("{1,4294967295}"));
        let array = call("BITMAP_TO_ARRAY", vec![set(&[-1, 1])]);
        assert_eq!(show(&array).as_deref(), Some("[1, -1]"));
        assert_eq!(type_of(&array), "ARRAY<INT> NOT NULL");
        assert_eq!(show(&call("BITMAP_CARDINALITY", vec![set(&[5, 5])])).as_deref(), Some("1"));
    }

    #[test]
    fn sizes_stand_in_front() {
        let mut bitmap = roaring::RoaringBitmap::new();
        assert_eq!(super::counted(&super::write(bitmap.clone()).unwrap()), Some(0));
        for step in [1_u32, 3, 65_536, 70_001] {
            bitmap.extend((0..5_000_u32).map(|number| number.wrapping_mul(step)));
            let bytes = super::write(bitmap.clone()).unwrap();
            assert_eq!(super::counted(&bytes), Some(bitmap.len() as i64), "{step}");
        }
        bitmap.insert_range(1_000_000..=3_000_000);
        let bytes = super::write(bitmap.clone()).unwrap();
        assert_eq!(super::counted(&bytes), Some(bitmap.len() as i64));
        assert_eq!(super::counted(&bytes[..20]), None);
    }

    #[test]
    fn bytes_are_those_of_the_portable_format() {
        let known = [58, 48, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 16, 0, 0, 0, 1, 0, 2, 0, 3, 0];
        let known = literal(Scalar::Bytes(known.to_vec()), TypeKind::BYTES);
        let read = call("BITMAP_FROM_BYTES", vec![known]);
        assert_eq!(show(&read).as_deref(), Some("{1,2,3}"));
        let again = call("BITMAP_FROM_BYTES", vec![call("BITMAP_TO_BYTES", vec![read])]);
        assert_eq!(show(&again).as_deref(), Some("{1,2,3}"));
        let broken = literal(Scalar::Bytes(vec![255; 4]), TypeKind::BYTES);
        let error = failure(&call("BITMAP_FROM_BYTES", vec![broken]));
        assert!(error.to_string().contains("no Roaring bitmap"), "{error}");
    }
}
