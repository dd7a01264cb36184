//! What connectors get from the process that runs them: clocks, session zone, standard output.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidegate_functions::Zone;
use tidegate_runtime::clock::Clock;

/// Where `print` writes: standard output in the command line, a buffer in tests. A writer takes the
/// lock once per batch and flushes.
pub type PrintTarget = Arc<Mutex<Box<dyn Write + Send>>>;

/// Wall-clock time in milliseconds since the epoch; injected, so that tests decide it.
pub type WallClock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Monotonic time since an arbitrary start.
pub type MonotonicClock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// What every connector may use of its surroundings.
#[derive(Clone)]
pub struct ConnectorEnv {
    /// Wall-clock time.
    pub clock: WallClock,
    /// Monotonic time, for waits on outside systems.
    pub monotonic: MonotonicClock,
    /// The session's time zone (`table.local-time-zone`).
    pub zone: Zone,
    /// Standard output, for `print`.
    pub stdout: PrintTarget,
    /// Standard error, for `print` with `standard-error`.
    pub stderr: PrintTarget,
}

impl ConnectorEnv {
    /// The surroundings of a process that prints to its own standard output and standard error.
    pub fn new(clock: &Arc<dyn Clock>, zone: Zone) -> Self {
        let (wall, monotonic) = (Arc::clone(clock), Arc::clone(clock));
        Self {
            clock: Arc::new(move || wall.now_ms()),
            monotonic: Arc::new(move || monotonic.elapsed()),
            zone,
            stdout: Arc::new(Mutex::new(Box::new(std::io::stdout()))),
            stderr: Arc::new(Mutex::new(Box::new(std::io::stderr()))),
        }
    }
}
