//! One seed from its beginning to its end: hosts are started, faults come and go, and what must hold is looked at.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tidegate_catalog::{Catalog, VersionSpec};
use tidegate_coordinator::raft::observation::observe;

use crate::clients::{self, Clients};
use crate::cluster::machine::Machine;
use crate::cluster::{coordinator, embedded, worker};
use crate::faults::{Cast, Fault, rates};
use crate::history::{Answered, History};
use crate::invariants::{self, FailedDisk, Invariant, Live, Verdict, View};
use crate::kernel::{HostId, Kernel};
use crate::outside::service::Service;
use crate::outside::store::SimulatedStore;
use crate::outside::target::Target;
use crate::random::Random;
use crate::scenario::Scenario;
use crate::{job, trace};

/// How often invariants are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// An invariant that does not hold.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Violation {
    /// Its name.
    pub(crate) invariant: String,
    /// What is wrong.
    pub(crate) message: String,
    /// When it was seen, milliseconds of simulated time.
    pub(crate) at_ms: u64,
}

/// What became of a seed.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) scenario: String,
    pub(crate) violation: Option<Violation>,
    /// Digest of everything that happened.
    pub(crate) trace: String,
    /// Milliseconds of simulated time.
    pub(crate) simulated_ms: u64,
    pub(crate) faults: usize,
    pub(crate) calls: usize,
    pub(crate) rows: usize,
    /// Transactions that the target refused, because a newer run had taken over.
    pub(crate) refused: u64,
}

impl Report {
    /// Of a seed whose process has died.
    pub(crate) fn died(seed: u64, violation: Violation) -> Self {
        Self {
            seed,
            scenario: String::new(),
            violation: Some(violation),
            trace: String::new(),
            simulated_ms: 0,
            faults: 0,
            calls: 0,
            rows: 0,
            refused: 0,
        }
    }
}

/// A worker's place.
struct WorkerPlace {
    name: String,
    address: SocketAddr,
    ahead: Arc<AtomicI64>,
}

/// The world of one seed.
pub(crate) struct World {
    seed: u64,
    scenario: Scenario,
    kernel: Kernel,
    random: Random,
    plan: VecDeque<(Duration, Fault)>,
    /// What ends or begins later.
    later: Vec<(Duration, Later)>,
    members: BTreeMap<u64, String>,
    machines: BTreeMap<HostId, Machine>,
    workers: BTreeMap<HostId, WorkerPlace>,
    services: [Service; 2],
    store: SimulatedStore,
    target: Target,
    history: History,
    clients: Clients,
    live: Arc<Mutex<BTreeMap<HostId, Live>>>,
    processes: u64,
    failed_disks: Vec<FailedDisk>,
    invariants: Vec<Box<dyn Invariant>>,
    seen: usize,
    faults: usize,
    /// A process has processed all input of the job.
    finished: bool,
}

/// What is done at a later time.
enum Later {
    Start(HostId),
    Mend(HostId, HostId),
    Quick(HostId, HostId),
    Reach(HostId),
    Store,
    Target,
}

impl World {
    /// The world of a seed, with nothing running.
    pub(crate) fn new(seed: u64, scenario: Scenario, version: Option<VersionSpec>) -> Self {
        let services = [Service::new(seed, "store"), Service::new(seed, "target")];
        let store = SimulatedStore::new(services[0].clone());
        tidegate_storage::simulated::mount(Arc::new(store.clone()));
        let target = Target::new(services[1].clone());
        let history = History::default();
        observe(Box::new(history.clone()));
        let mut kernel = Kernel::new(seed);
        let members: BTreeMap<u64, String> =
            (1..=scenario.coordinators).map(|id| (id, format!("10.0.0.{id}:7001"))).collect();
        let mut workers = BTreeMap::new();
        for number in 1..=scenario.workers {
            let place = WorkerPlace {
                name: format!("w{number}"),
                address: SocketAddr::from(([10, 0, 1, number as u8], 7002)),
                ahead: Arc::default(),
            };
            workers.insert(10 + number, place);
        }
        for id in members.keys() {
            kernel.add(*id as HostId, &format!("c{id}"));
        }
        for (id, place) in &workers {
            kernel.add(*id, &place.name);
        }
        let cast = Cast {
            coordinators: members.keys().map(|id| *id as HostId).collect(),
            workers: workers.iter().map(|(id, place)| (*id, place.name.clone())).collect(),
        };
        let plan = scenario.draw(&mut Random::of(seed, "faults"), &cast);
        let machines =
            cast.coordinators.iter().map(|id| (*id, Machine::new())).collect::<BTreeMap<_, _>>();
        let clients = Clients {
            seed,
            history: history.clone(),
            names: Arc::default(),
            calling: Arc::new(AtomicBool::new(true)),
            deeds: Arc::default(),
            version: version.map(Arc::new),
            calm: Arc::default(),
        };
        Self {
            seed,
            invariants: invariants::all(scenario.coordinators > 0),
            scenario,
            kernel,
            random: Random::of(seed, "world"),
            plan: plan.into(),
            later: Vec::new(),
            members,
            machines,
            workers,
            services,
            store,
            target,
            history,
            clients,
            live: Arc::default(),
            processes: 0,
            failed_disks: Vec::new(),
            seen: 0,
            faults: 0,
            finished: false,
        }
    }

