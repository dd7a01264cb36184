//! Telling an address of something, against a real server of HTTP.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect};
use axum::routing::post;
use tidegate_connectors::probe::Limits;
use tidegate_connectors::probe::delivery::{Post, Posted};
use tidegate_runtime::clock::SystemClock;
use tidegate_types::{ErrorCode, Result};
use tokio::net::TcpListener;

use super::source::closed_port;

/// What the server was told: a header and the body.
type Heard = Arc<Mutex<Vec<(String, String)>>>;

async fn server() -> (String, Heard) {
    let heard = Heard::default();
    let hear = |State(heard): State<Heard>, headers: HeaderMap, body: String| async move {
        let header = headers.get("tidegate-delivery").unwrap().to_str().unwrap().to_owned();
        heard.lock().unwrap().push((header, body));
        "thanks"
    };
    let router = Router::new()
        .route("/hear", post(hear))
        .route("/busy", post(|| async { (StatusCode::SERVICE_UNAVAILABLE, "x".repeat(5_000)) }))
        .route("/away", post(|| async { Redirect::temporary("/hear").into_response() }))
        .route("/slow", post(|| async { std::future::pending::<()>().await }))
        .with_state(heard.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, heard)
}

async fn send(url: &str, limits: &Limits) -> Result<Posted> {
    let headers = vec![("tidegate-delivery".to_owned(), "7".to_owned())];
    let clock = SystemClock::shared();
    let post = Post { url: url.to_owned(), headers, body: b"{\"number\":7}".to_vec() };
    post.send(limits, &(Arc::new(move || clock.elapsed()) as _)).await
}

fn limits() -> Limits {
    Limits { private_addresses: true, deadline: Duration::from_secs(10), ..Limits::default() }
}

#[tokio::test]
async fn an_address_is_told_and_its_answer_is_known() {
    let (server, heard) = server().await;
    let posted = send(&format!("{server}/hear"), &limits()).await.unwrap();
    assert_eq!(posted, Posted { status: 200, said: "thanks".to_owned() });
    assert_eq!(*heard.lock().unwrap(), [("7".to_owned(), "{\"number\":7}".to_owned())]);
    let busy = send(&format!("{server}/busy"), &limits()).await.unwrap();
    assert_eq!((busy.status, busy.said.len()), (503, 200));
    let away = send(&format!("{server}/away"), &limits()).await.unwrap();
    assert_eq!(away.status, 307);
    assert_eq!(heard.lock().unwrap().len(), 1, "nothing is followed");
}

#[tokio::test]
async fn what_cannot_be_told_says_why_and_keeps_the_path_to_itself() {
    let (server, heard) = server().await;
    let fails = async |url: &str, limits: Limits, code: ErrorCode, part: &str| {
        let error = send(url, &limits).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        let text = error.to_string();
        assert!(text.contains(part) && !text.contains("s3cret"), "{text}");
    };
    let strict = Limits { private_addresses: false, ..limits() };
    fails(&format!("{server}/hear"), strict, ErrorCode::PermissionDenied, "private network").await;
    assert!(heard.lock().unwrap().is_empty());
    let metadata = "http://169.254.169.254/s3cret";
    fails(metadata, limits(), ErrorCode::PermissionDenied, "may not be connected to").await;
    let closed = format!("http://127.0.0.1:{}/s3cret?x=1", closed_port());
    fails(&closed, limits(), ErrorCode::Unavailable, "127.0.0.1").await;
    let short = Limits { deadline: Duration::from_millis(300), ..limits() };
    fails(&format!("{server}/slow"), short, ErrorCode::Unavailable, "127.0.0.1").await;
    let tls = server.replace("http://", "https://");
    fails(&format!("{tls}/s3cret"), limits(), ErrorCode::Unavailable, "127.0.0.1").await;
    fails("ftp://h/s3cret", limits(), ErrorCode::InvalidOption, "not http://").await;
}
