//! What happens in which round: drawn from the seed before the first round, so that a seed repeats it. The moments at
//! which faults meet the job are not repeated: those belong to the machine.

use clap::ValueEnum;
use serde::Serialize;

use super::input::PARTITIONS;
use super::prng::Prng;

/// Largest parallelism of a round.
const PARALLELISM: u64 = 4;

/// Most often that a failpoint is passed before it ends the process: checkpoints reach the first ones many times in a
/// round, but only epochs with output commit.
const PASSED: u64 = 8;
const COMMITS_PASSED: u64 = 3;

/// Most checkpoints that an older run misses: enough for what it knew to be cleaned away meanwhile.
const MISSED: u64 = 12;

/// Of so many kills one comes without waiting for a checkpoint.
const EARLY: u64 = 5;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fault {
    /// SIGKILL at a random moment
    Kill,
    /// The process kills itself at a named place
    Failpoint,
    /// The broker is stopped or killed and starts again, during the round
    Broker,
    /// The object store answers wrongly, late or not at all, by a proxy
    Store,
    /// The process is stopped, a successor started, and then the old one goes on
    Zombie,
    /// A partition of the input gets no records, and windows must close without it
    Idle,
    /// The job goes on from a savepoint for a while, and then back to that savepoint
    Rewind,
    /// A second job begins at a savepoint of the first, which goes on
    Fork,
    /// The markers of visible output are deleted: the job must refuse to start until they are back
    Marker,
}

/// A place at which a process can end itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Failpoint {
    /// A task got the barrier and has done nothing about it
    BeforeBarrier,
    /// A task's files are uploaded and it has not acknowledged
    AfterUpload,
    /// The manifest is written and the job's record does not name it
    PrepareComplete,
    /// The job's record names the checkpoint and no sink has committed
    CompleteCommit,
    /// A transaction has some of its records
    InsideTransaction,
    /// A transaction is committed and nobody knows
    AfterCommit,
}

/// A safeguard that is taken out, to see that the soak notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
pub(crate) enum Mutation {
    /// Recovery writes staged output without looking whether its marker is there
    #[value(name = "skip-marker-check")]
    #[serde(rename = "skip-marker-check")]
    MarkerCheck,
    /// An older run is not refused
    #[value(name = "skip-attempt-check")]
    #[serde(rename = "skip-attempt-check")]
    AttemptCheck,
    /// Recovery forgets the staged output that the checkpoint names
    #[value(name = "skip-settlement")]
    #[serde(rename = "skip-settlement")]
    Settlement,
}

/// The name of a value on the command line, which is that of the place in the program as well.
pub(crate) fn name_of(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// One round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    /// From 1.
    pub(crate) number: u32,
    /// Subtasks per operator.
    pub(crate) parallelism: u32,
    /// How it ends.
    pub(crate) ending: Ending,
    /// Whether the broker restarts meanwhile, and how.
    pub(crate) broker: Option<Broker>,
    /// Whether the object store has faults, and from when on.
    pub(crate) store: Option<Store>,
    /// The partition of the input without records.
    pub(crate) idle: Option<u32>,
}

/// How a round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// SIGKILL after so many checkpoints of its own, and a while.
    Kill {
        /// Completed checkpoints to wait for.
        checkpoints: u64,
        /// Milliseconds after that; after the start of the process if no checkpoint is waited for.
        delay_ms: u64,
    },
    /// The process ends itself.
    Failpoint {
        /// Where.
        place: Failpoint,
        /// How often it passes there before.
        passed: u64,
    },
    /// It is stopped, and its successor is killed before or after it goes on.
    Zombie {
        /// Whether it goes on while its successor runs.
        beside_successor: bool,
        /// Milliseconds from its checkpoints to its stop.
        delay_ms: u64,
        /// Checkpoints that its successor completes before it goes on or the successor is killed.
        missed: u64,
    },
    /// It stops with a savepoint, goes on from that, is killed, and goes back to the savepoint.
    Rewind {
        /// Checkpoints before the savepoint.
        before: u64,
        /// Checkpoints behind it, which the way back takes back.
        after: u64,
        /// Milliseconds from those to the kill.
        delay_ms: u64,
        /// How the run that went back ends.
        end: End,
    },
    /// It stops with a savepoint, from which it goes on and another job begins; both are killed, and the other one goes
    /// on for a while and stops with a savepoint.
    Fork {
        /// Checkpoints before the savepoint.
        before: u64,
        /// Subtasks per operator of the other job, first and after its kill.
        parallelism: [u32; 2],
        /// How the first run of the other job ends.
        end: End,
    },
    /// It is killed, the markers are deleted, a start must be refused, the markers are written again, and it goes on.
    Marker {
        /// Checkpoints before the kill.
        checkpoints: u64,
        /// Milliseconds from those to the kill.
        delay_ms: u64,
    },
}

