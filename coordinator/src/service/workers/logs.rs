//! The log of a job, gathered from this leader and the workers that are there.

use std::time::Duration;

use tidegate_proto::internal::v1 as wire;
use tidegate_proto::internal::v1::worker_command::Command;
use tidegate_runtime::telemetry::job_logs;

use super::WorkerPool;

/// How long a worker may take; one that takes longer is left out.
const PATIENCE: Duration = Duration::from_secs(3);

/// A line and the process that wrote it.
pub(crate) struct Line {
    /// `workers/{id}` or `coordinators/{id}`.
    pub(crate) process: String,
    /// What it wrote.
    pub(crate) line: wire::LogLine,
}

/// The newest lines of a job's log that are younger than a moment, by time, and the workers that have not answered.
pub(crate) async fn gather(
    pool: &WorkerPool,
    coordinator: u64,
    job: &str,
    after_ns: i64,
    limit: u32,
) -> (Vec<Line>, Vec<String>) {
    let own = job_logs::lines(job, after_ns, limit as usize).into_iter().map(|line| Line {
        process: format!("coordinators/{coordinator}"),
        line: wire::LogLine {
            time_ns: line.time_ns,
            level: line.level.to_owned(),
            target: line.target,
            message: line.message,
        },
    });
    let mut all: Vec<Line> = own.collect();
    let asked = pool.slots().into_keys().filter_map(|worker| {
        let (_, session) = pool.session(&worker)?;
        Some(async move {
            let job = job.to_owned();
            let fetch =
                |request| Command::FetchLogs(wire::FetchLogs { request, job, after_ns, limit });
            let answer = tokio::time::timeout(PATIENCE, pool.ask(&worker, session, fetch)).await;
            match answer {
                Ok(Ok(wire::answer::Result::Log(log))) => (worker, Some(log.lines)),
                _ => (worker, None),
            }
        })
    });
    let mut missing = Vec::new();
    for (worker, lines) in futures::future::join_all(asked).await {
        let process = format!("workers/{worker}");
        match lines {
            Some(lines) => {
                all.extend(lines.into_iter().map(|line| Line { process: process.clone(), line }));
            }
            None => missing.push(process),
        }
    }
    all.sort_by_key(|line| line.line.time_ns);
    let surplus = all.len().saturating_sub(limit as usize);
    all.drain(..surplus);
    (all, missing)
}
