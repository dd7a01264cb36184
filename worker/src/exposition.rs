//! The metrics of runs, one value per operator instance.

use tidegate_engine::metrics as names;
use tidegate_runtime::telemetry::metrics::{Description, Family, Kind, Point};

use crate::metrics::OperatorEntry;

type Sample = fn(&OperatorEntry) -> Option<f64>;

/// Name, kind, help and value of every metric of an operator instance.
const METRICS: &[(Description, Sample)] = &[
    (counter(names::RECORDS_IN, "Rows received"), |e| Some(e.metrics.records_in.get() as f64)),
    (counter(names::RECORDS_OUT, "Rows emitted"), |e| Some(e.metrics.records_out.get() as f64)),
    (counter(names::LATE_RECORDS, "Rows dropped because their window had closed"), |e| {
        Some(e.metrics.late_records.get() as f64)
    }),
    (counter(names::BAD_RECORDS, "Records that could not be decoded and were skipped"), |e| {
        e.source.as_ref().map(|source| source.bad_records.get() as f64)
    }),
    (counter(names::BYTES, "Bytes read from or written to the outside system"), |e| {
        let read = e.source.as_ref().map(|source| source.bytes.get() as f64);
        read.or_else(|| e.sink.as_ref().map(|sink| sink.bytes.get() as f64))
    }),
    (gauge(names::WATERMARK, "Combined watermark, milliseconds since the epoch"), |e| {
        Some(e.metrics.watermark.get() as f64)
    }),
    (gauge(names::STATE_BYTES, "Bytes of keyed state at the last checkpoint"), |e| {
        Some(e.metrics.state_bytes.get() as f64)
    }),
    (gauge(names::SPILLED_BYTES, "Bytes of keyed state on local disk"), |e| {
        Some(e.metrics.spilled_bytes.get() as f64)
    }),
    (counter(names::SPILL_WRITTEN, "Bytes of keyed state written to local disk"), |e| {
        Some(e.metrics.spill_written.get() as f64)
    }),
    (counter(names::BUSY, "Time that the task computed"), |e| Some(e.task.busy.get() as f64)),
    (counter(names::BACKPRESSURED, "Time that the task waited for room in its outputs"), |e| {
        Some(e.task.backpressured.get() as f64)
    }),
    (counter(names::IDLE, "Time that the task waited for input"), |e| {
        Some(e.task.idle.get() as f64)
    }),
];

const CHECKPOINTS: Description = counter(names::CHECKPOINTS, "Completed checkpoints");

const fn counter(name: &'static str, help: &'static str) -> Description {
    Description { name, kind: Kind::Counter, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Description {
    Description { name, kind: Kind::Gauge, help }
}

/// A run with the counters of its operators.
pub struct Shown {
    /// Its job.
    pub job: String,
    /// Its operator instances.
    pub entries: Vec<OperatorEntry>,
    /// Checkpoints that it has completed, where that is known.
    pub checkpoints: Option<u64>,
}

/// All metrics that [`families`] has.
pub fn descriptions() -> Vec<Description> {
    METRICS.iter().map(|(description, _)| *description).chain([CHECKPOINTS]).collect()
}

/// The metrics of runs.
pub fn families(runs: &[Shown]) -> Vec<Family> {
    let mut families: Vec<Family> = METRICS
        .iter()
        .map(|(description, sample)| {
            let instances =
                runs.iter().flat_map(|run| run.entries.iter().map(move |entry| (run, entry)));
            let points = instances.filter_map(|(run, entry)| {
                let labels = vec![
                    ("job", run.job.clone()),
                    ("operator", entry.name.clone()),
                    ("operator_id", entry.id.to_string()),
                    ("subtask", entry.subtask.to_string()),
                ];
                Some(Point { labels, value: sample(entry)? })
            });
            Family { description: *description, points: points.collect() }
        })
        .collect();
    let checkpoints = runs.iter().filter_map(|run| {
        let labels = vec![("job", run.job.clone())];
        Some(Point { labels, value: run.checkpoints? as f64 })
    });
    families.push(Family { description: CHECKPOINTS, points: checkpoints.collect() });
    families
}
