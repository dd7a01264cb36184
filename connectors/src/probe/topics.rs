//! Topics of Kafka: made as a table says, or compared with what it says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};
use tidegate_connector_spec::data_source::{DataSourceSpec, Parameters};
use tidegate_connector_spec::value;
use tidegate_runtime::blocking::beside;
use tidegate_types::{Error, ErrorCode, Result};

use super::Probe;
use super::report::{Failure, Reason, What};
use super::systems::Cluster;
use crate::kafka::client::Context;

/// What a topic is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: String,
    /// Partitions; `None`: any number, one if it is made.
    pub partitions: Option<u32>,
    /// Copies of each partition; `None`: what the brokers decide.
    pub replication: Option<u16>,
    /// Settings by Kafka's names, such as `retention.ms`.
    pub configs: BTreeMap<String, String>,
}

/// What was found, and what was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicReport {
    /// Whether it was made now.
    pub created: bool,
    /// Partitions that it has.
    pub partitions: u32,
    /// Copies that its partitions have, the fewest.
    pub replication: u16,
    /// Where it is other than wanted.
    pub differences: Vec<Difference>,
    /// Whether the data source's user can read it; `None`: that could not be found out. Whether it can be written is
    /// found out by the first record only: brokers are not asked by writing one.
    pub readable: Option<bool>,
}

/// Something that is other than wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `partitions`, `replication-factor`, or the name of a setting.
    pub what: String,
    /// As wanted.
    pub wanted: String,
    /// As it is.
    pub found: String,
}

impl Wanted {
    /// From the options of a table (`topic.partitions`, …); others are passed over.
    ///
    /// # Errors
    /// `INVALID_OPTION` for values out of range.
    pub fn new(
        spec: &DataSourceSpec,
        name: &str,
        options: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let number = |key: &str, most: i64| -> Result<Option<i64>> {
            let Some(text) = options.get(key) else { return Ok(None) };
            let number = value::integer(key, text)?;
            if (1..=most).contains(&number) {
                return Ok(Some(number));
            }
            let message = format!("option '{key}': {number} is not between 1 and {most}");
            Err(Error::new(ErrorCode::InvalidOption, message))
        };
        if spec.creation.is_empty() {
            let message = format!("a data source of type '{}' has no topics", spec.name);
            return Err(Error::unsupported(message));
        }
        let mut configs = BTreeMap::new();
        if let Some(text) = options.get("topic.retention") {
            let kept = value::duration("topic.retention", text)?;
            configs.insert("retention.ms".to_owned(), kept.as_millis().to_string());
        }
        if let Some(policy) = options.get("topic.cleanup-policy") {
            let known = ["delete", "compact", "compact,delete"];
            if !known.contains(&policy.as_str()) {
                let message = format!(
                    "option 'topic.cleanup-policy': '{policy}' is not one of {}",
                    known.join("; ")
                );
                return Err(Error::new(ErrorCode::InvalidOption, message));
            }
            configs.insert("cleanup.policy".to_owned(), policy.clone());
        }
        let partitions = number("topic.partitions", 10_000)?;
        let replication = number("topic.replication-factor", i64::from(i16::MAX))?;
        Ok(Self {
            name: name.to_owned(),
            partitions: partitions.and_then(|number| u32::try_from(number).ok()),
            replication: replication.and_then(|number| u16::try_from(number).ok()),
            configs,
        })
    }
}

impl Probe<'_> {
    /// Makes a topic unless it is there (`create`), and compares it with what is wanted. May be repeated: a
    /// topic that is there is never changed.
    ///
    /// # Errors
    /// `NOT_FOUND` if it is not there and not to be made; what [`Failure::into_error`] makes of others.
    pub async fn topic(&self, wanted: &Wanted, create: bool) -> Result<TopicReport> {
        let mut trace = self.trace();
        let parameters = &self.parameters;
        let done = Box::pin(work(&mut trace, parameters, wanted, create)).await;
        done.map_err(|failure| self.failed("create or check", &trace, failure))
    }
}

