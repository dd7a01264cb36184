//! The number of a checkpoint means one content for ever: no manifest is written over, and no two records name different
//! manifests of a number.

use std::collections::BTreeMap;

use tidegate_catalog::Action;
use tidegate_types::Epoch;

use super::{Invariant, Verdict, View, accepted};
use crate::history::Applied;

/// Digest of the manifest by folder and number.
#[derive(Default)]
pub(super) struct Checkpoints(BTreeMap<(String, Epoch), String>);

impl Invariant for Checkpoints {
    fn name(&self) -> &'static str {
        "checkpoints"
    }

    fn on_applied(&mut self, applied: &Applied) -> Verdict {
        for (proposed, _) in accepted(applied) {
            let Action::SaveRecord { run, record, .. } = &proposed.command.action else { continue };
            for checkpoint in &record.checkpoints {
                let key = (checkpoint.folder.clone(), checkpoint.epoch);
                let known = self.0.entry(key).or_insert_with(|| checkpoint.digest.clone());
                if *known != checkpoint.digest {
                    return Err(format!(
                        "checkpoint {} of {run} has digest {} and had {known}",
                        checkpoint.epoch, checkpoint.digest
                    ));
                }
            }
        }
        Ok(())
    }

    fn on_look(&mut self, view: &View<'_>) -> Verdict {
        match view.store.overwritten().first() {
            None => Ok(()),
            Some(path) => Err(format!("{path} was written over with another content")),
        }
    }
}
