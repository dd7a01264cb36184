//! Finding partitions, and resolving where to start and stop to numbers. Blocking calls with
//! bounded waits; the source runs them where they may block.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::Metadata;
use rdkafka::{Offset, TopicPartitionList};
use regex::Regex;
use tidegate_connector_spec::{Options, PartitionOffset, specific_offsets};
use tidegate_types::{Error, ErrorCode, Result};

use super::client::{Brokers, Context};
use super::patience::Patience;

/// How long brokers may take to answer before reading is given up.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long one try takes, so that refused credentials are noticed early.
const TRY_TIMEOUT: Duration = Duration::from_secs(2);

/// A partition of a topic.
pub(super) type TopicPartition = (String, i32);

/// Which topics are read.
#[derive(Debug, Clone)]
pub(super) enum Topics {
    /// `topic`
    Named(Vec<String>),
    /// `topic-pattern`, over whole names.
    Matching(Regex),
}

impl Topics {
    /// From a table's options.
    pub(super) fn new(options: &Options) -> Result<Self> {
        let Some(pattern) = options.explicit("topic-pattern") else {
            let mut topics: Vec<String> =
                options.list("topic").into_iter().map(str::to_owned).collect();
            topics.sort();
            topics.dedup();
            return Ok(Self::Named(topics));
        };
        Regex::new(&format!("^(?:{pattern})$")).map(Self::Matching).map_err(|error| {
            let message =
                format!("option 'topic-pattern': '{pattern}' is not a regular expression: {error}");
            Error::new(ErrorCode::InvalidOption, message)
        })
    }

    /// For messages: `topic clicks`.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Named(topics) if topics.len() == 1 => format!("topic {}", topics.concat()),
            Self::Named(topics) => format!("topics {}", topics.join(", ")),
            Self::Matching(regex) => {
                let pattern = regex.as_str().trim_start_matches("^(?:").trim_end_matches(")$");
                format!("topics matching {pattern}")
            }
        }
    }
}

/// A place in a partition, as an option names it.
#[derive(Debug, Clone)]
pub(super) enum Position {
    /// The oldest record.
    Earliest,
    /// Behind the newest record.
    Latest,
    /// What the consumer group has committed.
    Group,
    /// The first record of a time, in milliseconds since the epoch, or later.
    Timestamp(i64),
    /// Given numbers.
    Offsets(Vec<PartitionOffset>),
}

impl Position {
    /// The position that `scan.startup.*` or `scan.bounded.*` names; `None` for `unbounded`.
    pub(super) fn new(options: &Options, scan: &str) -> Result<Option<Self>> {
        let mode = options.required(&format!("{scan}.mode"))?.to_ascii_lowercase();
        Ok(Some(match mode.as_str() {
            "unbounded" => return Ok(None),
            "earliest-offset" => Self::Earliest,
            "latest-offset" => Self::Latest,
            "group-offsets" => Self::Group,
            "timestamp" => {
                let key = format!("{scan}.timestamp-millis");
                let missing =
                    || Error::new(ErrorCode::InvalidOption, format!("option '{key}' is missing"));
                Self::Timestamp(options.integer(&key)?.ok_or_else(missing)?)
            }
            "specific-offsets" => {
                let key = format!("{scan}.specific-offsets");
                Self::Offsets(specific_offsets(&key, options.required(&key)?)?)
            }
            other => {
                let message = format!("option '{scan}.mode': '{other}' is not known");
                return Err(Error::new(ErrorCode::InvalidOption, message));
            }
        }))
    }
}

/// Asks brokers about topics.
pub(super) struct Inquiry<'a> {
    pub(super) brokers: &'a Brokers,
    pub(super) consumer: BaseConsumer<Context>,
    /// What `auto.offset.reset` says; group offsets that do not exist need it.
    pub(super) reset: Option<&'a str>,
    pub(super) patience: Patience,
}

