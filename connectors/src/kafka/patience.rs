//! Bounded waiting for brokers, on threads that may block.

use std::sync::Arc;
use std::time::Duration;

use crate::env::MonotonicClock;

/// Pause between tries that fail at once.
const PAUSE: Duration = Duration::from_millis(200);
/// Pause while a queue is full.
const MOMENT: Duration = Duration::from_millis(1);

/// A deadline.
pub(super) struct Patience {
    clock: MonotonicClock,
    start: Duration,
    limit: Duration,
}

impl Patience {
    /// Waits for at most `limit` from now.
    pub(super) fn new(clock: &MonotonicClock, limit: Duration) -> Self {
        Self { clock: Arc::clone(clock), start: clock(), limit }
    }

    /// Begins again.
    pub(super) fn restart(&mut self) {
        self.start = (self.clock)();
    }

    /// Time since the start.
    pub(super) fn waited(&self) -> Duration {
        (self.clock)().saturating_sub(self.start)
    }

    /// Whether the deadline has passed.
    pub(super) fn is_over(&self) -> bool {
        self.waited() >= self.limit
    }

    /// Blocks this thread for a moment, while a queue is full.
    #[allow(
        clippy::disallowed_methods,
        reason = "only called on threads for blocking calls of the client"
    )]
    pub(super) fn moment() {
        std::thread::sleep(MOMENT);
    }

    /// Blocks this thread before the next try.
    #[allow(
        clippy::disallowed_methods,
        reason = "only called on threads for blocking calls of the client"
    )]
    pub(super) fn pause(&self) {
        std::thread::sleep(PAUSE);
    }
}
