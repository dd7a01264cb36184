//! One round: the job runs, something happens, and everything must work again.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::super::place::restart_broker;
use super::super::plan::{Failpoint, name_of};
use super::super::subject::by_kill;
use super::calm::{BOUND, JOB, Progress, Stage, armed};
use super::plan::{Among, Deed, Direction, Round, Stop, Whom, whose};
use super::refusals::Logs;
use super::report::Tally;
use crate::cluster::client::Run;
use crate::cluster::nodes::{COORDINATORS, Node};

/// How long a process may take to a failpoint.
const FAILPOINT: Duration = Duration::from_secs(20);

/// How long a process stands still.
const STOPPED: Duration = Duration::from_secs(30);

/// How long the network is cut at least.
const CUT: Duration = Duration::from_secs(10);

/// How long the store's faults go on behind a deed.
const STORE: Duration = Duration::from_secs(3);

/// How long a transaction is held open: longer than the job allows, and than the broker takes to look.
const HELD_MS: u64 = 35_000;

/// What shows that the job goes on.
const TWO: Progress = Progress { checkpoints: 2, new_attempt: false };
const TWO_OF_ANOTHER: Progress = Progress { checkpoints: 2, new_attempt: true };

impl Stage<'_> {
    /// Carries out a round. An error is one of the harness; offences go into the tally.
    pub(super) fn run(&mut self, round: &Round, tally: &mut Tally) -> Result<()> {
        self.feed.release_half();
        self.feed.release_half();
        let logs = Logs::now(&self.cluster)?;
        let started = self.current()?;
        let Some(before) = self.further(
            round,
            &started,
            Progress { checkpoints: 1, new_attempt: false },
            BOUND,
            tally,
        )?
        else {
            return Ok(());
        };
        std::thread::sleep(Duration::from_millis(round.delay_ms));
        self.proxy.trouble(round.store);
        let home = self.home;
        let broker = round.broker.map(|kill| {
            let home = home.clone();
            std::thread::spawn(move || restart_broker(&home, kill))
        });
        let begin = Instant::now();
        let outcome = self.deed(round, &before, tally);
        if round.store {
            std::thread::sleep(STORE);
        }
        self.proxy.trouble(false);
        if let Some(broker) = broker {
            broker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            tally.broker_restarts += 1;
        }
        outcome?;
        let now = self.current()?;
        let limit = if round.broker.is_some() { BOUND * 2 } else { BOUND };
        if let Some(after) = self.further(round, &now, TWO, limit, tally)? {
            self.compare(round, &before, &after, begin, tally);
        }
        if let Err(last) = self.cluster.whole(BOUND)? {
            tally.offence(format!("round {}: not everybody is back: {last}", round.number));
        }
        let refused = logs.refused(&self.cluster)?;
        eprintln!("   {:.1} s, refused: {}", begin.elapsed().as_secs_f64(), refused.text());
        if matches!(round.deed, Deed::Stop(..) | Deed::Cut(..)) {
            tally.refusals.add(&refused);
        }
        self.inspect(round, &logs, tally)
    }

    fn compare(&self, round: &Round, before: &Run, after: &Run, begin: Instant, tally: &mut Tally) {
        tally.attempts += after.attempt.saturating_sub(before.attempt);
        tally.checkpoints += after.checkpoint.saturating_sub(before.checkpoint);
        let took = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        let longest = tally.longest_recovery_ms.entry(round.deed.kind()).or_default();
        *longest = took.max(*longest);
        if round.deed.spares_tasks() && !round.store && round.broker.is_none() {
            if after.attempt == before.attempt {
                tally.adopted += 1;
            } else {
                tally.offence(format!(
                    "round {}: tasks were started again (attempt {} after {}) although no worker was lost: {}",
                    round.number, after.attempt, before.attempt, after.text
                ));
            }
        }
    }

    fn deed(&mut self, round: &Round, before: &Run, tally: &mut Tally) -> Result<()> {
        match round.deed {
            Deed::Kill { worker, leader } => self.kill(round, before, (worker, leader), tally),
            Deed::Failpoint { place, passed } => {
                self.failpoint(round, before, place, passed, tally)
            }
            Deed::Stop(whom, stop) => self.stop(round, before, whom, stop, tally),
            Deed::Cut(whom, direction, among) => {
                self.cut(round, before, whom, (direction, among), tally)
            }
            Deed::Expiry => {
                let worker = self.busy(round.dice)?;
                let held = format!("1*sleep({HELD_MS})->off");
                self.cluster.arm(worker, &armed(Failpoint::InsideTransaction, 1, &held))?;
                let limit = BOUND + Duration::from_millis(HELD_MS);
                self.further(round, before, TWO_OF_ANOTHER, limit, tally)?;
                self.cluster.disarm(worker)
            }
            Deed::Rescale(parallelism) => {
                self.ask(
                    round,
                    &["job", "rescale", JOB, "--parallelism", &parallelism.to_string()],
                    tally,
                );
                Ok(())
            }
            Deed::Savepoint(parallelism) => {
                let id = format!("round-{}", round.number);
                self.ask(round, &["job", "stop", JOB, "--savepoint", &id], tally);
                let parallelism = parallelism.to_string();
                let start =
                    ["job", "start", JOB, "--from-savepoint", &id, "--parallelism", &parallelism];
                self.ask(round, &start, tally);
                Ok(())
            }
            Deed::Drain => {
                let worker = self.busy(round.dice)?;
                self.ask(round, &["cluster", "drain-worker", &worker.to_string()], tally);
                self.further(round, before, TWO, BOUND, tally)?;
                self.ask(round, &["cluster", "undrain-worker", &worker.to_string()], tally);
                Ok(())
            }
            Deed::Rolling => {
                for id in 1..=COORDINATORS {
                    self.cluster.restart(Node::Coordinator(id))?;
                    if let Err(last) = self.cluster.whole(BOUND)? {
                        tally.offence(format!("round {}: no leader: {last}", round.number));
                    }
                    let now = self.current()?;
                    self.further(round, &now, TWO, BOUND, tally)?;
                }
                Ok(())
            }
        }
    }

    /// Runs a command that must succeed.
    fn ask(&self, round: &Round, arguments: &[&str], tally: &mut Tally) {
        if let Err(error) = self.client().ask(arguments) {
            // The store's faults may keep a savepoint or a restart from being.
            if round.store {
                eprintln!("   {error:#}");
            } else {
                tally.offence(format!("round {}: {error:#}", round.number));
            }
        }
    }

    fn kill(
        &mut self,
        round: &Round,
        before: &Run,
        (worker, leader): (bool, bool),
        tally: &mut Tally,
    ) -> Result<()> {
        let worker = worker.then(|| self.busy(round.dice)).transpose()?;
        let leader = leader.then(|| self.leader()).transpose()?;
        let since = Instant::now();
        for node in worker.iter().chain(&leader) {
            self.cluster.kill(*node)?;
            tally.kills += 1;
        }
        self.lost(round, before, worker, leader.map(|leader| (leader, since)), tally)
    }

    /// The job goes on without these, and they are started again.
    fn lost(
        &mut self,
        round: &Round,
        before: &Run,
        worker: Option<Node>,
        leader: Option<(Node, Instant)>,
        tally: &mut Tally,
    ) -> Result<()> {
        if let Some((leader, since)) = leader {
            self.new_leader(leader, since, round, tally)?;
        }
        let wanted = if worker.is_some() { TWO_OF_ANOTHER } else { TWO };
        // A broker that restarts holds the job up as well.
        let limit = if round.broker.is_some() || round.store { BOUND * 2 } else { BOUND };
        self.further(round, before, wanted, limit, tally)?;
        for node in worker.into_iter().chain(leader.map(|(leader, _)| leader)) {
            self.cluster.run(node)?;
        }
        Ok(())
    }

    fn victim(&self, round: &Round, whom: Whom) -> Result<Node> {
        match whom {
            Whom::Worker => self.busy(round.dice),
            Whom::Leader => self.leader(),
        }
    }

    fn failpoint(
        &mut self,
        round: &Round,
        before: &Run,
        place: Failpoint,
        passed: u64,
        tally: &mut Tally,
    ) -> Result<()> {
        let whom = whose(place);
        let node = self.victim(round, whom)?;
        self.cluster.arm(node, &armed(place, passed, "return"))?;
        let ended = self.cluster.wait(node, FAILPOINT)?;
        self.cluster.disarm(node)?;
        match ended {
            Some(status) if by_kill(status) => {
                *tally.failpoints_hit.entry(name_of(place)).or_default() += 1;
                let since = Instant::now();
                match whom {
                    Whom::Worker => self.lost(round, before, Some(node), None, tally),
                    Whom::Leader => self.lost(round, before, None, Some((node, since)), tally),
                }
            }
            Some(status) => {
                tally.offence(format!(
                    "round {}: {node} ended by itself with {status}",
                    round.number
                ));
                self.cluster.run(node)
            }
            None => {
                *tally.failpoints_missed.entry(name_of(place)).or_default() += 1;
                eprintln!("   {node} did not come to {}", name_of(place));
                Ok(())
            }
        }
    }

    /// A process stands still, others take its place, and then it goes on.
    fn stop(
        &mut self,
        round: &Round,
        before: &Run,
        whom: Whom,
        stop: Stop,
        tally: &mut Tally,
    ) -> Result<()> {
        let node = self.victim(round, whom)?;
        if let Stop::At(place, passed) = stop {
            self.cluster.arm(node, &armed(place, passed, "1*stop->off"))?;
            let begin = Instant::now();
            while !self.cluster.stopped(node) && begin.elapsed() < FAILPOINT {
                self.go_on()?;
                std::thread::sleep(Duration::from_millis(10));
            }
            if self.cluster.stopped(node) {
                *tally.stopped_at.entry(name_of(place)).or_default() += 1;
            }
        }
        let since = Instant::now();
        // Nothing changes for one that has stopped already.
        self.cluster.signal(node, "STOP")?;
        tally.stops += 1;
        match whom {
            Whom::Leader => {
                self.new_leader(node, since, round, tally)?;
                self.further(round, before, TWO, BOUND, tally)?;
            }
            Whom::Worker => {
                self.further(round, before, TWO_OF_ANOTHER, BOUND, tally)?;
            }
        }
        while since.elapsed() < STOPPED {
            self.go_on()?;
            std::thread::sleep(Duration::from_millis(100));
        }
        self.cluster.signal(node, "CONT")?;
        self.cluster.disarm(node)
    }

    /// The network is cut, the job goes on without whom it cuts off, and the network is whole again.
    fn cut(
        &mut self,
        round: &Round,
        before: &Run,
        whom: Whom,
        (direction, among): (Direction, Among),
        tally: &mut Tally,
    ) -> Result<()> {
        let node = self.victim(round, whom)?;
        let Some(hosts) = &self.cluster.hosts else { return Ok(()) };
        let victim = node.host();
        let others = self.cluster.nodes().into_iter().filter(|other| {
            *other != node && (among == Among::All || matches!(other, Node::Coordinator(_)))
        });
        let since = Instant::now();
        for other in others.map(Node::host) {
            if direction != Direction::Out {
                hosts.cut(other, victim)?;
            }
            if direction != Direction::In {
                hosts.cut(victim, other)?;
            }
        }
        tally.cuts += 1;
        let wanted = match whom {
            Whom::Worker => TWO_OF_ANOTHER,
            Whom::Leader => {
                self.new_leader(node, since, round, tally)?;
                TWO
            }
        };
        let went_on = self.further(round, before, wanted, BOUND, tally)?;
        if let (Whom::Leader, Some(went_on)) = (whom, went_on) {
            self.no_stale_read(round, node, &went_on, tally);
        }
        while since.elapsed() < CUT {
            self.go_on()?;
            std::thread::sleep(Duration::from_millis(100));
        }
        let hosts = self.cluster.hosts.as_ref();
        if let Some(hosts) = hosts {
            tally.packets_swallowed += hosts.swallowed()?;
            hosts.heal()?;
        }
        Ok(())
    }

    /// A leader that was cut off may say nothing, but not something that is over.
    fn no_stale_read(&self, round: &Round, node: Node, known: &Run, tally: &mut Tally) {
        let address = self.cluster.address(node);
        let Ok(answer) = self.client().ask_at(address, &["job", "describe", JOB]) else { return };
        let text = &answer["latestRun"]["latestCheckpoint"]["number"];
        let number = text.as_str().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        if number < known.checkpoint {
            tally.offence(format!(
                "round {}: {node}, cut off, answered with checkpoint {number} when {} was known",
                round.number, known.checkpoint
            ));
        }
    }
}

