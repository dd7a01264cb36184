//! Traces: spans that are told when they are over, with ids that every process derives from what the span is about. So
//! the coordinator that submits a job, the leader that places it and the workers that start its tasks write one trace
//! without handing anything on.
//!
//! A process that exports traces [`install`]s a sink; without one nothing is made.

use std::sync::OnceLock;
use std::time::SystemTime;

/// Identifies a trace: 128 bits, as in W3C Trace Context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub u128);

/// Identifies a span within its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(pub u64);

/// A piece of work that is over.
#[derive(Debug, Clone)]
pub struct Span {
    /// Its trace.
    pub trace: TraceId,
    /// Its id.
    pub id: SpanId,
    /// The span that it is a part of; none for the first of a trace.
    pub parent: Option<SpanId>,
    /// What was done.
    pub name: &'static str,
    /// When it began.
    pub begin: SystemTime,
    /// When it was over.
    pub end: SystemTime,
    /// What is known of it.
    pub attributes: Vec<(&'static str, String)>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// Takes spans. It must not block.
pub type Sink = Box<dyn Fn(Span) + Send + Sync>;

static SINK: OnceLock<Sink> = OnceLock::new();

/// From now on spans of this process go there. Returns false if there is a sink already, which stays.
pub fn install(sink: Sink) -> bool {
    SINK.set(sink).is_ok()
}

/// Whether anybody takes spans.
pub fn enabled() -> bool {
    SINK.get().is_some()
}

/// The moment, if anybody takes spans; otherwise the same moment always.
#[allow(clippy::disallowed_methods, reason = "nothing that a simulation repeats depends on it")]
pub fn now() -> SystemTime {
    if enabled() { SystemTime::now() } else { SystemTime::UNIX_EPOCH }
}

/// Tells a span; `make` is not called if nobody takes it.
pub fn record(make: impl FnOnce() -> Span) {
    if let Some(sink) = SINK.get() {
        sink(make());
    }
}

impl TraceId {
    /// The id of what these words name together. Never 0, which stands for no trace.
    pub fn of(words: &[&str]) -> Self {
        let low = u128::from(hash(1, words));
        Self((u128::from(hash(2, words)) << 64 | low).max(1))
    }
}

impl SpanId {
    /// The id of the span that these words name within a trace.
    pub fn of(trace: TraceId, words: &[&str]) -> Self {
        let own = hash(3, words) ^ (trace.0 as u64).rotate_left(17);
        Self(own.max(1))
    }
}

/// FNV-1a (Fowler, Noll, Vo) over the words and their ends, mixed by splitmix64's finalizer. It is the same on every
/// machine and in every release.
fn hash(seed: u64, words: &[&str]) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325 ^ seed;
    let bytes = words.iter().flat_map(|word| word.bytes().chain([0xff]));
    for byte in bytes {
        state = (state ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_depend_on_every_word_and_on_where_words_end() {
        let one = TraceId::of(&["run", "jobs/a", "1"]);
        assert_eq!(one, TraceId::of(&["run", "jobs/a", "1"]));
        assert_ne!(one, TraceId::of(&["run", "jobs/a1", ""]));
        assert_ne!(one, TraceId::of(&["run", "jobs/a", "2"]));
        assert_ne!(SpanId::of(one, &["plan"]), SpanId::of(TraceId(7), &["plan"]));
        // Other processes, perhaps of another release, must come to the same.
        assert_eq!(format!("{:032x}", TraceId::of(&["a"]).0), GOLDEN);
    }

    const GOLDEN: &str = "35f7f1df6d0455cee0809f86d0ca3a0f";

    #[test]
    fn spans_are_made_only_for_a_sink() {
        record(|| unreachable!("nobody takes it"));
        assert_eq!(now(), SystemTime::UNIX_EPOCH);
    }
}
