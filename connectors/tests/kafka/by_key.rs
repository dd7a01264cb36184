//! `upsert-kafka`: records replace and delete by key, read and written.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int8Array, Int64Array, RecordBatch, StringViewArray};
use rdkafka::message::Message;
use tidegate_engine::Changes;
use tidegate_engine::connector::{Read, RestoredOutput};
use tidegate_plan::{RowKind, arrow_type};
use tidegate_types::{ErrorCode, Field, Result, TypeKind};

use super::broker::{Produced, consume_committed, produce, topic, topic_name};
use super::table::{Reading, TestTable, checkpoint, sink_context, texts};

/// `id BIGINT PRIMARY KEY, name STRING NOT NULL, v BIGINT`.
fn by_key(topic: &str) -> TestTable {
    let mut table = TestTable::new(topic)
        .without("scan.startup.mode")
        .without("format")
        .set("connector", "upsert-kafka")
        .set("key.format", "json")
        .set("value.format", "json");
    table.plan.columns = vec![
        Field::new("id", TypeKind::BigInt.not_null()),
        Field::new("name", TypeKind::STRING.not_null()),
        Field::new("v", TypeKind::BigInt.nullable()),
    ];
    table.plan.primary_key = vec!["id".into()];
    table
}

/// All rows up to the end as `kind id|name|v`, in order.
async fn read_changes(table: &TestTable) -> Result<Vec<String>> {
    let source = table.source()?;
    let splits = source.enumerate(&[], false).await?;
    let mut open = splits.len();
    let mut reading = Reading::new(source.as_ref(), splits, 1000);
    let mut all = Vec::new();
    while open > 0 {
        match reading.reader.next().await? {
            Read::Finished { .. } => open -= 1,
            Read::Batch { rows, kinds, .. } => {
                let kinds = kinds.expect("each row has its kind");
                let kinds = kinds.values().iter().map(|kind| RowKind::from_i8(*kind).unwrap());
                all.extend(kinds.zip(texts(&rows)).map(|(kind, row)| format!("{kind} {row}")));
            }
        }
    }
    let bad = reading.context.metrics.bad_records.get();
    if bad > 0 {
        all.push(format!("{bad} bad"));
    }
    Ok(all)
}

