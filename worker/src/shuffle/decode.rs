//! From a message of the wire back to an element. Done by the task that reads, so that the readers
//! of an edge decode in parallel and the connection's task does nothing but sort messages.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use arrow::array::Int8Array;
use arrow::buffer::{Buffer, ScalarBuffer};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::reader::read_record_batch;
use arrow::ipc::root_as_message;
use bytes::Bytes;
use tidegate_engine::element::{Barrier, Changes, Element};
use tidegate_types::{Epoch, Error, ErrorCode, Result};

use super::header::{Header, Kind, barrier_kind, malformed};
use super::reader::Received;

/// The largest code of a row kind.
const LAST_ROW_KIND: i8 = 3;

/// A message that was received: its header is read, its rows are not.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) header: Header,
    row_kinds: Bytes,
    metadata: Bytes,
    body: Buffer,
}

impl Message {
    /// Reads the header of a message.
    ///
    /// # Errors
    /// `INCOMPATIBLE` for another version, `INTERNAL` for what is no message of the shuffle.
    pub(crate) fn parse(received: Received) -> Result<Self> {
        let mut row_kinds = received.metadata;
        let header = Header::decode(&mut row_kinds)?;
        Ok(Self { header, row_kinds, metadata: received.header, body: received.body })
    }

    /// Bytes that it holds.
    pub(crate) fn size(&self) -> usize {
        self.row_kinds.len() + self.metadata.len() + self.body.len()
    }

    /// The element.
    ///
    /// # Errors
    /// `CANCELLED` if the sending task went away, `INTERNAL` if the message is damaged.
    pub(crate) fn element(self, schema: &SchemaRef) -> Result<Element> {
        let value = self.header.value;
        Ok(match self.header.kind {
            Kind::Batch => Element::Batch(self.changes(schema)?),
            Kind::Watermark => Element::Watermark(value),
            Kind::Idle => Element::Idle,
            Kind::Barrier => {
                let kind = barrier_kind(self.header.barrier)?;
                Element::Barrier(Barrier { epoch: Epoch(value as u64), kind })
            }
            Kind::End => Element::End,
            Kind::Gone => {
                return Err(Error::new(ErrorCode::Cancelled, "the sending task is gone"));
            }
        })
    }

    fn changes(self, schema: &SchemaRef) -> Result<Changes> {
        let message = root_as_message(&self.metadata)
            .map_err(|error| malformed(&format!("damaged metadata of a batch: {error}")))?;
        let batch = message
            .header_as_record_batch()
            .ok_or_else(|| malformed("metadata of a batch are those of something else"))?;
        let version = message.version();
        let read = || {
            read_record_batch(&self.body, batch, schema.clone(), &HashMap::new(), None, &version)
        };
        // Arrow checks values, but takes places and lengths of buffers on trust and panics where they
        // are wrong.
        let rows = std::panic::catch_unwind(AssertUnwindSafe(read))
            .map_err(|_| malformed("a batch refers to bytes that it does not have"))?
            .map_err(|error| malformed(&format!("damaged batch: {error}")))?;
        let kinds = match self.header.has_row_kinds {
            false => None,
            true => Some(row_kinds(self.row_kinds, rows.num_rows())?),
        };
        Ok(Changes { kinds, rows })
    }
}

/// The schema of a handshake.
///
/// # Errors
/// `INTERNAL` if it is none.
pub(crate) fn schema(header: &Bytes) -> Result<Schema> {
    let message =
        root_as_message(header).map_err(|error| malformed(&format!("damaged schema: {error}")))?;
    let schema = message.header_as_schema().ok_or_else(|| malformed("it has no schema"))?;
    Ok(arrow::ipc::convert::fb_to_schema(schema))
}

fn row_kinds(bytes: Bytes, rows: usize) -> Result<Int8Array> {
    let values = ScalarBuffer::<i8>::from(Buffer::from(bytes));
    if values.len() != rows {
        return Err(malformed(&format!("{} row kinds for {rows} rows", values.len())));
    }
    if values.iter().any(|kind| !(0..=LAST_ROW_KIND).contains(kind)) {
        return Err(malformed("a row has an unknown kind"));
    }
    Ok(Int8Array::new(values, None))
}
