//! Reading: every record once, wherever reading starts, stops and is interrupted.

use std::time::{Duration, Instant};

use tidegate_engine::connector::Split;
use tidegate_types::TypeKind;

use super::broker::{Produced, grow, produce, produce_ids, produce_transaction, topic};
use super::table::{Reading, TestTable, ids};

#[tokio::test(flavor = "multi_thread")]
async fn a_bounded_read_gives_every_record_of_every_partition_once() {
    let topic = topic("bounded", 4).await;
    for partition in 0..3 {
        produce_ids(
            &topic,
            partition,
            i64::from(partition) * 5_000..i64::from(partition + 1) * 5_000,
        );
    }
    assert_eq!(TestTable::new(&topic).read_all().await.unwrap(), ids(0..15_000));
    let splits = TestTable::new(&topic).splits().await.unwrap();
    let empty = splits.iter().find(|split| split.id == format!("{topic}-3")).unwrap();
    assert_eq!((&empty.state["next"], &empty.state["stop"]), (&0.into(), &0.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_from_any_snapshot_continues_exactly() {
    let topic = topic("restart", 3).await;
    for partition in 0..3 {
        produce_ids(&topic, partition, i64::from(partition) * 100..i64::from(partition + 1) * 100);
    }
    let table = TestTable::new(&topic);
    let source = table.source().unwrap();
    for stop_after in [0, 1, 4, 9] {
        let splits = source.enumerate(&[], false).await.unwrap();
        let mut first = Reading::new(source.as_ref(), splits, 30);
        let mut rows = Vec::new();
        for _ in 0..stop_after {
            rows.extend(first.next().await.unwrap().unwrap_or_default());
        }
        let text = serde_json::to_string(&first.reader.snapshot().unwrap()).unwrap();
        drop(first);
        let restored: Vec<Split> = serde_json::from_str(&text).unwrap();
        rows.extend(Reading::new(source.as_ref(), restored, 30).rest().await.unwrap());
        rows.sort();
        assert_eq!(rows, ids(0..300), "after {stop_after} batches");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_starts_and_stops_where_the_options_say() {
    let topic = topic("positions", 1).await;
    let values: Vec<String> = (0..10).map(|id| format!("{{\"id\":{id}}}")).collect();
    let records: Vec<_> = values
        .iter()
        .zip(0..)
        .map(|(value, id)| Produced {
            value: Some(value),
            timestamp: Some(1_000 * (id + 1)),
            ..Produced::default()
        })
        .collect();
    produce(&topic, &records);
    let table = TestTable::new(&topic);
    let from_time = table
        .clone()
        .set("scan.startup.mode", "timestamp")
        .set("scan.startup.timestamp-millis", "3500");
    assert_eq!(from_time.read_all().await.unwrap(), ids(3..10));
    let to_time = from_time
        .clone()
        .set("scan.bounded.mode", "timestamp")
        .set("scan.bounded.timestamp-millis", "6000");
    assert_eq!(to_time.read_all().await.unwrap(), ids(3..5));
    let behind = from_time.set("scan.startup.timestamp-millis", "99999999");
    assert_eq!(behind.read_all().await.unwrap(), ids(0..0));
    let numbers = table
        .clone()
        .set("scan.startup.mode", "specific-offsets")
        .set("scan.startup.specific-offsets", "partition:0,offset:2")
        .set("scan.bounded.mode", "specific-offsets")
        .set("scan.bounded.specific-offsets", "partition:0,offset:4");
    assert_eq!(numbers.read_all().await.unwrap(), ids(2..4));
    let latest = table.set("scan.startup.mode", "latest-offset");
    assert_eq!(latest.read_all().await.unwrap(), ids(0..0));
}

#[tokio::test(flavor = "multi_thread")]
async fn group_offsets_are_where_the_last_checkpoint_was() {
    let topic = topic("group", 2).await;
    produce_ids(&topic, 0, 0..10);
    produce_ids(&topic, 1, 10..20);
    let table = TestTable::new(&topic).set("properties.group.id", &topic);
    let from_group = table.clone().set("scan.startup.mode", "group-offsets");
    let error = from_group.splits().await.unwrap_err().to_string();
    assert!(
        error.contains("no committed offset") && error.contains("auto.offset.reset"),
        "{error}"
    );
    let reset = from_group.clone().set("properties.auto.offset.reset", "latest");
    assert_eq!(reset.read_all().await.unwrap(), ids(0..0));

    let source = table.source().unwrap();
    let splits = source.enumerate(&[], false).await.unwrap();
    let mut reading = Reading::new(source.as_ref(), splits, 100);
    reading.rest().await.unwrap();
    let snapshot = reading.reader.snapshot().unwrap();
    produce_ids(&topic, 0, 20..23);
    reading.reader.checkpoint_complete(&snapshot);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Ok(rows) = from_group.read_all().await
            && rows == ids(20..23)
        {
            break;
        }
        assert!(Instant::now() < deadline, "offsets are committed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_appear_later_are_read_from_their_beginning() {
    let topic = topic("discovery", 1).await;
    produce_ids(&topic, 0, 0..5);
    let table = TestTable::new(&topic)
        .set("scan.startup.mode", "latest-offset")
        .without("scan.bounded.mode");
    let source = table.source().unwrap();
    assert_eq!(source.discovery_interval(), Some(Duration::from_secs(300)));
    let known = source.enumerate(&[], false).await.unwrap();
    assert_eq!(known[0].state["next"], 5);
    grow(&topic, 2).await;
    produce_ids(&topic, 1, 100..103);
    let new = source.enumerate(&known, true).await.unwrap();
    assert_eq!((new.len(), &new[0].state["next"]), (1, &0.into()));
    let mut reading = Reading::new(source.as_ref(), known, 100);
    produce_ids(&topic, 0, 5..7);
    assert_eq!(reading.take(2).await, ids(5..7));
    reading.reader.add_splits(new).unwrap();
    produce_ids(&topic, 0, 7..9);
    let mut rows = reading.take(5).await;
    rows.sort();
    assert_eq!(rows, ["100", "101", "102", "7", "8"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn aborted_records_are_not_seen_and_markers_do_not_hide_the_end() {
    let topic = topic("transactions", 1).await;
    produce_transaction(&topic, 0..5, true);
    produce_transaction(&topic, 100..105, false);
    produce_transaction(&topic, 5..8, true);
    produce_transaction(&topic, 200..202, false);
    assert_eq!(TestTable::new(&topic).read_all().await.unwrap(), ids(0..8));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_topics_end_each_by_itself() {
    let (a, b) = (topic("several-a", 2).await, topic("several-b", 2).await);
    produce_transaction(&a, 0..3, true);
    produce_ids(&b, 0, 3..4_000);
    let both = TestTable::new(&format!("{a};{b}"));
    assert_eq!(both.read_all().await.unwrap(), ids(0..4_000));
    let prefix = a.trim_start_matches("several-a");
    let matching = TestTable::new("x")
        .without("topic")
        .set("topic-pattern", &format!("several-[ab]{prefix}|{b}"));
    assert_eq!(matching.read_all().await.unwrap(), ids(0..4_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_arrive_within_milliseconds() {
    let topic = topic("latency", 1).await;
    let table = TestTable::new(&topic).without("scan.bounded.mode");
    let source = table.source().unwrap();
    let splits = source.enumerate(&[], false).await.unwrap();
    let mut reading = Reading::new(source.as_ref(), splits, 10_000);
    produce_ids(&topic, 0, 0..1);
    reading.take(1).await;
    let mut waits = Vec::new();
    for id in 1..8 {
        produce_ids(&topic, 0, id..id + 1);
        let stored = Instant::now();
        assert_eq!(reading.take(1).await, ids(id..id + 1));
        waits.push(stored.elapsed());
    }
    waits.sort();
    assert!(waits[3] < Duration::from_millis(200), "{waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_metadata_stand_beside_the_value() {
    let topic = topic("keys", 1).await;
    let record =
        |key, value| Produced { key, value, timestamp: Some(1_234), ..Produced::default() };
    produce(
        &topic,
        &[
            record(Some("{\"id\":1}"), Some("{\"v\":\"a\"}")),
            record(None, Some("{\"v\":\"b\"}")),
            record(Some("{\"id\":2}"), None),
            record(Some("{\"id\":3}"), Some("{broken")),
            record(Some("{\"id\":4}"), Some("{\"v\":\"d\"}")),
        ],
    );
    let mut table = TestTable::new(&topic)
        .set("key.format", "json")
        .set("key.fields", "k_id")
        .set("key.fields-prefix", "k_")
        .set("value.fields-include", "EXCEPT_KEY")
        .set("json.ignore-parse-errors", "true")
        .with_metadata("offset", TypeKind::BigInt)
        .with_metadata("partition", TypeKind::Int)
        .with_metadata("timestamp", TypeKind::timestamp_ltz(3))
        .with_metadata("timestamp-type", TypeKind::STRING)
        .column("v", TypeKind::STRING);
    table.plan.columns[0].name = "k_id".into();
    let time = "1970-01-01T00:00:01.234Z|CreateTime";
    let source = table.source().unwrap();
    let splits = source.enumerate(&[], false).await.unwrap();
    let mut reading = Reading::new(source.as_ref(), splits, 100);
    let mut rows = reading.rest().await.unwrap();
    rows.sort();
    assert_eq!(
        rows,
        [format!("1|a|0|0|{time}"), format!("4|d|4|0|{time}"), format!("NULL|b|1|0|{time}")]
    );
    assert_eq!(reading.context.metrics.bad_records.get(), 1);
}
