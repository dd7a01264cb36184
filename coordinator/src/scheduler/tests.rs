//! Placements: by example, and what holds for all of them.

use proptest::prelude::*;

use super::*;

fn worker(name: &str, slots: u32, used: u32) -> Candidate {
    let (name, labels) = (name.to_owned(), BTreeMap::new());
    Candidate { name, slots, used, labels, draining: false }
}

fn problem(parallelism: &[u32]) -> Problem {
    Problem { parallelism: parallelism.to_vec(), labels: BTreeMap::new() }
}

#[test]
fn a_run_is_spread_and_subtasks_of_one_index_stay_together() {
    let workers = [worker("a", 4, 0), worker("b", 4, 0)];
    let placement = place(&workers, &problem(&[4, 1, 4])).unwrap();
    assert_eq!(slots_by_worker(&placement), BTreeMap::from([("a".into(), 2), ("b".into(), 2)]));
    for index in 0..4 {
        let at = |task| &placement[&SubtaskId { task: TaskId(task), index }];
        assert_eq!(at(0), at(2));
    }
    assert_eq!(placement.len(), 9);
}

#[test]
fn the_emptier_worker_is_taken_first_whatever_its_size() {
    let workers = [worker("big", 10, 5), worker("small", 2, 0)];
    let placement = place(&workers, &problem(&[1])).unwrap();
    assert_eq!(placement[&SubtaskId { task: TaskId(0), index: 0 }], "small");
}

#[test]
fn drained_workers_and_those_without_the_label_are_left_out_and_the_shortage_says_so() {
    let mut drained = worker("a", 4, 0);
    drained.draining = true;
    let mut labelled = worker("b", 2, 1);
    labelled.labels.insert("pool".into(), "production".into());
    let mut wanted = problem(&[2]);
    wanted.labels.insert("pool".into(), "production".into());
    let workers = [drained, labelled, worker("c", 4, 0)];
    let shortage = place(&workers, &wanted).unwrap_err();
    assert_eq!(
        shortage.to_string(),
        "2 slots are needed and 1 are free on 1 of 3 workers (the others are drained, or lack a label that the job asks for)"
    );
}

proptest! {
    #[test]
    fn no_worker_is_overfull_every_subtask_has_a_place_and_load_is_even(
        workers in prop::collection::vec((1u32..16, 0u32..16), 1..8),
        parallelism in prop::collection::vec(1u32..24, 1..6),
    ) {
        let workers: Vec<Candidate> = workers
            .iter()
            .enumerate()
            .map(|(index, (slots, used))| worker(&format!("w{index}"), *slots, *used.min(slots)))
            .collect();
        let problem = problem(&parallelism);
        let free: u32 = workers.iter().map(super::free).sum();
        match place(&workers, &problem) {
            Err(shortage) => {
                prop_assert!(problem.slots() > free);
                prop_assert_eq!(shortage.free, free);
            }
            Ok(placement) => {
                let expected: u32 = parallelism.iter().sum();
                prop_assert_eq!(placement.len() as u32, expected);
                let slots = slots_by_worker(&placement);
                let used: u32 = slots.values().sum();
                prop_assert_eq!(used, problem.slots());
                for worker in &workers {
                    let taken = slots.get(&worker.name).copied().unwrap_or(0);
                    prop_assert!(worker.used + taken <= worker.slots);
                    // Nobody was given a slot while another with a smaller share had one.
                    for other in workers.iter().filter(|other| other.name != worker.name) {
                        let others = slots.get(&other.name).copied().unwrap_or(0);
                        if taken > 0 && other.used + others < other.slots {
                            let before = f64::from(worker.used + taken - 1) / f64::from(worker.slots);
                            let theirs = f64::from(other.used + others) / f64::from(other.slots);
                            prop_assert!(before <= theirs + 1e-9);
                        }
                    }
                }
                prop_assert_eq!(place(&workers, &problem).unwrap(), placement);
            }
        }
    }
}