impl Inquiry<'_> {
    /// All partitions of `topics`. One of which partitions are `known` is waited for, because a broker that has just
    /// started does not know it yet.
    ///
    /// # Errors
    /// `NOT_FOUND` for a named topic that does not exist; `UNAVAILABLE` and `PERMISSION_DENIED`.
    pub(super) fn partitions(
        &self,
        topics: &Topics,
        known: &BTreeSet<TopicPartition>,
    ) -> Result<Vec<TopicPartition>> {
        let mut found = Vec::new();
        match topics {
            Topics::Named(names) => {
                for name in names {
                    let was_there = known.iter().any(|(topic, _)| topic == name);
                    found.extend(self.partitions_of_named(name, was_there)?);
                }
            }
            Topics::Matching(regex) => {
                let metadata =
                    self.retry("list topics", |wait| self.consumer.fetch_metadata(None, wait))?;
                let matching =
                    metadata.topics().iter().filter(|topic| regex.is_match(topic.name()));
                for topic in matching.filter(|topic| !topic.name().starts_with("__")) {
                    found.extend(self.partitions_of(&metadata, topic.name())?);
                }
            }
        }
        found.sort();
        Ok(found)
    }

    fn partitions_of_named(&self, name: &str, was_there: bool) -> Result<Vec<TopicPartition>> {
        let doing = format!("look up topic {name}");
        loop {
            let metadata =
                self.retry(&doing, |wait| self.consumer.fetch_metadata(Some(name), wait))?;
            match self.partitions_of(&metadata, name) {
                Err(error)
                    if error.code() == ErrorCode::NotFound
                        && was_there
                        && !self.patience.is_over() =>
                {
                    self.patience.pause();
                }
                answer => return answer,
            }
        }
    }

    fn partitions_of(&self, metadata: &Metadata, name: &str) -> Result<Vec<TopicPartition>> {
        let topic = metadata.topics().iter().find(|topic| topic.name() == name);
        let code = topic.and_then(|topic| topic.error()).map(Code::from);
        let partitions = topic.map(|topic| topic.partitions()).unwrap_or_default();
        match code {
            None if !partitions.is_empty() => {
                Ok(partitions.iter().map(|partition| (name.to_owned(), partition.id())).collect())
            }
            None | Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => {
                let message = format!("topic {name} does not exist at {}", self.brokers.servers);
                Err(Error::new(ErrorCode::NotFound, message)
                    .help("create the topic, or mend the option 'topic'"))
            }
            Some(code) => {
                let text = code.to_string();
                Err(self.brokers.failed_with(
                    &format!("look up topic {name}"),
                    Some(code),
                    &text,
                    self.consumer.context(),
                ))
            }
        }
    }

    /// The offsets of `position` in some partitions. Partitions that given numbers leave out are
    /// missing in the answer.
    pub(super) fn resolve(
        &self,
        position: &Position,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, i64>> {
        match position {
            Position::Earliest => self.watermarks(partitions, |(low, _)| low),
            Position::Latest => self.watermarks(partitions, |(_, high)| high),
            Position::Timestamp(time) => self.at_time(*time, partitions),
            Position::Group => self.committed(partitions),
            Position::Offsets(offsets) => {
                let given = |(topic, partition): &TopicPartition| {
                    let offset = offsets.iter().find(|offset| offset.partition == *partition)?;
                    Some(((topic.clone(), *partition), offset.offset))
                };
                Ok(partitions.iter().filter_map(given).collect())
            }
        }
    }

    fn watermarks(
        &self,
        partitions: &[TopicPartition],
        choose: impl Fn((i64, i64)) -> i64,
    ) -> Result<BTreeMap<TopicPartition, i64>> {
        let one = |(topic, partition): &TopicPartition| {
            let doing = format!("look up offsets of topic {topic}, partition {partition}");
            let found =
                self.retry(&doing, |wait| self.consumer.fetch_watermarks(topic, *partition, wait))?;
            Ok(((topic.clone(), *partition), choose(found).max(0)))
        };
        partitions.iter().map(one).collect()
    }

    fn at_time(
        &self,
        time: i64,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, i64>> {
        let found = self.retry("look up offsets by time", |wait| {
            self.consumer.offsets_for_times(list(partitions, Offset::Offset(time)), wait)
        })?;
        let mut offsets = BTreeMap::new();
        let mut behind = Vec::new();
        for element in found.elements() {
            let key = (element.topic().to_owned(), element.partition());
            match element.offset() {
                Offset::Offset(offset) => drop(offsets.insert(key, offset)),
                // No record is that young.
                _ => behind.push(key),
            }
        }
        offsets.extend(self.watermarks(&behind, |(_, high)| high)?);
        Ok(offsets)
    }

    fn committed(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, i64>> {
        let found = self.retry("look up offsets of the consumer group", |wait| {
            self.consumer.committed_offsets(list(partitions, Offset::Invalid), wait)
        })?;
        let mut offsets = BTreeMap::new();
        let mut unknown = Vec::new();
        for element in found.elements() {
            let key = (element.topic().to_owned(), element.partition());
            match element.offset() {
                Offset::Offset(offset) => drop(offsets.insert(key, offset)),
                _ => unknown.push(key),
            }
        }
        offsets.extend(self.reset(&unknown)?);
        Ok(offsets)
    }

    /// Where to go in partitions for which the group has no offset.
    fn reset(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, i64>> {
        let Some((topic, partition)) = partitions.first() else {
            return Ok(BTreeMap::new());
        };
        match self.reset {
            Some("earliest") => self.watermarks(partitions, |(low, _)| low),
            Some("latest") => self.watermarks(partitions, |(_, high)| high),
            _ => {
                let group = self.brokers.setting("group.id").unwrap_or_default();
                let message = format!(
                    "consumer group {group} has no committed offset in topic {topic}, partition {partition}"
                );
                Err(Error::new(ErrorCode::NotFound, message).help(
                    "set 'properties.auto.offset.reset' to 'earliest' or 'latest', or another 'scan.startup.mode'",
                ))
            }
        }
    }

    /// Repeats a call until it works, the credentials are refused or the time is over. A topic that does not exist is
    /// said by metadata, not by an error of the call: a partition that is not known is one of a broker that has just
    /// started.
    fn retry<T>(&self, doing: &str, call: impl Fn(Duration) -> Result<T, KafkaError>) -> Result<T> {
        loop {
            let error = match call(TRY_TIMEOUT) {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            // Serves librdkafka's events, so that what they say is not left unread.
            drop(self.consumer.poll(Duration::ZERO));
            let context = self.consumer.context();
            let failed = self.brokers.failed(doing, &error, context);
            let passes = matches!(failed.code(), ErrorCode::Unavailable | ErrorCode::NotFound);
            if !passes || context.is_denied() || self.patience.is_over() {
                return Err(failed);
            }
            self.patience.pause();
        }
    }
}

fn list(partitions: &[TopicPartition], offset: Offset) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        // Refused only for offsets that have no number, which none of the callers gives.
        let _ = list.add_partition_offset(topic, *partition, offset);
    }
    list
}
