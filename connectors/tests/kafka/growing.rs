//! A topic that is read to an end which it has not reached yet. librdkafka's mock cluster stands for the
//! broker.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::table::{Reading, TestTable, ids};

const RECORDS: i64 = 5;

/// The reader meets an end of the partition again and again while records come. Which record comes
/// between that and its question for the end is chance, so this is tried often.
const TRIES: usize = 8;

fn produce_one_by_one(servers: &str, topic: &str) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers).set("linger.ms", "0");
    let producer: BaseProducer = config.create().unwrap();
    for id in 0..RECORDS {
        let value = format!("{{\"id\":{id}}}");
        let record: BaseRecord<'_, str, str> = BaseRecord::to(topic).payload(&value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(Duration::from_secs(20)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_read_to_an_end_that_is_still_to_come() {
    let cluster = MockCluster::new(1).unwrap();
    let servers = cluster.bootstrap_servers();
    for number in 0..TRIES {
        let topic = format!("growing-{number}");
        cluster.create_topic(&topic, 1, 1).unwrap();
        let table = TestTable::new(&topic)
            .set("properties.bootstrap.servers", &servers)
            .set("scan.bounded.mode", "specific-offsets")
            .set("scan.bounded.specific-offsets", &format!("partition:0,offset:{RECORDS}"));
        let source = table.source().unwrap();
        let splits = source.enumerate(&[], false).await.unwrap();
        let mut reading = Reading::new(source.as_ref(), splits, 10);
        let to = servers.clone();
        let producing = tokio::task::spawn_blocking(move || produce_one_by_one(&to, &topic));
        let rows = reading.rest().await.unwrap();
        producing.await.unwrap();
        assert_eq!(rows, ids(0..RECORDS), "try {number}");
    }
}
