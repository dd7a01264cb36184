//! Ctrl-C and SIGTERM as a flag, so that a task can stop what it started before it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};

/// Says whether the user asked to stop. From its creation on, these signals no longer end the process.
#[derive(Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Starts to listen, on a thread of its own that lives as long as the process.
    pub(crate) fn listen() -> Result<Self> {
        let raised = Arc::new(AtomicBool::new(false));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .context("start the signal listener")?;
        let guard = runtime.enter();
        let mut ctrl_c = signal(SignalKind::interrupt()).context("listen to SIGINT")?;
        let mut terminate = signal(SignalKind::terminate()).context("listen to SIGTERM")?;
        drop(guard);
        let flag = Arc::clone(&raised);
        std::thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = ctrl_c.recv() => {}
                        _ = terminate.recv() => {}
                    }
                    flag.store(true, Ordering::Relaxed);
                }
            });
        });
        Ok(Self(raised))
    }

    /// One that hears no signals and is raised by hand.
    #[cfg(test)]
    pub(crate) fn unraised() -> Self {
        Self(Arc::new(AtomicBool::new(false)))
    }

    /// As a signal does.
    #[cfg(test)]
    pub(crate) fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether a signal has arrived.
    pub(crate) fn raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
