//! Values, records and encoding; here is what the tests share.

mod encoding;
mod records;
mod values;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::Int64Type;
use arrow::util::display::{ArrayFormatter, FormatOptions as DisplayOptions};
use tidegate_connector_spec::FormatOptions;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_types::{Field, TypeKind};

use super::*;
use crate::counter_random::{Sequence, Stream};
use crate::format::{DecodeError, Decoded, Records};

type K = TypeKind;

fn fields(columns: &[(&str, TypeKind)]) -> Vec<Field> {
    columns.iter().map(|(name, kind)| Field::new(*name, kind.clone().nullable())).collect()
}

fn records(texts: &[&[u8]]) -> Records {
    let mut records = Records::new();
    for text in texts {
        assert!(records.push(Some(text)));
    }
    records
}

fn decode(
    fields: &[Field],
    options: &[(&str, &str)],
    texts: &[&[u8]],
) -> Result<Decoded, DecodeError> {
    let options = FormatOptions::new("json", options)?;
    let context = DecoderContext {
        options: &options,
        declared: fields,
        read: fields,
        metadata: &[],
        origin: "table t",
    };
    decoder(&context)?.decode(&records(texts))
}

/// The rows, cells separated by `|`.
fn shown(batch: &RecordBatch) -> Vec<String> {
    let options = DisplayOptions::default().with_null("NULL");
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|array| ArrayFormatter::try_new(array.as_ref(), &options).unwrap())
        .collect();
    let row = |row| {
        columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|")
    };
    (0..batch.num_rows()).map(row).collect()
}

fn rows(
    columns: &[(&str, TypeKind)],
    options: &[(&str, &str)],
    text: &str,
) -> Result<Vec<String>, String> {
    let lines: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
    match decode(&fields(columns), options, &lines) {
        Ok(decoded) => Ok(shown(&decoded.rows)),
        Err(DecodeError::Record(bad)) => Err(bad.message),
        Err(DecodeError::Other(error)) => Err(error.to_string()),
    }
}

/// What a value becomes in a column of a type; `None`: the record is refused.
fn value(kind: TypeKind, json: &str) -> Option<String> {
    value_with(kind, json, &[])
}

fn value_with(kind: TypeKind, json: &str, options: &[(&str, &str)]) -> Option<String> {
    rows(&[("a", kind)], options, &format!("{{\"a\":{json}}}")).ok().map(|mut rows| rows.remove(0))
}

fn check(kind: &TypeKind, cases: &[(&str, Option<&str>)]) {
    for (json, expected) in cases {
        assert_eq!(value(kind.clone(), json).as_deref(), *expected, "{json} into {kind}");
    }
}
