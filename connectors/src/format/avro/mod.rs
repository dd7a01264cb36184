//! `avro`: records of Apache Avro, with the schema that Flink derives from the table's columns.
//!
//! The decoder goes over the bytes of a record once, by a plan that says for each field of the writer's schema
//! into which column it goes; fields that the query does not read are passed over. Schemas of writers other than
//! the table's own come with files (`container`) or from a registry (`confluent`).
//!
//! | file | holds |
//! |---|---|
//! | `schema/` | schemas: parsed, derived from SQL types, written |
//! | `cursor` | the primitives of the binary encoding |
//! | `plan` | a writer's schema resolved against columns |
//! | `decode` | records into columns |
//! | `encode` | rows to records |
//! | `json` | the JSON encoding |
//! | `codec` | compression of blocks |
//! | `container` | files of blocks |
//! | `confluent/` | records with the number of their schema, and the registry that has it |

pub(in crate::format) mod codec;
#[cfg(feature = "kafka")]
pub(in crate::format) mod confluent;
pub(crate) mod container;
mod cursor;
mod decode;
mod encode;
mod json;
mod plan;
mod schema;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use tidegate_connector_spec::FormatOptions;
use tidegate_types::{Error, Field, Result};

use super::text::cells;
use super::{
    BadRecord, DecodeError, Decoded, Decoder, DecoderContext, Encoder, EncoderContext, Records,
};
pub(in crate::format) use decode::Columns;
pub(in crate::format) use encode::Writer;
pub(in crate::format) use plan::Plan;
pub(in crate::format) use schema::Schema;
#[cfg(feature = "probe")]
pub(crate) use schema::SchemaColumn;
use schema::TimestampMapping;

/// The columns of records with this schema, given as JSON.
///
/// # Errors
/// What is wrong with the schema.
#[cfg(all(feature = "kafka", feature = "probe"))]
pub(crate) fn columns_of(schema: &str) -> std::result::Result<Vec<SchemaColumn>, String> {
    Ok(Schema::parse(schema)?.columns())
}

/// The decoder of a table's options.
///
/// # Errors
/// `INVALID_OPTION` for types that Avro does not hold.
pub(super) fn decoder(context: &DecoderContext<'_>) -> Result<Box<dyn Decoder>> {
    let schema = Arc::new(table_schema(context.options, context.declared)?);
    Ok(Box::new(AvroDecoder {
        plan: Plan::new(Arc::clone(&schema), context.read, None)?,
        columns: Columns::new(context.read)?,
        json: is_json(context.options).then_some(schema),
    }))
}

/// The encoder of a table's options.
///
/// # Errors
/// As [`decoder`].
pub(super) fn encoder(context: &EncoderContext<'_>) -> Result<Box<dyn Encoder>> {
    let schema = table_schema(context.options, context.declared)?;
    Ok(Box::new(AvroEncoder {
        writer: Writer::new(&schema, context.columns)?,
        columns: context.columns.to_vec(),
        json: is_json(context.options).then_some(schema),
        binary: Vec::new(),
    }))
}

/// The schema of a table's rows.
///
/// # Errors
/// `INVALID_OPTION` for types that Avro does not hold.
pub(in crate::format) fn table_schema(
    options: &FormatOptions,
    columns: &[Field],
) -> Result<Schema> {
    const LEGACY: &str = "timestamp_mapping.legacy";
    let mapping = match options.knows(LEGACY) && !options.boolean(LEGACY)? {
        true => TimestampMapping::Correct,
        false => TimestampMapping::Legacy,
    };
    schema::derive(columns, mapping)
}

fn is_json(options: &FormatOptions) -> bool {
    options.text("encoding").is_some_and(|encoding| encoding.eq_ignore_ascii_case("json"))
}

struct AvroDecoder {
    plan: Plan,
    columns: Columns,
    /// The schema, where records are in JSON.
    json: Option<Arc<Schema>>,
}

impl Decoder for AvroDecoder {
    fn decode(&mut self, records: &Records) -> Result<Decoded, DecodeError> {
        let (columns, plan, json) = (&mut self.columns, &self.plan, &self.json);
        decode_records(columns, records, Empty::Record, |columns, bytes| match json {
            None => columns.push(plan, bytes),
            Some(schema) => columns.push(plan, &json::record_to_binary(schema, bytes)?),
        })
    }
}

/// What a record without bytes is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format) enum Empty {
    /// A record, of a schema without fields.
    Record,
    /// As one that is NULL.
    #[cfg(feature = "kafka")]
    Null,
}

/// Decodes records, each with `push`. A record that is NULL gives no row.
pub(in crate::format) fn decode_records(
    columns: &mut Columns,
    records: &Records,
    empty: Empty,
    mut push: impl FnMut(&mut Columns, &[u8]) -> Result<(), String>,
) -> Result<Decoded, DecodeError> {
    columns.reserve(records.len());
    let mut origins: Option<Vec<u32>> = None;
    for (record, bytes) in records.iter().enumerate() {
        let Some(bytes) = bytes.filter(|bytes| empty == Empty::Record || !bytes.is_empty()) else {
            origins = origins.or_else(|| Some((0..record as u32).collect()));
            continue;
        };
        if let Err(message) = push(columns, bytes) {
            columns.clear();
            return Err(BadRecord { record, message }.into());
        }
        if let Some(origins) = &mut origins {
            origins.push(record as u32);
        }
    }
    Ok(Decoded {
        rows: columns.finish()?,
        metadata: Vec::new(),
        origins: origins.map(UInt32Array::from),
        bad_records: 0,
        kinds: None,
    })
}

struct AvroEncoder {
    writer: Writer,
    columns: Vec<Field>,
    /// The schema, where records are in JSON.
    json: Option<Schema>,
    binary: Vec<u8>,
}

impl Encoder for AvroEncoder {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Records) -> Result<()> {
        let cells = cells::of_batch(rows, &self.columns, "Avro")?;
        for row in 0..rows.num_rows() {
            let written = match &self.json {
                None => self.writer.write(&cells, row, out.buffer()),
                Some(schema) => {
                    self.binary.clear();
                    self.writer.write(&cells, row, &mut self.binary).and_then(|()| {
                        json::record_to_json(schema, &self.binary, out.buffer())
                            .map_err(|error| Error::internal(format!("encode Avro: {error}")))
                    })
                }
            };
            if let Err(error) = written {
                // What was begun of the record does not stay.
                out.end_null();
                return Err(error);
            }
            out.end_record();
        }
        Ok(())
    }
}
