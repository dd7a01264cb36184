//! Refusals of what was replaced: a deposed leader, an older attempt of a run, an older process. Each is told in the
//! log in one form, so that operators and tests can count what fencing has kept out.

use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};

/// What was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// A command that a coordinator decided as the leader of a term that is over.
    Proposal,
    /// What a worker was told by the leader of a term that is over.
    Command,
    /// A report of a task whose attempt is over.
    Report,
    /// An attempt that was found on a worker after it had been replaced; it is ended.
    Attempt,
    /// A deployment of an attempt that is not the newest that the worker knows.
    Deployment,
    /// A call of the shuffle of an attempt that is over.
    Call,
    /// A transaction whose producer another run has taken over, or that was open for too long.
    Transaction,
    /// A checkpoint that another run has written.
    Manifest,
    /// A process of a worker that a newer one has replaced.
    Process,
}

/// How often each was refused by this process, in the order of [`Refused::ALL`].
static COUNTS: [AtomicU64; Refused::ALL.len()] = [const { AtomicU64::new(0) }; Refused::ALL.len()];

impl Refused {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Proposal,
        Self::Command,
        Self::Report,
        Self::Attempt,
        Self::Deployment,
        Self::Call,
        Self::Transaction,
        Self::Manifest,
        Self::Process,
    ];

    /// As it is told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proposal => "proposal",
            Self::Command => "command",
            Self::Report => "report",
            Self::Attempt => "attempt",
            Self::Deployment => "deployment",
            Self::Call => "call",
            Self::Transaction => "transaction",
            Self::Manifest => "manifest",
            Self::Process => "process",
        }
    }
}

/// How often each was refused by this process.
pub fn counts() -> Vec<(Refused, u64)> {
    let counts = COUNTS.iter().map(|count| count.load(Ordering::Relaxed));
    Refused::ALL.into_iter().zip(counts).collect()
}

/// Tells that something was refused, and why, and counts it.
pub fn refused(what: Refused, why: impl Display) {
    if let Some(count) = Refused::ALL.iter().position(|other| *other == what) {
        COUNTS[count].fetch_add(1, Ordering::Relaxed);
    }
    tracing::warn!(target: "tidegate::refused", refused = what.as_str(), "{why}");
}
