//! The sink: options, checks before the start, writers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::producer::{Producer, ThreadedProducer};
use tidegate_connector_spec::{FormatOptions, Options};
use tidegate_engine::connector::{DeliveryGuarantee, Sink, SinkContext, SinkWriter};
use tidegate_plan::operator::Sink as SinkPlan;
use tidegate_types::{Error, ErrorCode, Field, Result};

use super::by_key::is_by_key;
use super::client::{Brokers, Context};
use super::exactly_once::ExactlyOnce;
use super::key_columns::KeyColumns;
use super::offsets::ANSWER_TIMEOUT;
use super::patience::Patience;
use super::staged_writer::StagedWriter;
use super::writer::Writer;
use crate::env::{ConnectorEnv, MonotonicClock};
use crate::format::{self, Encoder, EncoderContext};

/// How long brokers may take to make a topic on its first use.
const CREATE_TIMEOUT: Duration = Duration::from_secs(5);

/// Which partition a row goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Partitioner {
    /// By the hash of the key, as Java clients do; without a key anywhere.
    Default,
    /// One partition per subtask.
    Fixed,
    /// In turn.
    RoundRobin,
}

/// What is written beside key and value: the column of each, if there is one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct MetadataColumns {
    pub(super) topic: Option<usize>,
    pub(super) headers: Option<usize>,
    pub(super) timestamp: Option<usize>,
}

/// What all writers of a table share.
pub(super) struct Shared {
    pub(super) brokers: Brokers,
    /// At least one.
    pub(super) topics: Vec<String>,
    pub(super) partitioner: Partitioner,
    pub(super) metadata: MetadataColumns,
    /// The input's columns that the value holds, by index.
    pub(super) value_columns: Vec<usize>,
    value_fields: Vec<Field>,
    /// The same as the table declares them.
    value_declared: Vec<Field>,
    value_format: FormatOptions,
    /// The input's columns that the key holds, by index.
    pub(super) key_columns: Vec<usize>,
    key_fields: Vec<Field>,
    /// The same as the table declares them.
    key_declared: Vec<Field>,
    key_format: Option<FormatOptions>,
    /// Whether rows replace and delete those of their keys.
    pub(super) by_key: bool,
    /// Whether of the rows of one key in a batch only the last is written.
    pub(super) last_of_key: bool,
    guarantee: DeliveryGuarantee,
    exactly_once: Option<ExactlyOnce>,
    pub(super) table: String,
    pub(super) monotonic: MonotonicClock,
}

impl Shared {
    /// The encoder of values.
    pub(super) fn value_encoder(&self) -> Result<Box<dyn Encoder>> {
        format::encoder(&EncoderContext {
            options: &self.value_format,
            columns: &self.value_fields,
            declared: &self.value_declared,
            origin: &self.table,
        })
    }

    /// The encoder of keys, if there are any.
    pub(super) fn key_encoder(&self) -> Result<Option<Box<dyn Encoder>>> {
        let encoder = |options| {
            format::encoder(&EncoderContext {
                options,
                columns: &self.key_fields,
                declared: &self.key_declared,
                origin: &self.table,
            })
        };
        self.key_format.as_ref().map(encoder).transpose()
    }

    /// The settings of exactly-once output.
    pub(super) fn exactly_once(&self) -> Result<&ExactlyOnce> {
        let settings = self.exactly_once.as_ref();
        settings.ok_or_else(|| Error::internal("the table is not written exactly once"))
    }

    /// For messages.
    pub(super) fn describe(&self) -> String {
        format!("topic {}", self.topics.join(", "))
    }

    /// Number of partitions of each topic; makes topics where brokers do that on first use. Blocks.
    pub(super) fn partition_counts<C>(&self, producer: &C) -> Result<BTreeMap<String, i32>>
    where
        C: Producer<Context>,
    {
        let mut counts = BTreeMap::new();
        for topic in &self.topics {
            counts.insert(topic.clone(), self.partition_count(producer, topic)?);
        }
        Ok(counts)
    }

    fn partition_count<C: Producer<Context>>(&self, producer: &C, topic: &str) -> Result<i32> {
        let patience = Patience::new(&self.monotonic, ANSWER_TIMEOUT);
        loop {
            let found = producer.client().fetch_metadata(Some(topic), Duration::from_secs(2));
            match found {
                Ok(metadata) => {
                    let found = metadata.topics().iter().find(|found| found.name() == topic);
                    let count = found.map_or(0, |found| found.partitions().len());
                    if let Some(count) = i32::try_from(count).ok().filter(|count| *count > 0) {
                        return Ok(count);
                    }
                    if patience.waited() >= CREATE_TIMEOUT {
                        let message =
                            format!("topic {topic} does not exist at {}", self.brokers.servers);
                        return Err(Error::new(ErrorCode::NotFound, message)
                            .help("create the topic, or mend the option 'topic'"));
                    }
                }
                Err(error) => {
                    let context = producer.client().context();
                    let failed =
                        self.brokers.failed(&format!("write topic {topic}"), &error, context);
                    let hopeless = failed.code() != ErrorCode::Unavailable || context.is_denied();
                    if hopeless || patience.is_over() {
                        return Err(failed);
                    }
                }
            }
            patience.pause();
        }
    }
}

