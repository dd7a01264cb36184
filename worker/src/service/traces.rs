//! What this worker does for a run, as spans: starting its tasks, restoring each, its share of checkpoints.

use std::collections::BTreeMap;
use std::time::SystemTime;

use tidegate_checkpoint::task::{Control, ReportKind, TaskEvent};
use tidegate_checkpoint::traces::{from_traceparent, of_checkpoint};
use tidegate_proto::internal::v1 as wire;
use tidegate_runtime::telemetry::trace::{self, Span, SpanId, TraceId};
use tidegate_types::{Attempt, Epoch};

/// Checkpoints of a run whose beginning is remembered.
const REMEMBERED: usize = 16;

/// The traces of a run on this worker.
#[derive(Debug)]
pub(super) struct RunTraces {
    job: String,
    worker: String,
    lineage: String,
    attempt: Attempt,
    /// The leader's span of the deployment.
    parent: Option<(TraceId, SpanId)>,
    deployed: SystemTime,
    triggered: BTreeMap<Epoch, SystemTime>,
    completed: BTreeMap<Epoch, SystemTime>,
}

impl RunTraces {
    /// For a run that is being deployed.
    pub(super) fn new(worker: &str, run: &wire::RunSpec) -> Self {
        Self {
            job: run.job.clone(),
            worker: worker.to_owned(),
            lineage: run.lineage.clone(),
            attempt: Attempt(run.attempt),
            parent: from_traceparent(&run.traceparent),
            deployed: trace::now(),
            triggered: BTreeMap::new(),
            completed: BTreeMap::new(),
        }
    }

    /// The tasks of the run exist, or could not be made.
    pub(super) fn started(&self, error: Option<String>) {
        let Some((of, parent)) = self.parent else { return };
        let words = ["tasks", &self.worker];
        self.record("start tasks", of, &words, Some(parent), self.deployed, Vec::new(), error);
    }

    /// The tasks are told something.
    pub(super) fn told(&mut self, control: &Control) {
        let (epoch, moments) = match control {
            Control::Trigger(barrier) => (barrier.epoch, &mut self.triggered),
            Control::Complete(epoch) => (*epoch, &mut self.completed),
            _ => return,
        };
        moments.insert(epoch, trace::now());
        while moments.len() > REMEMBERED {
            moments.pop_first();
        }
    }

    /// A task has reported something.
    pub(super) fn reported(&self, event: &TaskEvent) {
        let subtask = event.report.subtask.to_string();
        let task = || vec![("task", subtask.clone())];
        match &event.report.kind {
            ReportKind::Ready => {
                let Some((of, _)) = self.parent else { return };
                let parent = SpanId::of(of, &["tasks", &self.worker]);
                let words = ["restore", &subtask];
                self.record("restore", of, &words, Some(parent), self.deployed, task(), None);
            }
            ReportKind::Snapshot { epoch, .. } => self.of_epoch("snapshot", *epoch, task(), None),
            ReportKind::Declined { epoch, error } => {
                self.of_epoch("snapshot", *epoch, task(), Some(error.to_string()));
            }
            ReportKind::Committed(epoch) => self.of_epoch("commit", *epoch, task(), None),
            ReportKind::Ended | ReportKind::Failed(_) => {}
        }
    }

    fn of_epoch(
        &self,
        name: &'static str,
        epoch: Epoch,
        attributes: Vec<(&'static str, String)>,
        error: Option<String>,
    ) {
        let moments = if name == "commit" { &self.completed } else { &self.triggered };
        let Some(begin) = moments.get(&epoch) else { return };
        let (of, parent) = of_checkpoint(&self.lineage, self.attempt, epoch);
        let task = attributes.first().map_or("", |(_, task)| task.as_str()).to_owned();
        self.record(name, of, &[name, &task], Some(parent), *begin, attributes, error);
    }

    #[allow(clippy::too_many_arguments, reason = "a span has as many parts")]
    fn record(
        &self,
        name: &'static str,
        of: TraceId,
        words: &[&str],
        parent: Option<SpanId>,
        begin: SystemTime,
        mut attributes: Vec<(&'static str, String)>,
        error: Option<String>,
    ) {
        trace::record(|| {
            attributes.extend([
                ("job", self.job.clone()),
                ("attempt", self.attempt.to_string()),
                ("worker", self.worker.clone()),
            ]);
            let (id, end) = (SpanId::of(of, words), trace::now());
            Span { trace: of, id, parent, name, begin, end, attributes, error }
        });
    }
}
