//! What is decoded and encoded: rows like those of an order, of which one field in twenty is NULL.

use std::sync::Arc;

use anyhow::Result;
use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringViewArray,
    TimestampMillisecondArray,
};
use tidegate_connector_spec::FormatOptions;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_types::{Field, TypeKind};

/// A format with its options and columns.
pub(crate) struct Case {
    pub(crate) format: &'static str,
    pub(crate) columns: Vec<Field>,
    more: &'static [(&'static str, &'static str)],
}

const PROTO: &str = "syntax = \"proto3\"; message Row { int64 id = 1; string name = 2; double price = 3; int32 quantity = 4; \
                     bool paid = 5; string note = 6; }";

impl Case {
    /// All of them.
    pub(crate) fn all() -> Result<Vec<Self>> {
        let whole = ["id", "name", "price", "quantity", "paid", "note", "at"];
        let case = |format, names: &[&str], more| {
            let columns = columns();
            let columns = columns.into_iter().filter(|field| names.contains(&field.name.as_str()));
            Self { format, columns: columns.collect(), more }
        };
        let mut all: Vec<Self> = [
            "json",
            "csv",
            "debezium-json",
            "canal-json",
            "maxwell-json",
            "ogg-json",
            "avro",
            "avro-confluent",
            "debezium-avro-confluent",
        ]
        .map(|format| {
            // An empty field is NULL on both sides.
            let csv: &[_] = &[("null-literal", "")];
            case(format, &whole, if format == "csv" { csv } else { &[] })
        })
        .into();
        let message = &[("schema", PROTO), ("message-class-name", "Row")];
        all.push(case("protobuf", &whole[..6], message));
        all.push(case("raw", &["name"], &[]));
        Ok(all)
    }

    /// The options, with the address of a registry for formats that have one.
    pub(crate) fn options(&self, registry: &str) -> Result<FormatOptions> {
        let mut pairs = self.more.to_vec();
        if self.format.ends_with("confluent") {
            pairs.extend([("url", registry), ("subject", "orders-value")]);
        }
        Ok(FormatOptions::new(self.format, &pairs)?)
    }

    /// Rows.
    pub(crate) fn batch(&self, rows: usize) -> Result<RecordBatch> {
        let every = |row: usize, n: usize| row % 20 != n;
        let number = |row: usize| (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let column = |field: &Field| -> ArrayRef {
            let all = 0..rows;
            match field.name.as_str() {
                "id" => Arc::new(Int64Array::from_iter_values(all.map(|row| number(row) as i64))),
                "name" => {
                    let text =
                        |row| every(row, 1).then(|| format!("customer {}", number(row) % 10_000));
                    Arc::new(all.map(text).collect::<StringViewArray>())
                }
                "price" => {
                    let price =
                        |row| every(row, 2).then(|| (number(row) % 1_000_000) as f64 / 100.0);
                    Arc::new(all.map(price).collect::<Float64Array>())
                }
                "quantity" => {
                    let count = |row| every(row, 3).then(|| (number(row) % 100) as i32);
                    Arc::new(all.map(count).collect::<Int32Array>())
                }
                "paid" => {
                    let paid = |row| every(row, 4).then(|| number(row) % 3 == 0);
                    Arc::new(all.map(paid).collect::<BooleanArray>())
                }
                "note" => {
                    let text = |row| {
                        every(row, 5)
                            .then(|| format!("leave it at the door of number {}", row % 300))
                    };
                    Arc::new(all.map(text).collect::<StringViewArray>())
                }
                _ => {
                    let at = |row| every(row, 6).then(|| 1_767_225_600_000 + row as i64 * 37);
                    Arc::new(all.map(at).collect::<TimestampMillisecondArray>())
                }
            }
        };
        let columns = self.columns.iter().map(column).collect();
        Ok(RecordBatch::try_new(arrow_schema(&self.columns), columns)?)
    }
}

fn columns() -> Vec<Field> {
    vec![
        Field::new("id", TypeKind::BigInt.not_null()),
        Field::new("name", TypeKind::STRING.nullable()),
        Field::new("price", TypeKind::Double.nullable()),
        Field::new("quantity", TypeKind::Int.nullable()),
        Field::new("paid", TypeKind::Boolean.nullable()),
        Field::new("note", TypeKind::STRING.nullable()),
        Field::new("at", TypeKind::timestamp(3).nullable()),
    ]
}
