//! Long-running operations: what a caller waits for.

use serde::{Deserialize, Serialize};

use crate::name::ResourceName;
use crate::run::Failure;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Starts a run; done when it is running.
    StartRun,
    /// Stops a run with a savepoint.
    StopRun,
    /// Cancels a run.
    CancelRun,
    /// Changes the parallelism of a run.
    RescaleRun,
    /// Takes a savepoint.
    CreateSavepoint,
    /// Deletes a savepoint with its files.
    DeleteSavepoint,
    /// Moves everything off a worker.
    DrainWorker,
    /// Adds a coordinator.
    AddCoordinator,
    /// Removes a coordinator.
    RemoveCoordinator,
}

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    /// Not done.
    Pending,
    /// Done as asked.
    Succeeded,
    /// Given up; the error says why.
    Failed,
}

/// A long-running operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Its id.
    pub id: String,
    /// What it does.
    pub kind: OperationKind,
    /// What it does it to.
    pub target: ResourceName,
    /// Where it stands.
    pub state: OperationState,
    /// Why it failed.
    pub error: Option<Failure>,
    /// When it was asked for, milliseconds since the epoch.
    pub created_ms: i64,
    /// When it was done, milliseconds since the epoch.
    pub done_ms: Option<i64>,
    /// Changes with every change of the operation; its etag.
    pub revision: u64,
}
