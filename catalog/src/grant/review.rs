//! Running jobs whose grants end.

use tidegate_types::Result;

use crate::name::{ResourceName, RunName};
use crate::run::{DesiredState, Run};
use crate::state::{Catalog, Stamp};
use crate::tenancy::GrantLoss;

/// What a running job needs and may not have any more.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lost {
    /// The first thing that is missing, in words.
    what: String,
    /// Whether the project of one of the tables wants such jobs to be stopped.
    stop: bool,
}

impl Catalog {
    /// Live runs of which it is to be said anew whether they have the grants that they need.
    pub fn runs_to_review(&self, now_ms: i64) -> Vec<RunName> {
        let differs = |run: &&Run| {
            let lost = self.lost(run, now_ms);
            let known = run.tables.as_ref().and_then(|tables| tables.lost.as_ref());
            let to_stop =
                lost.as_ref().is_some_and(|lost| lost.stop) && run.desired == DesiredState::Running;
            to_stop || lost.as_ref().map(|lost| &lost.what) != known
        };
        self.live_runs().filter(differs).map(|run| run.name.clone()).collect()
    }

    /// Says of a run what it needs and has not; stops it with a savepoint if a project whose table that is wants so.
    pub(super) fn review_run(&mut self, stamp: Stamp, name: RunName) -> Result<ResourceName> {
        let run = self.run_ref(&name)?;
        run.check_not_over("review")?;
        let lost = self.lost(run, stamp.now_ms);
        let running = run.desired == DesiredState::Running;
        let has_begun = run.record.is_some();
        let stop = lost.as_ref().is_some_and(|lost| lost.stop) && running;
        if let Some(tables) = &mut self.run_mut(stamp, &name)?.tables {
            tables.lost = lost.map(|lost| lost.what);
        }
        if stop {
            let savepoint = format!("grant-lost-{}", stamp.revision);
            // One that has not begun has nothing to keep, and one without room for a savepoint must end, too.
            if !has_begun || self.stop_run(stamp, &name, savepoint, None, false).is_err() {
                self.request_cancel(stamp, name.clone())?;
            }
        }
        Ok(name.into())
    }

    fn lost(&self, run: &Run, now_ms: i64) -> Option<Lost> {
        let tables = run.tables.as_ref()?;
        let uses = &self.version(&run.name.job.version(run.version))?.spec.tables;
        let mut found: Option<Lost> = None;
        for used in uses {
            let project = run.name.job.project();
            let checked = self.check_use(project, used, tables.account.as_ref(), now_ms);
            let Err(error) = checked else { continue };
            let owner = self.project(used.table.project());
            let stop = owner.is_some_and(|owner| owner.settings.grant_loss == GrantLoss::Stop);
            let what = error.message().to_owned();
            let before = found.get_or_insert(Lost { what, stop });
            before.stop |= stop;
        }
        found
    }
}
