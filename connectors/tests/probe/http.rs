//! HTTP services, by servers that are made for a test.

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Redirect;
use axum::routing::get;
use tidegate_connectors::probe::{Reason, What};

use super::source::Source;

/// A service that wants something of its requests.
async fn serve() -> String {
    let fits = |headers: &HeaderMap, name: &str, value: &str| {
        headers.get(name).is_some_and(|found| found == value)
    };
    let answer = |fits: bool| if fits { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
    let app = Router::new()
        .route("/v1/open", get(|| async { "hello" }))
        // user:canary-4711
        .route("/v1/basic", get(move |headers: HeaderMap| async move {
            answer(fits(&headers, "authorization", "Basic dXNlcjpjYW5hcnktNDcxMQ=="))
        }))
        .route("/v1/bearer", get(move |headers: HeaderMap| async move {
            answer(fits(&headers, "authorization", "Bearer canary-4711"))
        }))
        .route("/v1/key", get(move |headers: HeaderMap| async move {
            answer(fits(&headers, "x-key", "canary-4711") && fits(&headers, "x-more", "yes"))
        }))
        .route("/v1/echo", get(|headers: HeaderMap| async move {
            (StatusCode::FORBIDDEN, format!("not you: {:?}", headers.get("authorization")))
        }))
        .route("/v1/elsewhere", get(|| async { Redirect::temporary("http://169.254.169.254/") }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{address}/v1")
}

fn http(url: &str, more: &[(&str, &str)]) -> Source {
    Source::new("http", &[&[("base-url", url)], more].concat())
}

const STEPS: [What; 3] = [What::Resolve, What::Connect, What::Authenticate];

#[tokio::test]
async fn c1_http_connects_with_each_kind_of_credentials() {
    let url = serve().await;
    http(&url, &[("test-path", "/open")]).passes(&[What::Resolve, What::Connect, What::Ask]).await;
    let basic = [("authentication", "basic"), ("username", "user"), ("password", "canary-4711")];
    http(&url, &[&basic[..], &[("test-path", "basic")]].concat()).passes(&STEPS).await;
    let bearer = [("authentication", "bearer"), ("token", "canary-4711"), ("test-path", "/bearer")];
    http(&url, &bearer).passes(&STEPS).await;
    let key = [
        ("authentication", "api-key"),
        ("api-key-header", "X-Key"),
        ("api-key", "canary-4711"),
        ("headers", "X-More:yes"),
        ("test-path", "/key"),
    ];
    http(&url, &key).passes(&STEPS).await;
}

#[tokio::test]
async fn c2_http_says_what_is_wrong() {
    let url = serve().await;
    let wrong = [("authentication", "bearer"), ("token", "canary-0815"), ("test-path", "/bearer")];
    http(&url, &wrong).fails(What::Authenticate, Reason::Authentication, &["401"]).await;
    let missing = http(&url, &[("test-path", "/none")]);
    missing.fails(What::Ask, Reason::Protocol, &["404"]).await;
    let elsewhere = http(&url, &[("test-path", "/elsewhere")]);
    elsewhere.fails(What::Ask, Reason::Protocol, &["points elsewhere"]).await;
    // A server that repeats what it was told.
    for more in [
        [("authentication", "basic"), ("username", "user"), ("password", "canary-4711")],
        [("authentication", "bearer"), ("token", "canary-4711"), ("test-path", "/echo")],
    ] {
        let echo = http(&url, &[&more[..], &[("test-path", "/echo")]].concat());
        let failure = echo.fails(What::Authenticate, Reason::Permission, &["not you"]).await;
        assert!(!failure.message.contains("dXNlcjpjYW5hcnktNDcxMQ=="), "{failure:?}");
    }
    let tls = http(&url.replace("http:", "https:"), &[]);
    tls.fails(What::Tls, Reason::Tls, &["127.0.0.1"]).await;
}
