//! What is durable of a job: its runs and completed checkpoints.

use crate::{Attempt, Epoch, JobId};
use serde::{Deserialize, Serialize};

/// The durable record of a job. Each saved record has the next `revision`; a store refuses a
/// revision that exists, which is what fences an older driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRecord {
    /// The job.
    pub job: JobId,
    /// Number of this record.
    pub revision: u64,
    /// Identity of the chain of runs that share state.
    pub lineage: String,
    /// The last run that was started.
    pub attempt: Attempt,
    /// The last checkpoint number that was given out; never reused.
    pub last_epoch: Epoch,
    /// Completed checkpoints and savepoints that are kept, oldest first.
    pub checkpoints: Vec<CompletedCheckpoint>,
    /// The checkpoint that this start was given; it counts until one is completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<CompletedCheckpoint>,
    /// Path or URL of the folder of this chain's checkpoints, where whoever keeps the record must know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Where the job stands.
    pub status: JobStatus,
}

/// A checkpoint that exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletedCheckpoint {
    /// Its number.
    pub epoch: Epoch,
    /// The run that took it.
    pub attempt: Attempt,
    /// Path or URL of the folder that its files are relative to.
    pub folder: String,
    /// Path of the manifest relative to the folder.
    pub manifest: String,
    /// xxh3-64 of the manifest, hexadecimal.
    pub digest: String,
    /// Whether it is a savepoint: self-contained and never deleted by the system.
    pub savepoint: bool,
    /// When it was triggered, milliseconds since the epoch.
    pub timestamp_ms: i64,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// A run is (or was, if the process died) under way.
    Running,
    /// All input was processed.
    Finished,
    /// Stopped with a savepoint.
    Stopped,
    /// Cancelled.
    Cancelled,
    /// Failed for good.
    Failed,
}

impl JobRecord {
    /// The record of a job that has never run.
    pub fn new(job: JobId, lineage: String) -> Self {
        Self {
            job,
            revision: 0,
            lineage,
            attempt: Attempt(0),
            last_epoch: Epoch(0),
            checkpoints: Vec::new(),
            origin: None,
            folder: None,
            status: JobStatus::Running,
        }
    }

    /// The newest checkpoint or savepoint.
    pub fn latest(&self) -> Option<&CompletedCheckpoint> {
        self.checkpoints.iter().max_by_key(|checkpoint| checkpoint.epoch)
    }
}
