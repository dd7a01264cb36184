//! Reads the messages of a call out of the frames of HTTP/2. A batch's body goes from the frames
//! straight into a buffer that is aligned as Arrow wants it, in one copy; tonic's own reader would
//! collect the message first, and Arrow would then copy every column that is not aligned.

use std::future::poll_fn;
use std::pin::Pin;

use arrow::buffer::{Buffer, MutableBuffer};
use arrow_flight::FlightDescriptor;
use bytes::{Buf, Bytes, BytesMut};
use prost::Message as _;
use prost::encoding::WireType;
use tidegate_types::{Error, Result};
use tonic::body::Body;
use tonic::codegen::Body as _;

use super::codec::{BODY, DESCRIPTOR, HEADER, METADATA};
use super::header::malformed;
use super::payload::MAX_MESSAGE_BYTES;

/// What gRPC puts before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;
/// Longest number in protobuf.
const VARINT: u32 = 10;

/// A message as it was received.
#[derive(Debug, Default, Clone)]
pub(crate) struct Received {
    pub(crate) descriptor: Option<FlightDescriptor>,
    pub(crate) header: Bytes,
    pub(crate) metadata: Bytes,
    pub(crate) body: Buffer,
}

/// Why no message could be read.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The connection or the peer is gone.
    Lost(String),
    /// What came is no message.
    Malformed(Error),
}

/// The messages of a call.
pub(crate) struct MessageReader {
    body: Body,
    /// What has come and was not read.
    chunk: Bytes,
    /// Bytes of the present message that were not read.
    left: usize,
}

impl MessageReader {
    /// The messages in the body of a request.
    pub(crate) fn new(body: Body) -> Self {
        Self { body, chunk: Bytes::new(), left: 0 }
    }

    /// The next message; `None` after the last one. Not cancel-safe.
    ///
    /// # Errors
    /// [`Failure`]; there is no message after it.
    pub(crate) async fn next(&mut self) -> Result<Option<Received>, Failure> {
        if !self.more().await? {
            return Ok(None);
        }
        self.left = PREFIX;
        let mut prefix = self.take(PREFIX).await?;
        let compressed = prefix.get_u8();
        let length = prefix.get_u32() as usize;
        if compressed != 0 {
            return Err(refuse("it is compressed by gRPC"));
        }
        if length > MAX_MESSAGE_BYTES {
            return Err(refuse(&format!("it has {length} bytes")));
        }
        self.left = length;
        let mut received = Received::default();
        while self.left > 0 {
            self.field(&mut received).await?;
        }
        Ok(Some(received))
    }

    async fn field(&mut self, received: &mut Received) -> Result<(), Failure> {
        let key = self.varint().await?;
        let wire = WireType::try_from(key & 7).map_err(|_| refuse("a field of unknown type"))?;
        let length = match wire {
            WireType::LengthDelimited => self.varint().await?,
            WireType::Varint => return self.varint().await.map(|_| ()),
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::StartGroup | WireType::EndGroup => return Err(refuse("a group")),
        };
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= self.left)
            .ok_or_else(|| refuse("a field is longer than its message"))?;
        match (u32::try_from(key >> 3), wire) {
            (Ok(DESCRIPTOR), WireType::LengthDelimited) => {
                let descriptor = FlightDescriptor::decode(self.take(length).await?);
                received.descriptor = Some(descriptor.map_err(|_| refuse("damaged descriptor"))?);
            }
            (Ok(HEADER), WireType::LengthDelimited) => received.header = self.take(length).await?,
            (Ok(METADATA), WireType::LengthDelimited) => {
                received.metadata = self.take(length).await?;
            }
            (Ok(BODY), WireType::LengthDelimited) => received.body = self.buffer(length).await?,
            _ => drop(self.take(length).await?),
        }
        Ok(())
    }

    async fn varint(&mut self) -> Result<u64, Failure> {
        let mut value = 0;
        for place in 0..VARINT {
            if self.left == 0 {
                return Err(refuse("a number is cut off"));
            }
            self.fill().await?;
            let byte = self.chunk.get_u8();
            self.left -= 1;
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(refuse("a number is too long"))
    }

    /// A few bytes, copied: a slice would hold the frame that they came in.
    async fn take(&mut self, length: usize) -> Result<Bytes, Failure> {
        let mut out = BytesMut::with_capacity(length);
        while out.len() < length {
            let some = self.some(length - out.len()).await?;
            out.extend_from_slice(&some);
        }
        Ok(out.freeze())
    }

    async fn buffer(&mut self, length: usize) -> Result<Buffer, Failure> {
        let mut out = MutableBuffer::with_capacity(length);
        while out.len() < length {
            let some = self.some(length - out.len()).await?;
            out.extend_from_slice(&some);
        }
        Ok(out.into())
    }

    /// At most `most` bytes of the message, and at least one.
    async fn some(&mut self, most: usize) -> Result<Bytes, Failure> {
        self.fill().await?;
        let some = self.chunk.split_to(most.min(self.chunk.len()).min(self.left));
        if some.is_empty() {
            return Err(refuse("a field is longer than its message"));
        }
        self.left -= some.len();
        Ok(some)
    }

    async fn fill(&mut self) -> Result<(), Failure> {
        match self.more().await? {
            true => Ok(()),
            false => Err(Failure::Lost("its last message is cut off".to_owned())),
        }
    }

    /// Waits until there is something to read; false at the end.
    async fn more(&mut self) -> Result<bool, Failure> {
        while self.chunk.is_empty() {
            let frame = poll_fn(|context| Pin::new(&mut self.body).poll_frame(context)).await;
            match frame {
                None => return Ok(false),
                Some(Ok(frame)) => self.chunk = frame.into_data().unwrap_or_default(),
                Some(Err(status)) => return Err(Failure::Lost(status.message().to_owned())),
            }
        }
        Ok(true)
    }
}

