//! Rows to the bytes of a file: records with line ends, Parquet, ORC, or Avro.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use tidegate_connector_spec::{FormatOptions, value};
use tidegate_engine::element::Changes;
use tidegate_plan::arrow_type;
use tidegate_plan::operator::Table;
use tidegate_types::{Error, ErrorCode, Field, Result};

use super::orc_writer::{OrcFile, OrcSettings};
use crate::format::avro::container::{FileSettings, FileWriter};
use crate::format::{self, EncoderContext, Records, check_inserts};

/// What is needed to encode the files of a table.
#[derive(Debug, Clone)]
pub(super) struct FileFormat {
    options: FormatOptions,
    columns: Vec<Field>,
    /// The same as the table declares them.
    declared: Vec<Field>,
    schema: SchemaRef,
    kind: Kind,
    table: String,
}

/// How files are written.
#[derive(Debug, Clone)]
enum Kind {
    Records,
    Parquet(Box<ParquetSettings>),
    Avro(Box<FileSettings>),
    Orc(Box<OrcSettings>),
}

#[derive(Debug, Clone)]
struct ParquetSettings {
    properties: WriterProperties,
    row_group_bytes: u64,
}

impl FileFormat {
    /// The format of a table with these columns in its files.
    ///
    /// # Errors
    /// `INVALID_OPTION` for options and column types that the format does not take.
    pub(super) fn new(options: FormatOptions, columns: Vec<Field>, table: &Table) -> Result<Self> {
        let declared = format::as_declared(&columns, &table.columns);
        let schema = arrow_type::arrow_schema(&columns);
        let kind = match options.name() {
            "parquet" => Kind::Parquet(Box::new(parquet_settings(&options)?)),
            "avro" => Kind::Avro(Box::new(FileSettings::new(&options, &columns, &declared)?)),
            "orc" => Kind::Orc(Box::new(OrcSettings::new(&options, &declared)?)),
            _ => Kind::Records,
        };
        let table = table.name.clone();
        let format = Self { options, columns, declared, schema, kind, table };
        format.encoder("")?;
        Ok(format)
    }

    /// An encoder for the file with a name.
    pub(super) fn encoder(&self, name: &str) -> Result<FileEncoder> {
        if let Kind::Avro(settings) = &self.kind {
            return Ok(FileEncoder::Avro(Box::new(settings.file(name))));
        }
        if let Kind::Orc(settings) = &self.kind {
            return Ok(FileEncoder::Orc(Box::new(settings.file())));
        }
        if let Kind::Parquet(settings) = &self.kind {
            let writer = ArrowWriter::try_new(
                Vec::new(),
                Arc::clone(&self.schema),
                Some(settings.properties.clone()),
            );
            let writer = writer.map_err(|error| {
                let message =
                    format!("table {}: its columns do not fit into Parquet: {error}", self.table);
                Error::new(ErrorCode::InvalidOption, message)
            })?;
            return Ok(FileEncoder::Parquet {
                writer: Box::new(writer),
                row_group_bytes: settings.row_group_bytes,
            });
        }
        let context = EncoderContext {
            options: &self.options,
            columns: &self.columns,
            declared: &self.declared,
            origin: &self.table,
        };
        let encoder = format::encoder(&context)?;
        Ok(FileEncoder::Records { encoder, records: Records::with_terminator(b"\n") })
    }
}

fn parquet_settings(options: &FormatOptions) -> Result<ParquetSettings> {
    let compression =
        match options.text("compression").unwrap_or("SNAPPY").to_ascii_uppercase().as_str() {
            "UNCOMPRESSED" => Compression::UNCOMPRESSED,
            "GZIP" => Compression::GZIP(GzipLevel::default()),
            "ZSTD" => Compression::ZSTD(ZstdLevel::default()),
            "LZ4_RAW" => Compression::LZ4_RAW,
            _ => Compression::SNAPPY,
        };
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_created_by("Tidegate".to_owned())
        .build();
    let size = options.text("block.size").unwrap_or("128 mb");
    let row_group_bytes = value::memory_size(&options.full_key("block.size"), size)?.max(1);
    Ok(ParquetSettings { properties, row_group_bytes })
}

/// Encodes the rows of one file.
pub(super) enum FileEncoder {
    /// Lines.
    Records {
        /// The record format.
        encoder: Box<dyn format::Encoder>,
        /// Encoded records of one batch.
        records: Records,
    },
    /// Parquet.
    Parquet {
        /// Encodes into its vector, which is emptied after each row group.
        writer: Box<ArrowWriter<Vec<u8>>>,
        /// Size at which a row group is closed.
        row_group_bytes: u64,
    },
    /// Avro.
    Avro(Box<FileWriter>),
    /// ORC.
    Orc(Box<OrcFile>),
}

impl FileEncoder {
    /// Encodes rows; returns the bytes to append to the file, possibly none yet.
    pub(super) fn encode(&mut self, changes: &Changes) -> Result<Vec<u8>> {
        match self {
            Self::Records { encoder, records } => {
                records.clear();
                encoder.encode_changes(changes, records)?;
                Ok(records.take_bytes())
            }
            Self::Parquet { writer, row_group_bytes } => {
                writer.write(&changes.rows).map_err(|error| parquet_error(&error))?;
                if writer.in_progress_size() as u64 >= *row_group_bytes {
                    writer.flush().map_err(|error| parquet_error(&error))?;
                }
                Ok(std::mem::take(writer.inner_mut()))
            }
            Self::Avro(writer) => writer.encode(changes),
            Self::Orc(file) => {
                check_inserts(changes)?;
                file.encode(&changes.rows)
            }
        }
    }

    /// Bytes that are held in memory until the row group or block ends.
    pub(super) fn buffered_bytes(&self) -> usize {
        match self {
            Self::Records { .. } => 0,
            Self::Parquet { writer, .. } => writer.memory_size(),
            Self::Avro(writer) => writer.buffered_bytes(),
            Self::Orc(file) => file.buffered_bytes(),
        }
    }

    /// Ends the row group or block; returns the bytes to append.
    pub(super) fn flush(&mut self) -> Result<Vec<u8>> {
        match self {
            Self::Records { .. } => Ok(Vec::new()),
            Self::Parquet { writer, .. } => {
                writer.flush().map_err(|error| parquet_error(&error))?;
                Ok(std::mem::take(writer.inner_mut()))
            }
            Self::Avro(writer) => writer.flush(),
            Self::Orc(file) => file.flush(),
        }
    }

    /// Ends the file; returns the last bytes.
    pub(super) fn finish(self) -> Result<Vec<u8>> {
        match self {
            Self::Records { .. } => Ok(Vec::new()),
            Self::Parquet { writer, .. } => {
                writer.into_inner().map_err(|error| parquet_error(&error))
            }
            Self::Avro(mut writer) => writer.flush(),
            Self::Orc(file) => file.finish(),
        }
    }
}

fn parquet_error(error: &ParquetError) -> Error {
    Error::new(ErrorCode::BadRecord, format!("encode Parquet: {error}"))
}
