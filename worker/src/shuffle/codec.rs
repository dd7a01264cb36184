//! `FlightData` on the wire: written field by field from the buffers of a batch straight into the
//! connection's buffer. Bytes are those that any implementation of Arrow Flight writes and reads; only
//! the copies between are saved. Reading is here for responses; batches are read by `reader`.

use arrow_flight::FlightData;
use bytes::BufMut;
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};
use tonic::Status;
use tonic::codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use super::encode::Frame;

/// Fields of `FlightData`.
pub(crate) const DESCRIPTOR: u32 = 1;
pub(crate) const HEADER: u32 = 2;
pub(crate) const METADATA: u32 = 3;
pub(crate) const BODY: u32 = 1000;
/// Bytes that a stream collects before it hands them to the connection, if more are ready.
const YIELD: usize = 64 << 10;
const BUFFER: usize = 16 << 10;

/// Writes [`Frame`]s, reads `FlightData`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FlightCodec;

impl Codec for FlightCodec {
    type Encode = Frame;
    type Decode = FlightData;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for FlightCodec {
    type Item = Frame;
    type Error = Status;

    fn encode(&mut self, frame: Frame, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.reserve(length(&frame));
        write(&frame, out);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(BUFFER, YIELD)
    }
}

impl Decoder for FlightCodec {
    type Item = FlightData;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<FlightData>, Status> {
        FlightData::decode(bytes)
            .map(Some)
            .map_err(|error| Status::internal(format!("message of the shuffle: {error}")))
    }
}

fn length(frame: &Frame) -> usize {
    let field = |tag, length: usize| match length {
        0 => 0,
        _ => key_len(tag) + encoded_len_varint(length as u64) + length,
    };
    frame.descriptor.as_ref().map_or(0, |descriptor| field(DESCRIPTOR, descriptor.encoded_len()))
        + frame.header.as_ref().map_or(0, |header| field(HEADER, header.len()))
        + field(METADATA, frame.metadata.len())
        + field(BODY, frame.body_length())
}

fn write(frame: &Frame, out: &mut impl BufMut) {
    if let Some(descriptor) = &frame.descriptor {
        prost::encoding::message::encode(DESCRIPTOR, descriptor, out);
    }
    if let Some(header) = &frame.header {
        begin(HEADER, header.len(), out);
        out.put_slice(header);
    }
    if !frame.metadata.is_empty() {
        begin(METADATA, frame.metadata.len(), out);
        out.put_slice(&frame.metadata);
    }
    let body = frame.body_length();
    if body > 0 {
        begin(BODY, body, out);
        frame.body.iter().for_each(|buffer| out.put_slice(buffer));
    }
}

fn begin(tag: u32, length: usize, out: &mut impl BufMut) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(length as u64, out);
}

#[cfg(test)]
mod tests {
    use arrow::buffer::Buffer;
    use arrow_flight::FlightDescriptor;
    use bytes::{Bytes, BytesMut};

    use super::*;

    fn written(frame: &Frame) -> BytesMut {
        let mut out = BytesMut::new();
        write(frame, &mut out);
        assert_eq!(out.len(), length(frame));
        out
    }

    #[test]
    fn bytes_are_those_of_the_protocol() {
        let frame = Frame {
            descriptor: Some(FlightDescriptor::new_cmd("hello")),
            header: Some(Buffer::from(vec![1u8; 300])),
            metadata: Bytes::from_static(b"meta"),
            body: vec![Buffer::from(vec![2u8; 5]), Buffer::from(vec![3u8; 7])],
        };
        let expected = FlightData {
            flight_descriptor: Some(FlightDescriptor::new_cmd("hello")),
            data_header: vec![1u8; 300].into(),
            app_metadata: Bytes::from_static(b"meta"),
            data_body: [vec![2u8; 5], vec![3u8; 7]].concat().into(),
        };
        assert_eq!(written(&frame), expected.encode_to_vec());
        assert_eq!(FlightData::decode(written(&frame)).unwrap(), expected);
    }

    #[test]
    fn what_is_empty_is_not_written() {
        let frame = Frame { header: Some(Buffer::from(vec![1u8])), ..Frame::default() };
        assert_eq!(written(&frame).as_ref(), [0x12, 1, 1]);
        assert!(written(&Frame::default()).is_empty());
    }
}
