//! What answers as a schema registry of one schema.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

type Schema = Arc<Mutex<Value>>;

/// A registry on a port of this machine, for as long as [`with`] takes.
pub(crate) struct Registry {
    runtime: Runtime,
    address: String,
}

/// The schema that was registered last, which has the number 1.
static LAST: Mutex<Option<Schema>> = Mutex::new(None);

/// Does something that may need a registry.
pub(crate) fn with<T>(work: impl FnOnce(&Registry) -> Result<T>) -> Result<T> {
    let schema =
        LAST.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().clone();
    let runtime = Runtime::new().context("start a runtime")?;
    let routes = Router::new()
        .route("/subjects/{subject}/versions", post(register))
        .route("/schemas/ids/{number}", get(schema_of))
        .with_state(schema);
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let address = format!("http://{}", listener.local_addr()?);
    runtime.spawn(async move { axum::serve(listener, routes).await });
    work(&Registry { runtime, address })
}

async fn register(State(schema): State<Schema>, body: String) -> String {
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    *schema.lock().unwrap_or_else(PoisonError::into_inner) = json!({ "schema": body["schema"] });
    json!({ "id": 1 }).to_string()
}

async fn schema_of(State(schema): State<Schema>) -> String {
    schema.lock().unwrap_or_else(PoisonError::into_inner).to_string()
}

impl Registry {
    /// Its address.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Waits for what may ask it.
    pub(crate) fn wait_for<T>(
        &self,
        asking: impl Future<Output = tidegate_types::Result<T>>,
    ) -> Result<T> {
        Ok(self.runtime.block_on(asking)?)
    }
}

/// The text of the schema that was registered last.
pub(crate) fn last_schema() -> Result<String> {
    let last = LAST.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let last = last.context("no schema was registered")?;
    let schema = last.lock().unwrap_or_else(PoisonError::into_inner);
    schema["schema"].as_str().map(str::to_owned).context("no schema was registered")
}
