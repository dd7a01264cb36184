//! What was acknowledged is in the log for good, once and at the revision that was answered; what was said not to be done
//! is not there.

use std::collections::BTreeMap;

use tidegate_catalog::Action;

use super::{Invariant, Verdict, View, accepted};
use crate::clients::tenant;
use crate::history::{Answered, Applied, Asked};

/// Revision at which each tenant was created.
#[derive(Default)]
pub(super) struct Acknowledged(BTreeMap<String, u64>);

impl Invariant for Acknowledged {
    fn name(&self) -> &'static str {
        "acknowledged"
    }

    fn on_applied(&mut self, applied: &Applied) -> Verdict {
        if !applied.first {
            return Ok(());
        }
        for (proposed, response) in accepted(applied) {
            if let (Action::CreateTenant { .. }, Some(name)) =
                (&proposed.command.action, tenant(&response.name))
            {
                // A repeated request gets the first answer.
                self.0.entry(name.to_owned()).or_insert(response.revision);
            }
        }
        Ok(())
    }

    fn at_end(&mut self, view: &View<'_>) -> Verdict {
        for call in view.calls {
            let (Asked::Create(name) | Asked::Lead(_, name)) = &call.asked else { continue };
            let found = self.0.get(name);
            match &call.ended {
                Some((_, Answered::At(revision))) if found != Some(revision) => {
                    return Err(format!(
                        "{:?} was acknowledged at revision {revision}; the log has it at {found:?}",
                        call.asked
                    ));
                }
                Some((_, Answered::Nothing(why))) if found.is_some() => {
                    return Err(format!(
                        "{:?} was said not to be done ({why}); the log has it at {found:?}",
                        call.asked
                    ));
                }
                // Nothing else uses the name.
                Some((_, Answered::Refused(why))) => {
                    return Err(format!(
                        "{:?} was done twice: {why}; the log has it at {found:?}",
                        call.asked
                    ));
                }
                _ => {}
            }
        }
        // It is still there: every node that has caught up has it.
        for live in view.live {
            let lost = live
                .metadata
                .peek(|catalog| self.0.keys().find(|name| catalog.tenant(name).is_none()).cloned());
            if let Some(name) = lost {
                return Err(format!("tenant {name} is gone from host {}", live.host));
            }
        }
        Ok(())
    }
}
