//! Connections that the lookups of one table share within a process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::RecordBatch;
use tidegate_types::{Error, ErrorCode, Field, Result};
use tokio::sync::Semaphore;

use super::address::{Address, Product};
use super::connection::{Connection, Handover, timed_out};
use crate::format::answers::Answers;

/// Most connections.
pub(super) const CONNECTIONS: usize = 4;
/// The pause before the first further try; each later one is longer by it.
const PAUSE: Duration = Duration::from_secs(1);

/// The connections of a table.
pub(super) struct Pool {
    pub(super) address: Address,
    retries: u32,
    permits: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    /// No connections yet.
    pub(super) fn new(address: Address, retries: u32) -> Arc<Self> {
        let permits = Semaphore::new(CONNECTIONS);
        Arc::new(Self { address, retries, permits, idle: Mutex::new(Vec::new()) })
    }

    /// The rows of an answer. What the database does not answer is asked again, on a new connection.
    ///
    /// # Errors
    /// What the last try failed with.
    pub(super) async fn ask(&self, sql: &str, read: &[Field]) -> Result<RecordBatch> {
        let closed = |_| Error::internal("the connections of a lookup are closed");
        let _permit = self.permits.acquire().await.map_err(closed)?;
        let mut tries = 0;
        loop {
            let error = match self.try_ask(sql, read).await {
                Ok(rows) => return Ok(rows),
                Err(error) => error,
            };
            if error.code() != ErrorCode::Unavailable || tries >= self.retries {
                return Err(error);
            }
            tries += 1;
            tracing::warn!(%error, tries, "a lookup is tried again");
            tokio::time::sleep(PAUSE * tries).await;
        }
    }

    async fn try_ask(&self, sql: &str, read: &[Field]) -> Result<RecordBatch> {
        let mut rows = Answers::new(read, self.address.product == Product::Postgres)?;
        let mut connection = match self.take() {
            Some(connection) => connection,
            None => Connection::open(&self.address).await?,
        };
        let answer = connection.ask(&self.address, sql, &mut rows, Handover::ALL);
        let answer = tokio::time::timeout(self.address.wait, answer).await;
        // What failed or did not answer is not used again, nor are the others: a server that went away ended all.
        match answer {
            Ok(Ok(_)) => self.give_back(connection),
            Ok(Err(error)) => {
                self.lock().clear();
                return Err(error);
            }
            Err(_) => return Err(timed_out(&self.address, "look up in")),
        }
        rows.finish()
    }

    fn take(&self) -> Option<Connection> {
        let mut idle = self.lock();
        std::iter::from_fn(|| idle.pop()).find(|connection| !connection.is_closed())
    }

    fn give_back(&self, connection: Connection) {
        self.lock().push(connection);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
