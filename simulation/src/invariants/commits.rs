//! Output becomes visible only after its checkpoint is recorded, unit by unit in order, and an older run makes nothing
//! visible after a newer one.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_catalog::Action;
use tidegate_types::{Attempt, Epoch};

use super::{Invariant, Verdict, accepted};
use crate::history::Applied;
use crate::outside::target::{Producer, Visible};

pub(super) struct Commits {
    /// Whether records are known here.
    with_catalog: bool,
    /// Complete checkpoints by lineage.
    complete: BTreeSet<(String, Epoch)>,
    /// What each writer has made visible last.
    last: BTreeMap<Producer, (Attempt, Epoch)>,
}

impl Commits {
    pub(super) fn new(with_catalog: bool) -> Self {
        Self { with_catalog, complete: BTreeSet::new(), last: BTreeMap::new() }
    }
}

impl Invariant for Commits {
    fn name(&self) -> &'static str {
        "commits"
    }

    fn on_applied(&mut self, applied: &Applied) -> Verdict {
        for (proposed, _) in accepted(applied) {
            if let Action::SaveRecord { record, .. } = &proposed.command.action {
                let numbers = record.checkpoints.iter().map(|checkpoint| checkpoint.epoch);
                self.complete.extend(numbers.map(|epoch| (record.lineage.clone(), epoch)));
            }
        }
        Ok(())
    }

    fn on_visible(&mut self, visible: &Visible) -> Verdict {
        let Visible { producer, attempt, epoch, .. } = visible;
        if self.with_catalog && !self.complete.contains(&(producer.0.clone(), *epoch)) {
            return Err(format!(
                "output of checkpoint {epoch} of {producer:?} is visible, and no record has it"
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
