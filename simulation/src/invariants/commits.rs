//! Output becomes visible only after its checkpoint is recorded, unit by unit in order, and an older run makes nothing
//! visible after a newer one.

use std::collections::BTreeMap;

use tidegate_catalog::Action;
use tidegate_types::{Attempt, Epoch};

use super::{Invariant, Verdict, accepted};
use crate::history::Applied;
use crate::outside::target::{Producer, Visible};

pub(super) struct Commits {
    /// Whether records are known here.
    with_catalog: bool,
    /// The newest complete checkpoint by lineage.
    complete: BTreeMap<String, Epoch>,
    /// What each writer has made visible last.
    last: BTreeMap<Producer, (Attempt, Epoch)>,
}

impl Commits {
    pub(super) fn new(with_catalog: bool) -> Self {
        Self { with_catalog, complete: BTreeMap::new(), last: BTreeMap::new() }
    }
}

impl Invariant for Commits {
    fn name(&self) -> &'static str {
        "commits"
    }

    fn on_applied(&mut self, applied: &Applied) -> Verdict {
        for (proposed, _) in accepted(applied) {
            if let Action::SaveRecord { record, .. } = &proposed.command.action {
                for checkpoint in &record.checkpoints {
                    let newest = self.complete.entry(record.lineage.clone()).or_insert(Epoch(0));
                    *newest = checkpoint.epoch.max(*newest);
                }
            }
        }
        Ok(())
    }

    fn on_visible(&mut self, visible: &Visible) -> Verdict {
        let Visible { producer, attempt, epoch, .. } = visible;
        // What was staged for a checkpoint that was given up is made visible by the next one that is complete.
        let complete = self.complete.get(&producer.0);
        if self.with_catalog && complete.is_none_or(|newest| newest < epoch) {
            return Err(format!(
                "output of checkpoint {epoch} of {producer:?} is visible; the newest on record is {complete:?}"
            ));
        }
        let now = (*attempt, *epoch);
        let last = self.last.insert(producer.clone(), now).unwrap_or(now);
        if *attempt < last.0 || *epoch < last.1 {
            return Err(format!(
                "attempt {attempt} made epoch {epoch} of {producer:?} visible after attempt {} epoch {}",
                last.0, last.1
            ));
        }
        Ok(())
    }
}
