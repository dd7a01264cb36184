//! What goes wrong, and when: drawn from the seed before anything runs.

use std::time::Duration;

use crate::clients::Deed;
use crate::kernel::HostId;
use crate::outside::service::Faults;
use crate::random::Random;

/// Something that goes wrong, or that the owner of the job does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    /// `kill -9`, and a start after a while.
    Kill(HostId, Duration),
    /// The power fails and comes back after a while.
    PowerCut(HostId, Duration),
    /// The power of all coordinators fails at once.
    Blackout(Duration),
    /// SIGSTOP, and SIGCONT after a while.
    Pause(HostId, Duration),
    /// A host reaches no other for a while, and is not reached.
    Isolate(HostId, Duration),
    /// A coordinator and the others do not reach each other for a while; workers reach it.
    Secede(HostId, Duration),
    /// What one host sends to another does not arrive for a while.
    CutOneWay(HostId, HostId, Duration),
    /// What one host sends to another takes longer.
    Slow(HostId, HostId, u64),
    /// The object store is in trouble for a while.
    Store(FaultsOf, Duration),
    /// The target is in trouble for a while.
    Target(FaultsOf, Duration),
    /// A host does not reach the object store for a while.
    StoreCut(HostId, Duration),
    /// The next operation of a coordinator's disk fails.
    Disk(HostId),
    /// A coordinator's wall clock jumps by so many milliseconds.
    Clock(HostId, i64),
    /// The owner of the job does something.
    Deed(Deed),
}

/// How often a server fails, of a hundred requests: refused, answer lost, late.
pub(crate) type FaultsOf = (u64, u64, u64);

/// Those as the server takes them.
pub(crate) fn rates((refused, lost, late): FaultsOf) -> Faults {
    Faults { refused, lost, late }
}

/// How often each kind comes; the numbers are shares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mix {
    pub(crate) kill_coordinator: u64,
    pub(crate) power_cut: u64,
    pub(crate) blackout: u64,
    pub(crate) pause_coordinator: u64,
    pub(crate) isolate_coordinator: u64,
    pub(crate) secede: u64,
    pub(crate) one_way: u64,
    pub(crate) slow: u64,
    pub(crate) kill_worker: u64,
    pub(crate) pause_worker: u64,
    pub(crate) isolate_worker: u64,
    pub(crate) store: u64,
    pub(crate) target: u64,
    pub(crate) disk: u64,
    pub(crate) clock: u64,
    pub(crate) deed: u64,
    /// How many come.
    pub(crate) count: (u64, u64),
}

impl Mix {
    /// Some of everything.
    pub(crate) const ALL: Self = Self {
        kill_coordinator: 5,
        power_cut: 5,
        blackout: 1,
        pause_coordinator: 5,
        isolate_coordinator: 4,
        secede: 4,
        one_way: 4,
        slow: 2,
        kill_worker: 5,
        pause_worker: 4,
        isolate_worker: 4,
        store: 4,
        target: 4,
        disk: 2,
        clock: 2,
        deed: 8,
        count: (3, 9),
    };

    /// Nothing.
    pub(crate) const NONE: Self = Self {
        kill_coordinator: 0,
        power_cut: 0,
        blackout: 0,
        pause_coordinator: 0,
        isolate_coordinator: 0,
        secede: 0,
        one_way: 0,
        slow: 0,
        kill_worker: 0,
        pause_worker: 0,
        isolate_worker: 0,
        store: 0,
        target: 0,
        disk: 0,
        clock: 0,
        deed: 0,
        count: (0, 1),
    };

    /// Only what happens to workers and around them.
    pub(crate) const WORKERS: Self =
        Self { kill_worker: 5, pause_worker: 5, store: 4, target: 4, count: (3, 8), ..Self::NONE };

    /// Only what happens to coordinators and between them.
    pub(crate) const COORDINATORS: Self = Self {
        kill_worker: 0,
        pause_worker: 0,
        isolate_worker: 0,
        store: 0,
        target: 0,
        deed: 0,
        count: (3, 8),
        ..Self::ALL
    };
}

/// The hosts that faults may choose from.
#[derive(Debug, Clone)]
pub(crate) struct Cast {
    pub(crate) coordinators: Vec<HostId>,
    pub(crate) workers: Vec<(HostId, String)>,
}

