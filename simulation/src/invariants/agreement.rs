//! Every node applies the same entry at the same index, and it does the same everywhere.

use std::collections::BTreeMap;

use tidegate_coordinator::raft::{Outcome, Proposed};

use super::{Invariant, Verdict};
use crate::history::Applied;

#[derive(Default)]
pub(super) struct Agreement(BTreeMap<u64, (u64, Vec<Proposed>, Outcome)>);

impl Invariant for Agreement {
    fn name(&self) -> &'static str {
        "agreement"
    }

    fn on_applied(&mut self, applied: &Applied) -> Verdict {
        let now = (applied.term, applied.commands.clone(), applied.outcome.clone());
        let known = self.0.entry(applied.index).or_insert_with(|| now.clone());
        if *known == now {
            return Ok(());
        }
        Err(format!(
            "at index {} host {} applied {now:?}, another applied {known:?}",
            applied.index, applied.node
        ))
    }
}
