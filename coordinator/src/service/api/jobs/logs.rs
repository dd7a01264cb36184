//! Logs of jobs.

use tidegate_catalog::JobName;
use tidegate_proto::v1 as api;
use tidegate_types::{Error, ErrorCode, Result};

use crate::service::api::{Api, unknown};
use crate::service::workers::logs::{Line, gather};

/// Lines of an answer, if nothing is asked for, and at most.
const LINES: u32 = 500;
const MOST: u32 = 5_000;

impl Api {
    /// The newest lines of a job's log. The leader only.
    pub(super) async fn job_log(&self, request: api::GetJobLogRequest) -> Result<api::JobLog> {
        let job: JobName = request.name.parse()?;
        let known = self.metadata.peek(|catalog| catalog.job(&job).is_some());
        if !known {
            return Err(unknown(&job));
        }
        if request.limit > MOST {
            let message = format!("limit {} is more than {MOST}", request.limit);
            return Err(Error::new(ErrorCode::InvalidOption, message));
        }
        let limit = if request.limit == 0 { LINES } else { request.limit };
        let after_ns = request.after_time.map_or(0, |time| {
            time.seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(time.nanos))
        });
        let coordinator = self.metadata.id();
        let job = job.to_string();
        let (lines, missing) = gather(&self.pool, coordinator, &job, after_ns, limit).await;
        Ok(api::JobLog { lines: lines.into_iter().map(line).collect(), missing })
    }
}

fn line(Line { process, line }: Line) -> api::JobLogLine {
    let time = prost_types::Timestamp {
        seconds: line.time_ns.div_euclid(1_000_000_000),
        nanos: i32::try_from(line.time_ns.rem_euclid(1_000_000_000)).unwrap_or(0),
    };
    api::JobLogLine {
        time: Some(time),
        level: line.level,
        process,
        target: line.target,
        message: line.message,
    }
}
