//! What answers like a schema registry.

use std::sync::Mutex;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::*;

/// What the double knows and was asked.
#[derive(Default)]
pub(super) struct Double {
    /// By number, from 1.
    pub(super) schemas: Vec<Value>,
    pub(super) subjects: Vec<String>,
    pub(super) asked: usize,
    pub(super) authorization: Vec<String>,
    /// Answers before the first good one.
    pub(super) refusals: Vec<StatusCode>,
}

pub(super) type Shared = Arc<Mutex<Double>>;
type Answer = (StatusCode, String);

fn begin(double: &Shared, headers: &HeaderMap) -> std::result::Result<(), Answer> {
    let mut double = double.lock().unwrap();
    double.asked += 1;
    let header = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    double.authorization.extend(header);
    match double.refusals.pop() {
        Some(status) => {
            Err((status, json!({"error_code": 1, "message": "not like this"}).to_string()))
        }
        None => Ok(()),
    }
}

async fn by_number(
    State(double): State<Shared>,
    Path(number): Path<usize>,
    headers: HeaderMap,
) -> Answer {
    if let Err(answer) = begin(&double, &headers) {
        return answer;
    }
    match double.lock().unwrap().schemas.get(number.wrapping_sub(1)) {
        Some(answer) => (StatusCode::OK, answer.to_string()),
        None => {
            let answer = json!({"error_code": 40403, "message": "Schema 9 not found"});
            (StatusCode::NOT_FOUND, answer.to_string())
        }
    }
}

async fn register(
    State(double): State<Shared>,
    Path(subject): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Answer {
    if let Err(answer) = begin(&double, &headers) {
        return answer;
    }
    let body: Value = serde_json::from_str(&body).unwrap();
    let answer = json!({"schema": body["schema"]});
    let mut double = double.lock().unwrap();
    double.subjects.push(subject);
    let known = double.schemas.iter().position(|known| *known == answer);
    let number = known.unwrap_or_else(|| {
        double.schemas.push(answer);
        double.schemas.len() - 1
    });
    (StatusCode::OK, json!({"id": number + 1}).to_string())
}

/// The registry's routes, below `/base/`.
pub(super) fn routes(double: &Shared) -> Router {
    Router::new()
        .route("/base/schemas/ids/{number}", get(by_number))
        .route("/base/subjects/{subject}/versions", post(register))
        .with_state(Arc::clone(double))
}

/// Starts a registry; returns its address.
pub(super) async fn start() -> (Shared, String) {
    let double = Shared::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = routes(&double);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (double, format!("http://{address}/base/"))
}
