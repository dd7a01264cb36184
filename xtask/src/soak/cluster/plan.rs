//! What happens in which round: drawn from the seed before the first round, as for one process.

use clap::ValueEnum;
use serde::Serialize;

use super::super::plan::Failpoint;
use super::super::prng::Prng;

/// Largest parallelism: one more than the slots of one worker, so that every job crosses processes.
pub(super) const PARALLELISM: u64 = 4;

/// A kind of fault, or of an operation beside which everything must hold as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fault {
    /// SIGKILL of a worker that runs tasks
    KillWorker,
    /// SIGKILL of the leader
    KillLeader,
    /// SIGKILL of both at once
    KillBoth,
    /// A worker or the leader kills itself at a named place
    Failpoint,
    /// SIGSTOP of a worker, which is replaced and goes on half a minute later
    StopWorker,
    /// SIGSTOP of the leader, which is replaced and goes on half a minute later
    StopLeader,
    /// The network between a worker and all others is cut, in one direction or both
    CutWorker,
    /// The network between the leader and all others is cut, in one direction or both
    CutLeader,
    /// A transaction of Kafka is open for longer than the broker allows, in a worker that lives
    Expiry,
    /// Another parallelism
    Rescale,
    /// A stop with a savepoint and a start from it
    Savepoint,
    /// A worker is drained
    Drain,
    /// All coordinators are restarted, one after the other
    Rolling,
}

/// Who a fault of processes meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Whom {
    /// A worker that runs tasks.
    Worker,
    /// The leader.
    Leader,
}

/// Which way nothing arrives any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Direction {
    /// What others send to it.
    In,
    /// What it sends.
    Out,
    /// Neither.
    Both,
}

/// Between whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Among {
    /// All nodes.
    All,
    /// Coordinators only: workers still reach the one that is cut off.
    Coordinators,
}

/// How a process comes to stand still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// At a random moment.
    Signal,
    /// At a named place, after passing it so often.
    At(Failpoint, u64),
}

/// What a round does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// SIGKILL.
    Kill {
        /// A worker.
        worker: bool,
        /// The leader.
        leader: bool,
    },
    /// The process ends itself.
    Failpoint {
        /// Where.
        place: Failpoint,
        /// How often it passes there before.
        passed: u64,
    },
    /// Stopped and let go on after others have taken its place.
    Stop(Whom, Stop),
    /// Cut off for a while.
    Cut(Whom, Direction, Among),
    /// A transaction expires.
    Expiry,
    /// Goes on at this parallelism.
    Rescale(u32),
    /// Stops with a savepoint and starts from it at this parallelism.
    Savepoint(u32),
    /// A worker is drained, and taken back.
    Drain,
    /// Coordinators are restarted in turn.
    Rolling,
}

/// One round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    /// From 1.
    pub(crate) number: u32,
    /// What happens.
    pub(crate) deed: Deed,
    /// Milliseconds from the moment at which all is well to the deed.
    pub(crate) delay_ms: u64,
    /// Whether the broker restarts meanwhile; killed if true.
    pub(crate) broker: Option<bool>,
    /// Whether the object store has faults meanwhile.
    pub(crate) store: bool,
    /// Chooses among workers.
    pub(crate) dice: u64,
}

/// Which process is at which place.
pub(crate) fn whose(place: Failpoint) -> Whom {
    match place {
        Failpoint::PrepareComplete | Failpoint::CompleteCommit => Whom::Leader,
        _ => Whom::Worker,
    }
}

/// Twenty rounds: a fault, whether the broker restarts, whether the store has faults. Each five have several kinds.
const TWENTY: [(Fault, bool, bool); 20] = [
    (Fault::KillWorker, false, false),
    (Fault::Failpoint, false, false),
    (Fault::KillLeader, false, false),
    (Fault::StopWorker, false, false),
    (Fault::CutLeader, false, false),
    //
    (Fault::Failpoint, false, false),
    (Fault::Rescale, false, true),
    (Fault::Failpoint, false, true),
    (Fault::KillBoth, false, false),
    (Fault::CutWorker, false, false),
    //
    (Fault::KillWorker, false, true),
    (Fault::Failpoint, false, false),
    (Fault::StopLeader, false, false),
    (Fault::Savepoint, false, false),
    (Fault::Failpoint, true, false),
    //
    (Fault::Drain, false, false),
    (Fault::Failpoint, false, false),
    (Fault::Rolling, false, false),
    (Fault::KillLeader, true, true),
    (Fault::Expiry, false, false),
];

/// Rounds that have several kinds of faults.
const HAND: usize = 5;

/// The rounds of a seed, of these kinds; without any, of all.
pub(crate) fn rounds(seed: u64, count: u32, kinds: &[Fault]) -> Vec<Round> {
    let mut prng = Prng::new(seed);
    let (mut deck, mut places, mut rounds) = (Vec::new(), Vec::new(), Vec::new());
    let mut parallelism = 3;
    for number in 1..=count {
        if deck.is_empty() {
            deck = TWENTY.to_vec();
            deck.chunks_mut(HAND).for_each(|hand| prng.shuffle(hand));
            deck.reverse();
        }
        let (fault, broker, store) = deck.pop().unwrap_or(TWENTY[0]);
        let other = kinds.get(prng.below(kinds.len() as u64) as usize).copied();
        let fault =
            if kinds.is_empty() || kinds.contains(&fault) { fault } else { other.unwrap_or(fault) };
        let deed = draw(&mut prng, fault, &mut places, &mut parallelism);
        rounds.push(Round {
            number,
            deed,
            delay_ms: prng.below(900),
            broker: broker.then(|| prng.chance(50.0)),
            store,
            dice: prng.bits(),
        });
    }
    rounds
}