fn refuse(what: &str) -> Failure {
    Failure::Malformed(malformed(what))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use arrow_flight::FlightData;
    use futures::stream;
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    /// Messages whose bytes come in frames of `size`.
    fn reader(bytes: &[u8], size: usize) -> MessageReader {
        let frames: Vec<Result<Frame<Bytes>, Infallible>> = bytes
            .chunks(size)
            .map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk))))
            .collect();
        MessageReader::new(Body::new(StreamBody::new(stream::iter(frames))))
    }

    fn encoded(data: &FlightData) -> Vec<u8> {
        let message = data.encode_to_vec();
        prefixed(0, message.len(), message)
    }

    fn prefixed(compressed: u8, length: usize, message: Vec<u8>) -> Vec<u8> {
        let mut bytes = vec![compressed];
        bytes.extend((length as u32).to_be_bytes());
        bytes.extend(message);
        bytes
    }

    fn data() -> FlightData {
        FlightData {
            flight_descriptor: Some(FlightDescriptor::new_cmd("hello")),
            data_header: vec![1u8; 300].into(),
            app_metadata: vec![2u8; 24].into(),
            data_body: (0..10_000u32).map(|n| n as u8).collect::<Vec<u8>>().into(),
        }
    }

    #[tokio::test]
    async fn messages_are_found_however_they_are_cut() {
        let small = FlightData { app_metadata: vec![7u8; 24].into(), ..FlightData::default() };
        let messages = [data(), small, FlightData::default(), data()];
        let bytes: Vec<u8> = messages.iter().flat_map(encoded).collect();
        for size in [1, 2, 7, 64, 4_096, bytes.len()] {
            let mut reader = reader(&bytes, size);
            for expected in &messages {
                let received = reader.next().await.unwrap().unwrap();
                assert_eq!(received.descriptor, expected.flight_descriptor);
                assert_eq!(received.header, expected.data_header);
                assert_eq!(received.metadata, expected.app_metadata);
                assert_eq!(received.body.as_slice(), expected.data_body.as_ref());
                assert_eq!(received.body.as_ptr().align_offset(16), 0);
            }
            assert!(reader.next().await.unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn fields_of_other_implementations_are_skipped() {
        // Field 5 as a number, field 6 as bytes, field 7 as four and field 8 as eight bytes.
        let mut message = vec![0x28, 0x96, 0x01, 0x32, 2, 9, 9, 0x3d, 1, 2, 3, 4, 0x41];
        message.extend([0; 8]);
        message.extend(data().encode_to_vec());
        let bytes = prefixed(0, message.len(), message);
        let received = reader(&bytes, 3).next().await.unwrap().unwrap();
        assert_eq!(received.body.len(), 10_000);
    }

    #[tokio::test]
    async fn damage_is_refused() {
        let good = encoded(&data());
        for length in [1, 4, 5, 6, 20, 400, good.len() - 1] {
            let failure = reader(&good[..length], 64).next().await.unwrap_err();
            assert!(matches!(failure, Failure::Lost(_)), "{length}: {failure:?}");
        }
        let malformed = [
            prefixed(1, 2, vec![0x1a, 0]),
            prefixed(0, MAX_MESSAGE_BYTES + 1, Vec::new()),
            // A field beyond its message, a number without end, a group, a number that is cut off.
            prefixed(0, 3, vec![0x1a, 5, 0, 0, 0, 0, 0]),
            prefixed(0, 12, vec![0xff; 12]),
            prefixed(0, 1, vec![0x0b]),
            prefixed(0, 1, vec![0x9a, 1]),
        ];
        for bytes in malformed {
            let failure = reader(&bytes, 64).next().await.unwrap_err();
            assert!(matches!(failure, Failure::Malformed(_)), "{bytes:?}: {failure:?}");
        }
    }
}
