//! From objects of the catalog to messages of the API.

use super::approvals::environment as shown;
use prost_types::Timestamp;
use tidegate_catalog::{
    Catalog, Failure, Job, JobVersion, Operation, OperationState, Priority, Run, RunState,
    Savepoint, SavepointState, Worker, WorkerState,
};
use tidegate_proto::v1 as api;
use tidegate_types::CompletedCheckpoint;

/// A time of the catalog.
pub(in crate::service) fn time(ms: i64) -> Option<Timestamp> {
    Some(Timestamp {
        seconds: ms.div_euclid(1_000),
        nanos: (ms.rem_euclid(1_000) * 1_000_000) as i32,
    })
}

fn error(failure: &Failure) -> api::OperationError {
    let (code, message) = (failure.code.as_str().to_owned(), failure.message.clone());
    api::OperationError { code, message }
}

/// A priority of the API; what is not said is normal.
pub(super) fn priority(priority: api::Priority) -> Priority {
    match priority {
        api::Priority::Critical => Priority::Critical,
        api::Priority::High => Priority::High,
        api::Priority::Low => Priority::Low,
        api::Priority::Normal | api::Priority::Unspecified => Priority::Normal,
    }
}

/// A job with its newest run.
pub(super) fn job(catalog: &Catalog, job: &Job) -> api::Job {
    let priority = match job.priority {
        Priority::Critical => api::Priority::Critical,
        Priority::High => api::Priority::High,
        Priority::Normal => api::Priority::Normal,
        Priority::Low => api::Priority::Low,
    };
    api::Job {
        name: job.name.to_string(),
        description: job.description.clone(),
        labels: job.labels.clone().into_iter().collect(),
        priority: priority.into(),
        create_time: time(job.created_ms),
        update_time: time(job.updated_ms),
        etag: job.revision.to_string(),
        latest_version: job.last_version,
        latest_run: catalog.last_run(&job.name).map(run),
    }
}

/// A version.
pub(super) fn version(version: &JobVersion) -> api::Version {
    api::Version {
        name: version.name.to_string(),
        sql: version.spec.sql.clone(),
        settings: version.spec.settings.clone().into_iter().collect(),
        parallelism: version.spec.parallelism,
        create_time: time(version.created_ms),
        release_approval: version.released.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

/// A run.
pub(super) fn run(run: &Run) -> api::Run {
    use api::run::State;
    let state = match run.state {
        RunState::Created => State::Created,
        RunState::Scheduling => State::Scheduling,
        RunState::Deploying => State::Deploying,
        RunState::Running => State::Running,
        RunState::Restarting => State::Restarting,
        RunState::Stopping => State::Stopping,
        RunState::Finished => State::Finished,
        RunState::Stopped => State::Stopped,
        RunState::Cancelled => State::Cancelled,
        RunState::Failed => State::Failed,
    };
    let record = run.record.as_ref();
    let latest = record.and_then(|record| record.latest());
    let tables = run.tables.as_ref();
    let environment = tables.map(|tables| shown(tables.environment));
    let environment = environment.unwrap_or_default();
    api::Run {
        name: run.name.to_string(),
        version: run.version,
        parallelism: run.parallelism,
        state: state.into(),
        attempt: record.map_or(0, |record| record.attempt.0),
        restarts: run.restarts,
        environment: environment.into(),
        missing_grant: tables.and_then(|tables| tables.lost.clone()).unwrap_or_default(),
        waiting: run.waiting.clone().unwrap_or_default(),
        last_failure: run.last_failure.as_ref().map(error),
        create_time: time(run.created_ms),
        start_time: run.started_ms.and_then(time),
        end_time: run.ended_ms.and_then(time),
        latest_checkpoint: latest.map(|latest| checkpoint(&run.name.job.to_string(), latest)),
    }
}

/// A checkpoint of a job.
pub(super) fn checkpoint(job: &str, checkpoint: &CompletedCheckpoint) -> api::Checkpoint {
    api::Checkpoint {
        name: format!("{job}/checkpoints/{}", checkpoint.epoch),
        number: checkpoint.epoch.0,
        attempt: checkpoint.attempt.0,
        manifest: format!("{}/{}", checkpoint.folder, checkpoint.manifest),
        savepoint: checkpoint.savepoint,
        trigger_time: time(checkpoint.timestamp_ms),
    }
}

/// A savepoint.
pub(super) fn savepoint(savepoint: &Savepoint) -> api::Savepoint {
    use api::savepoint::State;
    let state = match savepoint.state {
        SavepointState::Pending => State::Pending,
        SavepointState::Completed => State::Completed,
        SavepointState::Failed => State::Failed,
        SavepointState::Deleting => State::Deleting,
    };
    api::Savepoint {
        name: savepoint.name.to_string(),
        run: savepoint.run,
        state: state.into(),
        location: savepoint.location.clone().unwrap_or_default(),
        checkpoint: savepoint.epoch.map_or(0, |epoch| epoch.0),
        size_bytes: savepoint.size_bytes,
        error: savepoint.error.as_ref().map(error),
        create_time: time(savepoint.created_ms),
        done_time: savepoint.done_ms.and_then(time),
    }
}

/// A worker, with the slots that runs hold.
pub(super) fn worker(worker: &Worker, used_slots: u32) -> api::Worker {
    use api::worker::State;
    let state = match worker.state {
        WorkerState::Active => State::Active,
        WorkerState::Draining => State::Draining,
        WorkerState::Drained => State::Drained,
        WorkerState::Lost => State::Lost,
    };
    api::Worker {
        name: format!("workers/{}", worker.spec.id),
        state: state.into(),
        address: worker.spec.address.clone(),
        slots: worker.spec.slots,
        used_slots,
        labels: worker.spec.labels.clone().into_iter().collect(),
        version: worker.spec.version.clone(),
        register_time: time(worker.registered_ms),
    }
}

/// An operation.
pub(super) fn operation(operation: &Operation) -> api::Operation {
    let kind = serde_json::to_value(operation.kind).ok();
    let kind = kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or_default();
    api::Operation {
        name: format!("operations/{}", operation.id),
        kind: kind.to_ascii_uppercase(),
        target: operation.target.to_string(),
        done: operation.state != OperationState::Pending,
        error: operation.error.as_ref().map(error),
        create_time: time(operation.created_ms),
        done_time: operation.done_ms.and_then(time),
    }
}
