//! `tidegate job logs`.

use std::time::Duration;

use tidegate_proto::v1 as api;
use tidegate_types::Result;

use super::connection::{Connection, answer};
use super::output::{json, lines, time};
use crate::args::OutputFormat;

/// Time between two looks for new lines.
const FOLLOW: Duration = Duration::from_millis(700);

/// Prints the log of a job, and goes on with new lines if asked to.
///
/// # Errors
/// What the cluster says.
pub(super) async fn show(
    connection: &mut Connection,
    name: &str,
    follow: bool,
    limit: u32,
) -> Result<()> {
    let name = connection.job_name(name);
    let mut after_time = None;
    let mut first = true;
    loop {
        let request = api::GetJobLogRequest { name: name.clone(), after_time, limit };
        let log = answer(connection.jobs().get_job_log(request).await)?;
        after_time = log.lines.last().and_then(|line| line.time).or(after_time);
        match connection.format {
            OutputFormat::Json if first || !log.lines.is_empty() => json(&log)?,
            OutputFormat::Json => {}
            OutputFormat::Table if log.lines.is_empty() && first => {
                lines("the job has written nothing that is still kept")?;
            }
            OutputFormat::Table => log.lines.iter().try_for_each(|line| lines(&text(line)))?,
        }
        if !follow {
            return Ok(());
        }
        first = false;
        tokio::time::sleep(FOLLOW).await;
    }
}

fn text(line: &api::JobLogLine) -> String {
    let time = time(line.time.as_ref());
    format!("{time} {:<5} {} {}: {}", line.level, line.process, line.target, line.message)
}
