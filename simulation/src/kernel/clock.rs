//! The clock of a host: monotonic time as its runtime has it, wall-clock time that is wrong and jumps.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tidegate_runtime::Clock;
use tokio::time::Instant;

use crate::ambient::BEGIN_MS;

/// The clock of one process on a host.
#[derive(Debug)]
pub(crate) struct HostClock {
    /// The time since the beginning at which the process began.
    began_at: Duration,
    began: Instant,
    /// By how many milliseconds the wall clock is ahead; shared by all processes of the host.
    ahead: Arc<AtomicI64>,
}

impl HostClock {
    /// The clock of a process that begins now; call it on the process's runtime.
    #[allow(clippy::disallowed_methods, reason = "this is the clock that is handed in")]
    pub(crate) fn begin(now: Duration, ahead: Arc<AtomicI64>) -> Arc<dyn Clock> {
        Arc::new(Self { began_at: now, began: Instant::now(), ahead })
    }
}

impl Clock for HostClock {
    fn now_ms(&self) -> i64 {
        let since = self.began_at + self.began.elapsed();
        BEGIN_MS + since.as_millis() as i64 + self.ahead.load(Ordering::Relaxed)
    }

    fn elapsed(&self) -> Duration {
        self.began_at + self.began.elapsed()
    }
}
