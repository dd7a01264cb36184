//! Writes ORC files, stripe by stripe. The library writes files of one stripe each, of which the stripes are taken; where
//! they are is said at the end of the file ([`super::orc_tail`]).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef};
use bytes::Bytes;
use orc_rust::ArrowWriterBuilder;
use orc_rust::compression::CompressionType;
use orc_rust::error::OrcError;
use orc_rust::reader::metadata::read_metadata;
use tidegate_connector_spec::{FormatOptions, value};
use tidegate_plan::arrow_type;
use tidegate_types::{Error, ErrorCode, Field, Result, TypeKind};

use super::orc_tail::{Compressed, MAGIC, StripePlace, tail};

/// How the files of a table are written.
#[derive(Debug, Clone)]
pub(super) struct OrcSettings {
    compression: Option<CompressionType>,
    compressed: Option<Compressed>,
    stripe_bytes: usize,
    columns: Vec<Field>,
    /// The columns as the library takes them.
    schema: SchemaRef,
}

impl OrcSettings {
    /// The settings of a table with these columns in its files, as it declares them.
    ///
    /// # Errors
    /// `UNSUPPORTED` for types that are not written, `INVALID_OPTION` for options out of range.
    pub(super) fn new(options: &FormatOptions, columns: &[Field]) -> Result<Self> {
        let mut fields = Vec::with_capacity(columns.len());
        for column in columns {
            let ty = orc_type(&column.ty.kind).ok_or_else(|| unwritable(column))?;
            fields.push(ArrowField::new(column.name.clone(), ty, true));
        }
        let size = |key: &str, default: &str, most: u64| -> Result<usize> {
            let full = options.full_key(key);
            let size = value::memory_size(&full, options.text(key).unwrap_or(default))?;
            let size =
                usize::try_from(size).ok().filter(|size| (1..=most).contains(&(*size as u64)));
            size.ok_or_else(|| {
                let message = format!("option '{full}': it must be from 1 byte to {most} bytes");
                Error::new(ErrorCode::InvalidOption, message)
            })
        };
        let (compression, kind) =
            match options.text("compress").unwrap_or("ZLIB").to_ascii_uppercase().as_str() {
                "NONE" => (None, 0),
                "SNAPPY" => (Some(CompressionType::Snappy), 2),
                "LZ4" => (Some(CompressionType::Lz4), 4),
                "ZSTD" => (Some(CompressionType::Zstd), 5),
                _ => (Some(CompressionType::Zlib), 1),
            };
        let block = size("compress.size", "256 kb", MAX_BLOCK_BYTES)?;
        Ok(Self {
            compression,
            compressed: compression.map(|_| Compressed { kind, block }),
            stripe_bytes: size("stripe.size", "64 mb", MAX_STRIPE_BYTES)?,
            columns: columns.to_vec(),
            schema: Arc::new(Schema::new(fields)),
        })
    }

    /// A file of the table.
    pub(super) fn file(&self) -> OrcFile {
        OrcFile {
            settings: self.clone(),
            pending: Vec::new(),
            pending_bytes: 0,
            stripes: Vec::new(),
            written: 0,
        }
    }
}

/// Lengths of compressed parts have 23 bits.
const MAX_BLOCK_BYTES: u64 = (1 << 23) - 1;
/// A stripe is held in memory until it ends.
const MAX_STRIPE_BYTES: u64 = 1 << 30;

fn unwritable(column: &Field) -> Error {
    let message = format!(
        "column {} has the type {}, which is not written to ORC files",
        column.name, column.ty
    );
    Error::unsupported(message)
        .help("cast it to a number, a text, a time or bytes, or use the format 'parquet' or 'avro'")
}

/// The Arrow type that the library writes for a type.
fn orc_type(kind: &TypeKind) -> Option<DataType> {
    Some(match kind {
        TypeKind::Char { .. } | TypeKind::VarChar { .. } => DataType::Utf8,
        TypeKind::Binary { .. } | TypeKind::VarBinary { .. } => DataType::Binary,
        TypeKind::Boolean
        | TypeKind::TinyInt
        | TypeKind::SmallInt
        | TypeKind::Int
        | TypeKind::BigInt
        | TypeKind::Float
        | TypeKind::Double
        | TypeKind::Date
        | TypeKind::Timestamp { .. }
        | TypeKind::TimestampLtz { .. } => arrow_type::data_type(&kind.clone().nullable()),
        _ => return None,
    })
}

