//! Writing: what a checkpoint has acknowledged is in the topic, with key, headers and partition.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::builder::MapBuilder;
use arrow::array::{
    ArrayRef, BinaryViewBuilder, Int64Array, MapFieldNames, RecordBatch, StringViewArray,
    StringViewBuilder, TimestampMillisecondArray,
};
use rdkafka::message::{Headers, Message};
use tidegate_connector_spec::connector;
use tidegate_engine::Changes;
use tidegate_engine::connector::RestoredOutput;
use tidegate_plan::arrow_type;
use tidegate_types::{ErrorCode, Field, TypeKind};

use super::broker::{consume, consume_committed, topic, topic_name};
use super::table::{TestTable, checkpoint, ids, sink_context};

pub(super) fn id_rows(table: &TestTable, range: std::ops::Range<i64>) -> Changes {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(range));
    Changes::append(
        RecordBatch::try_new(arrow_type::arrow_schema(&table.plan.columns[..1]), vec![column])
            .unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_waits_for_every_acknowledgement() {
    let name = topic("sink", 3).await;
    let table = TestTable::new(&name);
    let sink = table.sink(&table.plan.columns).unwrap();
    sink.check().await.unwrap();
    let mut writer = sink.writer(sink_context(0)).unwrap();
    for start in (0..30_000).step_by(1_000) {
        writer.write(id_rows(&table, start..start + 1_000)).await.unwrap();
    }
    assert!(checkpoint(&mut writer, 1).await.unwrap().is_empty());
    assert_eq!(table.read_all().await.unwrap(), ids(0..30_000));
    writer.write(id_rows(&table, 30_000..30_001)).await.unwrap();
    writer.close().await.unwrap();
    assert_eq!(table.read_all().await.unwrap().len(), 30_001);
}

#[tokio::test(flavor = "multi_thread")]
async fn partitioners_choose_partitions() {
    for (partitioner, subtask, expected) in
        [("fixed", 5, vec![1]), ("round-robin", 0, vec![0, 1, 2, 3])]
    {
        let name = topic(partitioner, 4).await;
        let table = TestTable::new(&name).set("sink.partitioner", partitioner);
        let mut writer =
            table.sink(&table.plan.columns).unwrap().writer(sink_context(subtask)).unwrap();
        writer.write(id_rows(&table, 0..8)).await.unwrap();
        checkpoint(&mut writer, 1).await.unwrap();
        let partitions: BTreeSet<i32> = consume(&name, 4).iter().map(Message::partition).collect();
        assert_eq!(partitions.into_iter().collect::<Vec<_>>(), expected, "{partitioner}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_headers_and_timestamps_are_written() {
    for guarantee in ["at-least-once", "exactly-once"] {
        check_envelopes(guarantee).await;
    }
}

async fn check_envelopes(guarantee: &str) {
    let name = topic("envelope", 4).await;
    let headers_type = (connector("kafka").unwrap().metadata("headers").unwrap().ty)();
    let mut table = TestTable::new(&name)
        .column("v", TypeKind::STRING)
        .set("key.format", "json")
        .set("key.fields", "id")
        .set("value.fields-include", "EXCEPT_KEY")
        .set("sink.delivery-guarantee", guarantee)
        .set("sink.marker-topic", &topic_name("envelope-markers"))
        .set("sink.transactional-id-prefix", &name);
    table.written_metadata = vec![(2, "timestamp".into()), (3, "headers".into())];
    let mut columns = table.plan.columns.clone();
    columns.push(Field::new("at", TypeKind::timestamp_ltz(3).nullable()));
    columns.push(Field::new("h", headers_type.with_nullable(true)));
    let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    let mut headers =
        MapBuilder::new(Some(names), StringViewBuilder::new(), BinaryViewBuilder::new());
    headers.keys().append_value("origin");
    headers.values().append_value(b"north");
    headers.append(true).unwrap();
    headers.append(false).unwrap();
    let rows = RecordBatch::try_new(
        arrow_type::arrow_schema(&columns),
        vec![
            Arc::new(Int64Array::from(vec![1, 2])),
            Arc::new(StringViewArray::from(vec!["a", "b"])),
            Arc::new(
                TimestampMillisecondArray::from(vec![Some(77_000), None]).with_timezone("UTC"),
            ),
            Arc::new(headers.finish()),
        ],
    );
    let sink = table.sink(&columns).unwrap();
    sink.check().await.unwrap();
    let mut writer = sink.writer(sink_context(0)).unwrap();
    writer.recover(RestoredOutput::nothing()).await.unwrap();
    writer.write(Changes::append(rows.unwrap())).await.unwrap();
    for unit in checkpoint(&mut writer, 1).await.unwrap() {
        writer.committer().unwrap().commit(&unit).await.unwrap();
    }
    let messages = consume_committed(&name, 4);
    let first = messages.iter().find(|message| message.key() == Some(b"{\"id\":1}")).unwrap();
    assert_eq!(first.payload(), Some(&b"{\"v\":\"a\"}"[..]));
    assert_eq!(first.timestamp().to_millis(), Some(77_000));
    let header = first.headers().unwrap().get(0);
    assert_eq!((header.key, header.value), ("origin", Some(&b"north"[..])));
    let second = messages.iter().find(|message| message.key() == Some(b"{\"id\":2}")).unwrap();
    assert!(second.headers().is_none_or(|headers| headers.count() == 0));
    assert!(second.timestamp().to_millis().unwrap() > 1_600_000_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_large_is_told_with_its_size() {
    let name = topic("large", 1).await;
    let mut table = TestTable::new(&name);
    table.plan.columns = vec![Field::new("v", TypeKind::STRING.nullable())];
    let column: ArrayRef = Arc::new(StringViewArray::from(vec!["x".repeat(3 << 20)]));
    let rows =
        RecordBatch::try_new(arrow_type::arrow_schema(&table.plan.columns), vec![column]).unwrap();
    let mut writer = table.sink(&table.plan.columns).unwrap().writer(sink_context(0)).unwrap();
    let error = writer.write(Changes::append(rows)).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::BadRecord, "{error}");
    assert!(
        error.to_string().contains(&name) && error.to_string().contains("message.max.bytes"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_per_row_must_be_among_those_of_the_table() {
    let (a, b) = (topic("rows-a", 1).await, topic("rows-b", 1).await);
    let mut table = TestTable::new(&format!("{a};{b}"));
    table.written_metadata = vec![(1, "topic".into())];
    let mut columns = table.plan.columns.clone();
    columns.push(Field::new("to", TypeKind::STRING.nullable()));
    let rows = |topics: Vec<&str>| {
        let columns_of: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(0..topics.len() as i64)),
            Arc::new(StringViewArray::from(topics)),
        ];
        Changes::append(
            RecordBatch::try_new(arrow_type::arrow_schema(&columns), columns_of).unwrap(),
        )
    };
    let mut writer = table.sink(&columns).unwrap().writer(sink_context(0)).unwrap();
    writer.write(rows(vec![&b, &a, &b])).await.unwrap();
    checkpoint(&mut writer, 1).await.unwrap();
    assert_eq!((consume(&a, 1).len(), consume(&b, 1).len()), (1, 2));
    let error = writer.write(rows(vec![&topic_name("other")])).await.unwrap_err();
    assert!(error.to_string().contains("not among the topics"), "{error}");
}
