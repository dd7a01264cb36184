//! Starting and ending the processes of a world.

use std::sync::PoisonError;

use futures::FutureExt;

use super::World;
use crate::clients;
use crate::cluster::{coordinator, embedded, worker};
use crate::invariants::Live;
use crate::kernel::{HostId, Kernel};

impl World {
    pub(super) fn start(&mut self, host: HostId) {
        if self.kernel.is_running(host) {
            return;
        }
        self.processes += 1;
        let (now, network) = (self.kernel.now(), self.kernel.network().clone());
        if let Some(machine) = self.machines.get(&host).cloned() {
            let boot = coordinator::Boot {
                id: u64::from(host),
                members: self.members.clone(),
                now,
                machine,
                network,
            };
            let (live, clients, process) =
                (self.live.clone(), self.clients.clone(), self.processes);
            let beside: coordinator::Beside = Box::new(move |metadata, clock| {
                let mut all = live.lock().unwrap_or_else(PoisonError::into_inner);
                all.insert(host, Live { host, process, metadata: metadata.clone() });
                clients::run(clients, metadata, clock).boxed()
            });
            self.kernel.start(host, coordinator::main(boot, beside));
        } else if self.is_embedded() {
            let (Some(place), Some(version)) =
                (self.workers.get(&host), self.clients.version.clone())
            else {
                return;
            };
            let (ahead, feed, target) =
                (place.ahead.clone(), self.scenario.feed, self.target.clone());
            let boot = embedded::Boot { now, ahead, feed, target, version };
            self.kernel.start(host, embedded::main(boot));
        } else if let Some(place) = self.workers.get(&host) {
            let boot = worker::Boot {
                name: place.name.clone(),
                address: place.address,
                coordinators: self.members.values().cloned().collect(),
                now,
                ahead: place.ahead.clone(),
                network,
                feed: self.scenario.feed,
                target: self.target.clone(),
            };
            self.kernel.start(host, worker::main(boot));
        }
    }

    /// Whether the job runs by itself, without coordinators.
    pub(super) fn is_embedded(&self) -> bool {
        self.machines.is_empty()
    }

    /// The job of a process of its own: while one stands still or is down, somebody starts another on its folder.
    pub(super) fn keep_one_going(&mut self) {
        if !self.is_embedded() || self.finished {
            return;
        }
        let going =
            |kernel: &Kernel, host: HostId| kernel.is_running(host) && !kernel.is_paused(host);
        let hosts: Vec<HostId> = self.workers.keys().copied().collect();
        if hosts.iter().any(|host| going(&self.kernel, *host)) {
            return;
        }
        if let Some(next) = hosts.into_iter().find(|host| !self.kernel.is_running(*host)) {
            self.start(next);
        }
    }

    /// Ends a process, as a crash or a power cut does.
    pub(super) fn end(&mut self, host: HostId, power_cut: bool) {
        if !self.kernel.is_running(host) {
            return;
        }
        if let Some(machine) = self.machines.get_mut(&host) {
            match power_cut {
                true => machine.lost_power(&mut self.random),
                false => machine.killed(),
            }
        }
        self.live.lock().unwrap_or_else(PoisonError::into_inner).remove(&host);
        self.kernel.kill(host, power_cut);
    }
}