    /// Runs the seed.
    pub(crate) fn run(mut self) -> Report {
        let outcome = self.live_through();
        let violation = outcome.err().map(|(invariant, message)| {
            trace::line(format!("VIOLATION of {invariant}: {message}"));
            let at_ms = self.kernel.now().as_millis() as u64;
            Violation { invariant, message, at_ms }
        });
        let (digest, _) = trace::digest();
        Report {
            seed: self.seed,
            scenario: self.scenario.name.to_owned(),
            violation,
            trace: digest,
            simulated_ms: self.kernel.now().as_millis() as u64,
            faults: self.faults,
            calls: self.history.calls().len(),
            rows: self.target.visible(),
            refused: self.target.refused(),
        }
    }

    fn live_through(&mut self) -> Result<(), (String, String)> {
        let hosts: Vec<HostId> = self.machines.keys().chain(self.workers.keys()).copied().collect();
        if !self.is_embedded() {
            hosts.into_iter().for_each(|host| self.start(host));
        }
        let mut calm = false;
        let mut rest = None;
        loop {
            self.step()?;
            let now = self.kernel.now();
            if !calm && now >= self.scenario.calm_at {
                calm = true;
                self.make_calm();
            }
            if !now.as_millis().is_multiple_of(LOOK.as_millis()) {
                continue;
            }
            self.keep_one_going();
            let view_calls = Vec::new();
            self.judge(|invariant, view| invariant.on_look(view), &view_calls)?;
            if calm && self.is_complete() {
                // Everything is where it belongs: what is still on its way may arrive.
                self.clients.calling.store(false, Ordering::Relaxed);
                let since = *rest.get_or_insert(now);
                if now > since + self.scenario.rest && self.agrees() {
                    let calls = self.history.calls();
                    return self.judge(|invariant, view| invariant.at_end(view), &calls);
                }
            }
            if now > self.scenario.calm_at + self.scenario.patience {
                return Err(("liveness".to_owned(), self.what_is_missing()));
            }
        }
    }

    /// Lets a window pass.
    fn step(&mut self) -> Result<(), (String, String)> {
        let now = self.kernel.now();
        self.services.iter().for_each(|service| service.step(now));
        while let Some((_, fault)) = self.plan.pop_front_if(|(at, _)| *at <= now) {
            self.faults += 1;
            self.strike(fault);
        }
        let (due, later) =
            std::mem::take(&mut self.later).into_iter().partition(|(at, _)| *at <= now);
        self.later = later;
        let due: Vec<(Duration, Later)> = due;
        due.into_iter().for_each(|(_, what)| self.undo(what));
        for (host, why) in self.kernel.step() {
            trace::line(format!("{} has ended: {why}", self.kernel.name(host)));
            if why.starts_with("panic") || why.contains("panicked") {
                return Err(("no_panic".to_owned(), format!("{}: {why}", self.kernel.name(host))));
            }
            if why.contains("Corrupt") {
                let what = format!("{} {why}", self.kernel.name(host));
                return Err(("starts_again".to_owned(), what));
            }
            self.finished |= why == embedded::FINISHED;
            self.end(host, false);
            if !self.is_embedded() {
                self.later.push((now + Duration::from_millis(700), Later::Start(host)));
            }
        }
        self.note_failed_disks();
        self.pass_on()
    }

    /// Shows invariants what has happened.
    fn pass_on(&mut self) -> Result<(), (String, String)> {
        let told = |invariant: &dyn Invariant, verdict: Verdict| {
            verdict.map_err(|message| (invariant.name().to_owned(), message))
        };
        for applied in self.history.take_applied() {
            for invariant in &mut self.invariants {
                let verdict = invariant.on_applied(&applied);
                told(invariant.as_ref(), verdict)?;
            }
        }
        let visible = self.target.visible_from(self.seen);
        self.seen += visible.len();
        for visible in visible {
            for invariant in &mut self.invariants {
                let verdict = invariant.on_visible(&visible);
                told(invariant.as_ref(), verdict)?;
            }
        }
        for call in self.history.take_ended() {
            for invariant in &mut self.invariants {
                let verdict = invariant.on_call(&call);
                told(invariant.as_ref(), verdict)?;
            }
        }
        Ok(())
    }

