//! The real Kafka: topics, producing, and reading all that is there. A client of its own, so that
//! what the product wrote is judged by another reader.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{
    BaseRecord, NoCustomPartitioner, Producer, ProducerContext, ThreadedProducer,
};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::clock::pause;
use crate::services::variable;

/// Longest wait for the broker.
const PATIENCE: Duration = Duration::from_secs(30);

/// The broker.
#[derive(Debug, Clone)]
pub struct Cluster {
    brokers: String,
}

impl Cluster {
    /// The one that `cargo xtask test` started.
    ///
    /// # Errors
    /// If there is none.
    pub fn from_environment() -> Result<Self> {
        Ok(Self { brokers: variable("TIDEGATE_KAFKA")? })
    }

    /// `host:port`.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Creates a topic.
    ///
    /// # Errors
    /// If the broker refuses.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<()> {
        self.create_topic_with(name, partitions, &[])
    }

    /// Creates a topic with settings.
    ///
    /// # Errors
    /// If the broker refuses.
    pub fn create_topic_with(
        &self,
        name: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.config().create()?;
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let topic = settings.iter().fold(topic, |topic, (key, value)| topic.set(key, value));
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        for result in runtime.block_on(admin.create_topics([&topic], &options))? {
            if let Err((topic, code)) = result {
                bail!("create topic {topic}: {code}");
            }
        }
        Ok(())
    }

    /// Writes to topics.
    ///
    /// # Errors
    /// If the client does not start.
    pub fn writer(&self) -> Result<Writer> {
        let producer = self
            .config()
            .set("acks", "all")
            .set("linger.ms", "5")
            .set("queue.buffering.max.messages", "500000")
            .create_with_context(Deliveries::default())?;
        Ok(Writer { producer })
    }

    /// Writes to topics in a transaction, which is open until it is ended.
    ///
    /// # Errors
    /// If the broker does not begin one.
    pub fn transaction(&self, id: &str) -> Result<Writer> {
        let producer = self
            .config()
            .set("transactional.id", id)
            .create_with_context::<_, ThreadedProducer<Deliveries>>(Deliveries::default())?;
        producer.init_transactions(PATIENCE)?;
        producer.begin_transaction()?;
        Ok(Writer { producer })
    }

    /// Reads a topic from its beginning, committed records only.
    ///
    /// # Errors
    /// If the broker does not know the topic.
    pub fn reader(&self, topic: &str) -> Result<Reader> {
        let consumer: BaseConsumer = self
            .config()
            .set("group.id", format!("reader-of-{topic}"))
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", "read_committed")
            .create()?;
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        let partitions = found.map_or(0, |found| found.partitions().len());
        ensure!(partitions > 0, "topic {topic} has no partitions");
        Ok(Reader { consumer, topic: topic.to_owned(), next: vec![0; partitions] })
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config
    }
}

/// Counts records that could not be delivered.
#[derive(Debug, Default)]
struct Deliveries {
    failed: AtomicU64,
}

impl ClientContext for Deliveries {}

impl ProducerContext<NoCustomPartitioner> for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes records.
pub struct Writer {
    producer: ThreadedProducer<Deliveries>,
}

impl Writer {
    /// Queues a record for a partition; waits while the queue is full.
    ///
    /// # Errors
    /// If the client refuses the record.
    pub fn send(&self, topic: &str, partition: i32, value: &str) -> Result<()> {
        let mut record = BaseRecord::<str, str>::to(topic).partition(partition).payload(value);
        loop {
            record = match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => back,
                Err((error, _)) => return Err(error).with_context(|| format!("write to {topic}")),
            };
            pause(Duration::from_millis(2));
        }
    }

    /// Waits until the broker has all of them.
    ///
    /// # Errors
    /// If a record was not delivered.
    pub fn flush(&self) -> Result<()> {
        self.producer.flush(PATIENCE * 4)?;
        let failed = self.producer.context().failed.load(Ordering::Relaxed);
        ensure!(failed == 0, "{failed} records were not delivered");
        Ok(())
    }
}

impl Writer {
    /// Takes back what a transaction has written.
    ///
    /// # Errors
    /// If the broker does not answer.
    pub fn abort(&self) -> Result<()> {
        self.producer.abort_transaction(PATIENCE).context("abort a transaction")
    }
}

/// A record that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Value, as text.
    pub value: String,
}

/// Reads a topic piece by piece.
pub struct Reader {
    consumer: BaseConsumer,
    topic: String,
    next: Vec<i64>,
}

impl Reader {
    /// What has come since the last call, in the order of each partition.
    ///
    /// # Errors
    /// If the broker does not answer for half a minute, or a value is no UTF-8.
    pub fn read(&mut self) -> Result<Vec<Record>> {
        let mut list = TopicPartitionList::new();
        for (partition, next) in (0..).zip(&self.next) {
            list.add_partition_offset(&self.topic, partition, Offset::Offset(*next))?;
        }
        self.consumer.assign(&list)?;
        let mut open: BTreeSet<i32> = (0..).take(self.next.len()).collect();
        let mut records = Vec::new();
        while !open.is_empty() {
            match self.consumer.poll(PATIENCE) {
                Some(Ok(message)) => {
                    let value = message.payload().unwrap_or_default();
                    let value = std::str::from_utf8(value).context("value is no UTF-8")?.to_owned();
                    let (partition, offset) = (message.partition(), message.offset());
                    self.next[partition as usize] = offset + 1;
                    records.push(Record { partition, offset, value });
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => drop(open.remove(&partition)),
                Some(Err(error)) => {
                    return Err(error).with_context(|| format!("read {}", self.topic));
                }
                None => bail!("topic {}: no answer within {} s", self.topic, PATIENCE.as_secs()),
            }
        }
        Ok(records)
    }
}