/// One line about a round, before it begins.
pub(super) fn announce(round: &Round, of: u32) -> String {
    let whom = |whom| match whom {
        Whom::Worker => "a worker",
        Whom::Leader => "the leader",
    };
    let deed = match round.deed {
        Deed::Kill { worker: true, leader: true } => {
            "kill -9 of a worker and the leader".to_owned()
        }
        Deed::Kill { leader: true, .. } => "kill -9 of the leader".to_owned(),
        Deed::Kill { .. } => "kill -9 of a worker".to_owned(),
        Deed::Failpoint { place, passed } => {
            format!("kill -9 of {} at {} number {}", whom(whose(place)), name_of(place), passed + 1)
        }
        Deed::Stop(who, Stop::Signal) => format!("{} stands still for 30 s", whom(who)),
        Deed::Stop(who, Stop::At(place, passed)) => {
            format!(
                "{} stands still for 30 s at {} number {}",
                whom(who),
                name_of(place),
                passed + 1
            )
        }
        Deed::Cut(who, direction, among) => {
            let way = match direction {
                Direction::In => "nothing arrives at",
                Direction::Out => "nothing arrives from",
                Direction::Both => "nothing arrives at or from",
            };
            let among = if among == Among::Coordinators { " among coordinators" } else { "" };
            format!("{way} {}{among}", whom(who))
        }
        Deed::Expiry => "a transaction stays open for too long".to_owned(),
        Deed::Rescale(parallelism) => format!("on with parallelism {parallelism}"),
        Deed::Savepoint(parallelism) => {
            format!("stop with a savepoint, start from it with parallelism {parallelism}")
        }
        Deed::Drain => "a worker is drained".to_owned(),
        Deed::Rolling => "all coordinators are restarted in turn".to_owned(),
    };
    let broker = match round.broker {
        Some(true) => ", broker killed",
        Some(false) => ", broker restarted",
        None => "",
    };
    let store = if round.store { ", store with faults" } else { "" };
    format!("── round {} of {of}: {deed}{broker}{store}", round.number)
}