fn record<'a>(key: Option<&'a str>, value: Option<&'a str>) -> Produced<'a> {
    Produced { key, value, ..Produced::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_without_value_are_deletions() {
    let name = topic("by-key-read", 1).await;
    produce(
        &name,
        &[
            record(Some(r#"{"id":1}"#), Some(r#"{"id":1,"name":"a","v":10}"#)),
            record(Some(r#"{"id":2}"#), None),
            record(Some(r#"{"id":1}"#), Some(r#"{"id":1,"name":"b"}"#)),
            record(Some(r#"{"id":1}"#), None),
        ],
    );
    let expected = ["+U 1|a|10", "-D 2||NULL", "+U 1|b|NULL", "-D 1||NULL"];
    assert_eq!(read_changes(&by_key(&name)).await.unwrap(), expected);
    // The offset of each record stays with it.
    let table = by_key(&name).with_metadata("offset", TypeKind::BigInt);
    let rows = read_changes(&table).await.unwrap();
    let offsets: Vec<_> = rows.iter().map(|row| row.rsplit('|').next().unwrap()).collect();
    assert_eq!(offsets, ["0", "1", "2", "3"]);
    // From the key alone, under another name.
    let mut table =
        by_key(&name).set("value.fields-include", "EXCEPT_KEY").set("key.fields-prefix", "k_");
    table.plan.columns[0].name = "k_id".into();
    table.plan.primary_key = vec!["k_id".into()];
    assert_eq!(read_changes(&table).await.unwrap(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_key_may_be_read_and_raw_values_delete_too() {
    let name = topic("by-key-raw", 1).await;
    let records = [record(Some("x"), Some("text")), record(Some("x"), None)];
    produce(&name, &records);
    let mut table = by_key(&name)
        .set("key.format", "raw")
        .set("value.format", "raw")
        .set("value.fields-include", "EXCEPT_KEY");
    table.plan.columns = vec![
        Field::new("k", TypeKind::STRING.not_null()),
        Field::new("v", TypeKind::STRING.not_null()),
    ];
    table.plan.primary_key = vec!["k".into()];
    assert_eq!(read_changes(&table).await.unwrap(), ["+U x|text", "-D x|"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_need_a_key() {
    let name = topic("by-key-none", 1).await;
    let good = record(Some(r#"{"id":3}"#), Some(r#"{"id":3,"name":"c"}"#));
    produce(&name, &[good.clone(), record(None, None), record(Some("{"), None), good]);
    let error = read_changes(&by_key(&name)).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::BadRecord);
    for part in [name.as_str(), "offset", "key"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    let lenient = by_key(&name).set("key.json.ignore-parse-errors", "true");
    let rows = read_changes(&lenient).await.unwrap();
    assert_eq!(rows[..2], ["+U 3|c|NULL", "+U 3|c|NULL"]);
}

/// Rows `kind id name v`.
fn changes(table: &TestTable, rows: &[(RowKind, i64, &str, i64)]) -> Changes {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1))),
        Arc::new(StringViewArray::from_iter_values(rows.iter().map(|row| row.2))),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.3))),
    ];
    let kinds: Int8Array = rows.iter().map(|row| Some(row.0 as i8)).collect();
    let rows = RecordBatch::try_new(arrow_type::arrow_schema(&table.plan.columns), columns);
    Changes { kinds: Some(kinds), rows: rows.unwrap() }
}

/// The records of a topic as `key value`, by key in their order; fails if a key is in two partitions.
fn by_keys(topic: &str, partitions: i32) -> BTreeMap<String, Vec<String>> {
    let text = |bytes: Option<&[u8]>| {
        bytes.map_or_else(|| "-".to_owned(), |bytes| String::from_utf8(bytes.to_vec()).unwrap())
    };
    let mut places = BTreeMap::new();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in consume_committed(topic, partitions) {
        let key = text(message.key());
        let place = *places.entry(key.clone()).or_insert(message.partition());
        assert_eq!(place, message.partition(), "{key}");
        found.entry(key).or_default().push(text(message.payload()));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_become_records_and_tombstones() {
    use RowKind::{Delete, Insert, UpdateAfter, UpdateBefore};
    for guarantee in ["at-least-once", "exactly-once"] {
        for buffered in [false, true] {
            let name = topic("by-key-write", 4).await;
            let mut table = by_key(&name)
                .set("value.fields-include", "EXCEPT_KEY")
                .set("sink.delivery-guarantee", guarantee)
                .set("sink.marker-topic", &topic_name("by-key-markers"))
                .set("sink.transactional-id-prefix", &name);
            if buffered {
                table = table
                    .set("sink.buffer-flush.max-rows", "100")
                    .set("sink.buffer-flush.interval", "1 s");
            }
            let sink = table.sink(&table.plan.columns).unwrap();
            sink.check().await.unwrap();
            let mut writer = sink.writer(sink_context(0)).unwrap();
            writer.recover(RestoredOutput::nothing()).await.unwrap();
            let first = changes(
                &table,
                &[
                    (Insert, 1, "a", 1),
                    (Insert, 2, "b", 2),
                    (UpdateAfter, 1, "a", 3),
                    (UpdateBefore, 2, "b", 2),
                    (Insert, 3, "c", 4),
                ],
            );
            writer.write(first).await.unwrap();
            writer.write(changes(&table, &[(Delete, 1, "a", 3)])).await.unwrap();
            for unit in checkpoint(&mut writer, 1).await.unwrap() {
                writer.committer().unwrap().commit(&unit).await.unwrap();
            }
            let found = by_keys(&name, 4);
            let value = |name: &str, v: i64| format!(r#"{{"name":"{name}","v":{v}}}"#);
            let mut expected = [
                (1, vec![value("a", 1), value("a", 3), "-".to_owned()]),
                (2, vec![value("b", 2), "-".to_owned()]),
                (3, vec![value("c", 4)]),
            ];
            if buffered {
                expected[0].1.remove(0);
                expected[1].1.remove(0);
            }
            let expected = expected.map(|(id, values)| (format!(r#"{{"id":{id}}}"#), values));
            assert_eq!(found, BTreeMap::from(expected), "{guarantee}, buffered: {buffered}");
            let back = read_changes(&table).await.unwrap();
            assert!(back.contains(&"+U 3|c|4".to_owned()), "{back:?}");
            assert!(back.contains(&"-D 1||NULL".to_owned()), "{back:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_by_key_has_a_primary_key_of_its_columns() {
    let mut table = by_key("any");
    table.plan.primary_key.clear();
    let error = table.sink(&table.plan.columns).err().unwrap().to_string();
    assert!(error.contains("PRIMARY KEY"), "{error}");
    let error = table.source().err().unwrap().to_string();
    assert!(error.contains("PRIMARY KEY"), "{error}");
    let table =
        by_key("any").set("value.fields-include", "EXCEPT_KEY").set("key.fields-prefix", "k_");
    let error = table.source().err().unwrap().to_string();
    assert!(error.contains("'id'") && error.contains("'k_'"), "{error}");
}
