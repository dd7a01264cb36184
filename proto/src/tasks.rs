//! Reports, instructions and errors of tasks on the wire, for both ends of a worker's stream.

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;
use tidegate_checkpoint::task::{Control, Report, ReportKind, TaskEvent};
use tidegate_types::{Attempt, Epoch, Error, ErrorCode, Result, SubtaskId, TaskId};

use crate::internal::v1 as wire;
use crate::internal::v1::report::Kind;

/// The error for a message that lacks something or does not parse.
pub fn malformed(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::Incompatible, format!("a message between nodes is malformed: {what}"))
        .help("run the same release on all nodes")
}

/// A task on the wire.
pub fn subtask_to_wire(subtask: SubtaskId) -> wire::Subtask {
    wire::Subtask { task: subtask.task.0, index: subtask.index }
}

/// A task from the wire.
pub fn subtask(subtask: &wire::Subtask) -> SubtaskId {
    SubtaskId { task: TaskId(subtask.task), index: subtask.index }
}

/// An error on the wire: its code, its message with all context, its help.
pub fn failure_to_wire(error: &Error) -> wire::Failure {
    wire::Failure {
        code: error.code().as_str().to_owned(),
        message: error.summary(),
        help: error.help_text().unwrap_or_default().to_owned(),
    }
}

/// A code by its name, such as `UNAVAILABLE`; one that is not known is `INTERNAL`.
pub fn code_of(name: &str) -> ErrorCode {
    let name: StrDeserializer<'_, serde::de::value::Error> = name.into_deserializer();
    ErrorCode::deserialize(name).unwrap_or(ErrorCode::Internal)
}

/// An error from the wire.
pub fn failure(failure: &wire::Failure) -> Error {
    let error = Error::new(code_of(&failure.code), failure.message.clone());
    if failure.help.is_empty() { error } else { error.help(failure.help.clone()) }
}

/// A value in a message's field of JSON.
///
/// # Errors
/// `INTERNAL` if it holds what JSON cannot.
pub fn to_json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::internal(format!("encode JSON: {error}")))
}

/// A value from a message's field of JSON.
///
/// # Errors
/// `INCOMPATIBLE` if it does not parse.
pub fn from_json<T: serde::de::DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| malformed(format!("{what}: {error}")))
}

/// An instruction on the wire.
///
/// # Errors
/// As [`to_json`].
pub fn tell(job: &str, attempt: Attempt, control: &Control) -> Result<wire::Tell> {
    Ok(wire::Tell { job: job.to_owned(), attempt: attempt.0, control: to_json(control)? })
}

/// A report on the wire; its sequence is for the sender to set.
///
/// # Errors
/// As [`to_json`].
pub fn report_to_wire(job: &str, event: &TaskEvent) -> Result<wire::Report> {
    let kind = match &event.report.kind {
        ReportKind::Ready => Kind::Ready(wire::report::Ready {}),
        ReportKind::Snapshot { epoch, state } => {
            Kind::Snapshot(wire::report::Snapshot { epoch: epoch.0, state: to_json(state)? })
        }
        ReportKind::Declined { epoch, error } => Kind::Declined(wire::report::Declined {
            epoch: epoch.0,
            failure: Some(failure_to_wire(error)),
        }),
        ReportKind::Ended => Kind::Ended(wire::report::Ended {}),
        ReportKind::Committed(epoch) => Kind::Committed(wire::report::Committed { epoch: epoch.0 }),
        ReportKind::Failed(error) => Kind::Failed(failure_to_wire(error)),
    };
    Ok(wire::Report {
        sequence: 0,
        job: job.to_owned(),
        attempt: event.attempt.0,
        subtask: Some(subtask_to_wire(event.report.subtask)),
        kind: Some(kind),
    })
}

/// A report from the wire.
///
/// # Errors
/// `INCOMPATIBLE` if something is missing or does not parse.
pub fn report(report: &wire::Report) -> Result<TaskEvent> {
    let missing = |what: &str| malformed(format!("a report without {what}"));
    let task = report.subtask.as_ref().ok_or_else(|| missing("a task"))?;
    let kind = match report.kind.as_ref().ok_or_else(|| missing("a kind"))? {
        Kind::Ready(_) => ReportKind::Ready,
        Kind::Snapshot(snapshot) => ReportKind::Snapshot {
            epoch: Epoch(snapshot.epoch),
            state: from_json("the state of a task", &snapshot.state)?,
        },
        Kind::Declined(declined) => ReportKind::Declined {
            epoch: Epoch(declined.epoch),
            error: failure(declined.failure.as_ref().ok_or_else(|| missing("a reason"))?),
        },
        Kind::Ended(_) => ReportKind::Ended,
        Kind::Committed(committed) => ReportKind::Committed(Epoch(committed.epoch)),
        Kind::Failed(error) => ReportKind::Failed(failure(error)),
    };
    let report_of = Report { subtask: subtask(task), kind };
    Ok(TaskEvent { attempt: Attempt(report.attempt), report: report_of })
}

#[cfg(test)]
mod tests {
    use tidegate_checkpoint::task::TaskState;

    use super::*;

    fn round_trip(kind: ReportKind) -> TaskEvent {
        let subtask = SubtaskId { task: TaskId(3), index: 1 };
        let event = TaskEvent { attempt: Attempt(7), report: Report { subtask, kind } };
        let wire = report_to_wire("projects/p/jobs/j", &event).unwrap();
        let back = report(&wire).unwrap();
        assert_eq!((back.attempt, back.report.subtask), (Attempt(7), subtask));
        back
    }

    #[test]
    fn reports_come_back() {
        assert!(matches!(round_trip(ReportKind::Ready).report.kind, ReportKind::Ready));
        assert!(matches!(round_trip(ReportKind::Ended).report.kind, ReportKind::Ended));
        let committed = round_trip(ReportKind::Committed(Epoch(4)));
        assert!(matches!(committed.report.kind, ReportKind::Committed(Epoch(4))));
        let state = TaskState { uploaded_bytes: 9, ..TaskState::default() };
        let snapshot = ReportKind::Snapshot { epoch: Epoch(5), state: state.clone() };
        let ReportKind::Snapshot { epoch, state: found } = round_trip(snapshot).report.kind else {
            panic!("another kind came back");
        };
        assert_eq!((epoch, found), (Epoch(5), state));
        let error = Error::new(ErrorCode::BadRecord, "record 7").help("mend it");
        let ReportKind::Failed(found) = round_trip(ReportKind::Failed(error)).report.kind else {
            panic!("another kind came back");
        };
        assert_eq!((found.code(), found.help_text()), (ErrorCode::BadRecord, Some("mend it")));
    }

    #[test]
    fn messages_that_lack_something_are_refused() {
        let error = report(&wire::Report::default()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Incompatible);
        assert!(error.to_string().contains("without a task"), "{error}");
        let unknown = wire::Failure { code: "NEW_CODE".into(), ..wire::Failure::default() };
        assert_eq!(failure(&unknown).code(), ErrorCode::Internal);
    }
}
