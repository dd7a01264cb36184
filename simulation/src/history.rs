//! What clients have asked and were answered, and what the nodes have applied: the facts that invariants judge.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate_coordinator::raft::observation::Observer;
use tidegate_coordinator::raft::{Outcome, Proposed};

use crate::kernel::{HostId, current_host};
use crate::trace;

/// What a client asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To create a tenant of a name that nothing else uses.
    Create(String),
    /// Which revision there is, by a linearizable read.
    Revision,
    /// As the leader of a term: to create a tenant.
    Lead(u64, String),
}

/// What it was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answered {
    /// It is done, or read, at this revision.
    At(u64),
    /// Nothing was done.
    Nothing(String),
    /// The catalog refused.
    Refused(String),
    /// Nobody knows.
    Unknown(String),
}

/// A call from its beginning to its end, in numbers that count up over all calls.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) asked: Asked,
    pub(crate) began: u64,
    /// Revision that somebody knew of when it began.
    pub(crate) floor: u64,
    pub(crate) ended: Option<(u64, Answered)>,
}

/// An entry as a node applied it.
#[derive(Debug, Clone)]
pub(crate) struct Applied {
    pub(crate) node: HostId,
    pub(crate) term: u64,
    pub(crate) index: u64,
    pub(crate) commands: Vec<Proposed>,
    pub(crate) outcome: Outcome,
    /// Whether no node had applied this index before.
    pub(crate) first: bool,
}

#[derive(Debug, Default)]
struct Facts {
    sequence: u64,
    calls: Vec<Call>,
    /// Calls that have ended and were not judged yet.
    ended: Vec<usize>,
    /// The largest revision in any answer.
    known: u64,
    applied: Vec<Applied>,
    indices: BTreeMap<u64, ()>,
}

/// The facts; clones are handles to the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct History(Arc<Mutex<Facts>>);

impl History {
    fn lock(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call begins.
    pub(crate) fn began(&self, asked: Asked) -> usize {
        let mut facts = self.lock();
        facts.sequence += 1;
        let call = Call { asked, began: facts.sequence, floor: facts.known, ended: None };
        facts.calls.push(call);
        facts.calls.len() - 1
    }

    /// A call has ended.
    pub(crate) fn ended(&self, call: usize, answered: Answered) {
        let mut facts = self.lock();
        facts.sequence += 1;
        let at = facts.sequence;
        if let Answered::At(revision) = answered {
            facts.known = facts.known.max(revision);
        }
        if let Some(known) = facts.calls.get_mut(call) {
            if !matches!(answered, Answered::At(_)) {
                trace::line(format!("{:?} was answered {answered:?}", known.asked));
            }
            known.ended = Some((at, answered));
        }
        facts.ended.push(call);
    }

    /// Calls that have ended since the last time.
    pub(crate) fn take_ended(&self) -> Vec<Call> {
        let mut facts = self.lock();
        let ended = std::mem::take(&mut facts.ended);
        ended.into_iter().filter_map(|call| facts.calls.get(call).cloned()).collect()
    }

    /// All calls.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// Entries that were applied since the last time.
    pub(crate) fn take_applied(&self) -> Vec<Applied> {
        std::mem::take(&mut self.lock().applied)
    }
}

impl Observer for History {
    fn applied(&self, term: u64, index: u64, commands: &[Proposed], outcome: &Outcome) {
        let mut facts = self.lock();
        let first = facts.indices.insert(index, ()).is_none();
        facts.applied.push(Applied {
            node: current_host(),
            term,
            index,
            commands: commands.to_vec(),
            outcome: outcome.clone(),
            first,
        });
    }
}
