//! Ctrl-C, SIGTERM and a closed terminal as a count, so that a task can stop what it started before it
//! ends, or pass them on.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a shell reports for a program that Ctrl-C ended.
pub(crate) const EXIT_CODE: u8 = 130;

/// Bit of SIGHUP in a mask of signals.
const HANGUP_BIT: u64 = 1;

/// Says whether the user asked to stop. From its creation on, these signals no longer end the process.
#[derive(Clone)]
pub(crate) struct Interrupt(Arc<AtomicUsize>);

impl Interrupt {
    /// Starts to listen, on a thread of its own that lives as long as the process.
    pub(crate) fn listen() -> Result<Self> {
        let count = Arc::new(AtomicUsize::new(0));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .context("start the signal listener")?;
        let guard = runtime.enter();
        let mut ctrl_c = signal(SignalKind::interrupt()).context("listen to SIGINT")?;
        let mut terminate = signal(SignalKind::terminate()).context("listen to SIGTERM")?;
        let mut hangup = hangup()?;
        drop(guard);
        let counted = Arc::clone(&count);
        std::thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = ctrl_c.recv() => {}
                        _ = terminate.recv() => {}
                        () = closed(&mut hangup) => {}
                    }
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            });
        });
        Ok(Self(count))
    }

    /// One that hears no signals and is raised by hand.
    pub(crate) fn unraised() -> Self {
        Self(Arc::new(AtomicUsize::new(0)))
    }

    /// As a signal does.
    pub(crate) fn raise(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a signal has arrived.
    pub(crate) fn raised(&self) -> bool {
        self.count() > 0
    }

    /// How many signals have arrived; several at the same moment may count as one.
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Listens to SIGHUP, unless this process was started with it ignored, as `nohup` does.
fn hangup() -> Result<Option<Signal>> {
    let status = fs::read_to_string("/proc/self/status").context("read /proc/self/status")?;
    if ignored_signals(&status).is_some_and(|mask| mask & HANGUP_BIT != 0) {
        return Ok(None);
    }
    let signal = signal(SignalKind::hangup()).context("listen to SIGHUP")?;
    Ok(Some(signal))
}

/// Ends at the next SIGHUP; never where it is not listened to.
async fn closed(hangup: &mut Option<Signal>) {
    match hangup {
        Some(hangup) => drop(hangup.recv().await),
        None => std::future::pending().await,
    }
}

/// The mask of ignored signals in `/proc/PID/status`.
fn ignored_signals(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_hexadecimal() {
        let status = "Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
        assert_eq!(ignored_signals(status), Some(0x1001));
        assert_eq!(ignored_signals("Name:\tx\n"), None);
    }
}
