//! The broker of the tests: topics of their own, records written and read without the connector.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

static TOPICS: AtomicU32 = AtomicU32::new(0);

/// A variable that the test services set.
pub(super) fn service(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run through `cargo xtask test`"))
}

pub(super) fn servers() -> String {
    service("TIDEGATE_KAFKA")
}

fn config() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers());
    config
}

/// A topic name that no other test and no other run uses.
pub(super) fn topic_name(test: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    format!("{test}-{}-{now}-{}", std::process::id(), TOPICS.fetch_add(1, Ordering::Relaxed))
}

/// Makes a topic.
pub(super) async fn topic(test: &str, partitions: i32) -> String {
    let name = topic_name(test);
    let admin: AdminClient<DefaultClientContext> = config().create().unwrap();
    let topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
    let made = admin.create_topics([&topic], &AdminOptions::new()).await.unwrap();
    made.into_iter().for_each(|made| drop(made.unwrap()));
    wait_for_partitions(&name, partitions);
    name
}

/// Gives a topic more partitions.
pub(super) async fn grow(topic: &str, partitions: i32) {
    let admin: AdminClient<DefaultClientContext> = config().create().unwrap();
    let more = NewPartitions::new(topic, partitions as usize);
    let made = admin.create_partitions([&more], &AdminOptions::new()).await.unwrap();
    made.into_iter().for_each(|made| drop(made.unwrap()));
    wait_for_partitions(topic, partitions);
}

fn wait_for_partitions(topic: &str, partitions: i32) {
    let consumer: BaseConsumer = config().create().unwrap();
    for _ in 0..100 {
        let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(10)).unwrap();
        let ready = metadata.topics()[0]
            .partitions()
            .iter()
            .filter(|p| p.error().is_none() && p.leader() >= 0);
        if ready.count() == partitions as usize {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("topic {topic} did not get {partitions} partitions");
}

/// A record to produce.
#[derive(Default, Clone)]
pub(super) struct Produced<'a> {
    pub(super) partition: i32,
    pub(super) key: Option<&'a str>,
    pub(super) value: Option<&'a str>,
    pub(super) timestamp: Option<i64>,
}

/// Writes records and waits until they are stored.
pub(super) fn produce(topic: &str, records: &[Produced<'_>]) {
    let producer: BaseProducer = config().create().unwrap();
    send(&producer, topic, records);
    producer.flush(Duration::from_secs(20)).unwrap();
}

fn send(producer: &BaseProducer, topic: &str, records: &[Produced<'_>]) {
    for produced in records {
        let mut record: BaseRecord<'_, str, str> =
            BaseRecord::to(topic).partition(produced.partition);
        record.key = produced.key;
        record.payload = produced.value;
        record.timestamp = produced.timestamp;
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
}

/// Writes records `{"id":N}` with the given ids to one partition.
pub(super) fn produce_ids(topic: &str, partition: i32, ids: std::ops::Range<i64>) {
    let values: Vec<String> = ids.map(|id| format!("{{\"id\":{id}}}")).collect();
    let records: Vec<_> = values
        .iter()
        .map(|value| Produced { partition, value: Some(value), ..Produced::default() })
        .collect();
    produce(topic, &records);
}

/// Writes ids in a transaction, which is committed or aborted.
pub(super) fn produce_transaction(topic: &str, ids: std::ops::Range<i64>, commit: bool) {
    let producer: BaseProducer =
        config().set("transactional.id", format!("{topic}-t")).create().unwrap();
    let wait = Duration::from_secs(20);
    producer.init_transactions(wait).unwrap();
    producer.begin_transaction().unwrap();
    let values: Vec<String> = ids.map(|id| format!("{{\"id\":{id}}}")).collect();
    let records: Vec<_> =
        values.iter().map(|value| Produced { value: Some(value), ..Produced::default() }).collect();
    send(&producer, topic, &records);
    producer.flush(wait).unwrap();
    if commit {
        producer.commit_transaction(wait).unwrap()
    } else {
        producer.abort_transaction(wait).unwrap()
    }
}

/// A producer of transactions.
pub(super) fn transactional(id: &str) -> BaseProducer {
    let producer: BaseProducer = config().set("transactional.id", id).create().unwrap();
    producer.init_transactions(Duration::from_secs(30)).unwrap();
    producer
}

/// Makes a topic with settings.
pub(super) async fn topic_with(test: &str, settings: &[(&str, &str)]) -> String {
    let name = topic_name(test);
    let admin: AdminClient<DefaultClientContext> = config().create().unwrap();
    let mut topic = NewTopic::new(&name, 1, TopicReplication::Fixed(1));
    for (key, value) in settings {
        topic = topic.set(key, value);
    }
    let made = admin.create_topics([&topic], &AdminOptions::new()).await.unwrap();
    made.into_iter().for_each(|made| drop(made.unwrap()));
    wait_for_partitions(&name, 1);
    name
}

/// The committed records of a topic up to where a reader of committed records gets now.
pub(super) fn consume_committed(topic: &str, partitions: i32) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer = config()
        .set("group.id", "test")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("fetch.wait.max.ms", "20")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let (mut found, mut ended) = (Vec::new(), 0);
    while ended < partitions {
        match consumer.poll(Duration::from_secs(10)).expect("records or an end") {
            Ok(message) => found.push(message.detach()),
            Err(rdkafka::error::KafkaError::PartitionEOF(_)) => ended += 1,
            Err(error) => panic!("{error}"),
        }
    }
    found.sort_by_key(|message| (message.partition(), message.offset()));
    found
}

/// All records of a topic, by partition and offset.
pub(super) fn consume(topic: &str, partitions: i32) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer =
        config().set("group.id", "test").set("enable.auto.commit", "false").create().unwrap();
    let mut list = TopicPartitionList::new();
    let mut expected = 0;
    for partition in 0..partitions {
        let (low, high) =
            consumer.fetch_watermarks(topic, partition, Duration::from_secs(10)).unwrap();
        expected += high - low;
        list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let mut found = Vec::new();
    while found.len() < expected as usize {
        let message =
            consumer.poll(Duration::from_secs(10)).expect("all records are there").unwrap();
        found.push(message.detach());
    }
    found.sort_by_key(|message| (message.partition(), message.offset()));
    found
}
