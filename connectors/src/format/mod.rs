//! Record formats: from the bytes of many records to columns and back.
//!
//! A decoder takes the bytes of many records at once and fills only the columns that the query
//! reads; an encoder appends the bytes of many rows to one buffer. Where a record begins and ends
//! (a Kafka message, a line of a file) is decided outside: see [`Framing`].
//! Parquet is no record format; the filesystem connector reads and writes it itself.

#[cfg(feature = "jdbc")]
pub(crate) mod answers;
pub(crate) mod avro;
mod changes;
mod column;
mod csv;
mod framing;
mod json;
mod key_table;
pub(crate) mod protobuf;
mod raw;
mod records;
pub(crate) mod text;

use arrow::array::{ArrayRef, Int8Array, RecordBatch, UInt32Array};
use arrow::compute::cast;
use async_trait::async_trait;
use tidegate_connector_spec::FormatOptions;
use tidegate_engine::element::Changes;
use tidegate_plan::operator::MetadataColumn;
use tidegate_plan::{RowKind, arrow_type};
use tidegate_types::{Error, ErrorCode, Field, Result};

pub use framing::Framing;
pub use records::{RecordRange, Records};

/// What a decoder is made from.
pub struct DecoderContext<'a> {
    /// The format's name and options, keys without prefix (`ignore-parse-errors`).
    pub options: &'a FormatOptions,
    /// The columns that a record holds, as declared, in order. Formats with positions (CSV) find a
    /// column by its place in this list.
    pub declared: &'a [Field],
    /// The columns to produce: a subset of `declared` in the same order, ROW types reduced to the
    /// fields that the query reads. May be empty (`COUNT(*)`): then batches have a row count only.
    pub read: &'a [Field],
    /// What to read beside the row, in the order of [`Decoded::metadata`]; keys are the format's own, without prefix.
    pub metadata: &'a [MetadataColumn],
    /// What is read, for messages: `table clicks`.
    pub origin: &'a str,
}

/// What an encoder is made from.
pub struct EncoderContext<'a> {
    /// The format's name and options, keys without prefix.
    pub options: &'a FormatOptions,
    /// The columns of the rows to encode, in order.
    pub columns: &'a [Field],
    /// The same as the table declares them, for formats with a schema: what a query gives may be NOT NULL although the
    /// column is not.
    pub declared: &'a [Field],
    /// What is written, for messages: `table totals`.
    pub origin: &'a str,
}

/// What [`Decoder::decode`] made of some records.
#[derive(Debug)]
pub struct Decoded {
    /// The `read` columns, with the schema `arrow_type::arrow_schema(read)`.
    pub rows: RecordBatch,
    /// The metadata columns that were asked for, in their declared types.
    pub metadata: Vec<ArrayRef>,
    /// For each row the index of the record that it came from (ascending; one record may give
    /// several rows, a skipped one none). `None`: row *i* came from record *i*.
    pub origins: Option<UInt32Array>,
    /// Records that were dropped because they are malformed and the options say to go on.
    pub bad_records: u64,
    /// [`tidegate_plan::RowKind`] of each row; `None`: all are inserts.
    pub kinds: Option<Int8Array>,
}

impl Decoded {
    /// The record that a row came from.
    pub fn origin(&self, row: usize) -> usize {
        match &self.origins {
            Some(origins) => origins.value(row) as usize,
            None => row,
        }
    }
}

/// Turns the bytes of records into columns.
#[async_trait]
pub trait Decoder: Send {
    /// Gets what these records need from elsewhere (their schemas from a registry), within a bound. To be called before
    /// [`Decoder::decode`]; may be given up and called again.
    ///
    /// # Errors
    /// What cannot be had, and why.
    async fn prepare(&mut self, _records: &Records) -> Result<()> {
        Ok(())
    }

    /// Decodes all of `records` in one pass.
    ///
    /// A record that is NULL (a Kafka tombstone) gives no row, except in `raw`, where it gives a
    /// NULL. A NULL for a column or field declared NOT NULL makes the record malformed.
    ///
    /// # Errors
    /// [`DecodeError::Record`] for the first malformed record, unless the options say to skip those;
    /// the caller knows where the record was and makes the message with [`DecodeError::into_error`].
    fn decode(&mut self, records: &Records) -> Result<Decoded, DecodeError>;
}

/// Turns rows into the bytes of records.
#[async_trait]
pub trait Encoder: Send {
    /// Announces what will be written where that must be known (a schema to a registry), within a bound. To be called
    /// before the first [`Encoder::encode`]; further calls do nothing.
    ///
    /// # Errors
    /// What is refused, and why.
    async fn prepare(&mut self) -> Result<()> {
        Ok(())
    }

    /// Appends one record per row to `out`, with [`Records::end_record`] behind each.
    ///
    /// # Errors
    /// `BAD_RECORD` for a value that the format cannot hold, with column and value.
    fn encode(&mut self, rows: &RecordBatch, out: &mut Records) -> Result<()>;

    /// The same for changes. Formats without changes take inserts only.
    ///
    /// # Errors
    /// As [`Encoder::encode`]; `BAD_RECORD` for a kind of change that the format cannot say.
    fn encode_changes(&mut self, changes: &Changes, out: &mut Records) -> Result<()> {
        check_inserts(changes)?;
        self.encode(&changes.rows, out)
    }
}