struct Kafka(Arc<Shared>);

/// The sink of a Kafka table. Opens no connection.
///
/// # Errors
/// `INVALID_OPTION` for options that contradict each other, or formats that cannot hold the columns.
pub fn sink(
    plan: &SinkPlan,
    columns: &[Field],
    options: &Options,
    env: &ConnectorEnv,
) -> Result<Arc<dyn Sink>> {
    let metadata = metadata_columns(plan)?;
    let is_metadata = |index: &usize| plan.metadata.iter().any(|(column, _)| column == index);
    let physical: Vec<usize> = (0..columns.len()).filter(|index| !is_metadata(index)).collect();
    let fields: Vec<Field> =
        physical.iter().filter_map(|index| columns.get(*index).cloned()).collect();
    let split = KeyColumns::new(options, &fields, &plan.table.primary_key)?;
    let declared = format::as_declared(&fields, &plan.table.columns);
    let declared = KeyColumns::new(options, &declared, &plan.table.primary_key)?;
    let index_of = |name: &String| {
        physical.iter().copied().find(|i| columns.get(*i).is_some_and(|c| c.name == *name))
    };
    let topics: Vec<String> = options.list("topic").into_iter().map(str::to_owned).collect();
    if topics.len() > 1 && metadata.topic.is_none() {
        let message =
            "a table with several topics can be written to only with the metadata column 'topic'";
        return Err(Error::new(ErrorCode::InvalidOption, message)
            .help("declare a column like: topic_name STRING METADATA FROM 'topic'"));
    }
    let (brokers, guarantee) = (Brokers::new(options)?, guarantee(options)?);
    let exactly_once = match guarantee {
        DeliveryGuarantee::ExactlyOnce => Some(ExactlyOnce::new(options, &brokers)?),
        _ => None,
    };
    let shared = Shared {
        brokers,
        topics,
        partitioner: partitioner(options)?,
        metadata,
        value_columns: split.value.iter().filter_map(|field| index_of(&field.name)).collect(),
        value_fields: split.value,
        value_declared: declared.value,
        value_format: with_subject(options.value_format()?, options, "value"),
        key_columns: split.names.iter().filter_map(index_of).collect(),
        key_fields: split.key,
        key_declared: declared.key,
        key_format: options.key_format()?.map(|format| with_subject(format, options, "key")),
        by_key: is_by_key(options),
        last_of_key: options.integer("sink.buffer-flush.max-rows")?.is_some_and(|rows| rows > 0),
        guarantee,
        exactly_once,
        table: plan.table.name.clone(),
        monotonic: Arc::clone(&env.monotonic),
    };
    shared.value_encoder()?;
    shared.key_encoder()?;
    // Finds settings that the client refuses before the job starts.
    drop(producer(&shared.brokers)?);
    Ok(Arc::new(Kafka(Arc::new(shared))))
}

/// A format with the subject that its schema has by default: where there is one topic, after that.
fn with_subject(format: FormatOptions, options: &Options, part: &str) -> FormatOptions {
    const SUBJECT: &str = "subject";
    match options.list("topic").as_slice() {
        [topic] if format.knows(SUBJECT) && format.text("schema-registry.subject").is_none() => {
            format.or_with(SUBJECT, || format!("{topic}-{part}"))
        }
        _ => format,
    }
}

fn guarantee(options: &Options) -> Result<DeliveryGuarantee> {
    match options.required("sink.delivery-guarantee")?.to_ascii_lowercase().as_str() {
        "none" => Ok(DeliveryGuarantee::None),
        "at-least-once" => Ok(DeliveryGuarantee::AtLeastOnce),
        "exactly-once" => Ok(DeliveryGuarantee::ExactlyOnce),
        other => Err(Error::unsupported(format!(
            "'sink.delivery-guarantee' = '{other}' is not supported"
        ))),
    }
}

fn partitioner(options: &Options) -> Result<Partitioner> {
    // Tables by key have no such option: all records of a key go to one partition.
    match options.text("sink.partitioner").unwrap_or("default").to_ascii_lowercase().as_str() {
        "default" => Ok(Partitioner::Default),
        "fixed" => Ok(Partitioner::Fixed),
        "round-robin" => Ok(Partitioner::RoundRobin),
        other => {
            Err(Error::unsupported(format!("'sink.partitioner' = '{other}' is not supported")))
        }
    }
}

