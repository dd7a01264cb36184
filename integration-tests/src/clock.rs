//! The wall clock of the tests: waiting, deadlines, and seeds for what is random on purpose.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};

/// How often [`wait_until`] looks.
const POLL: Duration = Duration::from_millis(5);

/// Blocks this thread.
pub fn pause(duration: Duration) {
    #[allow(
        clippy::disallowed_methods,
        reason = "tests watch other processes from threads of their own"
    )]
    std::thread::sleep(duration);
}

/// The monotonic clock.
pub fn now() -> Instant {
    #[allow(clippy::disallowed_methods, reason = "tests watch other processes in real time")]
    Instant::now()
}

/// A number that differs from run to run, for moments of kills; print it.
pub fn entropy() -> u64 {
    #[allow(clippy::disallowed_methods, reason = "kills are to come at other moments in every run")]
    let time = SystemTime::now();
    time.duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64)
        ^ u64::from(std::process::id())
}

/// Looks every few milliseconds until `done` says so.
///
/// # Errors
/// What `done` fails with; a time-out that names `what`.
pub fn wait_until(
    what: &str,
    timeout: Duration,
    mut done: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let start = now();
    while !done()? {
        if start.elapsed() > timeout {
            bail!("{what}: not within {} s", timeout.as_secs());
        }
        pause(POLL);
    }
    Ok(())
}
