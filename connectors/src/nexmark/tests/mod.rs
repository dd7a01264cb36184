//! The events as such, and reading them; here is what the tests share.

mod events;
mod reading;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray, Int32Array, RecordBatch, StructArray};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMillisecondType};
use tidegate_engine::connector::Read;
use tidegate_engine::metrics::SourceMetrics;
use tidegate_functions::Zone;
use tidegate_plan::operator::Table;
use tidegate_plan::{CastMode, Expr, Literal, Scalar};
use tidegate_types::{SqlType, TypeKind};

use super::*;
use crate::numbered::Rows as _;

/// Events of an independent implementation in another language, one per line: type, then the fields;
/// a padding as its length and first letters.
const RECORDED: &str = include_str!("../golden.txt");

type K = TypeKind;

fn row(name: &str, fields: &[(&str, TypeKind)]) -> Field {
    let fields =
        fields.iter().map(|(name, kind)| Field::new(*name, kind.clone().nullable())).collect();
    Field::new(name, K::Row(fields).nullable())
}

/// All columns of the benchmark's table.
fn columns() -> Vec<Field> {
    let (long, text, time) = (K::BigInt, K::STRING, K::timestamp(3));
    vec![
        Field::new("event_type", K::Int.nullable()),
        row(
            "person",
            &[
                ("id", long.clone()),
                ("name", text.clone()),
                ("emailAddress", text.clone()),
                ("creditCard", text.clone()),
                ("city", text.clone()),
                ("state", text.clone()),
                ("dateTime", time.clone()),
                ("extra", text.clone()),
            ],
        ),
        row(
            "auction",
            &[
                ("id", long.clone()),
                ("itemName", text.clone()),
                ("description", text.clone()),
                ("initialBid", long.clone()),
                ("reserve", long.clone()),
                ("dateTime", time.clone()),
                ("expires", time.clone()),
                ("seller", long.clone()),
                ("category", long.clone()),
                ("extra", text.clone()),
            ],
        ),
        row(
            "bid",
            &[
                ("auction", long.clone()),
                ("bidder", long.clone()),
                ("price", long),
                ("channel", text.clone()),
                ("url", text.clone()),
                ("dateTime", time),
                ("extra", text),
            ],
        ),
    ]
}

fn generate(read: &[Field], wanted: [bool; 3], first: u64, end: u64) -> RecordBatch {
    let data = Arc::new(SourceData::new(Shape::default()).unwrap());
    let mut generator = Generator::new(data, read, wanted).unwrap();
    generator.generate(first, end).unwrap().unwrap()
}

fn field(batch: &RecordBatch, column: &str, name: &str) -> Arc<dyn Array> {
    let row = batch.column_by_name(column).unwrap().as_struct();
    Arc::clone(row.column_by_name(name).unwrap())
}

fn longs(batch: &RecordBatch, column: &str, name: &str) -> Vec<i64> {
    field(batch, column, name).as_primitive::<Int64Type>().values().to_vec()
}

/// An event as in the recorded file.
fn line(event_type: i32, row: &StructArray, index: usize) -> String {
    let cell = |(name, array): (&str, &Arc<dyn Array>)| match (name, array.as_string_view_opt()) {
        ("extra", Some(texts)) => {
            let text = texts.value(index);
            format!("{}:{}", text.len(), &text[..8_usize.min(text.len())])
        }
        (_, Some(texts)) => texts.value(index).to_owned(),
        (_, None) => match array.as_primitive_opt::<Int64Type>() {
            Some(values) => values.value(index).to_string(),
            None => array.as_primitive::<TimestampMillisecondType>().value(index).to_string(),
        },
    };
    let cells: Vec<String> = row.column_names().into_iter().zip(row.columns()).map(cell).collect();
    format!("{event_type}|{}", cells.join("|"))
}

fn lines(batch: &RecordBatch) -> Vec<String> {
    let types = batch.column(0).as_primitive::<Int32Type>();
    let rows: Vec<&StructArray> = (1..4).map(|column| batch.column(column).as_struct()).collect();
    (0..batch.num_rows())
        .map(|index| {
            let kind = types.value(index);
            for (other, row) in (0..).zip(&rows) {
                assert_eq!(row.is_valid(index), other == kind, "row {index}, column {other}");
            }
            line(kind, rows[kind as usize], index)
        })
        .collect()
}
