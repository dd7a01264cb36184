//! Kafka, without a login and with one.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use tidegate_connector_spec::data_source::data_source;
use tidegate_connectors::probe::topics::Wanted;
use tidegate_connectors::probe::{Reason, What};

use super::source::{Source, closed_port, columns, host_port, own_name, service};

pub(super) fn plain() -> Source {
    Source::new("kafka", &[("bootstrap-servers", &service("TIDEGATE_KAFKA"))])
}

pub(super) fn sasl() -> Source {
    Source::new(
        "kafka",
        &[
            ("bootstrap-servers", &service("TIDEGATE_KAFKA_SASL")),
            ("security-protocol", "SASL_PLAINTEXT"),
            ("sasl-mechanism", "SCRAM-SHA-512"),
            ("sasl-username", &service("TIDEGATE_KAFKA_SASL_USER")),
            ("sasl-password", &service("TIDEGATE_KAFKA_SASL_PASSWORD")),
        ],
    )
}

/// Makes a topic with these records.
async fn topic(records: &[&[u8]]) -> String {
    let name = own_name("import");
    let wanted = Wanted::new(data_source("kafka").unwrap(), &name, &Default::default()).unwrap();
    assert!(plain().probe().topic(&wanted, true).await.unwrap().created);
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", service("TIDEGATE_KAFKA")).create().unwrap();
    for record in records {
        let record: BaseRecord<'_, str, [u8]> = BaseRecord::to(&name).payload(record);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(Duration::from_secs(20)).unwrap();
    name
}

#[tokio::test]
async fn c1_kafka_connects() {
    let report = plain().passes(&[What::Resolve, What::Connect, What::Ask]).await;
    assert!(report.steps[2].detail.starts_with("1 brokers"), "{report:#?}");
    for mechanism in ["SCRAM-SHA-512", "PLAIN"] {
        let source = sasl().set("sasl-mechanism", mechanism);
        source.passes(&[What::Resolve, What::Connect, What::Authenticate]).await;
    }
    // The first server that is there will do.
    let both = format!("127.0.0.1:{},{}", closed_port(), service("TIDEGATE_KAFKA"));
    let report = plain().set("bootstrap-servers", &both).test().await;
    assert_eq!(report.failure, None, "{report:#?}");
}

#[tokio::test]
async fn c2_kafka_wrong_password_says_authentication() {
    for mechanism in ["SCRAM-SHA-512", "PLAIN"] {
        let source = sasl().set("sasl-mechanism", mechanism).set("sasl-password", "canary-4711");
        source
            .fails(What::Authenticate, Reason::Authentication, &["'tidegate'", "127.0.0.1"])
            .await;
    }
    let mechanism = sasl().set("sasl-mechanism", "SCRAM-SHA-256");
    mechanism.fails(What::Authenticate, Reason::Authentication, &["127.0.0.1"]).await;
}

#[tokio::test]
async fn c2_kafka_says_what_is_wrong() {
    let closed = format!("127.0.0.1:{}", closed_port());
    let source = plain().set("bootstrap-servers", &closed);
    source.fails(What::Connect, Reason::Refused, &[&closed]).await;
    // A login where none is wanted, and none where one is.
    let none = plain().set("bootstrap-servers", &service("TIDEGATE_KAFKA_SASL"));
    none.fails(What::Ask, Reason::Authentication, &["127.0.0.1"]).await;
    let tls = plain().set("security-protocol", "SSL");
    tls.fails(What::Tls, Reason::Tls, &["127.0.0.1"]).await;
    let (_, port) = host_port(&service("TIDEGATE_S3_ENDPOINT"));
    let other = plain().set("bootstrap-servers", &format!("127.0.0.1:{port}"));
    let mut other = other;
    other.limits.deadline = Duration::from_secs(6);
    let report = other.test().await;
    assert!(report.failure.is_some(), "{report:#?}");
}

#[tokio::test]
async fn d1_columns_of_a_topic_are_found_by_its_newest_records() {
    let records: Vec<Vec<u8>> = (0..500)
        .map(|id| {
            format!(r#"{{"id":{id},"at":"2026-01-01 00:00:00.5","user":{{"name":"n"}}}}"#)
                .into_bytes()
        })
        .collect();
    let records: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
    let name = topic(&records).await;
    let found = plain().describe(None, &name).await;
    assert_eq!(columns(&found), ["id BIGINT", "at TIMESTAMP(3)", "user ROW<`name` STRING>"]);
    assert_eq!(found.options["format"], "json");
    assert_eq!(found.sampled, Some(200));
    assert_eq!(plain().names(None, &name).await, std::slice::from_ref(&name));

    let csv = topic(&[b"1;a", b"2;b"]).await;
    let found = sasl().describe(None, &csv).await;
    assert_eq!(columns(&found), ["f0 BIGINT", "f1 STRING"]);
    assert_eq!(found.options["csv.field-delimiter"], ";");

    let empty = topic(&[]).await;
    assert!(plain().cannot_describe(None, &empty).await.contains("no records"));
    assert!(plain().cannot_describe(None, "no-such-topic").await.contains("'no-such-topic'"));
}
