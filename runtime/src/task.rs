//! Named tasks: the one place that spawns.
//!
//! A task that panics is reported as an error with its name; dropping the handle aborts the task,
//! so none outlives its owner.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tidegate_types::{Error, ErrorCode};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tracing::Instrument;

/// A running task; dropping it aborts the task.
#[derive(Debug)]
pub struct Task<T> {
    name: String,
    handle: JoinHandle<T>,
}

/// Starts a task on the current runtime.
pub fn spawn<T: Send + 'static>(
    name: impl Into<String>,
    future: impl Future<Output = T> + Send + 'static,
) -> Task<T> {
    spawn_on(&Handle::current(), name, future)
}

/// Starts a task on a given runtime.
#[allow(clippy::disallowed_methods, reason = "the one place that spawns")]
pub fn spawn_on<T: Send + 'static>(
    runtime: &Handle,
    name: impl Into<String>,
    future: impl Future<Output = T> + Send + 'static,
) -> Task<T> {
    // What a task does belongs to whatever has started it.
    Task { name: name.into(), handle: runtime.spawn(future.in_current_span()) }
}

impl<T> Task<T> {
    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// The task's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Ends the task at its next await.
    pub fn abort(&self) {
        self.handle.abort();
    }
}

impl<T> Future for Task<T> {
    /// `INTERNAL` if the task panicked, `CANCELLED` if it was aborted.
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = Pin::new(&mut self.handle).poll(context);
        polled.map_err(|error| {
            if error.is_cancelled() {
                return Error::new(ErrorCode::Cancelled, format!("task {} was aborted", self.name));
            }
            let panic = error.into_panic();
            let message = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "without a message".to_owned());
            Error::internal(format!("task {} panicked: {message}", self.name))
        })
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_error_with_the_name() {
        let error = spawn("doomed", async { panic!("no way") }).await.unwrap_err();
        assert_eq!(error.to_string(), "task doomed panicked: no way");
    }

    #[tokio::test]
    async fn dropping_the_handle_aborts() {
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        drop(spawn("waiting", async move {
            std::future::pending::<()>().await;
            drop(sender);
        }));
        assert!(receiver.await.is_err());
    }
}
