//! Brokers that go away and come back: nothing is lost, nothing fails. librdkafka's mock cluster
//! stands for the broker here, because it can be cut off without disturbing other tests.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::bindings::rd_kafka_resp_err_t as RDKafkaRespErr;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};

use super::table::{Reading, TestTable, checkpoint, ids, sink_context};
use super::write::id_rows;

const BROKER: i32 = 1;
const OUTAGE: Duration = Duration::from_secs(3);

fn cluster(topic: &str) -> MockCluster<'static, DefaultProducerContext> {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(topic, 1, 1).unwrap();
    cluster
}

fn produce(servers: &str, topic: &str, range: std::ops::Range<i64>) {
    let mut config = ClientConfig::new();
    let producer: BaseProducer = config.set("bootstrap.servers", servers).create().unwrap();
    for id in range {
        let value = format!("{{\"id\":{id}}}");
        let record: BaseRecord<'_, str, str> = BaseRecord::to(topic).payload(&value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(Duration::from_secs(20)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_goes_on_after_an_outage() {
    let cluster = cluster("outage");
    let servers = cluster.bootstrap_servers();
    let table = TestTable::new("outage")
        .set("properties.bootstrap.servers", &servers)
        .set("properties.reconnect.backoff.max.ms", "500")
        .without("scan.bounded.mode");
    produce(&servers, "outage", 0..100);
    let source = table.source().unwrap();
    let splits = source.enumerate(&[], false).await.unwrap();
    let mut reading = Reading::new(source.as_ref(), splits, 10);
    assert_eq!(reading.take(100).await.len(), 100);
    cluster.broker_down(BROKER).unwrap();
    let pending = tokio::time::timeout(OUTAGE, reading.next()).await;
    assert!(pending.is_err(), "neither rows nor an error while the broker is away: {pending:?}");
    cluster.broker_up(BROKER).unwrap();
    produce(&servers, "outage", 100..200);
    let mut rows = reading.take(100).await;
    rows.sort();
    assert_eq!(rows, ids(100..200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_waits_for_brokers_to_come_back() {
    let cluster = cluster("sink-outage");
    let servers = cluster.bootstrap_servers();
    let table = TestTable::new("sink-outage")
        .set("properties.bootstrap.servers", &servers)
        .set("properties.reconnect.backoff.max.ms", "500");
    let sink = table.sink(&table.plan.columns).unwrap();
    sink.check().await.unwrap();
    let mut writer = sink.writer(sink_context(0)).unwrap();
    writer.write(id_rows(&table, 0..10)).await.unwrap();
    checkpoint(&mut writer, 1).await.unwrap();
    cluster.broker_down(BROKER).unwrap();
    writer.write(id_rows(&table, 10..20)).await.unwrap();
    let prepared = tokio::join!(checkpoint(&mut writer, 2), async {
        tokio::time::sleep(OUTAGE).await;
        cluster.broker_up(BROKER).unwrap();
    });
    prepared.0.unwrap();
    assert_eq!(table.read_all().await.unwrap(), ids(0..20));
}

/// What a broker that has just started says of its topics.
const UNKNOWN: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_brokers_do_not_know_for_a_while_is_read_on() {
    let cluster = cluster("forgotten");
    let servers = cluster.bootstrap_servers();
    let table = TestTable::new("forgotten")
        .set("properties.bootstrap.servers", &servers)
        .set("properties.reconnect.backoff.max.ms", "500")
        .set("properties.topic.metadata.propagation.max.ms", "0")
        .without("scan.bounded.mode");
    produce(&servers, "forgotten", 0..100);
    let source = table.source().unwrap();
    let splits = source.enumerate(&[], false).await.unwrap();
    let mut reading = Reading::new(source.as_ref(), splits.clone(), 10);
    assert_eq!(reading.take(100).await.len(), 100);
    cluster.topic_error("forgotten", UNKNOWN).unwrap();
    cluster.broker_down(BROKER).unwrap();
    cluster.broker_up(BROKER).unwrap();
    let pending = tokio::time::timeout(OUTAGE, reading.next()).await;
    assert!(pending.is_err(), "neither rows nor an error: {pending:?}");
    let (again, ()) = tokio::join!(source.enumerate(&splits, true), async {
        tokio::time::sleep(OUTAGE).await;
        cluster.topic_error("forgotten", RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).unwrap();
    });
    assert_eq!(again.unwrap().len(), 0, "a restored job waits for the topic and finds nothing new");
    produce(&servers, "forgotten", 100..200);
    let mut rows = reading.take(100).await;
    rows.sort();
    assert_eq!(rows, ids(100..200));
}
