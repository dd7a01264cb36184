//! Where the checkpoints of jobs are: below one directory for all, by project, job and chain of runs.

use tidegate_catalog::RunName;
use tidegate_checkpoint::Directory;
use tidegate_plan::settings::Settings;
use tidegate_types::{Error, ErrorCode, Result};

/// Where checkpoints and savepoints go that no setting of a job sends elsewhere.
#[derive(Debug, Clone)]
pub struct CheckpointFolders {
    /// Path or URL.
    pub checkpoints: Option<String>,
    /// Path or URL; none: below the checkpoints of the job.
    pub savepoints: Option<String>,
}

impl CheckpointFolders {
    /// The folder of something that coordinators keep outside of the catalog: `<directory>/<name>`. No project has a
    /// name that begins with `_`.
    ///
    /// # Errors
    /// `FAILED_PRECONDITION` if no directory is set; `INVALID_OPTION` if it cannot be used.
    pub(crate) fn kept(&self, name: &str) -> Result<Directory> {
        let directory = self.checkpoints.as_deref().ok_or_else(|| {
            let message = format!("there is no place for {}", name.trim_start_matches('_'));
            Error::new(ErrorCode::FailedPrecondition, message).help(
                "set 'checkpoints' in the coordinators' configuration to a URL that all of them reach",
            )
        })?;
        Ok(Directory::open(directory)?.child(name))
    }

    /// The folder of a job: `<directory>/<project>/<job>-<uid>`. The uid tells it from a deleted job of its name.
    ///
    /// # Errors
    /// `INVALID_OPTION` if no directory is set or it cannot be used.
    pub(super) fn home(&self, run: &RunName, uid: u64, settings: &Settings) -> Result<Directory> {
        let set = settings
            .get("execution.checkpointing.dir")
            .or(settings.get("state.checkpoints.dir"))
            .or(self.checkpoints.as_deref());
        let directory = set.ok_or_else(|| {
            Error::new(ErrorCode::InvalidOption, "no directory for checkpoints is set").help(
                "set 'execution.checkpointing.dir' in the job or 'checkpoints' in the coordinators' configuration to a URL that every worker reaches",
            )
        })?;
        Ok(Directory::open(directory)?.child(&below(run, uid)))
    }

    /// The folder of a job's savepoints.
    ///
    /// # Errors
    /// `INVALID_OPTION` if the directory cannot be used.
    pub(super) fn savepoints(
        &self,
        run: &RunName,
        uid: u64,
        settings: &Settings,
        folder: &Directory,
    ) -> Result<Directory> {
        let set =
            settings.get("execution.checkpointing.savepoint-dir").or(self.savepoints.as_deref());
        match set {
            Some(directory) => Ok(Directory::open(directory)?.child(&below(run, uid))),
            None => Ok(folder.child("savepoints")),
        }
    }
}

fn below(run: &RunName, uid: u64) -> String {
    format!("{}/{}-{uid}", run.job.project(), run.job.job())
}