    fn judge(
        &mut self,
        ask: impl Fn(&mut dyn Invariant, &View<'_>) -> Verdict,
        calls: &[crate::history::Call],
    ) -> Result<(), (String, String)> {
        let live = self.living();
        let view = View {
            now: self.kernel.now(),
            live: &live,
            calls,
            store: &self.store,
            failed_disks: &self.failed_disks,
            feed: self.clients.version.as_ref().map(|_| self.scenario.feed),
        };
        for invariant in &mut self.invariants {
            ask(invariant.as_mut(), &view)
                .map_err(|message| (invariant.name().to_owned(), message))?;
        }
        Ok(())
    }

    fn living(&self) -> Vec<Live> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.values().cloned().collect()
    }

    fn start(&mut self, host: HostId) {
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
    fn is_embedded(&self) -> bool {
        self.machines.is_empty()
    }

    /// The job of a process of its own: while one stands still or is down, somebody starts another on its folder.
    fn keep_one_going(&mut self) {
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
    fn end(&mut self, host: HostId, power_cut: bool) {
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

    fn note_failed_disks(&mut self) {
        let live = self.living();
        for known in live {
            let machine = self.machines.get(&known.host);
            let failed = machine.is_some_and(|machine| machine.disk.has_failed());
            if failed && !self.failed_disks.iter().any(|one| one.process == known.process) {
                let (host, process, since) = (known.host, known.process, self.kernel.now());
                self.failed_disks.push(FailedDisk { host, process, since });
            }
        }
    }

    fn everyone(&self) -> Vec<HostId> {
        self.machines.keys().chain(self.workers.keys()).copied().collect()
    }

    fn at(&mut self, after: Duration, what: Later) {
        self.later.push((self.kernel.now() + after, what));
    }

    fn strike(&mut self, fault: Fault) {
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
            Fault::Isolate(host, lasting) => {
                for other in self.everyone().into_iter().filter(|other| *other != host) {
                    for (from, to) in [(host, other), (other, host)] {
                        self.kernel.network().cut(from, to, true);
                        self.at(lasting, Later::Mend(from, to));
                    }
                }
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

    fn undo(&mut self, what: Later) {
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
    fn make_calm(&mut self) {
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
        self.clients.calm.store(true, Ordering::Relaxed);
    }

    /// Whether everything that was asked for is done, and the cluster serves.
    fn is_complete(&self) -> bool {
        let live = self.living();
        let all = live.len() == self.machines.len();
        let with_job = self.clients.version.is_some();
        let feed = self.scenario.feed;
        let rows = self.target.visible() as u64 == u64::from(feed.partitions) * feed.rows;
        if self.is_embedded() {
            return self.finished;
        }
        all && live.iter().any(|live| live.metadata.leadership().borrow().is_self)
            && (!with_job
                || rows && live.iter().all(|live| live.metadata.peek(clients::has_finished)))
            && self.served()
    }

    /// Whether a call that began after the faults was answered.
    fn served(&self) -> bool {
        let calls = self.history.calls();
        let last = calls.iter().rev().take(12);
        last.filter(|call| matches!(call.ended, Some((_, Answered::At(_))))).count() >= 6
    }

    /// Whether all nodes have applied as much.
    fn agrees(&self) -> bool {
        let live = self.living();
        let mut revisions = live.iter().map(|live| live.metadata.peek(Catalog::revision));
        let first = revisions.next();
        revisions.all(|revision| Some(revision) == first)
    }

    fn what_is_missing(&self) -> String {
        let live = self.living();
        let of = |live: &Live| {
            let run = live.metadata.peek(|catalog| {
                let run = catalog.last_run(&clients::job());
                run.map(|run| format!("{} {} {:?}", run.name, run.state, run.last_failure))
            });
            let leadership = live.metadata.leadership();
            let led = leadership.borrow().clone();
            let revision = live.metadata.peek(Catalog::revision);
            format!(
                "c{}: leader {:?} in term {}, revision {revision}, {run:?}",
                live.host, led.leader, led.term
            )
        };
        let nodes: Vec<_> = live.iter().map(of).collect();
        format!(
            "{} s after the faults ended not everything works: {} rows are visible; served: {}; {}",
            self.scenario.patience.as_secs(),
            self.target.visible(),
            self.served(),
            nodes.join("; ")
        )
    }
}

/// The version of the job, if the scenario has one.
///
/// # Errors
/// If the script cannot be planned.
pub(crate) fn version_of(scenario: &Scenario) -> tidegate_types::Result<Option<VersionSpec>> {
    match scenario.workers {
        0 => Ok(None),
        _ => job::version(scenario.parallelism).map(Some),
    }
}
