//! Which traces there are, and the ids of the spans that several processes speak of. Every process derives them from
//! what it knows anyway; what they stand for is in `docs/observability.md`.

use tidegate_runtime::telemetry::trace::{SpanId, TraceId};
use tidegate_types::{Attempt, Epoch};

/// The trace of a run's start, from the call that asked for it: by the run's name and when it was asked for.
pub fn of_start(run: &str, created_ms: i64) -> (TraceId, SpanId) {
    let trace = TraceId::of(&["start", run, &created_ms.to_string()]);
    (trace, SpanId::of(trace, &["call"]))
}

/// The trace of a later attempt of a run: a recovery, or a move.
pub fn of_attempt(lineage: &str, attempt: Attempt) -> (TraceId, SpanId) {
    let trace = TraceId::of(&["attempt", lineage, &attempt.to_string()]);
    (trace, SpanId::of(trace, &["deployment"]))
}

/// The trace of a checkpoint.
pub fn of_checkpoint(lineage: &str, attempt: Attempt, epoch: Epoch) -> (TraceId, SpanId) {
    let words = [lineage, &attempt.to_string(), &epoch.to_string()];
    let trace = TraceId::of(&["checkpoint", words[0], words[1], words[2]]);
    (trace, SpanId::of(trace, &["checkpoint"]))
}

/// A span as `traceparent` of W3C Trace Context, version 00.
pub fn to_traceparent((trace, span): (TraceId, SpanId)) -> String {
    format!("00-{:032x}-{:016x}-01", trace.0, span.0)
}

/// The span that a `traceparent` names; none if it is empty or not one.
pub fn from_traceparent(text: &str) -> Option<(TraceId, SpanId)> {
    let mut parts = text.split('-');
    let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    if version != "00" || trace.len() != 32 || span.len() != 16 {
        return None;
    }
    let trace = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
    let span = u64::from_str_radix(span, 16).ok().filter(|id| *id != 0)?;
    Some((TraceId(trace), SpanId(span)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_back_and_nonsense_is_none() {
        let span = of_checkpoint("lineage", Attempt(3), Epoch(9));
        assert_eq!(from_traceparent(&to_traceparent(span)), Some(span));
        let zero = format!("00-{:032x}-{:016x}-01", 0, 1);
        for text in ["", "00", "01-a-b-01", "00-zz-zz-01", zero.as_str()] {
            assert_eq!(from_traceparent(text), None, "{text}");
        }
    }
}
