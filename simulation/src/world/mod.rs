//! One seed from its beginning to its end: hosts are started, faults come and go, and what must hold is looked at.

mod judging;
mod processes;
mod striking;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidegate_catalog::VersionSpec;
use tidegate_coordinator::raft::observation::observe;

use crate::clients::Clients;
use crate::cluster::embedded;
use crate::cluster::machine::Machine;
use crate::faults::{Cast, Fault};
use crate::history::History;
use crate::invariants::{self, FailedDisk, Invariant, Live};
use crate::kernel::{HostId, Kernel};
use crate::outside::service::Service;
use crate::outside::store::SimulatedStore;
use crate::outside::target::Target;
use crate::random::Random;
use crate::scenario::Scenario;
use crate::{job, trace};
use striking::Later;

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
    /// Calls that had begun when faults ended.
    calls_before_calm: usize,
    /// A process has processed all input of the job.
    finished: bool,
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
            calls_before_calm: 0,
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

    fn living(&self) -> Vec<Live> {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.values().cloned().collect()
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
