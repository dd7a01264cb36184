//! Closing a project for good.

use tidegate_types::Result;

use super::DEFAULT_PROJECT;
use crate::name::{ResourceName, RunName};
use crate::run::DesiredState;
use crate::state::{Catalog, Stamp, check_etag, precondition};

impl Catalog {
    pub(super) fn archive_project(
        &mut self,
        stamp: Stamp,
        id: String,
        etag: u64,
    ) -> Result<ResourceName> {
        let name = ResourceName::Project(id.clone());
        check_etag(&name, self.open_project(&id)?.revision, Some(etag))?;
        if id == DEFAULT_PROJECT {
            return Err(precondition(format!("archive {name}: it is always open")));
        }
        self.project_mut(stamp, &id)?.archived_ms = Some(stamp.now_ms);
        let runs: Vec<(RunName, bool)> = self
            .live_runs()
            .filter(|run| run.name.job.project() == id && run.desired == DesiredState::Running)
            .map(|run| (run.name.clone(), run.record.is_some()))
            .collect();
        for (run, has_begun) in runs {
            let savepoint = format!("archive-{}", stamp.revision);
            // One that has not begun has nothing to keep, and one without room for a savepoint must end, too.
            let stopped = has_begun && self.stop_run(stamp, &run, savepoint, None, false).is_ok();
            if !stopped {
                self.request_cancel(stamp, run)?;
            }
        }
        Ok(name)
    }
}
