//! Markers: records in a compacted topic that say how far the output of a writer is visible. A marker
//! is written in the transaction that makes the output visible.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};
use tidegate_types::{Attempt, Epoch, Error, ErrorCode, OperatorId, Result};

use super::client::Context;
use super::exactly_once::ExactlyOnce;
use super::offsets::ANSWER_TIMEOUT;
use super::patience::Patience;
use super::sink::Shared;

const VERSION: u32 = 1;
/// How long a question to a broker may take.
const CALL: Duration = Duration::from_secs(5);
/// How long reading may take without a record.
const READ_PATIENCE: Duration = Duration::from_secs(60);
/// How much longer than its time-out a transaction may hold back the end of the topic: brokers look
/// for expired ones now and then.
const EXPIRY_DELAY: Duration = Duration::from_secs(30);

/// Whose output a marker is about: the key of its record, `lineage/sink/writer`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MarkerKey {
    pub(super) lineage: String,
    pub(super) sink: OperatorId,
    pub(super) writer: u32,
}

impl fmt::Display for MarkerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.lineage, self.sink, self.writer)
    }
}

impl MarkerKey {
    fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(text).ok()?.rsplitn(3, '/');
        let writer = parts.next()?.parse().ok()?;
        let sink = parts.next()?.parse().ok()?;
        Some(Self { lineage: parts.next()?.to_owned(), sink, writer })
    }
}

/// How far a writer's output is visible: everything of earlier epochs, and of this one as many
/// chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Marker {
    pub(super) epoch: Epoch,
    pub(super) chunks: u64,
}

/// The value of a marker's record.
#[derive(Serialize, Deserialize)]
struct MarkerValue {
    version: u32,
    #[serde(flatten)]
    marker: Marker,
    /// Chunks that the epoch has in all.
    of: u64,
    /// The run that wrote it, for people.
    attempt: Attempt,
}

/// The value of a marker's record.
///
/// # Errors
/// `INTERNAL` if JSON cannot hold it.
pub(super) fn encode(marker: Marker, of: u64, attempt: Attempt) -> Result<Vec<u8>> {
    let value = MarkerValue { version: VERSION, marker, of, attempt };
    serde_json::to_vec(&value).map_err(|error| Error::internal(error.to_string()))
}

fn decode(key: &MarkerKey, topic: &str, value: &[u8]) -> Result<Marker> {
    let found = serde_json::from_slice::<MarkerValue>(value);
    let found = found.map_err(|error| {
        let message = format!("marker {key} in topic {topic} does not parse: {error}");
        Error::new(ErrorCode::Corrupt, message)
    })?;
    if found.version > VERSION {
        let message = format!(
            "marker {key} in topic {topic} has version {}, this release reads up to {VERSION}",
            found.version
        );
        return Err(Error::new(ErrorCode::Incompatible, message));
    }
    Ok(found.marker)
}

/// The newest markers of a sink, of every lineage and writer. Blocks.
///
/// Everything that was committed before the call is seen: where a transaction of anybody is still
/// open, its end is waited for, because it hides what was committed behind its beginning.
pub(super) fn read(
    shared: &Shared,
    settings: &ExactlyOnce,
    sink: OperatorId,
) -> Result<BTreeMap<MarkerKey, Marker>> {
    let reading = Reading { shared, settings };
    let ends = reading.ends("read_uncommitted")?;
    let consumer = reading.consumer("read_committed")?;
    reading.wait_for_commits(&consumer, &ends)?;
    let mut markers = BTreeMap::new();
    reading.scan(&consumer, &ends, |key, value| {
        let Some(key) = MarkerKey::parse(key).filter(|key| key.sink == sink) else { return Ok(()) };
        let Some(value) = value else { return Ok(()) };
        let marker = decode(&key, &settings.marker_topic, value)?;
        let newest = markers.entry(key).or_insert(marker);
        *newest = marker.max(*newest);
        Ok(())
    })?;
    Ok(markers)
}

struct Reading<'a> {
    shared: &'a Shared,
    settings: &'a ExactlyOnce,
}

