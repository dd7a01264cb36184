//! A host: a runtime whose clock is moved by the kernel, and the process on it.

use std::time::Duration;

use futures::future::BoxFuture;
use tidegate_runtime::{Task, spawn_on};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

/// Why a process has ended by itself.
pub(crate) type Ending = String;

/// What a process does.
pub(crate) type Main = BoxFuture<'static, Ending>;

/// More lag than a window means that the host was paused.
const LAG: Duration = Duration::from_millis(15);

/// A host and its process, if one runs.
pub(crate) struct Host {
    pub(super) name: String,
    pub(super) paused_until: Option<Duration>,
    process: Option<Process>,
}

struct Process {
    // Dropped first: it ends with the runtime.
    main: Task<Ending>,
    runtime: Runtime,
    began: Instant,
    began_at: Duration,
    /// It has ended by itself and is to be killed, so that nothing of it remains.
    over: bool,
}

impl Host {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), paused_until: None, process: None }
    }

    pub(super) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "the clock of the runtime is the one that is moved"
    )]
    pub(super) fn start(&mut self, now: Duration, main: Main) {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without threads and I/O needs nothing of the system");
        let began = runtime.block_on(async { Instant::now() });
        let main = spawn_on(runtime.handle(), self.name.clone(), main);
        self.process = Some(Process { main, runtime, began, began_at: now, over: false });
    }

    pub(super) fn kill(&mut self) {
        self.paused_until = None;
        self.process = None;
    }

    /// Does everything that is to be done until a time; answers why the process has ended if it has.
    #[allow(
        clippy::disallowed_methods,
        reason = "the clock of the runtime is the one that is moved"
    )]
    pub(super) fn run_until(&mut self, now: Duration) -> Option<Ending> {
        let process = self.process.as_mut().filter(|process| !process.over)?;
        let until = process.began + now.saturating_sub(process.began_at);
        let Process { runtime, main, .. } = process;
        let ending = runtime.block_on(async {
            let lag = until.saturating_duration_since(Instant::now());
            if lag > LAG {
                // It was paused: the clock has gone on meanwhile, and everything that was due is due at once.
                tokio::time::advance(lag - Duration::from_millis(1)).await;
            }
            tokio::time::sleep_until(until).await;
            if !main.is_finished() {
                return None;
            }
            Some(main.await.unwrap_or_else(|error| format!("panic: {error}")))
        });
        process.over = ending.is_some();
        ending
    }
}
