//! `$BUCKET(value, n)`: a number below n for each value, the same for equal values.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array};
use arrow::datatypes::Int32Type;
use arrow::row::{RowConverter, SortField};
use tidegate_types::{Error, Result, TypeKind};
use xxhash_rust::xxh3::xxh3_64;

use crate::function::{Argument, Function, KernelContext, Signature, Value};
use crate::rules::count;

pub(crate) const FUNCTIONS: &[Function] =
    &[Function::new("$BUCKET", "A number below another, by the hash of a value", bind, bucket)];

fn bind(args: &[Argument]) -> Result<Signature> {
    count(args, 2..=2)?;
    Ok(Signature {
        arguments: vec![args[0].ty.clone(), TypeKind::Int.not_null()],
        result: TypeKind::Int.not_null(),
    })
}

fn bucket(values: &[Value], context: &KernelContext<'_>) -> Result<ArrayRef> {
    let [value, buckets] = values else { return Err(Error::internal("$BUCKET takes two values")) };
    let value = value.to_array(context.rows)?;
    let buckets = buckets.to_array(context.rows)?;
    let buckets = buckets.as_primitive::<Int32Type>().values();
    let unsupported = |error: arrow::error::ArrowError| Error::unsupported(error.to_string());
    let converter = RowConverter::new(vec![SortField::new(value.data_type().clone())]);
    let rows =
        converter.and_then(|converter| converter.convert_columns(&[value])).map_err(unsupported)?;
    let bucket = |(row, buckets): (arrow::row::Row<'_>, &i32)| {
        let buckets = u64::from(buckets.unsigned_abs().max(1));
        (xxh3_64(row.data()) % buckets) as i32
    };
    Ok(Arc::new(rows.iter().zip(buckets).map(bucket).collect::<Int32Array>()))
}