impl Reading<'_> {
    fn topic(&self) -> &str {
        &self.settings.marker_topic
    }

    fn consumer(&self, isolation: &str) -> Result<BaseConsumer<Context>> {
        let defaults = [("fetch.wait.max.ms", "20")];
        let decided = [
            ("isolation.level", isolation),
            ("enable.partition.eof", "true"),
            ("auto.offset.reset", "earliest"),
            ("check.crcs", "true"),
        ];
        self.shared.brokers.consumer_with(&defaults, &decided)
    }

    fn failed(&self, consumer: &BaseConsumer<Context>, error: &KafkaError) -> Error {
        let doing = format!("read marker topic {}", self.topic());
        self.shared.brokers.failed(&doing, error, consumer.context())
    }

    /// Repeats a question while brokers do not answer.
    fn ask<T>(
        &self,
        consumer: &BaseConsumer<Context>,
        question: impl Fn() -> Result<T, KafkaError>,
    ) -> Result<T> {
        let patience = Patience::new(&self.shared.monotonic, ANSWER_TIMEOUT);
        loop {
            match question() {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    let failed = self.failed(consumer, &error);
                    if !passes(&failed) || patience.is_over() {
                        return Err(failed);
                    }
                }
            }
            patience.pause();
        }
    }

    /// First and end offset of each partition, as a reader of this isolation sees them.
    fn ends(&self, isolation: &str) -> Result<BTreeMap<i32, (i64, i64)>> {
        let consumer = self.consumer(isolation)?;
        let partitions = self.ask(&consumer, || {
            let metadata = consumer.fetch_metadata(Some(self.topic()), CALL)?;
            let topics = metadata.topics().iter().filter(|topic| topic.name() == self.topic());
            let partitions = topics.flat_map(|topic| topic.partitions());
            let partitions: Vec<i32> = partitions.map(|partition| partition.id()).collect();
            let unknown = KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition);
            if partitions.is_empty() { Err(unknown) } else { Ok(partitions) }
        })?;
        let mut ends = BTreeMap::new();
        for partition in partitions {
            let ask = || consumer.fetch_watermarks(self.topic(), partition, CALL);
            ends.insert(partition, self.ask(&consumer, ask)?);
        }
        Ok(ends)
    }

    /// Waits until a reader of committed records sees up to the ends.
    fn wait_for_commits(
        &self,
        consumer: &BaseConsumer<Context>,
        ends: &BTreeMap<i32, (i64, i64)>,
    ) -> Result<()> {
        let limit = self.settings.transaction_timeout + EXPIRY_DELAY;
        let patience = Patience::new(&self.shared.monotonic, limit);
        let mut told = false;
        for (partition, (_, end)) in ends {
            loop {
                let ask = || consumer.fetch_watermarks(self.topic(), *partition, CALL);
                let (_, stable) = self.ask(consumer, ask)?;
                if stable >= *end {
                    break;
                }
                let message = format!(
                    "partition {partition} of marker topic {} is held back at offset {stable} by a transaction that is open",
                    self.topic()
                );
                if patience.is_over() {
                    return Err(Error::new(ErrorCode::Unavailable, message));
                }
                if !std::mem::replace(&mut told, true) {
                    tracing::info!("{message}; waiting for its end");
                }
                patience.pause();
            }
        }
        Ok(())
    }

    /// Calls `each` with the key and value of every record up to the ends.
    fn scan(
        &self,
        consumer: &BaseConsumer<Context>,
        ends: &BTreeMap<i32, (i64, i64)>,
        mut each: impl FnMut(&[u8], Option<&[u8]>) -> Result<()>,
    ) -> Result<()> {
        let mut open: Vec<i32> = ends
            .iter()
            .filter(|(_, (low, end))| low < end)
            .map(|(partition, _)| *partition)
            .collect();
        let mut list = TopicPartitionList::new();
        for partition in &open {
            list.add_partition_offset(self.topic(), *partition, Offset::Beginning)
                .map_err(|error| self.failed(consumer, &error))?;
        }
        if open.is_empty() {
            return Ok(());
        }
        consumer.assign(&list).map_err(|error| self.failed(consumer, &error))?;
        let mut patience = Patience::new(&self.shared.monotonic, READ_PATIENCE);
        while !open.is_empty() {
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    each(message.key().unwrap_or_default(), message.payload())?;
                    patience = Patience::new(&self.shared.monotonic, READ_PATIENCE);
                }
                // Nothing committed is behind this: the stable end is at or behind the ends.
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    open.retain(|open| *open != partition);
                }
                Some(Err(error)) => {
                    let failed = self.failed(consumer, &error);
                    if !passes(&failed) || patience.is_over() {
                        return Err(failed);
                    }
                }
                None if patience.is_over() => {
                    let message = format!("reading marker topic {} does not end", self.topic());
                    return Err(Error::new(ErrorCode::Unavailable, message));
                }
                None => {}
            }
        }
        Ok(())
    }
}

/// Whether an error may pass by itself. The topic was there a moment ago: a broker that has just
/// started does not know its partitions for a while.
fn passes(error: &Error) -> bool {
    matches!(error.code(), ErrorCode::Unavailable | ErrorCode::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_come_back() {
        let key = MarkerKey { lineage: "a/b-1".into(), sink: OperatorId(0xab), writer: 12 };
        assert_eq!(MarkerKey::parse(key.to_string().as_bytes()), Some(key.clone()));
        assert_eq!(MarkerKey::parse(b"something else"), None);
        let marker = Marker { epoch: Epoch(7), chunks: 3 };
        let value = encode(marker, 5, Attempt(2)).unwrap();
        let text = r#"{"version":1,"epoch":7,"chunks":3,"of":5,"attempt":2}"#;
        assert_eq!(String::from_utf8(value.clone()).unwrap(), text, "stored for ever");
        assert_eq!(decode(&key, "t", &value).unwrap(), marker);
        let newer = text.replace("\"version\":1", "\"version\":2");
        let error = decode(&key, "t", newer.as_bytes()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Incompatible);
        assert_eq!(decode(&key, "t", b"{}").unwrap_err().code(), ErrorCode::Corrupt);
    }
}
