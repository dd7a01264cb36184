//! Against a registry made of HTTP alone: no package brings one that could be run.

#![allow(clippy::disallowed_methods, reason = "the registry ends with the test's runtime")]

mod debezium;
mod double;
mod tls;

use arrow::array::{ArrayRef, AsArray, Int32Array, StringViewArray};
use arrow::datatypes::Int64Type;
use axum::http::StatusCode;
use serde_json::json;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_types::TypeKind;

use super::*;
use crate::format::{decoder, encoder};
use double::start;

fn options(pairs: &[(&str, &str)]) -> FormatOptions {
    FormatOptions::new("avro-confluent", pairs).unwrap()
}

fn columns() -> Vec<Field> {
    vec![Field::new("n", TypeKind::Int.nullable()), Field::new("s", TypeKind::STRING.nullable())]
}

fn writer(pairs: &[(&str, &str)], columns: &[Field]) -> Result<Box<dyn Encoder>> {
    encoder(&EncoderContext { options: &options(pairs), columns, declared: columns, origin: "t" })
}

fn reader(pairs: &[(&str, &str)], columns: &[Field]) -> Result<Box<dyn Decoder>> {
    let options = options(pairs);
    let context = DecoderContext {
        options: &options,
        declared: columns,
        read: columns,
        metadata: &[],
        origin: "t",
    };
    decoder(&context)
}

fn rows() -> RecordBatch {
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![Some(1), None])),
        Arc::new(StringViewArray::from(vec![Some("ä"), Some("b")])),
    ];
    RecordBatch::try_new(arrow_schema(&columns()), arrays).unwrap()
}