/// Draws what happens between two moments, in order.
pub(crate) fn draw(
    random: &mut Random,
    mix: &Mix,
    cast: &Cast,
    during: (Duration, Duration),
) -> Vec<(Duration, Fault)> {
    let count = mix.count.0 + random.below((mix.count.1 - mix.count.0).max(1));
    let span = during.0.as_millis() as u64..during.1.as_millis() as u64;
    let mut plan: Vec<_> = (0..count)
        .filter_map(|number| Some((random.millis(span.clone()), one(random, mix, cast, number)?)))
        .collect();
    plan.sort_by_key(|(at, _)| *at);
    plan
}

fn one(random: &mut Random, mix: &Mix, cast: &Cast, number: u64) -> Option<Fault> {
    let shares = [
        mix.kill_coordinator,
        mix.power_cut,
        mix.blackout,
        mix.pause_coordinator,
        mix.isolate_coordinator,
        mix.one_way,
        mix.slow,
        mix.kill_worker,
        mix.pause_worker,
        mix.isolate_worker,
        mix.store,
        mix.target,
        mix.disk,
        mix.clock,
        mix.deed,
        mix.secede,
    ];
    let mut drawn = random.below(shares.iter().sum::<u64>().max(1));
    let kind = shares.iter().position(|share| {
        let here = drawn < *share;
        drawn = drawn.saturating_sub(*share);
        here
    })?;
    let everyone: Vec<HostId> =
        cast.coordinators.iter().copied().chain(cast.workers.iter().map(|w| w.0)).collect();
    let coordinators = if cast.coordinators.is_empty() { &everyone } else { &cast.coordinators };
    let coordinator = *random.pick(coordinators);
    let worker = (!cast.workers.is_empty()).then(|| random.pick(&cast.workers).clone());
    let lasting = random.millis(300..6_000);
    let (from, to) = (*random.pick(&everyone), *random.pick(&everyone));
    Some(match kind {
        0 => Fault::Kill(coordinator, random.millis(50..3_000)),
        1 => Fault::PowerCut(coordinator, random.millis(50..3_000)),
        2 => Fault::Blackout(random.millis(50..2_000)),
        3 => Fault::Pause(coordinator, lasting),
        4 => Fault::Isolate(coordinator, lasting),
        5 => Fault::CutOneWay(from, to, lasting),
        6 => Fault::Slow(from, to, 50 + random.below(400)),
        7 => Fault::Kill(worker?.0, random.millis(50..3_000)),
        8 => Fault::Pause(worker?.0, lasting * 2),
        9 => Fault::Isolate(worker?.0, lasting * 2),
        10 if random.percent(30) => Fault::StoreCut(*random.pick(&everyone), lasting),
        10 => Fault::Store((random.below(30), random.below(30), random.below(20)), lasting),
        11 => Fault::Target((random.below(40), random.below(40), random.below(20)), lasting),
        12 => Fault::Disk(coordinator),
        13 => Fault::Clock(coordinator, random.below(120_000) as i64 - 60_000),
        14 => Fault::Deed(deed(random, worker?.1, number)),
        _ => Fault::Secede(coordinator, lasting),
    })
}

fn deed(random: &mut Random, worker: String, number: u64) -> Deed {
    match random.below(10) {
        0..=2 => Deed::Rescale(1 + random.below(3) as u32),
        3..=4 => Deed::Savepoint(format!("s{number}")),
        5 => Deed::Stop(format!("s{number}")),
        6 => Deed::Cancel,
        7 => Deed::StartAgain,
        8 => Deed::Drain(worker),
        _ => Deed::Undrain(worker),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_faults_in_order_and_of_the_chosen_kinds() {
        let cast = Cast { coordinators: vec![1, 2, 3], workers: vec![(4, "w1".to_owned())] };
        let during = (Duration::from_secs(1), Duration::from_secs(9));
        let draw = |mix: &Mix| draw(&mut Random::of(7, "faults"), mix, &cast, during);
        assert_eq!(draw(&Mix::ALL), draw(&Mix::ALL));
        assert!(draw(&Mix::ALL).is_sorted_by_key(|(at, _)| *at));
        let disks = Mix { disk: 1, count: (5, 6), ..Mix::NONE };
        let drawn = draw(&disks);
        assert_eq!(drawn.len(), 5);
        assert!(drawn.iter().all(|(_, fault)| matches!(fault, Fault::Disk(_))));
        assert!(draw(&Mix::NONE).is_empty());
    }
}
