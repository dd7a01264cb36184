//! Formats that need more than the bytes of a record: a registry of schemas, a description of messages, what stands
//! beside the row.

use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Float64Array, Int8Array, Int64Array, RecordBatch, StringViewArray};
use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use rdkafka::message::Message;
use serde_json::{Value, json};
use tidegate_engine::Changes;
use tidegate_engine::connector::Read;
use tidegate_plan::RowKind;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_types::{ErrorCode, TypeKind};

use super::broker::{Produced, consume, produce, topic};
use super::table::{Reading, TestTable, checkpoint, sink_context, texts};

/// Writes rows and waits until they are stored.
async fn write(table: &TestTable, columns: Vec<ArrayRef>) {
    let sink = table.sink(&table.plan.columns).unwrap();
    sink.check().await.unwrap();
    let mut writer = sink.writer(sink_context(0)).unwrap();
    let rows = RecordBatch::try_new(arrow_schema(&table.plan.columns), columns).unwrap();
    writer.write(Changes::append(rows)).await.unwrap();
    checkpoint(&mut writer, 1).await.unwrap();
}

fn ids(ids: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(ids.to_vec()))
}

fn names(names: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringViewArray::from(names.to_vec()))
}

/// The schemas of a registry, by number from 1.
type Schemas = Arc<Mutex<Vec<(String, String)>>>;

/// Starts what answers like a schema registry; returns its address.
async fn registry() -> (Schemas, String) {
    async fn by_number(State(schemas): State<Schemas>, Path(number): Path<usize>) -> String {
        json!({"schema": schemas.lock().unwrap()[number - 1].1}).to_string()
    }
    async fn register(
        State(schemas): State<Schemas>,
        Path(subject): Path<String>,
        body: String,
    ) -> String {
        let body: Value = serde_json::from_str(&body).unwrap();
        let schema = (subject, body["schema"].as_str().unwrap().to_owned());
        let mut schemas = schemas.lock().unwrap();
        let known = schemas.iter().position(|known| *known == schema);
        let number = known.unwrap_or_else(|| {
            schemas.push(schema);
            schemas.len() - 1
        });
        json!({"id": number + 1}).to_string()
    }
    let schemas = Schemas::default();
    let routes = Router::new()
        .route("/schemas/ids/{number}", get(by_number))
        .route("/subjects/{subject}/versions", post(register))
        .with_state(Arc::clone(&schemas));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (schemas, format!("http://{address}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn avro_with_a_registry_is_written_and_read_also_as_keys_and_by_other_schemas() {
    let (schemas, url) = registry().await;
    let topic = topic("avro-confluent", 2).await;
    let table = || {
        TestTable::new(&topic)
            .without("format")
            .set("value.format", "avro-confluent")
            .set("value.avro-confluent.url", &url)
            .set("key.format", "avro-confluent")
            .set("key.avro-confluent.url", &url)
            .set("key.fields", "id")
    };
    let old = table().column("name", TypeKind::STRING);
    write(&old, vec![ids(&[1, 2]), names(&[Some("one"), None])]).await;
    // A later job has another column.
    let new = table().column("score", TypeKind::Double).column("name", TypeKind::STRING);
    let scores = Arc::new(Float64Array::from(vec![0.5]));
    write(&new, vec![ids(&[3]), scores, names(&[Some("three")])]).await;
    assert_eq!(
        new.read_all().await.unwrap(),
        ["1|NULL|one", "2|NULL|NULL", "3|0.5|three"].map(str::to_owned)
    );
    let subjects: Vec<String> =
        schemas.lock().unwrap().iter().map(|(subject, _)| subject.clone()).collect();
    let (key, value) = (format!("{topic}-key"), format!("{topic}-value"));
    assert_eq!(subjects, [value.clone(), key, value]);
    // A schema that cannot become the columns stops the job and says why.
    let text = table().column("name", TypeKind::Double);
    let error = text.read_all().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Incompatible);
    assert!(error.to_string().contains("column name"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_in_avro_are_written_and_read_and_tombstones_passed_over() {
    let (schemas, url) = registry().await;
    let topic = topic("debezium-avro", 1).await;
    let table = TestTable::new(&topic)
        .column("name", TypeKind::STRING)
        .set("format", "debezium-avro-confluent")
        .set("debezium-avro-confluent.url", &url);
    let sink = table.sink(&table.plan.columns).unwrap();
    sink.check().await.unwrap();
    let mut writer = sink.writer(sink_context(0)).unwrap();
    let columns = vec![ids(&[1, 1, 1, 2]), names(&[Some("a"), Some("a"), Some("b"), None])];
    let rows = RecordBatch::try_new(arrow_schema(&table.plan.columns), columns).unwrap();
    let kinds = [RowKind::Insert, RowKind::UpdateBefore, RowKind::UpdateAfter, RowKind::Delete];
    let kinds = Some(Int8Array::from(kinds.map(|kind| kind as i8).to_vec()));
    writer.write(Changes { rows, kinds }).await.unwrap();
    checkpoint(&mut writer, 1).await.unwrap();
    produce(&topic, &[Produced::default()]);
    let (subject, schema) = schemas.lock().unwrap()[0].clone();
    assert_eq!(subject, format!("{topic}-value"));
    assert!(schema.starts_with(r#"["null",{"type":"record""#), "{schema}");
    let source = table.source().unwrap();
    let splits = source.enumerate(&[], false).await.unwrap();
    let mut reading = Reading::new(source.as_ref(), splits, 1_000);
    let mut found = Vec::new();
    while let Read::Batch { rows, kinds, .. } = reading.reader.next().await.unwrap() {
        found.extend(kinds.unwrap().values().iter().copied().zip(texts(&rows)));
    }
    let (insert, delete) = (RowKind::Insert as i8, RowKind::Delete as i8);
    let expected = [(insert, "1|a"), (delete, "1|a"), (insert, "1|b"), (delete, "2|NULL")];
    assert_eq!(found, expected.map(|(kind, row)| (kind, row.to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn protobuf_is_written_and_read() {
    const SCHEMA: &str =
        "syntax = \"proto3\"; message Row { sint64 id = 2; repeated string names = 1; }";
    let topic = topic("protobuf", 1).await;
    let table = TestTable::new(&topic)
        .set("format", "protobuf")
        .set("protobuf.schema", SCHEMA)
        .set("protobuf.message-class-name", "Row");
    write(&table, vec![ids(&[-1, 0])]).await;
    let written = consume(&topic, 1);
    let written: Vec<_> = written.iter().map(|record| record.payload().unwrap()).collect();
    assert_eq!(written, [&[16, 1][..], &[]]);
    assert_eq!(table.read_all().await.unwrap(), ["-1", "0"].map(str::to_owned));
}

#[tokio::test(flavor = "multi_thread")]
async fn formats_of_changes_give_metadata_columns() {
    let topic = topic("canal", 1).await;
    let change =
        r#"{"data":[{"id":1},{"id":2}],"type":"INSERT","database":"d","table":"t","ts":1000}"#;
    produce(&topic, &[Produced { value: Some(change), ..Produced::default() }]);
    let table = TestTable::new(&topic)
        .set("format", "canal-json")
        .with_metadata("value.table", TypeKind::STRING)
        .with_metadata("offset", TypeKind::BigInt)
        .with_metadata("value.ingestion-timestamp", TypeKind::timestamp_ltz(3));
    assert_eq!(
        table.read_all().await.unwrap(),
        ["1|t|0|1970-01-01T00:00:01Z", "2|t|0|1970-01-01T00:00:01Z"].map(str::to_owned)
    );
}
