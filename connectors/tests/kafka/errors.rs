//! What goes wrong is told with its name, in bounded time.

use std::time::{Duration, Instant};

use tidegate_types::ErrorCode;

use super::broker::{Produced, produce, service, topic, topic_name};
use super::table::{Reading, TestTable, checkpoint, sink_context};

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_topic_is_named() {
    let name = topic_name("missing");
    let error = TestTable::new(&name).splits().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
    assert!(error.to_string().contains(&name), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_brokers_are_named_within_a_bound() {
    let table = TestTable::new("clicks").set("properties.bootstrap.servers", "127.0.0.1:1");
    let started = Instant::now();
    let error = table.splits().await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    assert_eq!(error.code(), ErrorCode::Unavailable);
    let text = error.to_string();
    assert!(
        text.contains("127.0.0.1:1") && text.contains("clicks") && text.contains("refused"),
        "{text}"
    );
    let started = Instant::now();
    let error = table.sink(&table.plan.columns).unwrap().check().await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    assert_eq!(error.code(), ErrorCode::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_are_told_early() {
    let jaas = |password: &str| {
        let user = service("TIDEGATE_KAFKA_SASL_USER");
        format!(
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"{user}\" password=\"{password}\";"
        )
    };
    let name = topic("sasl", 1).await;
    let table = TestTable::new(&name)
        .set("properties.bootstrap.servers", &service("TIDEGATE_KAFKA_SASL"))
        .set("properties.security.protocol", "SASL_PLAINTEXT")
        .set("properties.sasl.mechanism", "PLAIN");
    let right = table
        .clone()
        .set("properties.sasl.jaas.config", &jaas(&service("TIDEGATE_KAFKA_SASL_PASSWORD")));
    assert_eq!(right.splits().await.unwrap().len(), 1);
    let started = Instant::now();
    let error =
        table.set("properties.sasl.jaas.config", &jaas("wrong-s3cret")).splits().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::PermissionDenied, "{error}");
    assert!(!error.to_string().contains("wrong-s3cret"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(12), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_record_is_named_with_partition_and_offset() {
    let name = topic("bad", 2).await;
    let good = Produced { partition: 1, value: Some("{\"id\":1}"), ..Produced::default() };
    let bad = Produced { value: Some("{\"id\":\"x\"}"), ..good.clone() };
    produce(&name, &[good.clone(), good, bad]);
    let error = TestTable::new(&name).read_all().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::BadRecord);
    let text = error.to_string();
    for part in [&format!("topic {name}, partition 1, offset 2"), "id", "json.ignore-parse-errors"]
    {
        assert!(text.contains(part), "'{part}' is not in: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_retention_removed_stop_the_job_unless_told_otherwise() {
    let name = topic("gone", 1).await;
    super::broker::produce_ids(&name, 0, 0..5);
    let table = TestTable::new(&name).without("scan.bounded.mode");
    let mut splits = table.splits().await.unwrap();
    splits[0].state["next"] = 1_000.into();
    let source = table.source().unwrap();
    let error = Reading::new(source.as_ref(), splits.clone(), 10).next().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound, "{error}");
    assert!(error.to_string().contains("auto.offset.reset"), "{error}");
    let table = table.set("properties.auto.offset.reset", "earliest");
    let source = table.source().unwrap();
    let rows = Reading::new(source.as_ref(), splits, 10).take(1).await;
    assert!(!rows.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn options_are_refused_before_anything_is_opened() {
    let error =
        TestTable::new("t").set("properties.fetch.min.byte", "1").source().map(drop).unwrap_err();
    assert!(error.to_string().contains("properties.fetch.min.byte"), "{error}");
    let error = TestTable::new("t")
        .set("key.format", "json")
        .set("key.fields", "nope")
        .source()
        .map(drop)
        .unwrap_err();
    assert!(error.to_string().contains("'nope'"), "{error}");
    let table = TestTable::new("a;b");
    let error = table.sink(&table.plan.columns).map(drop).unwrap_err();
    assert!(error.to_string().contains("several topics"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_without_brokers_fails_its_checkpoint() {
    let table = TestTable::new("t")
        .set("properties.bootstrap.servers", "127.0.0.1:1")
        .set("properties.delivery.timeout.ms", "2000");
    let mut writer = table.sink(&table.plan.columns).unwrap().writer(sink_context(0)).unwrap();
    writer.write(super::write::id_rows(&table, 0..3)).await.unwrap();
    let error = checkpoint(&mut writer, 1).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable, "{error}");
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}