/// A file that is being written.
pub(super) struct OrcFile {
    settings: OrcSettings,
    /// Rows of the stripe that was begun.
    pending: Vec<RecordBatch>,
    pending_bytes: usize,
    stripes: Vec<StripePlace>,
    /// Bytes that were given away.
    written: u64,
}

impl OrcFile {
    /// Adds rows; returns the bytes of a stripe if one is full.
    ///
    /// # Errors
    /// `BAD_RECORD` for values that ORC cannot hold.
    pub(super) fn encode(&mut self, rows: &RecordBatch) -> Result<Vec<u8>> {
        let fields = self.settings.schema.fields().iter().zip(rows.columns());
        let columns = fields.map(|(field, column)| cast(column, field.data_type()));
        let columns: Vec<ArrayRef> =
            columns.collect::<std::result::Result<_, _>>().map_err(arrow)?;
        self.pending_bytes += columns.iter().map(bytes_of).sum::<usize>();
        let rows = RecordBatch::try_new(Arc::clone(&self.settings.schema), columns);
        self.pending.push(rows.map_err(arrow)?);
        if self.pending_bytes < self.settings.stripe_bytes {
            return Ok(Vec::new());
        }
        self.flush()
    }

    /// Bytes of rows that are held.
    pub(super) fn buffered_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// Ends the stripe; returns the bytes to append.
    ///
    /// # Errors
    /// As [`OrcFile::encode`].
    pub(super) fn flush(&mut self) -> Result<Vec<u8>> {
        let pending = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        let mut out = if self.written == 0 { MAGIC.to_vec() } else { Vec::new() };
        if !pending.is_empty() {
            let file = Bytes::from(self.settings.single_stripe(&pending).map_err(orc)?);
            let metadata = read_metadata(&mut file.clone()).map_err(orc)?;
            let [stripe] = metadata.stripe_metadatas() else {
                return Err(Error::internal("encode ORC: rows are one stripe"));
            };
            let (index, data, footer) =
                (stripe.index_length(), stripe.data_length(), stripe.footer_length());
            let range = usize::try_from(stripe.offset())
                .ok()
                .zip(usize::try_from(index + data + footer).ok());
            let content = range.and_then(|(start, length)| file.get(start..start + length));
            let content = content.ok_or_else(|| Error::internal("encode ORC: no such stripe"))?;
            let offset = self.written + out.len() as u64;
            let rows = stripe.number_of_rows();
            self.stripes.push(StripePlace { offset, index, data, footer, rows });
            out.extend_from_slice(content);
        }
        self.written += out.len() as u64;
        Ok(out)
    }

    /// Ends the file; returns the last bytes.
    ///
    /// # Errors
    /// As [`OrcFile::encode`].
    pub(super) fn finish(mut self) -> Result<Vec<u8>> {
        let mut out = self.flush()?;
        let Self { settings, stripes, .. } = &self;
        out.extend(tail(&settings.columns, stripes, settings.compressed));
        Ok(out)
    }
}

impl OrcSettings {
    /// A file of one stripe. Writers cannot go from one thread to another, so none is kept.
    fn single_stripe(&self, pending: &[RecordBatch]) -> std::result::Result<Vec<u8>, OrcError> {
        let mut file = Vec::new();
        let mut builder = ArrowWriterBuilder::new(&mut file, Arc::clone(&self.schema))
            .with_stripe_byte_size(usize::MAX);
        if let (Some(compression), Some(compressed)) = (self.compression, self.compressed) {
            builder =
                builder.with_compression(compression).with_compression_block_size(compressed.block);
        }
        let mut writer = builder.try_build()?;
        for rows in pending {
            writer.write(rows)?;
        }
        writer.close()?;
        Ok(file)
    }
}

/// Bytes of the part of an array's buffers that is its own.
fn bytes_of(array: &ArrayRef) -> usize {
    array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_array_memory_size())
}

fn arrow(error: arrow::error::ArrowError) -> Error {
    Error::internal(format!("encode ORC: {error}"))
}

fn orc(error: OrcError) -> Error {
    Error::new(ErrorCode::BadRecord, format!("encode ORC: {error}"))
}
