//! Hosts, time and the network of a simulation.
//!
//! A host is a runtime of its own whose clock stands still unless it is moved. [`Kernel::step`] moves the time of all by
//! one window: first what has come over the network is handed over, then every host does what it has to do until the end
//! of the window. A message takes at least a window, so hosts need not know of each other within one. Everything is done
//! by one thread in a known order.

mod clock;
mod hosts;
mod network;
mod stream;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) use clock::HostClock;
pub(crate) use hosts::{Ending, Main};
pub(crate) use network::{Dialer, Network};
pub(crate) use stream::Stream;

use crate::{ambient, trace};
use hosts::Host;

/// The time that is simulated in one go.
pub(crate) const WINDOW: Duration = Duration::from_millis(10);

/// Number of a host.
pub(crate) type HostId = u32;

thread_local! {
    static CURRENT: Cell<HostId> = const { Cell::new(0) };
}

/// The host that is at work; 0 for the world itself.
pub(crate) fn current_host() -> HostId {
    CURRENT.get()
}

/// All hosts.
pub(crate) struct Kernel {
    now: Duration,
    hosts: BTreeMap<HostId, Host>,
    network: Network,
}

impl Kernel {
    /// A world without hosts.
    pub(crate) fn new(seed: u64) -> Self {
        Self { now: Duration::ZERO, hosts: BTreeMap::new(), network: Network::new(seed) }
    }

    /// The time since the beginning.
    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    /// The network.
    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    /// Adds a host that is not running.
    pub(crate) fn add(&mut self, id: HostId, name: &str) {
        self.hosts.insert(id, Host::new(name));
    }

    /// Name of a host.
    pub(crate) fn name(&self, id: HostId) -> &str {
        self.hosts.get(&id).map_or("-", |host| host.name.as_str())
    }

    /// Whether a host runs, paused or not.
    pub(crate) fn is_running(&self, id: HostId) -> bool {
        self.hosts.get(&id).is_some_and(Host::is_running)
    }

    /// Whether a host is paused.
    pub(crate) fn is_paused(&self, id: HostId) -> bool {
        self.hosts.get(&id).is_some_and(|host| host.paused_until.is_some())
    }

    /// Starts the process of a host. Does nothing if it runs.
    pub(crate) fn start(&mut self, id: HostId, main: Main) {
        let Some(host) = self.hosts.get_mut(&id).filter(|host| !host.is_running()) else { return };
        self.network.came_up(id);
        trace::line(format!("start {}", host.name));
        CURRENT.set(id);
        trace::set_host(&host.name);
        host.start(self.now, main);
        CURRENT.set(0);
        trace::set_host("");
    }

    /// Ends the process of a host without a word from it. After `kill -9` the operating system closes its connections;
    /// after a power cut nobody does.
    pub(crate) fn kill(&mut self, id: HostId, power_cut: bool) {
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.is_running()) else { return };
        if power_cut {
            self.network.power_lost(id);
        }
        CURRENT.set(id);
        host.kill();
        CURRENT.set(0);
        self.network.went_down(id);
    }

    /// Stops a host as SIGSTOP does, until SIGCONT at a time.
    pub(crate) fn pause(&mut self, id: HostId, until: Duration) {
        if let Some(host) = self.hosts.get_mut(&id).filter(|host| host.is_running()) {
            host.paused_until = Some(until);
        }
    }

    /// Lets a window pass. Answers the hosts whose processes have ended by themselves, and why.
    pub(crate) fn step(&mut self) -> Vec<(HostId, Ending)> {
        self.now += WINDOW;
        ambient::set_time(self.now);
        trace::set_time(self.now);
        self.network.deliver(self.now);
        let mut ended = Vec::new();
        for (id, host) in &mut self.hosts {
            if host.paused_until.is_some_and(|until| until <= self.now) {
                host.paused_until = None;
                trace::line(format!("resume {}", host.name));
            }
            if !host.is_running() || host.paused_until.is_some() {
                continue;
            }
            CURRENT.set(*id);
            trace::set_host(&host.name);
            if let Some(ending) = host.run_until(self.now) {
                ended.push((*id, ending));
            }
        }
        CURRENT.set(0);
        trace::set_host("");
        ended
    }
}