async fn work(
    trace: &mut super::trace::Trace<'_>,
    parameters: &Parameters<'_>,
    wanted: &Wanted,
    create: bool,
) -> std::result::Result<TopicReport, Failure> {
    if parameters.spec().name != "kafka" {
        let kind = parameters.spec().name;
        return Err(Failure::unsupported(
            format!("a data source of type '{kind}' has no topics"),
            "",
        ));
    }
    let cluster = Cluster::open(trace, parameters).await?;
    let admin =
        cluster.brokers.admin().map_err(|error| Failure::unsupported(error.message(), ""))?;
    let place = cluster.place.clone();
    let mut created = false;
    if cluster.partitions(&wanted.name).is_none() {
        if !create {
            return Err(missing(&place, &wanted.name));
        }
        let left = trace.left();
        let step = async {
            let created = make(&admin, &place, wanted, left).await?;
            Ok((created, format!("topic {}", wanted.name)))
        };
        created = trace.step(What::Ask, &place, step).await?;
    }
    let left = trace.left();
    let step = async {
        let report = compare(&admin, &cluster, wanted, created, left).await?;
        Ok((report, format!("topic {}", wanted.name)))
    };
    trace.step(What::Ask, &place, step).await
}

fn missing(place: &str, name: &str) -> Failure {
    Failure::new(
        Reason::MissingTable,
        format!("{place} has no topic '{name}'"),
        "mend the name, let the user see it, or let the topic be created",
    )
}

fn refused(place: &str, name: &str, code: Code) -> Failure {
    let text = format!("topic '{name}' at {place}: {code}");
    match code {
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => Failure::new(
            Reason::Permission,
            text,
            "let the user create and describe topics, or create the topic by hand",
        ),
        Code::InvalidReplicationFactor => Failure::new(
            Reason::Protocol,
            text,
            "ask for at most as many copies as there are brokers ('topic.replication-factor')",
        ),
        Code::InvalidTopic
        | Code::InvalidConfig
        | Code::InvalidPartitions
        | Code::PolicyViolation => {
            Failure::new(Reason::Protocol, text, "mend the name or the options of the topic")
        }
        _ => Failure::new(Reason::Protocol, text, "see what the brokers' logs say"),
    }
}

/// Whether it was made; somebody else may have been faster.
async fn make(
    admin: &AdminClient<Context>,
    place: &str,
    wanted: &Wanted,
    left: Duration,
) -> std::result::Result<bool, Failure> {
    let partitions = i32::try_from(wanted.partitions.unwrap_or(1)).unwrap_or(i32::MAX);
    let replication = wanted.replication.map_or(-1, i32::from);
    let mut topic = NewTopic::new(&wanted.name, partitions, TopicReplication::Fixed(replication));
    for (key, value) in &wanted.configs {
        topic = topic.set(key, value);
    }
    let options = AdminOptions::new().request_timeout(Some(left)).operation_timeout(Some(left));
    let made = admin.create_topics([&topic], &options).await;
    let made = made.map_err(|error| {
        Failure::protocol(place, &error.to_string(), "see what the brokers' logs say")
    })?;
    match made.into_iter().next() {
        Some(Ok(_)) => Ok(true),
        Some(Err((_, Code::TopicAlreadyExists))) => Ok(false),
        Some(Err((_, code))) => Err(refused(place, &wanted.name, code)),
        None => Err(Failure::protocol(place, "it answers nothing", "try again")),
    }
}

/// Compares a topic that is there with what is wanted. One that was just made may take a moment to be known.
async fn compare(
    admin: &AdminClient<Context>,
    cluster: &Cluster,
    wanted: &Wanted,
    created: bool,
    left: Duration,
) -> std::result::Result<TopicReport, Failure> {
    let (partitions, replication) = shape(cluster, &wanted.name, created, left).await?;
    let (consumer, name) = (Arc::clone(&cluster.consumer), wanted.name.clone());
    let readable = beside("reading a topic", move || can_read(&consumer, &name)).await;
    let readable = readable.map_err(|error| Failure::unsupported(error.message(), ""))?;
    let mut report =
        TopicReport { created, partitions, replication, differences: Vec::new(), readable };
    let mut differ = |what: &str, wanted: String, found: String| {
        if wanted != found {
            report.differences.push(Difference { what: what.to_owned(), wanted, found });
        }
    };
    if let Some(wanted) = wanted.partitions {
        differ("partitions", wanted.to_string(), partitions.to_string());
    }
    if let Some(wanted) = wanted.replication {
        differ("replication-factor", wanted.to_string(), replication.to_string());
    }
    if !wanted.configs.is_empty() {
        let found = configs(admin, &cluster.place, &wanted.name, left).await?;
        for (key, wanted) in &wanted.configs {
            let found = found.get(key).cloned().unwrap_or_default();
            let sorted = |text: &str| {
                let mut words: Vec<&str> = text.split(',').map(str::trim).collect();
                words.sort_unstable();
                words.join(",")
            };
            differ(key, sorted(wanted), sorted(&found));
        }
    }
    Ok(report)
}