/// Fails unless all rows are inserted.
///
/// # Errors
/// `BAD_RECORD` with the kind of change.
pub(crate) fn check_inserts(changes: &Changes) -> Result<()> {
    if let Some(row) = (0..changes.len()).find(|row| changes.kind(*row) != 0) {
        let kind = RowKind::from_i8(changes.kind(row)).map_or("?", RowKind::short);
        let message = format!("a {kind} row came, but the format has inserted rows only");
        return Err(Error::new(ErrorCode::BadRecord, message));
    }
    Ok(())
}

/// A malformed record: which, and what is wrong with it.
#[derive(Debug, Clone)]
pub struct BadRecord {
    /// Index in the records given to [`Decoder::decode`].
    pub record: usize,
    /// What is wrong, naming column and value: `column price: 'abc' is not a BIGINT`.
    pub message: String,
}

/// Why decoding stopped.
#[derive(Debug, Clone)]
pub enum DecodeError {
    /// A malformed record.
    Record(BadRecord),
    /// Anything else.
    Other(Error),
}

impl From<BadRecord> for DecodeError {
    fn from(bad: BadRecord) -> Self {
        Self::Record(bad)
    }
}

impl From<Error> for DecodeError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Columns as a table declares them; those that it does not have, as they come.
pub(crate) fn as_declared(columns: &[Field], table: &[Field]) -> Vec<Field> {
    let declared = |column: &Field| {
        table.iter().find(|declared| declared.name == column.name).unwrap_or(column).clone()
    };
    columns.iter().map(declared).collect()
}

/// Longest part of a malformed record that a message quotes, in bytes.
const QUOTED_BYTES: usize = 200;

impl DecodeError {
    /// The job's error. `place` says where the record with the given index is in the outside system
    /// (`topic clicks, partition 3, offset 42`; `file a.json, line 17`).
    pub fn into_error(
        self,
        records: &Records,
        options: &FormatOptions,
        place: impl FnOnce(usize) -> String,
    ) -> Error {
        let bad = match self {
            Self::Other(error) => return error,
            Self::Record(bad) => bad,
        };
        let quoted = records.get(bad.record).map_or_else(|| "NULL".to_owned(), quote);
        let message = format!("{}: {}; the record is {quoted}", place(bad.record), bad.message);
        let error = Error::new(ErrorCode::BadRecord, message);
        if !options.knows("ignore-parse-errors") {
            return error;
        }
        let option = format!("'{}.ignore-parse-errors' = 'true'", options.name());
        error.help(format!("mend the data, or set {option} to skip and count such records"))
    }
}

/// Shortened text of bytes for a message.
pub fn quote(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(QUOTED_BYTES)];
    let text = String::from_utf8_lossy(shown).escape_debug().to_string();
    if bytes.len() > QUOTED_BYTES {
        format!("'{text}…' ({} bytes)", bytes.len())
    } else {
        format!("'{text}'")
    }
}

/// The decoder of a format.
///
/// # Errors
/// `INVALID_OPTION` for an unknown format, bad options or column types that it cannot hold.
pub fn decoder(context: &DecoderContext<'_>) -> Result<Box<dyn Decoder>> {
    match context.options.name() {
        "avro" => avro::decoder(context),
        #[cfg(feature = "kafka")]
        "avro-confluent" => avro::confluent::decoder(context),
        "json" => json::decoder(context),
        "csv" => csv::decoder(context),
        "protobuf" => protobuf::decoder(context),
        "raw" => raw::decoder(context),
        name if changes::is_one(name) => changes::decoder(context),
        other => Err(not_a_record_format(other)),
    }
}

/// The encoder of a format.
///
/// # Errors
/// As [`decoder`].
pub fn encoder(context: &EncoderContext<'_>) -> Result<Box<dyn Encoder>> {
    match context.options.name() {
        "avro" => avro::encoder(context),
        #[cfg(feature = "kafka")]
        "avro-confluent" => avro::confluent::encoder(context),
        "json" => json::encoder(context),
        "csv" => csv::encoder(context),
        "protobuf" => protobuf::encoder(context),
        "raw" => raw::encoder(context),
        name if changes::is_one(name) => changes::encoder(context),
        other => Err(not_a_record_format(other)),
    }
}

/// How records of a format follow each other in a file.
///
/// # Errors
/// `INVALID_OPTION` for an unknown format or bad options.
pub fn framing(options: &FormatOptions) -> Result<Framing> {
    match options.name() {
        "json" | "raw" => Ok(Framing::Lines),
        "csv" => csv::framing(options),
        name if changes::is_json(name) => Ok(Framing::Lines),
        other => Err(not_a_record_format(other)),
    }
}

fn not_a_record_format(name: &str) -> Error {
    Error::new(
        ErrorCode::InvalidOption,
        format!("format '{name}' does not hold single records: use json, csv, avro or protobuf"),
    )
}

/// The Arrow schema of `read` columns, shared by all batches of a decoder.
pub fn read_schema(read: &[Field]) -> arrow::datatypes::SchemaRef {
    arrow_type::arrow_schema(read)
}

/// A metadata column in its declared type.
///
/// # Errors
/// `INVALID_OPTION` if the metadata cannot be cast to it.
pub(crate) fn cast_metadata(values: ArrayRef, column: &MetadataColumn) -> Result<ArrayRef> {
    let declared = arrow_type::data_type(&column.field.ty);
    if *values.data_type() == declared {
        return Ok(values);
    }
    cast(&values, &declared).map_err(|_| {
        let message = format!(
            "metadata column {} ('{}') cannot have the type {}",
            column.field.name, column.key, column.field.ty
        );
        Error::new(ErrorCode::InvalidOption, message)
    })
}
