//! A record of a run is saved on top of the one before: no driver overwrites what another has saved, and a checkpoint
//! that is complete is not forgotten.

use std::collections::BTreeMap;

use tidegate_catalog::{Action, RunName};
use tidegate_types::{Epoch, JobRecord};

use super::{Invariant, Verdict, accepted};
use crate::history::Applied;

#[derive(Default)]
pub(super) struct Records(BTreeMap<RunName, JobRecord>);

fn newest(record: &JobRecord) -> Option<Epoch> {
    record.checkpoints.iter().map(|checkpoint| checkpoint.epoch).max()
}

impl Invariant for Records {
    fn name(&self) -> &'static str {
        "records"
    }

    fn on_applied(&mut self, applied: &Applied) -> Verdict {
        if !applied.first {
            return Ok(());
        }
        for (proposed, _) in accepted(applied) {
            let Action::SaveRecord { run, record, .. } = &proposed.command.action else { continue };
            let before = self.0.insert(run.clone(), record.clone());
            let Some(before) = before else { continue };
            if record.revision != before.revision + 1 || record.attempt < before.attempt {
                return Err(format!(
                    "revision {} of attempt {} was saved over revision {} of attempt {} of {run}",
                    record.revision, record.attempt, before.revision, before.attempt
                ));
            }
            if newest(record) < newest(&before) {
                return Err(format!(
                    "the record of {run} forgets checkpoint {:?}: its newest is {:?}",
                    newest(&before),
                    newest(record)
                ));
            }
        }
        Ok(())
    }
}