/// Partitions of a topic and the fewest copies of one.
async fn shape(
    cluster: &Cluster,
    name: &str,
    created: bool,
    left: Duration,
) -> std::result::Result<(u32, u16), Failure> {
    let (consumer, topic) = (Arc::clone(&cluster.consumer), name.to_owned());
    let found = beside("metadata of a topic", move || look(&consumer, &topic, created, left)).await;
    let found = found.map_err(|error| Failure::unsupported(error.message(), ""))?;
    match found {
        Ok(Some(shape)) => Ok(shape),
        Ok(None) => Err(missing(&cluster.place, name)),
        Err(Some(code)) => Err(refused(&cluster.place, name, code)),
        Err(None) => Err(Failure::protocol(
            &cluster.place,
            "it does not answer for the topic",
            "see what the brokers' logs say",
        )),
    }
}

/// Pause before a topic that was just made is asked for again.
const PAUSE: Duration = Duration::from_millis(100);

/// Asks for a topic; of one that was just made until all of it is there. Blocks.
fn look(
    consumer: &BaseConsumer<Context>,
    topic: &str,
    created: bool,
    left: Duration,
) -> std::result::Result<Option<(u32, u16)>, Option<Code>> {
    let mut waited = Duration::ZERO;
    loop {
        let metadata = consumer.fetch_metadata(Some(topic), left.saturating_sub(waited));
        let metadata = metadata.map_err(|error| error.rdkafka_error_code())?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let failed = found.and_then(|found| found.error()).map(Code::from);
        let partitions = found.map(|found| found.partitions()).unwrap_or_default();
        let whole = !partitions.is_empty() && partitions.iter().all(|one| one.leader() >= 0);
        if failed.is_none() && whole {
            let fewest = partitions.iter().map(|one| one.replicas().len()).min().unwrap_or(0);
            let count = u32::try_from(partitions.len()).unwrap_or(u32::MAX);
            return Ok(Some((count, u16::try_from(fewest).unwrap_or(u16::MAX))));
        }
        waited += PAUSE;
        if !created || waited >= left {
            return match failed {
                None | Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => Ok(None),
                Some(code) => Err(Some(code)),
            };
        }
        // Waits without a sleeping thread of its own.
        let _ = consumer.poll(PAUSE);
    }
}

/// Whether the first partition can be read. Blocks, within a bound.
fn can_read(consumer: &BaseConsumer<Context>, topic: &str) -> Option<bool> {
    let mut first = TopicPartitionList::new();
    first.add_partition_offset(topic, 0, Offset::Beginning).ok()?;
    consumer.assign(&first).ok()?;
    let answer = (0..20).find_map(|_| consumer.poll(PAUSE));
    let _ = consumer.unassign();
    match answer {
        // Neither a record nor a refusal: there are none.
        None | Some(Ok(_)) => Some(true),
        Some(Err(KafkaError::PartitionEOF(_))) => Some(true),
        Some(Err(error)) => match error.rdkafka_error_code() {
            Some(Code::TopicAuthorizationFailed | Code::GroupAuthorizationFailed) => Some(false),
            Some(Code::PartitionEOF) => Some(true),
            _ => None,
        },
    }
}

async fn configs(
    admin: &AdminClient<Context>,
    place: &str,
    name: &str,
    left: Duration,
) -> std::result::Result<BTreeMap<String, String>, Failure> {
    let options = AdminOptions::new().request_timeout(Some(left));
    let described = admin.describe_configs([&ResourceSpecifier::Topic(name)], &options).await;
    let described = described.map_err(|error| {
        Failure::protocol(place, &error.to_string(), "see what the brokers' logs say")
    })?;
    match described.into_iter().next() {
        Some(Ok(resource)) => Ok(resource
            .entries
            .into_iter()
            .filter_map(|entry| Some((entry.name, entry.value?)))
            .collect()),
        Some(Err(code)) => Err(refused(place, name, code)),
        None => Ok(BTreeMap::new()),
    }
}
