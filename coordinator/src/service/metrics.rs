//! The metrics of a coordinator: its part of the log, and, from the leader, what is in the cluster.

use std::collections::BTreeMap;

use tidegate_catalog::{Catalog, WorkerState};
use tidegate_runtime::telemetry::metrics::{Description, Family, Kind, Point, Source};

use super::workers::WorkerPool;
use crate::raft::Metadata;

const fn gauge(name: &'static str, help: &'static str) -> Description {
    Description { name, kind: Kind::Gauge, help }
}

const fn counter(name: &'static str, help: &'static str) -> Description {
    Description { name, kind: Kind::Counter, help }
}

const LEADER: Description = gauge(
    "tidegate_coordinator_leader",
    "Whether this coordinator leads and a majority follows it: 1 or 0",
);
const TERM: Description = gauge("tidegate_coordinator_term", "The latest term that is known");
const LAST_LOG: Description =
    gauge("tidegate_coordinator_log_last_index", "Index of the last entry of the log");
const APPLIED: Description =
    gauge("tidegate_coordinator_log_applied_index", "Index of the last applied entry");
const SNAPSHOT: Description =
    gauge("tidegate_coordinator_log_snapshot_index", "Index of the last entry in a snapshot");
const LAG: Description =
    gauge("tidegate_coordinator_lag_entries", "Entries that a member is behind the leader's log");
const JOBS: Description = gauge("tidegate_catalog_jobs", "Jobs in the catalog");
const RUNS: Description = gauge("tidegate_runs", "Runs that are not over, by state");
const WAITING: Description =
    gauge("tidegate_runs_waiting", "Runs that wait for slots, or for room to move");
const RESTARTS: Description =
    counter("tidegate_run_restarts_total", "How often a run that is not over was started again");
const CHECKPOINT: Description = gauge(
    "tidegate_run_checkpoint_number",
    "Number of the newest checkpoint of a run that is not over",
);
const CHECKPOINT_TIME: Description = gauge(
    "tidegate_run_checkpoint_timestamp_seconds",
    "When the newest checkpoint of a run that is not over was triggered, since 1970",
);
const WORKERS: Description = gauge("tidegate_workers", "Workers by state");
const SLOTS: Description = gauge("tidegate_worker_slots", "Slots of a worker that is connected");
const USED: Description = gauge("tidegate_worker_slots_used", "Slots of a worker that runs hold");

/// Metrics of a coordinator. What needs the leader is there only where it leads, so that sums over coordinators are
/// right.
pub(super) struct CoordinatorMetrics {
    pub(super) metadata: Metadata,
    pub(super) pool: WorkerPool,
}

impl Source for CoordinatorMetrics {
    fn descriptions(&self) -> Vec<Description> {
        vec![
            LEADER,
            TERM,
            LAST_LOG,
            APPLIED,
            SNAPSHOT,
            LAG,
            JOBS,
            RUNS,
            WAITING,
            RESTARTS,
            CHECKPOINT,
            CHECKPOINT_TIME,
            WORKERS,
            SLOTS,
            USED,
        ]
    }

    fn collect(&self) -> Vec<Family> {
        let leads = self.metadata.leadership().borrow().is_self;
        let status = self.metadata.status();
        let mut families = vec![single(LEADER, f64::from(u8::from(leads)))];
        families.push(single(TERM, status.term as f64));
        for (description, index) in [
            (LAST_LOG, status.last_log),
            (APPLIED, status.last_applied),
            (SNAPSHOT, status.snapshot),
        ] {
            families.extend(index.map(|index| single(description, index as f64)));
        }
        if leads {
            let lag = status.members.iter().filter_map(|member| {
                let labels = vec![("coordinator", member.id.to_string())];
                Some(Point { labels, value: member.lag? as f64 })
            });
            families.push(Family { description: LAG, points: lag.collect() });
            families.extend(self.metadata.peek(of_catalog));
            families.extend(self.of_workers());
        }
        families
    }
}

impl CoordinatorMetrics {
    fn of_workers(&self) -> Vec<Family> {
        let label = |worker: &str| vec![("worker", worker.to_owned())];
        let slots = self.pool.slots();
        let used = self.pool.used_slots();
        let all = slots
            .iter()
            .map(|(worker, slots)| Point { labels: label(worker), value: f64::from(*slots) });
        let held = slots.keys().map(|worker| Point {
            labels: label(worker),
            value: f64::from(used.get(worker).copied().unwrap_or(0)),
        });
        vec![
            Family { description: SLOTS, points: all.collect() },
            Family { description: USED, points: held.collect() },
        ]
    }
}

fn single(description: Description, value: f64) -> Family {
    Family { description, points: vec![Point { labels: Vec::new(), value }] }
}

fn of_catalog(catalog: &Catalog) -> Vec<Family> {
    let mut states: BTreeMap<String, f64> = BTreeMap::new();
    let (mut restarts, mut numbers, mut times) = (Vec::new(), Vec::new(), Vec::new());
    let mut waiting = 0.0;
    for run in catalog.live_runs() {
        *states.entry(run.state.to_string()).or_default() += 1.0;
        waiting += f64::from(u8::from(run.waiting.is_some()));
        let labels = || vec![("job", run.name.job.to_string())];
        restarts.push(Point { labels: labels(), value: run.restarts as f64 });
        let Some(newest) = run.record.as_ref().and_then(|record| record.latest()) else { continue };
        numbers.push(Point { labels: labels(), value: newest.epoch.0 as f64 });
        times.push(Point { labels: labels(), value: newest.timestamp_ms as f64 / 1e3 });
    }
    let mut workers: BTreeMap<&str, f64> = BTreeMap::new();
    for worker in catalog.workers() {
        let state = match worker.state {
            WorkerState::Active => "active",
            WorkerState::Draining => "draining",
            WorkerState::Drained => "drained",
            WorkerState::Lost => "lost",
        };
        *workers.entry(state).or_default() += 1.0;
    }
    let by_state = |description, states: Vec<(String, f64)>| {
        let point = |(state, value)| Point { labels: vec![("state", state)], value };
        Family { description, points: states.into_iter().map(point).collect() }
    };
    let workers = workers.into_iter().map(|(state, count)| (state.to_owned(), count));
    vec![
        single(JOBS, catalog.job_count() as f64),
        by_state(RUNS, states.into_iter().collect()),
        single(WAITING, waiting),
        Family { description: RESTARTS, points: restarts },
        Family { description: CHECKPOINT, points: numbers },
        Family { description: CHECKPOINT_TIME, points: times },
        by_state(WORKERS, workers.collect()),
    ]
}
