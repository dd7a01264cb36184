//! Tests of the plan.

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
        assert_eq!(count(&rounds, |round| round.store.is_some()), 1);
        assert_eq!(count(&rounds, |round| round.idle.is_some()), 1);
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
        assert!(count(&rounds, of_place) >= 12, "{place:?}");
    }
    let changes = rounds.windows(2).filter(|pair| pair[0].parallelism != pair[1].parallelism);
    assert!((75..=125).contains(&changes.count()));
    assert!(rounds.iter().all(|round| (1..=4).contains(&round.parallelism)));
}

#[test]
fn fifteen_rounds_have_every_kind_and_two_hundred_many_of_each() {
    for (number, least) in [(15, 1), (200, 13)] {
        let rounds = rounds(3, number, &all());
        let endings: [fn(&Round) -> bool; 5] = [
            |round| matches!(round.ending, Ending::Zombie { .. }),
            |round| matches!(round.ending, Ending::Rewind { .. }),
            |round| matches!(round.ending, Ending::Fork { .. }),
            |round| matches!(round.ending, Ending::Marker { .. }),
            |round| round.idle.is_some(),
        ];
        for is in endings {
            assert!(count(&rounds, is) >= least);
        }
        assert!(count(&rounds, |round| round.broker.is_some()) >= 2 * least);
        assert!(count(&rounds, |round| round.store.is_some()) >= 3 * least);
        let plain = |round: &Round| {
            matches!(round.ending, Ending::Kill { .. } | Ending::Failpoint { .. })
                && round.idle.is_none()
        };
        assert!(
            rounds
                .iter()
                .all(|round| plain(round) || round.broker.is_none() && round.store.is_none())
        );
    }
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
