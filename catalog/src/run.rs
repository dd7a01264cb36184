//! Runs of jobs: their states, and which state may follow which.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidegate_types::{Error, ErrorCode, JobRecord, Result};

use crate::bounds::cut;
use crate::grant::RunTables;
use crate::name::{RunName, SavepointName};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Asked for; nobody has looked at it yet.
    Created,
    /// Slots are being looked for.
    Scheduling,
    /// Tasks are being started.
    Deploying,
    /// All tasks run.
    Running,
    /// Something failed, and the run will be started again, or it is being rescaled.
    Restarting,
    /// A stop or cancel is under way.
    Stopping,
    /// All input was processed.
    Finished,
    /// Stopped with a savepoint.
    Stopped,
    /// Cancelled.
    Cancelled,
    /// Failed for good.
    Failed,
}

impl RunState {
    /// Every state.
    pub const ALL: [Self; 10] = [
        Self::Created,
        Self::Scheduling,
        Self::Deploying,
        Self::Running,
        Self::Restarting,
        Self::Stopping,
        Self::Finished,
        Self::Stopped,
        Self::Cancelled,
        Self::Failed,
    ];

    /// Whether the run is over.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Finished | Self::Stopped | Self::Cancelled | Self::Failed)
    }

    /// Whether `next` may follow.
    pub fn may_become(self, next: Self) -> bool {
        use RunState::{
            Cancelled, Created, Deploying, Failed, Finished, Restarting, Running, Scheduling,
            Stopped, Stopping,
        };
        match self {
            Created => matches!(next, Scheduling | Stopping | Cancelled | Failed),
            Scheduling => matches!(next, Deploying | Restarting | Stopping | Cancelled | Failed),
            Deploying => {
                matches!(next, Running | Scheduling | Restarting | Stopping | Cancelled | Failed)
            }
            Running => matches!(next, Restarting | Stopping | Finished | Cancelled | Failed),
            Restarting => matches!(next, Scheduling | Deploying | Stopping | Cancelled | Failed),
            // A stop whose savepoint failed goes on; one whose tasks failed starts again first.
            Stopping => {
                matches!(next, Running | Restarting | Finished | Stopped | Cancelled | Failed)
            }
            Finished | Stopped | Cancelled | Failed => false,
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Scheduling => "scheduling",
            Self::Deploying => "deploying",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Stopping => "stopping",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        })
    }
}

/// What its owner wants of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DesiredState {
    /// Go on until the input ends.
    Running,
    /// Take a savepoint and stop.
    Stopped {
        /// The savepoint to take.
        savepoint: SavepointName,
        /// Whether to end all windows first, as at the end of the input.
        drain: bool,
    },
    /// Stop at once.
    Cancelled,
}

/// What state a run begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RestoreOrigin {
    /// None.
    Fresh,
    /// The last checkpoint or savepoint that a run of the job completed.
    LatestCheckpoint,
    /// A savepoint that the catalog knows.
    Savepoint(SavepointName),
    /// A folder with a manifest, as a path or URL.
    Path(String),
}

/// An error that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Its code.
    pub code: ErrorCode,
    /// What happened; long messages are cut when they are stored.
    pub message: String,
    /// When it happened, milliseconds since the epoch.
    pub at_ms: i64,
}

impl Failure {
    /// The failure with a message of bounded size.
    pub(crate) fn cut(self) -> Self {
        Self { message: cut(self.message), ..self }
    }
}

/// A run of a job, from its start to its end, restarts included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Its name.
    pub name: RunName,
    /// Number of the version that it runs.
    pub version: u64,
    /// How parallel it should be.
    pub parallelism: u32,
    /// What state it begins with.
    pub origin: RestoreOrigin,
    /// Where it runs and what it rests on, if it uses tables of the catalog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<RunTables>,
    /// What its owner wants.
    pub desired: DesiredState,
    /// Where it stands.
    pub state: RunState,
    /// What its driver has saved; none before the first save.
    pub record: Option<JobRecord>,
    /// Parallelism of the attempt under way; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed: Option<u32>,
    /// What it waits for, in words: slots, above all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
    /// The last failure, of a restart or of the end.
    pub last_failure: Option<Failure>,
    /// How often it became [`RunState::Restarting`].
    pub restarts: u64,
    /// When it was asked for, milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was first running, milliseconds since the epoch.
    pub started_ms: Option<i64>,
    /// When it was over, milliseconds since the epoch.
    pub ended_ms: Option<i64>,
    /// Changes with every change of the run; its etag.
    pub revision: u64,
}

impl Run {
    /// Number of the record that is saved; 0 before the first.
    pub fn record_revision(&self) -> u64 {
        self.record.as_ref().map_or(0, |record| record.revision)
    }

    /// Refuses anything that only a run that is not over may do.
    pub(crate) fn check_not_over(&self, what: &str) -> Result<()> {
        if !self.state.is_terminal() {
            return Ok(());
        }
        Err(Error::new(
            ErrorCode::FailedPrecondition,
            format!("{what} of {}: the run is {}", self.name, self.state),
        ))
    }

    /// The guard against older drivers: a record is saved only on top of the one that its driver knows.
    pub(crate) fn check_record(&self, record: &JobRecord) -> Result<()> {
        let fenced = |why: String| {
            Err(Error::new(ErrorCode::Fenced, format!("save a record of {}: {why}", self.name)))
        };
        if self.state.is_terminal() {
            return fenced(format!("the run is {}", self.state));
        }
        let stored = self.record_revision();
        if Some(record.revision) != stored.checked_add(1) {
            let revision = record.revision;
            return fenced(format!("its revision is {revision}, the saved one has {stored}"));
        }
        let Some(last) = &self.record else { return Ok(()) };
        if record.job != last.job || record.lineage != last.lineage {
            return fenced("it is of another job or lineage".to_owned());
        }
        if record.attempt < last.attempt || record.last_epoch < last.last_epoch {
            return fenced(format!(
                "attempt {} and checkpoint {} are behind {} and {}",
                record.attempt, record.last_epoch, last.attempt, last.last_epoch
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_stays_over_and_everything_can_end() {
        for state in RunState::ALL {
            let next: Vec<_> = RunState::ALL.into_iter().filter(|n| state.may_become(*n)).collect();
            assert_eq!(state.is_terminal(), next.is_empty(), "{state}");
            if !state.is_terminal() {
                assert!(next.contains(&RunState::Failed) && next.contains(&RunState::Cancelled));
            }
            assert!(!next.contains(&RunState::Created));
        }
    }

    #[test]
    fn only_what_ran_can_finish_or_be_stopped() {
        let before = |end| -> Vec<_> {
            RunState::ALL.into_iter().filter(|state| state.may_become(end)).collect()
        };
        assert_eq!(before(RunState::Finished), [RunState::Running, RunState::Stopping]);
        assert_eq!(before(RunState::Stopped), [RunState::Stopping]);
        assert_eq!(before(RunState::Running), [RunState::Deploying, RunState::Stopping]);
    }
}
