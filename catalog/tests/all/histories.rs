//! Random histories: copies that apply the same commands stay equal, refusals change nothing, and the invariants hold.

use std::collections::BTreeMap;

use tidegate_catalog::{Catalog, JobName, PageRequest, RunState, SavepointState};
use tidegate_types::{Attempt, Epoch};

use crate::commands::{Seeded, random_command};

const SEEDS: u64 = 60;
const COMMANDS: usize = 400;

/// A time that mostly goes on, and sometimes back, as clocks of several leaders do.
fn next_time(random: &mut Seeded, now: i64) -> i64 {
    match random.below(10) {
        0 => now - random.below(5_000) as i64,
        1 => now + 3_000_000,
        _ => now + random.below(1_000) as i64,
    }
}

#[test]
fn copies_stay_equal_and_refusals_change_nothing() {
    let mut succeeded = 0;
    for seed in 0..SEEDS {
        let mut random = Seeded::new(seed);
        let (mut left, mut right) = (Catalog::new(), Catalog::new());
        let mut now = 1_000_000;
        for n in 0..COMMANDS {
            now = next_time(&mut random, now);
            let command = random_command(&mut random, &left, now);
            let before = left.encode();
            let (one, two) = (left.apply(command.clone()), right.apply(command.clone()));
            match (&one, &two) {
                (Ok(one), Ok(two)) => assert_eq!(one, two, "seed {seed}, command {n}"),
                (Err(one), Err(two)) => {
                    assert_eq!(one.to_string(), two.to_string(), "seed {seed}, command {n}");
                    assert_eq!(left.encode(), before, "seed {seed}, command {n}: {command:?}");
                }
                _ => panic!("seed {seed}, command {n}: {one:?} and {two:?}"),
            }
            succeeded += u64::from(one.is_ok());
            // From time to time one copy goes through a snapshot, as a coordinator that restarts does.
            if random.below(20) == 0 {
                right = Catalog::decode(&right.encode()).unwrap();
            }
            assert_eq!(left, right, "seed {seed}, command {n}: index and all");
        }
        assert_eq!(left.encode(), right.encode(), "seed {seed}");
    }
    let share = succeeded * 100 / (SEEDS * COMMANDS as u64);
    assert!((15..90).contains(&share), "{share} % succeed: the histories say little");
}

#[test]
fn invariants_hold_after_every_command() {
    for seed in 1_000..1_000 + SEEDS {
        let mut random = Seeded::new(seed);
        let mut catalog = Catalog::new();
        let mut seen = Seen::default();
        let mut now = 1_000_000;
        for n in 0..COMMANDS {
            now = next_time(&mut random, now);
            let command = random_command(&mut random, &catalog, now);
            let _ = catalog.apply(command);
            seen.check(&catalog, &format!("seed {seed}, command {n}"));
        }
    }
}

/// What must never go back.
#[derive(Default)]
struct Seen {
    /// By the job's uid and the run's number.
    runs: BTreeMap<(u64, u64), (RunState, u64, Attempt, Epoch)>,
    time_ms: i64,
    revision: u64,
}

impl Seen {
    fn check(&mut self, catalog: &Catalog, place: &str) {
        assert!(catalog.time_ms() >= self.time_ms, "{place}: time went back");
        assert!(catalog.revision() >= self.revision, "{place}: revision went back");
        (self.time_ms, self.revision) = (catalog.time_ms(), catalog.revision());
        let mut live = Vec::new();
        for project in ["default", "p1", "p2"] {
            let Ok(jobs) = catalog.list_jobs(project, &PageRequest::first(100)) else { continue };
            for job in jobs.items {
                self.check_job(catalog, &job.name, job.uid, place, &mut live);
            }
        }
        let indexed: Vec<_> = catalog.live_runs().map(|run| run.name.clone()).collect();
        assert_eq!(indexed, live, "{place}: the index of live runs");
        for savepoint in catalog.deleting_savepoints() {
            assert_eq!(savepoint.state, SavepointState::Deleting, "{place}: {}", savepoint.name);
        }
    }

    fn check_job(
        &mut self,
        catalog: &Catalog,
        job: &JobName,
        uid: u64,
        place: &str,
        live: &mut Vec<tidegate_catalog::RunName>,
    ) {
        let runs = catalog.list_runs(job, &PageRequest::first(1_000)).unwrap().items;
        let alive: Vec<_> = runs.iter().filter(|run| !run.state.is_terminal()).collect();
        assert!(alive.len() <= 1, "{place}: {job} has two runs");
        live.extend(alive.iter().map(|run| run.name.clone()));
        for run in &runs {
            let record = run.record.as_ref();
            let attempt = record.map_or(Attempt(0), |record| record.attempt);
            let epoch = record.map_or(Epoch(0), |record| record.last_epoch);
            let now = (run.state, run.record_revision(), attempt, epoch);
            if let Some(before) = self.runs.insert((uid, run.name.number), now) {
                assert!(
                    before.0 == now.0 || before.0.may_become(now.0),
                    "{place}: {before:?} {now:?}"
                );
                assert!(now.1 == before.1 || now.1 == before.1 + 1, "{place}: {before:?} {now:?}");
                assert!(now.2 >= before.2 && now.3 >= before.3, "{place}: {before:?} {now:?}");
            }
            assert_eq!(run.ended_ms.is_some(), run.state.is_terminal(), "{place}");
        }
        let savepoints = catalog.list_savepoints(job, &PageRequest::first(1_000)).unwrap().items;
        for savepoint in savepoints {
            if savepoint.state == SavepointState::Pending {
                let run = catalog.run(&job.run(savepoint.run)).unwrap();
                assert!(!run.state.is_terminal(), "{place}: {} waits for nothing", savepoint.name);
            }
        }
    }
}