/// Which place comes next: each once before any comes again.
fn place(prng: &mut Prng, places: &mut Vec<Failpoint>) -> (Failpoint, u64) {
    if places.is_empty() {
        *places = Failpoint::value_variants().to_vec();
        prng.shuffle(places);
    }
    let place = places.pop().unwrap_or(Failpoint::AfterCommit);
    (place, prng.below(4))
}

/// A place of a certain process, out of turn.
fn place_of(prng: &mut Prng, whom: Whom) -> (Failpoint, u64) {
    let all = Failpoint::value_variants().iter().filter(|place| whose(**place) == whom);
    let all: Vec<Failpoint> = all.copied().collect();
    let place = all.get(prng.below(all.len() as u64) as usize).copied();
    (place.unwrap_or(Failpoint::AfterCommit), prng.below(3))
}

fn draw(prng: &mut Prng, fault: Fault, places: &mut Vec<Failpoint>, parallelism: &mut u64) -> Deed {
    let stop = |prng: &mut Prng, whom| {
        let (place, passed) = place_of(prng, whom);
        // At random most stop while nothing of theirs is under way.
        let stop = if prng.chance(30.0) { Stop::Signal } else { Stop::At(place, passed) };
        Deed::Stop(whom, stop)
    };
    let direction = |prng: &mut Prng| match prng.below(3) {
        0 => Direction::In,
        1 => Direction::Out,
        _ => Direction::Both,
    };
    let mut another = |prng: &mut Prng| {
        *parallelism = 1 + (*parallelism + prng.below(PARALLELISM - 1)) % PARALLELISM;
        u32::try_from(*parallelism).unwrap_or(1)
    };
    match fault {
        Fault::KillWorker => Deed::Kill { worker: true, leader: false },
        Fault::KillLeader => Deed::Kill { worker: false, leader: true },
        Fault::KillBoth => Deed::Kill { worker: true, leader: true },
        Fault::Failpoint => {
            let (place, passed) = place(prng, places);
            Deed::Failpoint { place, passed }
        }
        Fault::StopWorker => stop(prng, Whom::Worker),
        Fault::StopLeader => stop(prng, Whom::Leader),
        Fault::CutWorker => Deed::Cut(Whom::Worker, direction(prng), Among::All),
        Fault::CutLeader => {
            let among = if prng.chance(50.0) { Among::All } else { Among::Coordinators };
            Deed::Cut(Whom::Leader, direction(prng), among)
        }
        Fault::Expiry => Deed::Expiry,
        Fault::Rescale => Deed::Rescale(another(prng)),
        Fault::Savepoint => Deed::Savepoint(another(prng)),
        Fault::Drain => Deed::Drain,
        Fault::Rolling => Deed::Rolling,
    }
}

impl Deed {
    /// Its kind, for counts.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Kill { worker: true, leader: true } => "kill-both",
            Self::Kill { leader: true, .. } => "kill-leader",
            Self::Kill { .. } => "kill-worker",
            Self::Failpoint { .. } => "failpoint",
            Self::Stop(Whom::Worker, _) => "stop-worker",
            Self::Stop(Whom::Leader, _) => "stop-leader",
            Self::Cut(Whom::Worker, ..) => "cut-worker",
            Self::Cut(Whom::Leader, ..) => "cut-leader",
            Self::Expiry => "expiry",
            Self::Rescale(_) => "rescale",
            Self::Savepoint(_) => "savepoint",
            Self::Drain => "drain",
            Self::Rolling => "rolling",
        }
    }

    /// Whether tasks must run on as if nothing had happened.
    pub(crate) fn spares_tasks(&self) -> bool {
        matches!(
            self,
            Self::Kill { worker: false, .. }
                | Self::Stop(Whom::Leader, _)
                | Self::Cut(Whom::Leader, ..)
                | Self::Rolling
        ) || matches!(self, Self::Failpoint { place, .. } if whose(*place) == Whom::Leader)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_repeats_its_rounds_and_a_hundred_have_everything() {
        let all = rounds(7, 100, &[]);
        assert_eq!(all, rounds(7, 100, &[]));
        assert_ne!(all, rounds(8, 100, &[]));
        let kinds: BTreeSet<&str> = all.iter().map(|round| round.deed.kind()).collect();
        assert_eq!(kinds.len(), 13, "{kinds:?}");
        let places: BTreeSet<_> = all
            .iter()
            .filter_map(|round| match round.deed {
                Deed::Failpoint { place, .. } => Some(place),
                _ => None,
            })
            .collect();
        assert_eq!(places.len(), Failpoint::value_variants().len());
        let cuts: Vec<Direction> = all
            .iter()
            .filter_map(|round| match round.deed {
                Deed::Cut(_, direction, _) => Some(direction),
                _ => None,
            })
            .collect();
        for direction in [Direction::In, Direction::Out, Direction::Both] {
            assert!(cuts.contains(&direction), "{cuts:?}");
        }
        assert!(
            all.iter().any(|round| round.store) && all.iter().any(|round| round.broker.is_some())
        );
    }

    #[test]
    fn chosen_kinds_take_the_place_of_all_others() {
        let some = rounds(7, 40, &[Fault::Drain, Fault::Rolling]);
        assert!(some.iter().all(|round| matches!(round.deed, Deed::Drain | Deed::Rolling)));
    }
}