#[tokio::test]
async fn what_is_written_is_read_by_the_number_of_its_schema() {
    let (double, url) = start().await;
    let columns = columns();
    let mut encoder = writer(&[("url", &url), ("subject", "a/b c-value")], &columns).unwrap();
    encoder.prepare().await.unwrap();
    encoder.prepare().await.unwrap();
    let mut records = Records::new();
    encoder.encode(&rows(), &mut records).unwrap();
    assert!(records.get(0).unwrap().starts_with(&[0, 0, 0, 0, 1, 2, 2]));
    {
        let double = double.lock().unwrap();
        assert_eq!(
            (double.asked, double.subjects.as_slice()),
            (1, &["a/b c-value".to_owned()][..])
        );
        let schema = double.schemas[0]["schema"].as_str().unwrap();
        assert!(schema.contains(r#""namespace":"org.apache.flink.avro.generated""#), "{schema}");
    }
    // Another writer's schema, of which one field was renamed and one widened.
    let other = r#"{"type":"record","name":"x.Y","fields":[{"name":"more","type":"boolean"},{"name":"n","type":"long"}]}"#;
    double.lock().unwrap().schemas.push(json!({"schema": other, "schemaType": "AVRO"}));
    assert!(records.push(None) && records.push(Some(&[0, 0, 0, 0, 2, 1, 6])));
    let read = [
        Field::new("s", TypeKind::STRING.nullable()),
        Field::new("n", TypeKind::BigInt.nullable()),
    ];
    let mut decoder = reader(&[("url", &url)], &read).unwrap();
    for _ in 0..2 {
        decoder.prepare(&records).await.unwrap();
        let decoded = decoder.decode(&records).unwrap();
        let numbers = decoded.rows.column(1).as_primitive::<Int64Type>();
        assert_eq!(numbers.iter().collect::<Vec<_>>(), [Some(1), None, Some(3)]);
        let texts: Vec<_> = decoded.rows.column(0).as_string_view().iter().collect();
        assert_eq!(texts, [Some("ä"), Some("b"), None]);
        assert_eq!(decoded.origin(2), 3);
    }
    // Each schema was asked for once.
    assert_eq!(double.lock().unwrap().asked, 3);
}

#[tokio::test]
async fn a_registry_that_cannot_now_is_asked_again() {
    let (double, url) = start().await;
    let busy = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
    double.lock().unwrap().refusals = busy.to_vec();
    // The first address answers nothing at all.
    let both = format!("http://127.0.0.1:1,{url}");
    let mut encoder = writer(&[("url", &both), ("subject", "s")], &columns()).unwrap();
    encoder.prepare().await.unwrap();
    assert_eq!(double.lock().unwrap().asked, 3);
    double.lock().unwrap().refusals = vec![StatusCode::INTERNAL_SERVER_ERROR; 100];
    let mut encoder = writer(&[("url", &url), ("subject", "s")], &columns()).unwrap();
    let error = encoder.prepare().await.unwrap_err();
    assert_eq!((error.code(), double.lock().unwrap().asked), (ErrorCode::Unavailable, 7));
    assert!(error.to_string().contains("register the schema of subject 's'"), "{error}");
    assert!(error.to_string().contains("not like this"), "{error}");
}

#[tokio::test]
async fn what_a_registry_refuses_is_said_at_once() {
    let (double, url) = start().await;
    for (status, code) in [
        (StatusCode::CONFLICT, ErrorCode::Incompatible),
        (StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::Incompatible),
        (StatusCode::UNAUTHORIZED, ErrorCode::PermissionDenied),
        (StatusCode::BAD_REQUEST, ErrorCode::InvalidOption),
    ] {
        double.lock().unwrap().refusals = vec![status];
        let mut encoder = writer(&[("url", &url), ("subject", "s")], &columns()).unwrap();
        assert_eq!(encoder.prepare().await.unwrap_err().code(), code);
    }
    let mut decoder = reader(&[("url", &url)], &columns()).unwrap();
    let mut records = Records::new();
    assert!(records.push(Some(&[0, 0, 0, 0, 9, 0, 0])));
    let error = decoder.prepare(&records).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::NotFound);
    assert!(error.to_string().contains("fetch schema 9"), "{error}");
    let record = r#"{"type":"record","name":"r","fields":[{"name":"n","type":"string"}]}"#;
    for (answer, message) in [
        (json!({"schema": "syntax = 'proto3'", "schemaType": "PROTOBUF"}), "of PROTOBUF"),
        (json!({"schema": record, "references": [{"name": "x"}]}), "refers to other schemas"),
        (json!({"schema": "nope"}), "there is no type 'nope'"),
        (json!({}), "has no schema"),
        (json!({"schema": record}), "column n: the records have the type string"),
    ] {
        double.lock().unwrap().schemas = vec![answer];
        let mut records = Records::new();
        assert!(records.push(Some(&[0, 0, 0, 0, 1, 0, 0])));
        let error = decoder.prepare(&records).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::Incompatible);
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[tokio::test]
async fn records_without_a_number_are_malformed() {
    let (_, url) = start().await;
    let mut decoder = reader(&[("url", &url)], &columns()).unwrap();
    for (bytes, message) in [
        (&b"{\"a\":1}"[..], "not written with a registry"),
        (&[0, 0, 1], "too short"),
        (&[], "too short"),
    ] {
        let mut records = Records::new();
        assert!(records.push(Some(bytes)));
        decoder.prepare(&records).await.unwrap();
        let DecodeError::Record(bad) = decoder.decode(&records).unwrap_err() else {
            panic!("the record is to blame")
        };
        assert!(bad.message.contains(message), "{}", bad.message);
    }
}

#[tokio::test]
async fn credentials_are_shown_to_the_registry_and_to_nobody_else() {
    let (double, url) = start().await;
    let with_user = url.replace("http://", "http://ann:s3cret@");
    for (pairs, header) in [
        (vec![("url", with_user.as_str())], "Basic YW5uOnMzY3JldA=="),
        (
            vec![
                ("url", url.as_str()),
                ("basic-auth.credentials-source", "USER_INFO"),
                ("basic-auth.user-info", "ann:s3cret"),
            ],
            "Basic YW5uOnMzY3JldA==",
        ),
        (
            vec![
                ("url", url.as_str()),
                ("bearer-auth.credentials-source", "STATIC_TOKEN"),
                ("properties.bearer.auth.token", "s3cret"),
            ],
            "Bearer s3cret",
        ),
    ] {
        let mut pairs = pairs;
        pairs.push(("subject", "s"));
        let mut encoder = writer(&pairs, &columns()).unwrap();
        encoder.prepare().await.unwrap();
        assert_eq!(double.lock().unwrap().authorization.pop().as_deref(), Some(header));
        double.lock().unwrap().refusals = vec![StatusCode::FORBIDDEN];
        let mut encoder = writer(&pairs, &columns()).unwrap();
        let error = encoder.prepare().await.unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
    }
}

#[test]
fn options_that_cannot_be_acted_on_are_refused() {
    let url = ("url", "http://localhost:1");
    let refused = |pairs: &[(&str, &str)]| reader(pairs, &columns()).err().unwrap().to_string();
    assert!(refused(&[]).contains("'avro-confluent.url' is needed"));
    assert!(refused(&[("url", "localhost:8081")]).contains("no address"));
    assert!(refused(&[("url", "ftp://localhost")]).contains("no address"));
    let sasl = ("basic-auth.credentials-source", "SASL_INHERIT");
    assert!(refused(&[url, sasl]).contains("SASL_INHERIT"));
    let user = ("basic-auth.credentials-source", "USER_INFO");
    assert!(refused(&[url, user]).contains("user:password"));
    assert!(refused(&[url, ("properties.proxy.host", "x")]).contains("proxy.host"));
    assert!(refused(&[url, ("schema", "{")]).contains("'avro-confluent.schema'"));
    let other = r#"{"type":"record","name":"r","fields":[{"name":"n","type":"string"}]}"#;
    assert!(refused(&[url, ("schema", other)]).contains("column n"));
    assert!(writer(&[url], &columns()).err().unwrap().to_string().contains("subject"));
    let subject = ("schema-registry.subject", "s");
    let message = writer(&[url, subject, ("schema", other)], &columns()).err().unwrap().to_string();
    assert!(message.contains("it has the fields n, not n, s"), "{message}");
}
