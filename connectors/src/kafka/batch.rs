//! Records of one partition on their way from the client to the decoder.

use rdkafka::Timestamp;
use rdkafka::message::{BorrowedMessage, Headers, Message};

use crate::format::Records;

/// What of a record is kept beside its value and offset.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted {
    /// The key's bytes.
    pub(super) keys: bool,
    /// Timestamp and its type.
    pub(super) timestamps: bool,
    /// Headers.
    pub(super) headers: bool,
    /// Leader epochs.
    pub(super) leader_epochs: bool,
}

/// One header: name and value.
pub(super) type RecordHeader = (String, Option<Vec<u8>>);

/// Consecutive records of one partition. The lists of what is not wanted are empty.
#[derive(Debug, Default)]
pub(super) struct RecordBatchBytes {
    pub(super) values: Records,
    pub(super) keys: Records,
    pub(super) offsets: Vec<i64>,
    /// Milliseconds since the epoch; −1 if the record has none.
    pub(super) timestamps: Vec<i64>,
    pub(super) timestamp_types: Vec<&'static str>,
    pub(super) headers: Vec<Vec<RecordHeader>>,
    pub(super) leader_epochs: Vec<Option<i32>>,
}

impl RecordBatchBytes {
    /// Number of records.
    pub(super) fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Bytes of keys and values.
    pub(super) fn bytes(&self) -> usize {
        self.values.bytes().len() + self.keys.bytes().len()
    }

    /// Adds a record.
    ///
    /// Returns whether it fitted; the caller bounds batches far below the limit, so a record that
    /// does not fit is larger than a batch may be.
    #[must_use]
    pub(super) fn push(&mut self, message: &BorrowedMessage<'_>, wanted: Wanted) -> bool {
        if !self.values.push(message.payload()) || wanted.keys && !self.keys.push(message.key()) {
            return false;
        }
        self.offsets.push(message.offset());
        if wanted.timestamps {
            let (time, kind) = match message.timestamp() {
                Timestamp::NotAvailable => (-1, "NoTimestampType"),
                Timestamp::CreateTime(time) => (time, "CreateTime"),
                Timestamp::LogAppendTime(time) => (time, "LogAppendTime"),
            };
            self.timestamps.push(time);
            self.timestamp_types.push(kind);
        }
        if wanted.headers {
            self.headers.push(headers(message));
        }
        if wanted.leader_epochs {
            self.leader_epochs.push(leader_epoch(message));
        }
        true
    }
}

/// The headers of a record; of several with one name the last counts, as in Flink.
fn headers(message: &BorrowedMessage<'_>) -> Vec<RecordHeader> {
    let mut all: Vec<RecordHeader> = Vec::new();
    for header in message.headers().into_iter().flat_map(Headers::iter) {
        let value = header.value.map(<[u8]>::to_vec);
        match all.iter_mut().find(|(name, _)| name == header.key) {
            Some((_, known)) => *known = value,
            None => all.push((header.key.to_owned(), value)),
        }
    }
    all
}

/// The leader epoch of a record, if the broker told it.
#[allow(unsafe_code, reason = "rdkafka has no safe accessor for it")]
fn leader_epoch(message: &BorrowedMessage<'_>) -> Option<i32> {
    // SAFETY: `ptr` is the live message that `message` borrows, and the call only reads it.
    let epoch = unsafe { rdkafka::bindings::rd_kafka_message_leader_epoch(message.ptr()) };
    (epoch >= 0).then_some(epoch)
}
