//! What the leader does for a run, as spans: placing it, having it prepared and deployed, until all of its tasks run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tidegate_checkpoint::traces::{of_attempt, of_start, to_traceparent};
use tidegate_runtime::telemetry::trace::{self, Span, SpanId, TraceId};
use tidegate_types::Attempt;

/// The traces of a run. Cheap to clone.
#[derive(Clone)]
pub(crate) struct RunTraces(Arc<Shared>);

struct Shared {
    run: String,
    created_ms: i64,
    lineage: String,
    /// The attempt that the call which started the run waits for.
    first: Option<Attempt>,
    /// When the attempt under way began, or the failure that made it necessary.
    begin: Mutex<Option<SystemTime>>,
}

impl RunTraces {
    /// Of a run, whose first attempt is that one if it has had none.
    pub(super) fn new(run: &str, created_ms: i64, lineage: &str, first: Option<Attempt>) -> Self {
        let (run, lineage) = (run.to_owned(), lineage.to_owned());
        Self(Arc::new(Shared { run, created_ms, lineage, first, begin: Mutex::default() }))
    }

    fn begin(&self) -> MutexGuard<'_, Option<SystemTime>> {
        self.0.begin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The trace of an attempt, its span for the whole deployment, and what that is a part of.
    fn of(&self, attempt: Attempt) -> (TraceId, SpanId, Option<SpanId>) {
        if self.0.first == Some(attempt) {
            let (of, call) = of_start(&self.0.run, self.0.created_ms);
            return (of, SpanId::of(of, &["deployment"]), Some(call));
        }
        let (of, whole) = of_attempt(&self.0.lineage, attempt);
        (of, whole, None)
    }

    /// Something has failed, or the first attempt begins: what follows is counted from here.
    pub(super) fn begins(&self) {
        self.begin().get_or_insert_with(trace::now);
    }

    /// All tasks of the attempt run.
    pub(super) fn runs(&self, attempt: Attempt) {
        let Some(begin) = self.begin().take() else { return };
        let (of, id, parent) = self.of(attempt);
        let name = if parent.is_some() { "start" } else { "recover" };
        trace::record(|| Span {
            trace: of,
            id,
            parent,
            name,
            begin,
            end: trace::now(),
            attributes: self.attributes(attempt),
            error: None,
        });
    }

    /// A step of the deployment that began then is over.
    pub(crate) fn step(
        &self,
        name: &'static str,
        attempt: Attempt,
        begin: SystemTime,
        error: Option<String>,
    ) {
        let (of, whole, _) = self.of(attempt);
        trace::record(|| Span {
            trace: of,
            id: SpanId::of(of, &[name]),
            parent: Some(whole),
            name,
            begin,
            end: trace::now(),
            attributes: self.attributes(attempt),
            error,
        });
    }

    /// What workers are told, so that their spans are parts of the deployment.
    pub(crate) fn traceparent(&self, attempt: Attempt) -> String {
        let (of, _, _) = self.of(attempt);
        to_traceparent((of, SpanId::of(of, &["deploy"])))
    }

    fn attributes(&self, attempt: Attempt) -> Vec<(&'static str, String)> {
        vec![("run", self.0.run.clone()), ("attempt", attempt.to_string())]
    }
}

/// The call that has asked for a run, and what was done for it before the answer: names with their beginnings and ends.
pub(crate) fn call(
    name: &'static str,
    run: &str,
    created_ms: i64,
    begin: SystemTime,
    parts: &[(&'static str, SystemTime, SystemTime)],
) {
    let (of, id) = of_start(run, created_ms);
    let attributes = || vec![("run", run.to_owned())];
    for (name, begin, end) in parts.iter().copied() {
        trace::record(|| Span {
            trace: of,
            id: SpanId::of(of, &[name]),
            parent: Some(id),
            name,
            begin,
            end,
            attributes: attributes(),
            error: None,
        });
    }
    trace::record(|| Span {
        trace: of,
        id,
        parent: None,
        name,
        begin,
        end: trace::now(),
        attributes: attributes(),
        error: None,
    });
}
