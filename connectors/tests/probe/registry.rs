//! The schema registry beside the brokers, by a server that is made for a test.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use tidegate_connector_spec::data_source::data_source;
use tidegate_connectors::probe::topics::Wanted;
use tidegate_connectors::probe::{Reason, What};

use super::kafka::plain;
use super::source::{Source, closed_port, columns, own_name};

const SCHEMA: &str = r#"{"schemaType":"AVRO","id":1,"version":1,"schema":"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"},{\"name\":\"odd\",\"type\":[\"int\",\"string\"]}]}"}"#;

/// A registry that wants a login, and has a schema of every subject that begins with `avro`.
async fn serve() -> String {
    let known = |headers: &HeaderMap| {
        // me:canary-4711
        headers.get("authorization").is_some_and(|value| value == "Basic bWU6Y2FuYXJ5LTQ3MTE=")
    };
    let app = Router::new()
        .route(
            "/subjects",
            get(move |headers: HeaderMap| async move {
                if known(&headers) {
                    (StatusCode::OK, "[]")
                } else {
                    (StatusCode::UNAUTHORIZED, "{}")
                }
            }),
        )
        .route(
            "/subjects/{subject}/versions/latest",
            get(move |Path(subject): Path<String>, headers: HeaderMap| async move {
                match (known(&headers), subject.starts_with("avro")) {
                    (false, _) => (StatusCode::UNAUTHORIZED, "{}"),
                    (true, true) => (StatusCode::OK, SCHEMA),
                    (true, false) => (StatusCode::NOT_FOUND, r#"{"error_code":40401}"#),
                }
            }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}

fn with_registry(url: &str) -> Source {
    plain()
        .set("schema-registry-url", url)
        .set("schema-registry-username", "me")
        .set("schema-registry-password", "canary-4711")
}

#[tokio::test]
async fn c1_kafka_asks_its_registry() {
    let source = with_registry(&serve().await);
    let report = source.test().await;
    assert_eq!(report.failure, None, "{report:#?}");
    assert_eq!(report.steps.last().unwrap().what, What::SchemaRegistry);
}

#[tokio::test]
async fn c2_kafka_says_what_is_wrong_with_its_registry() {
    let url = serve().await;
    let wrong = with_registry(&url).set("schema-registry-password", "canary-0815");
    wrong.fails(What::SchemaRegistry, Reason::Authentication, &["'me'"]).await;
    let closed = with_registry(&format!("http://127.0.0.1:{}", closed_port()));
    closed.fails(What::Connect, Reason::Refused, &["127.0.0.1"]).await;
}

#[tokio::test]
async fn d1_columns_of_a_topic_are_those_of_its_registered_schema() {
    let source = with_registry(&serve().await);
    for (prefix, registered) in [("avro", true), ("other", false)] {
        let name = own_name(prefix);
        let wanted = Wanted::new(data_source("kafka").unwrap(), &name, &Default::default());
        source.probe().topic(&wanted.unwrap(), true).await.unwrap();
        if registered {
            let found = source.describe(None, &name).await;
            assert_eq!(columns(&found), ["id BIGINT NOT NULL"]);
            assert_eq!(found.unmapped[0].native, "union of int, string");
            assert_eq!(found.options["format"], "avro-confluent");
        } else {
            let error = source.cannot_describe(None, &name).await;
            assert!(error.contains("no records"), "{error}");
        }
    }
}
