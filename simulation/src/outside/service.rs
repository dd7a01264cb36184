//! A server outside of the cluster: requests reach it after a while, whatever becomes of who has sent them; answers come
//! back after another while, or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::kernel::{HostId, current_host};
use crate::random::Random;

/// How often a server fails, of a hundred requests.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// It refuses and has done nothing.
    pub(crate) refused: u64,
    /// It has done what was asked, and the answer is lost.
    pub(crate) lost: u64,
    /// The request takes up to some seconds to get there.
    pub(crate) late: u64,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing was done.
    Refused,
    /// Nobody knows whether it was done.
    Unknown,
}

/// A server; clones are handles to the same.
#[derive(Clone)]
pub(crate) struct Service(Arc<Mutex<State>>);

struct State {
    now: Duration,
    random: Random,
    faults: Faults,
    /// Hosts that do not reach it.
    cut: BTreeSet<HostId>,
    sequence: u64,
    /// What is to be done, by when it arrives.
    work: BTreeMap<(Duration, u64), Box<dyn FnOnce() + Send>>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Service")
    }
}

impl Service {
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        Self(Arc::new(Mutex::new(State {
            now: Duration::ZERO,
            random: Random::of(seed, name),
            faults: Faults::default(),
            cut: BTreeSet::new(),
            sequence: 0,
            work: BTreeMap::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on it fails so often.
    pub(crate) fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// Whether a host reaches it from now on.
    pub(crate) fn cut(&self, host: HostId, cut: bool) {
        let mut state = self.state();
        match cut {
            true => state.cut.insert(host),
            false => state.cut.remove(&host),
        };
    }

    /// Everything works and is reached.
    pub(crate) fn mend(&self) {
        let mut state = self.state();
        state.faults = Faults::default();
        state.cut.clear();
    }

    /// Asks for something from the host that is at work.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (answer, answered) = oneshot::channel();
        self.state().send(act, answer);
        answered.await.unwrap_or(Err(Failure::Unknown))
    }

    /// Does what has arrived by now.
    pub(crate) fn step(&self, now: Duration) {
        self.state().now = now;
        loop {
            let due = {
                let mut state = self.state();
                match state.work.first_entry() {
                    Some(first) if first.key().0 <= now => first.remove(),
                    _ => return,
                }
            };
            due();
        }
    }
}

impl State {
    fn schedule(&mut self, at: Duration, act: Box<dyn FnOnce() + Send>) {
        self.sequence += 1;
        self.work.insert((at, self.sequence), act);
    }

    fn send<T: Send + 'static>(
        &mut self,
        act: impl FnOnce() -> T + Send + 'static,
        answer: oneshot::Sender<Result<T, Failure>>,
    ) {
        let (faults, host) = (self.faults, current_host());
        let late = match self.random.percent(faults.late) {
            true => self.random.millis(500..4_000),
            false => Duration::ZERO,
        };
        let arrives = self.now + self.random.millis(1..20) + late;
        let back = arrives + self.random.millis(1..20);
        let cut = self.cut.contains(&host);
        if cut || self.random.percent(faults.refused) {
            let back = if cut { back + Duration::from_secs(1) } else { back };
            return self.schedule(back, Box::new(|| drop(answer.send(Err(Failure::Refused)))));
        }
        let lost = self.random.percent(faults.lost);
        // Done when it arrives; the answer is another step.
        let done = Arc::new(Mutex::new(None));
        let result = done.clone();
        self.schedule(
            arrives,
            Box::new(move || {
                *done.lock().unwrap_or_else(PoisonError::into_inner) = Some(act());
            }),
        );
        self.schedule(
            back,
            Box::new(move || {
                let result = result.lock().unwrap_or_else(PoisonError::into_inner).take();
                drop(answer.send(result.filter(|_| !lost).ok_or(Failure::Unknown)));
            }),
        );
    }
}
