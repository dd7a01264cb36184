//! Rows to records and back, resolution of schemas, files. What Flink writes of the same rows is in `flink`.

mod evolution;
mod flink;
mod values;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use tidegate_connector_spec::FormatOptions;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_types::{Field, Result, SqlType};

use super::Schema;
use crate::format::{
    DecodeError, Decoded, DecoderContext, EncoderContext, Records, decoder, encoder,
};

fn options(pairs: &[(&str, &str)]) -> FormatOptions {
    FormatOptions::new("avro", pairs).unwrap()
}

fn field(name: &str, ty: SqlType) -> Field {
    Field::new(name, ty)
}

fn batch(columns: &[Field], arrays: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_new(arrow_schema(columns), arrays).unwrap()
}

fn encode(pairs: &[(&str, &str)], columns: &[Field], rows: &RecordBatch) -> Result<Records> {
    let options = options(pairs);
    let context = EncoderContext { options: &options, columns, declared: columns, origin: "t" };
    let mut out = Records::new();
    encoder(&context)?.encode(rows, &mut out)?;
    Ok(out)
}

fn decode(
    pairs: &[(&str, &str)],
    declared: &[Field],
    read: &[Field],
    records: &Records,
) -> Result<Decoded, DecodeError> {
    let options = options(pairs);
    let context = DecoderContext { options: &options, declared, read, metadata: &[], origin: "t" };
    decoder(&context)?.decode(records)
}

/// What is written of a batch, and read again, for both encodings.
fn roundtrip(pairs: &[(&str, &str)], columns: &[Field], rows: &RecordBatch) {
    for encoding in ["binary", "json"] {
        let mut pairs = pairs.to_vec();
        pairs.push(("encoding", encoding));
        let records = encode(&pairs, columns, rows).unwrap();
        let decoded = decode(&pairs, columns, columns, &records).unwrap();
        assert_eq!(&decoded.rows, rows, "{encoding}");
    }
}

fn schema(text: &str) -> Arc<Schema> {
    Arc::new(Schema::parse(text).unwrap())
}
