//! Checkpoints as spans: from the trigger until the job's record names them, or until they are given up.

use std::time::SystemTime;

use tidegate_checkpoint::traces::of_checkpoint;
use tidegate_runtime::telemetry::trace::{self, Span, SpanId};
use tidegate_types::Epoch;

use super::Driver;

impl Driver {
    /// A checkpoint is complete, or was given up.
    pub(super) fn trace_checkpoint(&self, epoch: Epoch, begin: SystemTime, error: Option<String>) {
        let record = self.machine.record();
        let (of, id) = of_checkpoint(&record.lineage, record.attempt, epoch);
        self.trace(Span {
            trace: of,
            id,
            parent: None,
            name: "checkpoint",
            begin,
            end: trace::now(),
            attributes: vec![("epoch", epoch.to_string())],
            error,
        });
    }

    /// A part of a checkpoint that this driver does is over.
    pub(super) fn trace_part(
        &self,
        name: &'static str,
        epoch: Epoch,
        begin: SystemTime,
        error: Option<String>,
    ) {
        let record = self.machine.record();
        let (of, parent) = of_checkpoint(&record.lineage, record.attempt, epoch);
        self.trace(Span {
            trace: of,
            id: SpanId::of(of, &[name]),
            parent: Some(parent),
            name,
            begin,
            end: trace::now(),
            attributes: Vec::new(),
            error,
        });
    }

    fn trace(&self, mut span: Span) {
        trace::record(|| {
            let record = self.machine.record();
            span.attributes.push(("job", self.spec.job.to_string()));
            span.attributes.push(("attempt", record.attempt.to_string()));
            span
        });
    }
}