/// How one of the runs of a round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// SIGKILL after so many checkpoints, at least one.
    Kill(u64),
    /// At the first time that it comes to a place.
    Failpoint(Failpoint),
}

/// From when on the object store has faults: a restore that meets one may fail for good, and then the rest of the
/// round shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// From the start of the process.
    Restore,
    /// From its first checkpoint.
    Checkpoints,
}

/// How the broker restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broker {
    /// By SIGKILL instead of its own way to stop.
    pub(crate) killed: bool,
    /// Milliseconds after the start of the round.
    pub(crate) delay_ms: u64,
}

/// What rounds may be made of.
#[derive(Clone, Debug)]
pub(crate) struct Mix {
    faults: Vec<Fault>,
    failpoints: Vec<Failpoint>,
}

impl Mix {
    /// The faults that the caller chose; without a choice those that reveal the mutation, or all. A binary without
    /// failpoints has none.
    pub(crate) fn new(chosen: &[Fault], mutation: Option<Mutation>, has_failpoints: bool) -> Self {
        let all = Fault::value_variants();
        let mut faults = match mutation {
            _ if !chosen.is_empty() => chosen.to_vec(),
            None => all.to_vec(),
            Some(Mutation::AttemptCheck) => vec![Fault::Zombie],
            Some(Mutation::MarkerCheck | Mutation::Settlement) => vec![Fault::Failpoint],
        };
        faults.retain(|fault| has_failpoints || *fault != Fault::Failpoint);
        let failpoints = match mutation {
            Some(Mutation::MarkerCheck) => vec![Failpoint::AfterCommit],
            Some(Mutation::Settlement) => vec![Failpoint::CompleteCommit],
            _ => Failpoint::value_variants().to_vec(),
        };
        Self { faults, failpoints }
    }

    /// The same without a kind.
    pub(crate) fn without(mut self, kind: Fault) -> Self {
        self.faults.retain(|fault| *fault != kind);
        self
    }

    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    /// The kind itself, or one that may be instead.
    fn ending(&self, wanted: Fault, prng: &mut Prng) -> Fault {
        if self.has(wanted) {
            return wanted;
        }
        let endings =
            self.faults.iter().filter(|kind| !matches!(kind, Fault::Broker | Fault::Store));
        let endings: Vec<Fault> = endings.copied().collect();
        endings.get(prng.below(endings.len() as u64) as usize).copied().unwrap_or(Fault::Kill)
    }
}

/// An ending, whether the broker restarts, whether the store is behind the proxy. Each five have several kinds, so that
/// few rounds are worth something; all fifteen have every kind.
const FIFTEEN: [(Fault, bool, bool); 15] = [
    (Fault::Kill, true, false),
    (Fault::Failpoint, false, true),
    (Fault::Zombie, false, false),
    (Fault::Failpoint, false, false),
    (Fault::Idle, false, false),
    //
    (Fault::Kill, false, true),
    (Fault::Failpoint, false, false),
    (Fault::Rewind, false, false),
    (Fault::Failpoint, true, false),
    (Fault::Failpoint, false, false),
    //
    (Fault::Fork, false, false),
    (Fault::Failpoint, false, false),
    (Fault::Kill, false, false),
    (Fault::Failpoint, false, true),
    (Fault::Marker, false, false),
];

/// Rounds that have several kinds of faults.
const HAND: usize = 5;

