//! The first message of a call: which run and edge it is for, and who dials. It travels as the
//! command of the message's descriptor, next to the schema of the edge.

use std::fmt;

use arrow_flight::FlightDescriptor;
use prost::Message as _;
use tidegate_types::{Attempt, Error, ErrorCode, JobId, Result, TaskId};

use super::encode::Frame;
use super::header::malformed;
use super::names::{ChannelId, EdgeId, RunKey, Token, WorkerName};

/// Version of the handshake and of everything that follows it.
const VERSION: u32 = 1;

/// What a dialling worker says.
#[derive(Debug, Clone)]
pub(crate) struct Hello {
    pub(crate) key: RunKey,
    pub(crate) edge: EdgeId,
    /// Who dials.
    pub(crate) from: WorkerName,
    /// Who is meant: an address may have a new owner.
    pub(crate) to: WorkerName,
    /// The channels of the call; a message names one by its position here.
    pub(crate) channels: Vec<ChannelId>,
}

/// [`Hello`] as protobuf.
#[derive(Clone, PartialEq, prost::Message)]
#[prost(skip_debug)]
struct Wire {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(string, tag = "2")]
    job: String,
    #[prost(uint64, tag = "3")]
    attempt: u64,
    #[prost(string, tag = "4")]
    token: String,
    #[prost(string, tag = "5")]
    from: String,
    #[prost(string, tag = "6")]
    to: String,
    #[prost(uint32, tag = "7")]
    task: u32,
    #[prost(uint32, tag = "8")]
    input: u32,
    #[prost(uint32, repeated, tag = "9")]
    producers: Vec<u32>,
    #[prost(uint32, repeated, tag = "10")]
    consumers: Vec<u32>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hello").field("job", &self.job).finish_non_exhaustive()
    }
}

impl Hello {
    /// The first message, without the schema.
    pub(crate) fn encode(&self) -> Frame {
        let wire = Wire {
            version: VERSION,
            job: self.key.job.to_string(),
            attempt: self.key.attempt.0,
            token: self.key.token.secret().to_owned(),
            from: self.from.to_string(),
            to: self.to.to_string(),
            task: self.edge.task.0,
            input: self.edge.input,
            producers: self.channels.iter().map(|channel| channel.producer).collect(),
            consumers: self.channels.iter().map(|channel| channel.consumer).collect(),
        };
        let descriptor = FlightDescriptor::new_cmd(wire.encode_to_vec());
        Frame { descriptor: Some(descriptor), ..Frame::default() }
    }

    /// Reads the first message.
    ///
    /// # Errors
    /// `INCOMPATIBLE` for another version, `INTERNAL` for what is no handshake.
    pub(crate) fn decode(descriptor: Option<&FlightDescriptor>) -> Result<Self> {
        let descriptor =
            descriptor.ok_or_else(|| malformed("a call begins without a handshake"))?;
        let wire = Wire::decode(descriptor.cmd.clone())
            .map_err(|error| malformed(&format!("damaged handshake: {error}")))?;
        if wire.version != VERSION {
            return Err(Error::new(
                ErrorCode::Incompatible,
                format!(
                    "worker {} speaks version {} of the shuffle, this one {VERSION}",
                    wire.from, wire.version
                ),
            )
            .help("run the same release of Tidegate on all workers"));
        }
        if wire.producers.len() != wire.consumers.len() {
            return Err(malformed("a handshake names half a channel"));
        }
        let channels = wire.producers.into_iter().zip(wire.consumers);
        Ok(Self {
            key: RunKey {
                job: JobId::from_name(&wire.job),
                attempt: Attempt(wire.attempt),
                token: Token::new(wire.token),
            },
            edge: EdgeId { task: TaskId(wire.task), input: wire.input },
            from: WorkerName::new(wire.from),
            to: WorkerName::new(wire.to),
            channels: channels
                .map(|(producer, consumer)| ChannelId { producer, consumer })
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Hello {
        Hello {
            key: RunKey {
                job: JobId::from_name("j"),
                attempt: Attempt(3),
                token: Token::new("sesame"),
            },
            edge: EdgeId { task: TaskId(2), input: 1 },
            from: WorkerName::new("w1"),
            to: WorkerName::new("w2"),
            channels: vec![
                ChannelId { producer: 0, consumer: 1 },
                ChannelId { producer: 2, consumer: 0 },
            ],
        }
    }

    #[test]
    fn it_round_trips() {
        let decoded = Hello::decode(hello().encode().descriptor.as_ref()).unwrap();
        assert_eq!(decoded.channels, hello().channels);
        assert_eq!(
            (decoded.edge, decoded.from, decoded.to),
            (hello().edge, hello().from, hello().to)
        );
        assert_eq!(decoded.key.attempt, Attempt(3));
        assert!(decoded.key.token.matches("sesame"));
    }

    #[test]
    fn other_versions_and_damage_are_refused() {
        let wire = Wire { version: 2, from: "w9".to_owned(), ..Wire::default() };
        let descriptor = FlightDescriptor::new_cmd(wire.encode_to_vec());
        let error = Hello::decode(Some(&descriptor)).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Incompatible);
        assert!(error.message().contains("w9"), "{error}");
        assert!(Hello::decode(None).is_err());
        let damaged = FlightDescriptor::new_cmd(vec![0xff; 9]);
        assert!(Hello::decode(Some(&damaged)).is_err());
    }
}
