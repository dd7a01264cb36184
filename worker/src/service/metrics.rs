//! The metrics of a worker: its memory, and its runs with their operators and what they exchange with other workers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate_runtime::telemetry::metrics::{Description, Family, Kind, Point, Source};

use super::counters::resident_bytes;
use crate::exposition;
use crate::metrics::{self as names, RunMetrics, ShuffleMetrics};

const fn gauge(name: &'static str, help: &'static str) -> Description {
    Description { name, kind: Kind::Gauge, help }
}

const fn counter(name: &'static str, help: &'static str) -> Description {
    Description { name, kind: Kind::Counter, help }
}

const RESIDENT: Description =
    gauge("tidegate_worker_resident_bytes", "Resident memory of this process");
const RUNS: Description = gauge("tidegate_worker_runs", "Runs that have tasks on this worker");

type Sample = fn(&ShuffleMetrics) -> u64;

/// What a run exchanges with other workers.
const SHUFFLE: &[(Description, Sample)] = &[
    (counter(names::SHUFFLE_BYTES_SENT, "Bytes sent to other workers"), |m| m.bytes_sent.get()),
    (counter(names::SHUFFLE_BATCHES_SENT, "Batches sent to other workers"), |m| {
        m.batches_sent.get()
    }),
    (counter(names::SHUFFLE_BYTES_RECEIVED, "Bytes received from other workers"), |m| {
        m.bytes_received.get()
    }),
    (counter(names::SHUFFLE_BATCHES_RECEIVED, "Batches received from other workers"), |m| {
        m.batches_received.get()
    }),
    (counter(names::SHUFFLE_BLOCKED, "Time that tasks waited for readers on other workers"), |m| {
        m.blocked.get()
    }),
    (gauge(names::SHUFFLE_BUFFERED, "Bytes that wait to be sent or to be taken"), |m| {
        m.buffered.get()
    }),
];

type Shown = (RunMetrics, Option<Arc<ShuffleMetrics>>);

/// The runs of a worker whose tasks exist, for exporters. Cheap to clone.
#[derive(Clone, Default)]
pub struct WorkerMetrics(Arc<Mutex<BTreeMap<String, Shown>>>);

impl WorkerMetrics {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Shown>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tasks of a run exist.
    pub(super) fn show(&self, job: &str, run: RunMetrics, shuffle: Option<Arc<ShuffleMetrics>>) {
        self.lock().insert(job.to_owned(), (run, shuffle));
    }

    /// The run has ended here.
    pub(super) fn hide(&self, job: &str) {
        self.lock().remove(job);
    }
}

impl Source for WorkerMetrics {
    fn descriptions(&self) -> Vec<Description> {
        let shuffle = SHUFFLE.iter().map(|(description, _)| *description);
        [RESIDENT, RUNS].into_iter().chain(shuffle).chain(exposition::descriptions()).collect()
    }

    fn collect(&self) -> Vec<Family> {
        let runs: Vec<(String, Shown)> =
            self.lock().iter().map(|(job, shown)| (job.clone(), shown.clone())).collect();
        let single = |description, value| Family {
            description,
            points: vec![Point { labels: Vec::new(), value }],
        };
        let mut families =
            vec![single(RESIDENT, resident_bytes() as f64), single(RUNS, runs.len() as f64)];
        for (description, sample) in SHUFFLE {
            let points = runs.iter().filter_map(|(job, (_, shuffle))| {
                let labels = vec![("job", job.clone())];
                Some(Point { labels, value: sample(shuffle.as_ref()?) as f64 })
            });
            families.push(Family { description: *description, points: points.collect() });
        }
        let shown: Vec<exposition::Shown> = runs
            .into_iter()
            .map(|(job, (run, _))| exposition::Shown {
                job,
                entries: run.entries(),
                checkpoints: None,
            })
            .collect();
        families.extend(exposition::families(&shown));
        families
    }
}
