//! From a batch to what the wire carries: Arrow's IPC message, as the buffers that the batch has
//! already. Nothing is copied here unless it is compressed; the copy into the connection's buffer is
//! the codec's.

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::{IpcWriteOptions, StreamEncoder};
use arrow::ipc::{CompressionType, MetadataVersion};
use arrow_flight::FlightDescriptor;
use bytes::Bytes;
use tidegate_engine::element::{Changes, Element};
use tidegate_types::{Error, Result};

use super::header::{self, Header, Kind};
use super::options::Compression;

/// Buffers begin at multiples of this in a message's body, as the widest of Arrow's values want.
const ALIGNMENT: usize = 16;
/// What precedes the metadata of an encapsulated message: a marker and the length.
const PREFIX: usize = 8;

/// A message before it is written: `FlightData` whose body is still in several buffers.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    pub(crate) descriptor: Option<FlightDescriptor>,
    pub(crate) header: Option<Buffer>,
    pub(crate) metadata: Bytes,
    pub(crate) body: Vec<Buffer>,
}

impl Frame {
    /// Bytes of the body.
    pub(crate) fn body_length(&self) -> usize {
        self.body.iter().map(Buffer::len).sum()
    }
}

/// Encodes the batches of one edge.
pub(crate) struct BatchEncoder {
    encoder: StreamEncoder,
    schema: Buffer,
}

impl BatchEncoder {
    /// An encoder for batches of a schema.
    ///
    /// # Errors
    /// `UNSUPPORTED` for a column that needs a dictionary, which plans have none of.
    pub(crate) fn new(schema: &SchemaRef, compression: Compression) -> Result<Self> {
        refuse_dictionaries(schema)?;
        let compression = match compression {
            Compression::None => None,
            Compression::Lz4 => Some(CompressionType::LZ4_FRAME),
            Compression::Zstd => Some(CompressionType::ZSTD),
        };
        let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)
            .and_then(|options| options.try_with_compression(compression))
            .map_err(internal)?;
        let mut encoder = StreamEncoder::try_new_with_options(schema, options).map_err(internal)?;
        // The encoder puts the schema before the first batch: an empty one takes it out.
        let empty = RecordBatch::new_empty(schema.clone());
        let first = encoder.encode(&empty).map_err(internal)?;
        let (schema, _) = message(&first)?;
        Ok(Self { encoder, schema })
    }

    /// The message of the schema.
    pub(crate) fn schema(&self) -> Buffer {
        self.schema.clone()
    }

    /// The message of an element of a channel. `joined` is how many sent elements it stands for.
    ///
    /// # Errors
    /// `INTERNAL` if Arrow cannot encode the batch.
    pub(crate) fn encode(
        &mut self,
        channel: u32,
        element: &Element,
        charge: u32,
        joined: u32,
    ) -> Result<Frame> {
        let header = match element {
            Element::Batch(changes) => return self.batch(channel, changes, charge, joined),
            Element::Watermark(watermark) => Header::control(Kind::Watermark, channel, *watermark),
            Element::Idle => Header::control(Kind::Idle, channel, 0),
            Element::Barrier(barrier) => Header {
                barrier: header::barrier_code(barrier.kind),
                ..Header::control(Kind::Barrier, channel, barrier.epoch.0 as i64)
            },
            Element::End => Header::control(Kind::End, channel, 0),
        };
        Ok(Frame { metadata: header.encode(&[]), ..Frame::default() })
    }

    fn batch(
        &mut self,
        channel: u32,
        changes: &Changes,
        charge: u32,
        elements: u32,
    ) -> Result<Frame> {
        let header = Header {
            has_row_kinds: changes.kinds.is_some(),
            charge,
            elements,
            ..Header::control(Kind::Batch, channel, 0)
        };
        let kinds = changes.kinds.as_ref().map_or(&[][..], |kinds| kinds.values());
        let buffers = self.encoder.encode(&changes.rows).map_err(internal)?;
        let (metadata, rest) = message(&buffers)?;
        let body = rest.iter().filter(|buffer| !buffer.is_empty()).cloned().collect();
        Ok(Frame { descriptor: None, header: Some(metadata), metadata: header.encode(kinds), body })
    }
}

/// The metadata of an encapsulated message, and the buffers after it: Flight carries both without
/// the prefix and the padding between.
fn message(buffers: &[Buffer]) -> Result<(Buffer, &[Buffer])> {
    let shape = || Error::internal("an Arrow message has another shape than expected");
    let (prefix, rest) = buffers.split_first().ok_or_else(shape)?;
    let length = prefix.get(4..PREFIX).and_then(|bytes| bytes.try_into().ok()).ok_or_else(shape)?;
    let length = u32::from_le_bytes(length) as usize;
    let metadata = rest.first().ok_or_else(shape)?;
    let (mut seen, mut count) = (0, 0);
    while seen < length {
        seen += rest.get(count).ok_or_else(shape)?.len();
        count += 1;
    }
    if seen != length || prefix.len() != PREFIX {
        return Err(shape());
    }
    Ok((metadata.clone(), &rest[count..]))
}

fn refuse_dictionaries(schema: &Schema) -> Result<()> {
    fn has_dictionary(ty: &DataType) -> bool {
        match ty {
            DataType::Dictionary(_, _) => true,
            DataType::List(field) | DataType::Map(field, _) => has_dictionary(field.data_type()),
            DataType::Struct(fields) => fields.iter().any(|f| has_dictionary(f.data_type())),
            _ => false,
        }
    }
    match schema.fields().iter().find(|field| has_dictionary(field.data_type())) {
        None => Ok(()),
        Some(field) => Err(Error::unsupported(format!(
            "column {} of type {} cannot be sent to another worker",
            field.name(),
            field.data_type()
        ))),
    }
}

fn internal(error: ArrowError) -> Error {
    Error::internal(format!("encode a batch for another worker: {error}"))
}
