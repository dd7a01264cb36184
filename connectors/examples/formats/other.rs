//! Readers and writers of others for the same bytes: arrow-rs's where it has the format. Of changes as JSON there are none:
//! beside those stands parsing into `serde_json::Value`, without columns.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow_avro::schema::{
    AvroSchema, Fingerprint, FingerprintAlgorithm, FingerprintStrategy, SchemaStore,
};
use arrow_avro::writer::format::AvroSoeFormat;
use tidegate_connectors::format::Records;

use crate::data::Case;
use crate::registry::last_schema;

/// One of them: does a batch, and returns how many rows that were.
pub(crate) struct Other {
    pub(crate) name: &'static str,
    pub(crate) run: Box<dyn FnMut() -> Result<usize>>,
}

fn other(name: &'static str, run: impl FnMut() -> Result<usize> + 'static) -> Other {
    Other { name, run: Box::new(run) }
}

/// What decodes the records of a format.
pub(crate) fn decoder(case: &Case, records: &Records, rows: usize) -> Result<Option<Other>> {
    let schema = plain(case)?;
    let lines = || -> Result<Vec<u8>> {
        let mut lines = Vec::new();
        for record in records.iter().flatten() {
            lines.write_all(record)?;
            lines.push(b'\n');
        }
        Ok(lines)
    };
    Ok(match case.format {
        "json" => {
            let lines = lines()?;
            let builder = arrow::json::ReaderBuilder::new(schema).with_batch_size(rows);
            let mut decoder = builder.build_decoder()?;
            Some(other("arrow-json", move || {
                decoder.decode(&lines)?;
                Ok(decoder.flush()?.map_or(0, |batch| batch.num_rows()))
            }))
        }
        "csv" => {
            let lines = lines()?;
            let builder = arrow::csv::ReaderBuilder::new(schema).with_batch_size(rows);
            let mut decoder = builder.build_decoder();
            Some(other("arrow-csv", move || {
                let mut from = 0;
                while let Some(rest) = lines.get(from..).filter(|rest| !rest.is_empty()) {
                    match decoder.decode(rest)? {
                        0 => break,
                        read => from += read,
                    }
                }
                Ok(decoder.flush()?.map_or(0, |batch| batch.num_rows()))
            }))
        }
        "avro-confluent" => {
            let all: Vec<u8> = records.iter().flatten().flatten().copied().collect();
            let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
            store.set(Fingerprint::Id(1), AvroSchema::new(last_schema()?))?;
            let builder = arrow_avro::reader::ReaderBuilder::new()
                .with_batch_size(rows)
                .with_utf8_view(true)
                .with_active_fingerprint(Fingerprint::Id(1))
                .with_writer_schema_store(store);
            let mut decoder = builder.build_decoder()?;
            Some(other("arrow-avro", move || {
                decoder.decode(&all)?;
                Ok(decoder.flush()?.map_or(0, |batch| batch.num_rows()))
            }))
        }
        format if format.ends_with("-json") => {
            let records = records.clone();
            Some(other("serde_json::Value", move || {
                for record in records.iter().flatten() {
                    let value: serde_json::Value = serde_json::from_slice(record)?;
                    std::hint::black_box(value);
                }
                Ok(records.len())
            }))
        }
        _ => None,
    })
}

/// What encodes rows in a format.
pub(crate) fn encoder(case: &Case, batch: &RecordBatch) -> Result<Option<Other>> {
    let schema = plain(case)?;
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    let columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
    let batch = RecordBatch::try_new(schema, columns)?;
    let mut out = Vec::new();
    Ok(match case.format {
        "json" => Some(other("arrow-json", move || {
            out.clear();
            let builder = arrow::json::WriterBuilder::new().with_explicit_nulls(true);
            let mut writer = builder.build::<_, arrow::json::writer::LineDelimited>(&mut out);
            writer.write(&batch)?;
            writer.finish()?;
            Ok(batch.num_rows())
        })),
        "csv" => Some(other("arrow-csv", move || {
            out.clear();
            let builder = arrow::csv::WriterBuilder::new().with_header(false);
            builder.build(&mut out).write(&batch)?;
            Ok(batch.num_rows())
        })),
        "avro-confluent" => {
            let schema = Schema::clone(&batch.schema());
            let builder = arrow_avro::writer::WriterBuilder::new(schema)
                .with_fingerprint_strategy(FingerprintStrategy::Id(1));
            let mut encoder = builder.build_encoder::<AvroSoeFormat>().context("arrow-avro")?;
            Some(other("arrow-avro", move || {
                encoder.encode(&batch)?;
                Ok(encoder.flush().len())
            }))
        }
        _ => None,
    })
}

/// The columns in types that all of these take.
fn plain(case: &Case) -> Result<SchemaRef> {
    let field = |field: &tidegate_types::Field| -> Result<Field> {
        let ty = match tidegate_plan::arrow_type::data_type(&field.ty) {
            DataType::Utf8View => DataType::Utf8,
            DataType::Timestamp(_, _) => DataType::Timestamp(TimeUnit::Millisecond, None),
            other => other,
        };
        Ok(Field::new(&field.name, ty, field.ty.nullable))
    };
    Ok(Arc::new(Schema::new(case.columns.iter().map(field).collect::<Result<Vec<_>>>()?)))
}
