//! A job has one run at a time.

use std::collections::BTreeSet;

use super::{Invariant, Verdict, View};

pub(super) struct OneRun;

impl Invariant for OneRun {
    fn name(&self) -> &'static str {
        "one_run"
    }

    fn on_look(&mut self, view: &View<'_>) -> Verdict {
        for live in view.live {
            let doubled = live.metadata.peek(|catalog| {
                let mut jobs = BTreeSet::new();
                let second = catalog.live_runs().find(|run| !jobs.insert(run.name.job.clone()));
                second.map(|run| run.name.clone())
            });
            if let Some(run) = doubled {
                return Err(format!("{run} is not the only run of its job that is not over"));
            }
        }
        Ok(())
    }
}
