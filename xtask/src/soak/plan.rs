//! What happens in which round: drawn from the seed before the first round, so that a seed repeats it. The moments at
//! which faults meet the job are not repeated: those belong to the machine.

use clap::ValueEnum;
use serde::Serialize;

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

    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    /// The kind itself, or one that may be instead.
    fn ending(&self, wanted: Fault) -> Fault {
        let order = [wanted, Fault::Failpoint, Fault::Zombie];
        order.into_iter().find(|fault| self.has(*fault)).unwrap_or(Fault::Kill)
    }
}

/// An ending, whether the broker restarts, whether the store is behind the proxy. The first half of ten rounds has one
/// of each, so that few rounds are worth something.
const TEN: [(Fault, bool, bool); 10] = [
    (Fault::Kill, true, false),
    (Fault::Failpoint, false, true),
    (Fault::Zombie, false, false),
    (Fault::Failpoint, false, false),
    (Fault::Kill, false, true),
    (Fault::Failpoint, false, false),
    (Fault::Kill, false, true),
    (Fault::Failpoint, false, false),
    (Fault::Failpoint, true, false),
    (Fault::Kill, false, false),
];

/// The rounds of a seed.
pub(crate) fn rounds(seed: u64, count: u32, mix: &Mix) -> Vec<Round> {
    let mut prng = Prng::new(seed);
    let mut places = Vec::new();
    let mut parallelism = prng.between(1, PARALLELISM);
    let mut rounds: Vec<Round> = Vec::new();
    let mut deck = Vec::new();
    for number in 1..=count {
        if deck.is_empty() {
            deck = TEN.to_vec();
            prng.shuffle(&mut deck[..5]);
            prng.shuffle(&mut deck[5..]);
            deck.reverse();
        }
        let (ending, broker, store) = deck.pop().unwrap_or(TEN[0]);
        if prng.chance(50.0) {
            parallelism = 1 + (parallelism + prng.below(PARALLELISM - 1)) % PARALLELISM;
        }
        let broker = (broker && mix.has(Fault::Broker))
            .then(|| Broker { killed: prng.chance(50.0), delay_ms: prng.between(200, 2_500) });
        let from = if prng.chance(50.0) { Store::Restore } else { Store::Checkpoints };
        rounds.push(Round {
            number,
            parallelism: u32::try_from(parallelism).unwrap_or(1),
            ending: draw(&mut prng, mix, mix.ending(ending), &mut places, number == 1),
            broker,
            store: (store && mix.has(Fault::Store)).then_some(from),
        });
    }
    rounds
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
            if places.is_empty() {
                places.clone_from(&mix.failpoints);
                prng.shuffle(places);
            }
            let place = places.pop().unwrap_or(Failpoint::AfterCommit);
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
        _ => {
            let early = !first && prng.below(EARLY) == 0;
            let checkpoints = if early { 0 } else { prng.between(2, 6) };
            let delay_ms = prng.below(if early { 2_500 } else { 500 });
            Ending::Kill { checkpoints, delay_ms }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Mix {
        Mix::new(&[], None, true)
    }

    fn count(rounds: &[Round], which: impl Fn(&Round) -> bool) -> usize {
        rounds.iter().filter(|round| which(round)).count()
    }

    #[test]
    fn a_seed_repeats_its_rounds_and_another_has_others() {
        assert_eq!(rounds(7, 50, &all()), rounds(7, 50, &all()));
        assert_ne!(rounds(7, 50, &all()), rounds(8, 50, &all()));
    }

    #[test]
    fn five_rounds_have_one_of_each() {
        for seed in 0..50 {
            let rounds = rounds(seed, 5, &all());
            assert_eq!(count(&rounds, |round| round.broker.is_some()), 1);
            assert_eq!(count(&rounds, |round| round.store.is_some()), 2);
            assert_eq!(count(&rounds, |r| matches!(r.ending, Ending::Zombie { .. })), 1);
            assert_eq!(count(&rounds, |r| matches!(r.ending, Ending::Failpoint { .. })), 2);
            let early = matches!(rounds[0].ending, Ending::Kill { checkpoints: 0, .. });
            assert!(!early, "{rounds:?}");
        }
    }

    #[test]
    fn many_rounds_meet_every_failpoint_and_half_of_them_change_parallelism() {
        let rounds = rounds(1, 200, &all());
        for place in Failpoint::value_variants() {
            let of_place = |round: &Round| matches!(round.ending, Ending::Failpoint { place: at, .. } if at == *place);
            assert!(count(&rounds, of_place) >= 15, "{place:?}");
        }
        let changes = rounds.windows(2).filter(|pair| pair[0].parallelism != pair[1].parallelism);
        assert!((75..=125).contains(&changes.count()));
        assert!(rounds.iter().all(|round| (1..=4).contains(&round.parallelism)));
    }

    #[test]
    fn a_mutation_gets_the_rounds_that_reveal_it() {
        let of = |mutation| rounds(1, 6, &Mix::new(&[], Some(mutation), true));
        let marker = of(Mutation::MarkerCheck);
        assert!(marker.iter().all(|round| {
            matches!(round.ending, Ending::Failpoint { place: Failpoint::AfterCommit, .. })
                && round.broker.is_none()
                && round.store.is_none()
        }));
        let attempt = of(Mutation::AttemptCheck);
        assert!(attempt.iter().all(|round| matches!(round.ending, Ending::Zombie { .. })));
    }

    #[test]
    fn without_failpoints_and_with_a_choice_other_faults_take_their_place() {
        let none = rounds(1, 20, &Mix::new(&[], None, false));
        assert_eq!(count(&none, |r| matches!(r.ending, Ending::Failpoint { .. })), 0);
        let kills = rounds(1, 20, &Mix::new(&[Fault::Kill], None, true));
        assert_eq!(count(&kills, |r| matches!(r.ending, Ending::Kill { .. })), 20);
        assert_eq!(count(&kills, |r| r.store.is_some() || r.broker.is_some()), 0);
    }

    #[test]
    fn names_are_those_of_the_contract() {
        let names: Vec<String> = Failpoint::value_variants().iter().map(|p| name_of(*p)).collect();
        assert_eq!(
            names.join(" "),
            "before-barrier after-upload prepare-complete complete-commit inside-transaction after-commit"
        );
        assert_eq!(name_of(Mutation::MarkerCheck), "skip-marker-check");
    }
}
