//! What a simulation sees of every node: the entries that it applies, with what came of them.

use std::cell::RefCell;

use super::types::{LogId, Outcome, Proposed};

/// Told of every entry with commands, on the thread that applies it.
pub trait Observer {
    /// An entry of a term was applied at an index.
    fn applied(&self, term: u64, index: u64, commands: &[Proposed], outcome: &Outcome);
}

thread_local! {
    static OBSERVER: RefCell<Option<Box<dyn Observer>>> = const { RefCell::new(None) };
}

/// From now on the nodes of this thread are observed.
pub fn observe(observer: Box<dyn Observer>) {
    OBSERVER.set(Some(observer));
}

pub(crate) fn applied(id: LogId, commands: &[Proposed], outcome: &Outcome) {
    OBSERVER.with_borrow(|observer| {
        if let Some(observer) = observer {
            observer.applied(id.leader_id.term, id.index, commands, outcome);
        }
    });
}