fn metadata_columns(plan: &SinkPlan) -> Result<MetadataColumns> {
    let mut columns = MetadataColumns::default();
    for (index, key) in &plan.metadata {
        match key.as_str() {
            "topic" => columns.topic = Some(*index),
            "headers" => columns.headers = Some(*index),
            "timestamp" => columns.timestamp = Some(*index),
            other => {
                let message =
                    format!("connector 'kafka' has no metadata column '{other}' to write");
                return Err(Error::new(ErrorCode::InvalidOption, message)
                    .help("declare it VIRTUAL, or leave it out of the table"));
            }
        }
    }
    Ok(columns)
}

/// How long a record waits in the client for others of its partition. The client's own 5 ms are most of the delay of a
/// light load, and under a heavy one batches fill before any time is over.
const LINGER_MS: &str = "2";

/// A producer with bounded buffers that loses and repeats nothing by itself.
pub(super) fn producer(brokers: &Brokers) -> Result<ThreadedProducer<Context>> {
    brokers
        .producer_config(&producer_defaults(brokers))
        .create_with_context(Context::default())
        .map_err(|error| brokers.refused(&error))
}

/// Settings that hold unless the table says otherwise.
fn producer_defaults(brokers: &Brokers) -> Vec<(&'static str, &'static str)> {
    let mut defaults = vec![
        // As Java clients choose it, so that both put a key into the same partition.
        ("partitioner", "murmur2_random"),
        ("queue.buffering.max.messages", "200000"),
        ("queue.buffering.max.kbytes", "65536"),
        ("delivery.timeout.ms", "120000"),
    ];
    // `linger.ms` is another name of it, and the one that is set last would win.
    if !brokers.sets("linger.ms") {
        defaults.push(("queue.buffering.max.ms", LINGER_MS));
    }
    let weak_acks = ["acks", "request.required.acks"].iter().any(|key| brokers.sets(key));
    if !brokers.sets("enable.idempotence") && !weak_acks {
        defaults.push(("enable.idempotence", "true"));
    }
    defaults
}

#[async_trait]
impl Sink for Kafka {
    fn guarantee(&self) -> DeliveryGuarantee {
        self.0.guarantee
    }

    async fn check(&self) -> Result<()> {
        // What a registry refuses is found before the first row comes.
        self.0.value_encoder()?.prepare().await?;
        if let Some(mut encoder) = self.0.key_encoder()? {
            encoder.prepare().await?;
        }
        let shared = Arc::clone(&self.0);
        let checked = tokio::task::spawn_blocking(move || {
            let producer = producer(&shared.brokers)?;
            shared.partition_counts(&producer)?;
            let metadata = producer.client().fetch_metadata(None, ANSWER_TIMEOUT);
            let doing = format!("write {}", shared.describe());
            let context = producer.client().context();
            let metadata =
                metadata.map_err(|error| shared.brokers.failed(&doing, &error, context))?;
            Ok(metadata.orig_broker_id())
        });
        let broker =
            checked.await.map_err(|_| Error::internal("checking a Kafka topic ended early"))??;
        match &self.0.exactly_once {
            Some(settings) => settings.check(&self.0.brokers, broker).await,
            None => Ok(()),
        }
    }

    fn writer(&self, context: SinkContext) -> Result<Box<dyn SinkWriter>> {
        let shared = Arc::clone(&self.0);
        Ok(match self.0.guarantee {
            DeliveryGuarantee::ExactlyOnce => Box::new(StagedWriter::new(shared, context)?),
            _ => Box::new(Writer::new(shared, context)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linger(option: Option<(&str, &str)>) -> [Option<String>; 2] {
        let fixed = [("connector", "kafka"), ("properties.bootstrap.servers", "localhost:1")];
        let all = fixed.into_iter().chain(option).map(|(k, v)| (k.to_owned(), v.to_owned()));
        let brokers = Brokers::new(&Options::new(all.collect()).unwrap()).unwrap();
        let config = brokers.producer_config(&producer_defaults(&brokers));
        ["queue.buffering.max.ms", "linger.ms"].map(|key| config.get(key).map(str::to_owned))
    }

    #[test]
    fn a_table_sets_how_long_records_wait_by_either_name() {
        let is = |value: &str| Some(value.to_owned());
        assert_eq!(linger(None), [is(LINGER_MS), None]);
        assert_eq!(linger(Some(("properties.linger.ms", "7"))), [None, is("7")]);
        assert_eq!(linger(Some(("properties.queue.buffering.max.ms", "0"))), [is("0"), None]);
    }
}
