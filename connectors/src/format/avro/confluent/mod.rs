//! `avro-confluent`: records of Avro, each with the number of its schema in front, as a schema registry gave it: a zero,
//! the number in four bytes, big-endian, and the record. The envelopes of `debezium-avro-confluent` are such records.
//!
//! Schemas of writers are fetched when their numbers come first, and kept; the schema of what is written is registered
//! before the first record.

mod registry;
mod settings;
#[cfg(test)]
mod tests;
mod tls;

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::future::BoxFuture;
use hashbrown::HashMap;
use tidegate_connector_spec::FormatOptions;
use tidegate_types::error::ResultExt as _;
use tidegate_types::{Error, ErrorCode, Field, Result};

use super::{Columns, Empty, Plan, Schema, Writer, decode_records};
use crate::format::text::cells;
use crate::format::{
    DecodeError, Decoded, Decoder, DecoderContext, Encoder, EncoderContext, Records,
};
use registry::Registry;
use settings::renamed;

/// Bytes in front of a record.
const PREFIX: usize = 5;
/// Most schemas that a decoder keeps.
const MAX_SCHEMAS: usize = 1_000;

/// The decoder of a table's options. Opens no connection.
///
/// # Errors
/// `INVALID_OPTION` for options that contradict each other, and a schema that does not fit the table.
pub(in crate::format) fn decoder(context: &DecoderContext<'_>) -> Result<Box<dyn Decoder>> {
    decoder_of(context, Empty::Record)
}

/// The decoder of the envelopes of changes, with the fields that `context` says. An empty record is a deletion that was
/// told before, as one that is NULL.
///
/// # Errors
/// As [`decoder`].
pub(in crate::format) fn envelope_decoder(
    context: &DecoderContext<'_>,
) -> Result<Box<dyn Decoder>> {
    if let Some(schema) = given_schema(context.options)?
        && let Some(missing) = context.declared.iter().find(|field| !schema.has(&field.name))
    {
        let key = context.options.full_key("schema");
        let message =
            format!("option '{key}': it is no envelope of changes: it has no '{}'", missing.name);
        return Err(Error::new(ErrorCode::InvalidOption, message));
    }
    decoder_of(context, Empty::Null)
}

fn decoder_of(context: &DecoderContext<'_>, empty: Empty) -> Result<Box<dyn Decoder>> {
    let reader = given_schema(context.options)?.map(Arc::new);
    if let Some(schema) = &reader {
        let key = context.options.full_key("schema");
        Plan::new(Arc::clone(schema), context.declared, None)
            .context(|| format!("option '{key}'"))?;
    }
    Ok(Box::new(ConfluentDecoder {
        registry: Arc::new(Registry::new(context.options)?),
        reader,
        read: context.read.to_vec(),
        columns: Columns::new(context.read)?,
        empty,
        plans: HashMap::new(),
        fetch: None,
    }))
}

/// The encoder of a table's options. Opens no connection.
///
/// # Errors
/// As [`decoder`]; `INVALID_OPTION` without a subject.
pub(in crate::format) fn encoder(context: &EncoderContext<'_>) -> Result<Box<dyn Encoder>> {
    encoder_of(context, |schema| schema)
}

/// The encoder of the envelopes of changes, with the fields that `context` says. Flink has them in a union with null.
///
/// # Errors
/// As [`encoder`].
pub(in crate::format) fn envelope_encoder(
    context: &EncoderContext<'_>,
) -> Result<Box<dyn Encoder>> {
    encoder_of(context, Schema::or_null)
}

fn encoder_of(
    context: &EncoderContext<'_>,
    derived: impl FnOnce(Schema) -> Schema,
) -> Result<Box<dyn Encoder>> {
    let subject = renamed(context.options, "subject").ok_or_else(|| {
        let key = context.options.full_key("subject");
        let message = format!("{}: '{key}' is needed to write", context.origin);
        Error::new(ErrorCode::InvalidOption, message)
    })?;
    let schema = match given_schema(context.options)? {
        Some(schema) => schema,
        None => derived(super::table_schema(context.options, context.declared)?),
    };
    // A schema that was given is registered as it was given.
    let text = renamed(context.options, "schema").map_or_else(|| schema.to_json(), str::to_owned);
    Ok(Box::new(ConfluentEncoder {
        registry: Registry::new(context.options)?,
        subject: subject.to_owned(),
        schema: text,
        writer: Writer::new(&schema, context.columns)?,
        columns: context.columns.to_vec(),
        id: None,
    }))
}

