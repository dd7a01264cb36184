//! The steps of one look at a data source, each with its time and all within the deadline.

use std::future::Future;
use std::time::Duration;

use super::limits::Limits;
use super::redaction::Redaction;
use super::report::{Failure, Outcome, Reason, Step, TestReport, What};
use crate::env::MonotonicClock;

/// What was done so far.
pub(super) struct Trace<'a> {
    clock: MonotonicClock,
    start: Duration,
    pub(super) limits: &'a Limits,
    pub(super) redaction: Redaction,
    steps: Vec<Step>,
}

impl<'a> Trace<'a> {
    pub(super) fn new(clock: &MonotonicClock, limits: &'a Limits, redaction: Redaction) -> Self {
        let (clock, start) = (clock.clone(), clock());
        Self { clock, start, limits, redaction, steps: Vec::new() }
    }

    /// Time that is left.
    pub(super) fn left(&self) -> Duration {
        self.limits.deadline.saturating_sub(self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        (self.clock)().saturating_sub(self.start)
    }

    /// Does one step within the time that is left. `place` is with whom, for messages; what comes out
    /// says what the step's detail is.
    pub(super) async fn step<T>(
        &mut self,
        what: What,
        place: &str,
        work: impl Future<Output = Result<(T, String), Failure>>,
    ) -> Result<T, Failure> {
        let begun = self.elapsed();
        let done = tokio::time::timeout(self.left(), work).await;
        let done = done.unwrap_or_else(|_| Err(self.too_late(what, place)));
        let elapsed = self.elapsed().saturating_sub(begun);
        let (outcome, detail) = match &done {
            Ok((_, detail)) => (Outcome::Passed, self.redaction.clean(detail)),
            Err(_) => (Outcome::Failed, place.to_owned()),
        };
        self.steps.push(Step { what, outcome, detail, elapsed });
        done.map(|(value, _)| value)
    }

    /// A step that was part of another one, whose time is not known.
    pub(super) fn passed(&mut self, what: What, detail: &str) {
        let detail = self.redaction.clean(detail);
        self.steps.push(Step { what, outcome: Outcome::Passed, detail, elapsed: Duration::ZERO });
    }

    /// Says of the last step that it was rather this one, behind others that went well.
    pub(super) fn last_was(&mut self, what: What, before: &[What]) {
        let Some(last) = self.steps.pop() else { return };
        let place = last.detail.clone();
        for passed in before {
            self.passed(*passed, &place);
        }
        self.steps.push(Step { what, ..last });
    }

    fn too_late(&self, what: What, place: &str) -> Failure {
        let seconds = self.limits.deadline.as_secs_f64();
        let (message, help) = match what {
            What::Resolve => (
                format!("the name of {place} was not resolved within {seconds} s"),
                "look at the name server that the workers use",
            ),
            What::Connect => (
                format!("{place} was not reached within {seconds} s"),
                "mend host and port, or open the way in the firewalls between the workers and it",
            ),
            _ => (
                format!("{place} did not answer within {seconds} s"),
                "look at its load and its log; another kind of server, or one that wants TLS, may be silent too",
            ),
        };
        Failure::new(Reason::Timeout, message, help)
    }

    /// A failure without secrets.
    pub(super) fn redacted(&self, failure: Failure) -> Failure {
        Failure { message: self.redaction.clean(&failure.message), ..failure }
    }

    /// The end.
    pub(super) fn report(self, failure: Option<Failure>) -> TestReport {
        let elapsed = self.elapsed();
        let failure = failure.map(|failure| self.redacted(failure));
        TestReport { steps: self.steps, failure, elapsed }
    }
}
