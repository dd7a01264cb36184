//! Answers to questions of the leader.

use tidegate_proto::internal::v1 as wire;
use tidegate_proto::tasks;
use tidegate_runtime::telemetry::job_logs;
use tidegate_types::Result;

/// The lines of a job's log on this process.
pub(super) fn log(fetch: &wire::FetchLogs) -> wire::Answer {
    let lines = job_logs::lines(&fetch.job, fetch.after_ns, fetch.limit as usize);
    let line = |line: job_logs::Line| wire::LogLine {
        time_ns: line.time_ns,
        level: line.level.to_owned(),
        target: line.target,
        message: line.message,
    };
    let lines = lines.into_iter().map(line).collect();
    answer(fetch.request, Ok(wire::answer::Result::Log(wire::JobLog { lines })))
}

/// An answer to a question of the leader.
pub(super) fn answer(request: u64, result: Result<wire::answer::Result>) -> wire::Answer {
    let result = result
        .unwrap_or_else(|error| wire::answer::Result::Failure(tasks::failure_to_wire(&error)));
    wire::Answer { request, result: Some(result) }
}
