//! What a leader decided by itself is applied in its own term only.

use super::{Invariant, Verdict, accepted};
use crate::history::Applied;

pub(super) struct Terms;

impl Invariant for Terms {
    fn name(&self) -> &'static str {
        "terms"
    }

    fn on_applied(&mut self, applied: &Applied) -> Verdict {
        let wrong = |term: Option<u64>| term.is_some_and(|term| term != applied.term);
        match accepted(applied).find(|(proposed, _)| wrong(proposed.leader_term)) {
            None => Ok(()),
            Some((proposed, _)) => Err(format!(
                "term {} applied what the leader of term {:?} had decided: {:?}",
                applied.term, proposed.leader_term, proposed.command.action
            )),
        }
    }
}
