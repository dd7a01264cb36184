//! Connections that the lookups of one table share within a process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::RecordBatch;
use tidegate_types::{Error, Field};
use tokio::sync::Semaphore;

use super::address::Address;
use super::connection::{Connection, Handover};
use super::failure::{self, Failure};
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
    pub(super) async fn ask(&self, sql: &str, read: &[Field]) -> Result<RecordBatch, Failure> {
        let closed = |_| Error::internal("the connections of a lookup are closed");
        let _permit = self.permits.acquire().await.map_err(closed)?;
        // That an idle connection has ended, by a restart of the server or because it was idle for too long, says
        // nothing about the server: that try does not count.
        if let Some(connection) = self.take() {
            match self.try_ask(connection, sql, read).await {
                Err(failure) if failure.is_passing() => {}
                answered => return answered,
            }
        }
        let mut tries = 0;
        loop {
            let failure = match Connection::open(&self.address).await {
                Ok(connection) => match self.try_ask(connection, sql, read).await {
                    Ok(rows) => return Ok(rows),
                    Err(failure) => failure,
                },
                Err(failure) => failure,
            };
            if !failure.is_passing() || tries >= self.retries {
                return Err(failure);
            }
            tries += 1;
            let error = failure.into_error();
            tracing::warn!(%error, tries, "a lookup is tried again");
            tokio::time::sleep(PAUSE * tries).await;
        }
    }

    async fn try_ask(
        &self,
        mut connection: Connection,
        sql: &str,
        read: &[Field],
    ) -> Result<RecordBatch, Failure> {
        let mut rows = Answers::new(read, self.address.product.dialect())?;
        let answer = connection.ask(&self.address, sql, &mut rows, Handover::ALL);
        let answer = tokio::time::timeout(self.address.wait, answer).await;
        match answer {
            Ok(Ok(_)) => self.give_back(connection),
            // A whole answer too.
            Ok(Err(failure @ Failure::Value(_))) => {
                self.give_back(connection);
                return Err(failure);
            }
            // What failed or did not answer is not used again, nor are the others: a server that went away ended all.
            Ok(Err(failure)) => {
                self.lock().clear();
                return Err(failure);
            }
            Err(_) => {
                self.lock().clear();
                return Err(failure::timed_out(&self.address, "look up in").into());
            }
        }
        Ok(rows.finish()?)
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
