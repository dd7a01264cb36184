//! When a long-running operation is done: read off what it stands for.

use tidegate_catalog::{
    Action, Catalog, Failure, Operation, OperationKind, ResourceName, Run, RunState,
    SavepointState, WorkerState,
};
use tidegate_types::ErrorCode;

/// What ends the operations that are done.
pub(super) fn finished(catalog: &Catalog, now_ms: i64) -> Vec<Action> {
    let pending = catalog.pending_operations();
    let done = pending.filter_map(|one| Some((one, verdict(catalog, one, now_ms)?)));
    let finish = done.map(|(operation, verdict)| Action::FinishOperation {
        id: operation.id.clone(),
        error: verdict.err(),
    });
    finish.collect()
}

/// How an operation went, if it is done.
fn verdict(catalog: &Catalog, operation: &Operation, now_ms: i64) -> Option<Result<(), Failure>> {
    let gone = || {
        let message = format!("{} does not exist any more", operation.target);
        Err(Failure { code: ErrorCode::NotFound, message, at_ms: now_ms })
    };
    match &operation.target {
        ResourceName::Run(name) => match catalog.run(name) {
            Some(run) => of_run(operation.kind, run, now_ms),
            None => Some(gone()),
        },
        ResourceName::Savepoint(name) => {
            let savepoint = catalog.savepoint(name);
            match (operation.kind, savepoint.map(|savepoint| savepoint.state)) {
                (OperationKind::DeleteSavepoint, None) => Some(Ok(())),
                (OperationKind::DeleteSavepoint, _) => None,
                (_, Some(SavepointState::Completed)) => Some(Ok(())),
                (_, Some(SavepointState::Failed)) => {
                    let error = savepoint.and_then(|savepoint| savepoint.error.clone());
                    Some(error.map_or_else(gone, Err))
                }
                (_, None) => Some(gone()),
                (_, Some(SavepointState::Pending | SavepointState::Deleting)) => None,
            }
        }
        ResourceName::Worker(worker) => match catalog.worker(worker).map(|worker| worker.state) {
            None | Some(WorkerState::Drained | WorkerState::Lost) => Some(Ok(())),
            // The drain was taken back.
            Some(WorkerState::Active) => {
                let message = format!("the drain of workers/{worker} was taken back");
                Some(Err(Failure { code: ErrorCode::Cancelled, message, at_ms: now_ms }))
            }
            Some(WorkerState::Draining) => None,
        },
        _ => Some(Ok(())),
    }
}

fn of_run(kind: OperationKind, run: &Run, now_ms: i64) -> Option<Result<(), Failure>> {
    let failed = || {
        let message = format!("{} is {}", run.name, run.state);
        let seen = Failure { code: ErrorCode::FailedPrecondition, message, at_ms: now_ms };
        Some(Err(run.last_failure.clone().unwrap_or(seen)))
    };
    let good = match kind {
        OperationKind::StartRun => {
            matches!(run.state, RunState::Running | RunState::Finished | RunState::Stopped)
        }
        OperationKind::RescaleRun => {
            run.state == RunState::Running && run.deployed == Some(run.parallelism)
        }
        OperationKind::StopRun => matches!(run.state, RunState::Stopped | RunState::Finished),
        _ => run.state.is_terminal(),
    };
    match (good, run.state.is_terminal()) {
        (true, _) => Some(Ok(())),
        (false, true) => failed(),
        (false, false) => None,
    }
}
