//! What connectors get from the process that runs them: clock, session zone, standard output.

use std::io::Write;
use std::sync::{Arc, Mutex};

use chrono_tz::Tz;

/// Where `print` writes: standard output in the command line, a buffer in tests. A writer takes the
/// lock once per batch and flushes.
pub type PrintTarget = Arc<Mutex<Box<dyn Write + Send>>>;

/// Wall-clock time in milliseconds since the epoch; injected, so that tests decide it.
pub type WallClock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What every connector may use of its surroundings.
#[derive(Clone)]
pub struct ConnectorEnv {
    /// Wall-clock time.
    pub clock: WallClock,
    /// The session's time zone (`table.local-time-zone`).
    pub zone: Tz,
    /// Standard output, for `print`.
    pub stdout: PrintTarget,
    /// Standard error, for `print` with `standard-error`.
    pub stderr: PrintTarget,
}