/// The schema that a table gives in its options.
fn given_schema(options: &FormatOptions) -> Result<Option<Schema>> {
    let parse = |text: &str| {
        Schema::parse(text).map_err(|error| {
            let key = options.full_key("schema");
            Error::new(ErrorCode::InvalidOption, format!("option '{key}': {error}"))
        })
    };
    renamed(options, "schema").map(parse).transpose()
}

struct ConfluentDecoder {
    registry: Arc<Registry>,
    /// The schema of the table, if it is said.
    reader: Option<Arc<Schema>>,
    read: Vec<Field>,
    columns: Columns,
    empty: Empty,
    /// By the numbers of their schemas.
    plans: HashMap<u32, Plan>,
    /// A fetch that is under way. Kept here, so that a cancelled `prepare` loses nothing.
    fetch: Option<(u32, BoxFuture<'static, Result<String>>)>,
}

impl ConfluentDecoder {
    /// The number of the first schema that is not known.
    fn unknown(&self, records: &Records) -> Option<u32> {
        let numbers = records.iter().flatten().filter_map(|record| split(record).ok());
        numbers.map(|(number, _)| number).find(|number| !self.plans.contains_key(number))
    }

    fn add(&mut self, number: u32, text: &str) -> Result<()> {
        let place = || format!("schema {number} of {}", self.registry.describe());
        let schema = Schema::parse(text).map_err(|error| {
            Error::new(ErrorCode::Incompatible, format!("{}: {error}", place()))
        })?;
        let plan = Plan::new(Arc::new(schema), &self.read, self.reader.as_ref()).context(place)?;
        if self.plans.len() >= MAX_SCHEMAS {
            self.plans.clear();
        }
        self.plans.insert(number, plan);
        Ok(())
    }
}

/// The number of a record's schema, and the record.
fn split(bytes: &[u8]) -> std::result::Result<(u32, &[u8]), String> {
    match bytes.split_first_chunk::<PREFIX>() {
        Some(([0, number @ ..], record)) => Ok((u32::from_be_bytes(*number), record)),
        Some(([first, ..], _)) => Err(format!(
            "it begins with {first}, not with 0 and the number of a schema: it was not written with a registry"
        )),
        None => Err("it is too short for the number of a schema".to_owned()),
    }
}

#[async_trait]
impl Decoder for ConfluentDecoder {
    async fn prepare(&mut self, records: &Records) -> Result<()> {
        while let Some(number) = self.unknown(records) {
            let registry = &self.registry;
            let (asked, fetch) = self.fetch.get_or_insert_with(|| {
                let registry = Arc::clone(registry);
                (number, Box::pin(async move { registry.schema(number).await }))
            });
            let asked = *asked;
            let fetched = fetch.await;
            self.fetch = None;
            self.add(asked, &fetched?)?;
        }
        Ok(())
    }

    fn decode(&mut self, records: &Records) -> Result<Decoded, DecodeError> {
        let plans = &self.plans;
        decode_records(&mut self.columns, records, self.empty, |columns, bytes| {
            let (number, record) = split(bytes)?;
            let plan = plans.get(&number);
            let plan = plan.ok_or_else(|| format!("schema {number} was not fetched"))?;
            columns.push(plan, record).map_err(|error| format!("{error} (schema {number})"))
        })
    }
}

struct ConfluentEncoder {
    registry: Registry,
    subject: String,
    schema: String,
    writer: Writer,
    columns: Vec<Field>,
    /// The number that the registry gave.
    id: Option<u32>,
}

#[async_trait]
impl Encoder for ConfluentEncoder {
    async fn prepare(&mut self) -> Result<()> {
        if self.id.is_none() {
            self.id = Some(self.registry.register(&self.subject, &self.schema).await?);
        }
        Ok(())
    }

    fn encode(&mut self, rows: &RecordBatch, out: &mut Records) -> Result<()> {
        let number = self.id.ok_or_else(|| Error::internal("the schema is not registered"))?;
        let cells = cells::of_batch(rows, &self.columns, "Avro")?;
        for row in 0..rows.num_rows() {
            let buffer = out.buffer();
            buffer.push(0);
            buffer.extend_from_slice(&number.to_be_bytes());
            if let Err(error) = self.writer.write(&cells, row, buffer) {
                // What was begun of the record does not stay.
                out.end_null();
                return Err(error);
            }
            out.end_record();
        }
        Ok(())
    }
}
