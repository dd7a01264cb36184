//! OpenSearch, which stands for Elasticsearch; logins by a server that is made for a test.

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use tidegate_connectors::probe::{Reason, What};

use super::source::{Source, closed_port, columns, own_name, service};

fn elasticsearch() -> Source {
    Source::new("elasticsearch", &[("hosts", &service("TIDEGATE_OPENSEARCH"))])
}

const STEPS: [What; 3] = [What::Resolve, What::Connect, What::Ask];

#[tokio::test]
async fn c1_elasticsearch_connects() {
    let report = elasticsearch().passes(&STEPS).await;
    assert!(report.steps[2].detail.starts_with("opensearch 2."), "{report:#?}");
    // The first node that is there will do.
    let both = format!("http://127.0.0.1:{},{}", closed_port(), service("TIDEGATE_OPENSEARCH"));
    let report = elasticsearch().set("hosts", &both).test().await;
    assert_eq!(report.failure, None, "{report:#?}");
}

#[tokio::test]
async fn c2_elasticsearch_says_what_is_wrong() {
    let other = elasticsearch().set("hosts", &service("TIDEGATE_S3_ENDPOINT"));
    other.fails(What::Ask, Reason::Permission, &["127.0.0.1"]).await;
    let tls = service("TIDEGATE_OPENSEARCH").replace("http:", "https:");
    elasticsearch().set("hosts", &tls).fails(What::Tls, Reason::Tls, &["127.0.0.1"]).await;

    let app = Router::new().route(
        "/",
        get(|headers: HeaderMap| async move {
            let known = ["Basic bWU6Y2FuYXJ5LTQ3MTE=", "ApiKey canary-4711"];
            let given = headers.get("authorization").and_then(|value| value.to_str().ok());
            let fits = given.is_some_and(|given| known.contains(&given));
            let body = r#"{"cluster_name":"c","version":{"number":"8.1.0"}}"#;
            if fits { (StatusCode::OK, body) } else { (StatusCode::UNAUTHORIZED, "who?") }
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let login = elasticsearch().set("hosts", &url).set("username", "me");
    let steps = [What::Resolve, What::Connect, What::Authenticate];
    login.clone().set("password", "canary-4711").passes(&steps).await;
    let wrong = login.set("password", "canary-0815");
    wrong.fails(What::Authenticate, Reason::Authentication, &["'me'", "401"]).await;
    let key = elasticsearch().set("hosts", &url);
    key.clone().set("api-key", "canary-4711").passes(&steps).await;
    let wrong = key.set("api-key", "canary-0815");
    wrong.fails(What::Authenticate, Reason::Authentication, &["the key"]).await;
}

#[tokio::test]
async fn d1_schemas_are_imported_from_elasticsearch() {
    let (name, url) = (own_name("import"), service("TIDEGATE_OPENSEARCH"));
    let mapping = r#"{"settings":{"number_of_replicas":0},"mappings":{"properties":{
        "at":{"type":"date"},"user":{"properties":{"id":{"type":"long"}}},"place":{"type":"geo_point"}}}}"#;
    let made = reqwest::Client::new()
        .put(format!("{url}/{name}"))
        .header("Content-Type", "application/json")
        .body(mapping);
    assert!(made.send().await.unwrap().status().is_success());
    let source = elasticsearch();
    assert_eq!(source.names(None, &name).await, std::slice::from_ref(&name));
    let found = source.describe(None, &name).await;
    assert_eq!(columns(&found), ["at TIMESTAMP_LTZ(3)", "user ROW<`id` BIGINT>"]);
    assert_eq!(found.unmapped[0].name, "place");
    let error = source.cannot_describe(None, "no-such-index").await;
    assert!(error.contains("'no-such-index'"), "{error}");
}
