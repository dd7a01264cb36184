//! Faults: how each is brought about and undone, and the end of all.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::World;
use crate::faults::{Fault, rates};
use crate::kernel::HostId;
use crate::outside::service::Service;
use crate::trace;

/// What is done at a later time.
pub(super) enum Later {
    Start(HostId),
    Mend(HostId, HostId),
    Quick(HostId, HostId),
    Reach(HostId),
    Store,
    Target,
}

impl World {
    pub(super) fn everyone(&self) -> Vec<HostId> {
        self.machines.keys().chain(self.workers.keys()).copied().collect()
    }

    pub(super) fn at(&mut self, after: Duration, what: Later) {
        self.later.push((self.kernel.now() + after, what));
    }

    pub(super) fn strike(&mut self, fault: Fault) {
        trace::line(format!("FAULT {fault:?}"));
        match fault {
            Fault::Kill(host, back) => {
                self.end(host, false);
                self.at(back, Later::Start(host));
            }
            Fault::PowerCut(host, back) => {
                self.end(host, true);
                self.at(back, Later::Start(host));
            }
            Fault::Blackout(back) => {
                for host in self.machines.keys().copied().collect::<Vec<_>>() {
                    self.end(host, true);
                    let more = self.random.millis(0..1_500);
                    self.at(back + more, Later::Start(host));
                }
            }
            Fault::Pause(host, lasting) => {
                let until = self.kernel.now() + lasting;
                self.kernel.pause(host, until);
            }
            Fault::Isolate(host, lasting) => self.cut_off(host, self.everyone(), lasting),
            Fault::Secede(host, lasting) => {
                self.cut_off(host, self.machines.keys().copied().collect(), lasting);
            }
            Fault::CutOneWay(from, to, lasting) => {
                self.kernel.network().cut(from, to, true);
                self.at(lasting, Later::Mend(from, to));
            }
            Fault::Slow(from, to, ms) => {
                self.kernel.network().slow(from, to, ms);
                self.at(Duration::from_secs(4), Later::Quick(from, to));
            }
            Fault::Store(faults, lasting) => {
                self.services[0].set_faults(rates(faults));
                self.at(lasting, Later::Store);
            }
            Fault::Target(faults, lasting) => {
                self.services[1].set_faults(rates(faults));
                self.at(lasting, Later::Target);
            }
            Fault::StoreCut(host, lasting) => {
                self.services[0].cut(host, true);
                self.at(lasting, Later::Reach(host));
            }
            Fault::Disk(host) => {
                if let Some(machine) = self.machines.get(&host) {
                    machine.disk.fail_next();
                }
            }
            Fault::Clock(host, ms) => {
                if let Some(machine) = self.machines.get(&host) {
                    machine.ahead.fetch_add(ms, Ordering::Relaxed);
                }
            }
            Fault::Deed(deed) => {
                let mut deeds = self.clients.deeds.lock().unwrap_or_else(PoisonError::into_inner);
                deeds.push_back(deed);
            }
        }
    }

    /// Cuts the links between a host and others, both ways.
    fn cut_off(&mut self, host: HostId, from: Vec<HostId>, lasting: Duration) {
        for other in from.into_iter().filter(|other| *other != host) {
            for (from, to) in [(host, other), (other, host)] {
                self.kernel.network().cut(from, to, true);
                self.at(lasting, Later::Mend(from, to));
            }
        }
    }

    pub(super) fn undo(&mut self, what: Later) {
        match what {
            Later::Start(_) if self.is_embedded() => {}
            Later::Start(host) => self.start(host),
            Later::Mend(from, to) => self.kernel.network().cut(from, to, false),
            Later::Quick(from, to) => self.kernel.network().slow(from, to, 0),
            Later::Reach(host) => self.services[0].cut(host, false),
            Later::Store => self.services[0].set_faults(rates((0, 0, 0))),
            Later::Target => self.services[1].set_faults(rates((0, 0, 0))),
        }
    }

    /// Faults are over.
    pub(super) fn make_calm(&mut self) {
        trace::line("CALM: faults are over");
        self.later.clear();
        self.plan.clear();
        self.kernel.network().mend();
        self.services.iter().for_each(Service::mend);
        let now = self.kernel.now();
        for host in self.everyone() {
            if self.kernel.is_paused(host) {
                self.kernel.pause(host, now);
            }
            if !self.is_embedded() {
                self.start(host);
            }
        }
        self.calls_before_calm = self.history.calls().len();
        self.clients.calm.store(true, Ordering::Relaxed);
    }
}
