//! Where calls run that wait for a disk.

use std::io;

/// Whether waiting for a disk may hold the calling thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Execution {
    /// On a thread of its own, so that heartbeats go on meanwhile.
    #[default]
    Blocking,
    /// At once, on the calling thread: for simulations, where one thread does everything in a known order.
    Inline,
}

impl Execution {
    /// Runs the call and waits for its result.
    pub(crate) async fn run<T: Send + 'static>(
        self,
        call: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        match self {
            Self::Inline => call(),
            Self::Blocking => match tokio::task::spawn_blocking(call).await {
                Ok(result) => result,
                Err(error) => Err(io::Error::other(format!("the call did not end: {error}"))),
            },
        }
    }
}