/// The rounds of a seed.
pub(crate) fn rounds(seed: u64, count: u32, mix: &Mix) -> Vec<Round> {
    let mut prng = Prng::new(seed);
    let mut places = Vec::new();
    let mut parallelism = prng.between(1, PARALLELISM);
    let mut rounds: Vec<Round> = Vec::new();
    let mut deck = Vec::new();
    for number in 1..=count {
        if deck.is_empty() {
            deck = FIFTEEN.to_vec();
            deck.chunks_mut(HAND).for_each(|hand| prng.shuffle(hand));
            deck.reverse();
        }
        let (ending, broker, store) = deck.pop().unwrap_or(FIFTEEN[0]);
        let kind = mix.ending(ending, &mut prng);
        if prng.chance(50.0) {
            parallelism = 1 + (parallelism + prng.below(PARALLELISM - 1)) % PARALLELISM;
        }
        let broker = (broker && mix.has(Fault::Broker))
            .then(|| Broker { killed: prng.chance(50.0), delay_ms: prng.between(200, 2_500) });
        let from = if prng.chance(50.0) { Store::Restore } else { Store::Checkpoints };
        let idle = (kind == Fault::Idle).then(|| small(prng.below(u64::from(PARTITIONS))));
        rounds.push(Round {
            number,
            parallelism: small(parallelism),
            ending: draw(&mut prng, mix, kind, &mut places, number == 1),
            broker: broker.filter(|_| troubles(kind)),
            store: (store && mix.has(Fault::Store) && troubles(kind)).then_some(from),
            idle,
        });
    }
    rounds
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// Whether broker and store may have faults as well: where one run has to come to a certain point they have none.
fn troubles(kind: Fault) -> bool {
    !matches!(kind, Fault::Idle | Fault::Rewind | Fault::Fork | Fault::Marker)
}

/// The first round must leave a checkpoint directory to go on from, so it is never killed early.
fn draw(
    prng: &mut Prng,
    mix: &Mix,
    kind: Fault,
    places: &mut Vec<Failpoint>,
    first: bool,
) -> Ending {
    match kind {
        Fault::Failpoint => {
            let place = next_place(prng, mix, places);
            let most = match place {
                Failpoint::BeforeBarrier | Failpoint::AfterUpload | Failpoint::PrepareComplete => {
                    PASSED
                }
                _ => COMMITS_PASSED,
            };
            Ending::Failpoint { place, passed: prng.below(most + 1) }
        }
        Fault::Zombie => {
            let (beside_successor, delay_ms) = (prng.chance(50.0), prng.below(400));
            Ending::Zombie { beside_successor, delay_ms, missed: prng.between(1, MISSED) }
        }
        Fault::Rewind => {
            let (before, after) = (prng.between(1, 4), prng.between(2, 6));
            let delay_ms = prng.below(500);
            Ending::Rewind { before, after, delay_ms, end: end(prng, mix, places) }
        }
        Fault::Fork => {
            let before = prng.between(1, 3);
            let parallelism = [(); 2].map(|()| small(prng.between(1, PARALLELISM)));
            Ending::Fork { before, parallelism, end: end(prng, mix, places) }
        }
        Fault::Marker => {
            Ending::Marker { checkpoints: prng.between(3, 6), delay_ms: prng.below(500) }
        }
        _ => {
            let early = !first && kind == Fault::Kill && prng.below(EARLY) == 0;
            let checkpoints = if early { 0 } else { prng.between(2, 6) };
            let delay_ms = prng.below(if early { 2_500 } else { 500 });
            Ending::Kill { checkpoints, delay_ms }
        }
    }
}

/// The next named place, each once before any comes again.
fn next_place(prng: &mut Prng, mix: &Mix, places: &mut Vec<Failpoint>) -> Failpoint {
    if places.is_empty() {
        places.clone_from(&mix.failpoints);
        prng.shuffle(places);
    }
    places.pop().unwrap_or(Failpoint::AfterCommit)
}

fn end(prng: &mut Prng, mix: &Mix, places: &mut Vec<Failpoint>) -> End {
    if mix.has(Fault::Failpoint) && prng.chance(50.0) {
        return End::Failpoint(next_place(prng, mix, places));
    }
    End::Kill(prng.between(1, 4))
}

#[cfg(test)]
mod tests;
