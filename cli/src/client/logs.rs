//! `tidegate job logs`.

use std::collections::BTreeSet;
use std::time::Duration;

use prost_types::Timestamp;
use tidegate_proto::v1 as api;
use tidegate_types::Result;

use super::connection::{Connection, answer};
use super::output::{json, lines, time};
use crate::args::OutputFormat;

/// Time between two looks for new lines.
const FOLLOW: Duration = Duration::from_millis(700);
/// How far every look goes back, nanoseconds.
const BACK_NS: i128 = 5_000_000_000;

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
    let mut shown = Shown::default();
    let mut first = true;
    loop {
        let request = api::GetJobLogRequest { name: name.clone(), after_time: shown.from(), limit };
        let mut log = answer(connection.jobs().get_job_log(request).await)?;
        shown.keep_new(&mut log.lines);
        match connection.format {
            OutputFormat::Json if first || !log.lines.is_empty() => json(&log)?,
            OutputFormat::Json => {}
            OutputFormat::Table if log.lines.is_empty() && first => {
                lines("the job has written nothing that is still kept")?;
            }
            OutputFormat::Table => log.lines.iter().try_for_each(|line| lines(&text(line)))?,
        }
        if !log.missing.is_empty() && connection.format == OutputFormat::Table {
            eprintln!("not among them, because they did not answer: {}", log.missing.join(", "));
        }
        if !follow {
            return Ok(());
        }
        first = false;
        tokio::time::sleep(FOLLOW).await;
    }
}

/// Lines that were shown lately. Clocks of processes differ, and a line may be written while others are asked: so every
/// look goes some seconds back and leaves out what was shown.
#[derive(Default)]
struct Shown {
    newest_ns: i128,
    lately: BTreeSet<(i128, String)>,
}

impl Shown {
    /// From when on lines are asked for.
    fn from(&self) -> Option<Timestamp> {
        let from = self.newest_ns - BACK_NS;
        (from > 0).then(|| Timestamp {
            seconds: i64::try_from(from / 1_000_000_000).unwrap_or(0),
            nanos: i32::try_from(from % 1_000_000_000).unwrap_or(0),
        })
    }

    fn keep_new(&mut self, lines: &mut Vec<api::JobLogLine>) {
        lines.retain(|line| {
            let time = line.time.unwrap_or_default();
            let time = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
            self.newest_ns = self.newest_ns.max(time);
            // A process gives no two lines of a job the same time.
            self.lately.insert((time, line.process.clone()))
        });
        let oldest = self.newest_ns - BACK_NS;
        self.lately.retain(|(time, _)| *time >= oldest);
    }
}

fn text(line: &api::JobLogLine) -> String {
    let time = time(line.time.as_ref());
    format!("{time} {:<5} {} {}: {}", line.level, line.process, line.target, line.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_lines_of_other_clocks_are_shown_and_none_twice() {
        let line = |seconds, process: &str| api::JobLogLine {
            time: Some(Timestamp { seconds, nanos: 5 }),
            process: process.to_owned(),
            ..api::JobLogLine::default()
        };
        let mut shown = Shown::default();
        assert!(shown.from().is_none());
        let mut first = vec![line(100, "a"), line(101, "b")];
        shown.keep_new(&mut first);
        assert_eq!(first.len(), 2);
        assert_eq!(shown.from().map(|from| from.seconds), Some(96));
        let mut second = vec![line(99, "b"), line(100, "a"), line(100, "b"), line(101, "b")];
        shown.keep_new(&mut second);
        let new: Vec<i64> = second.iter().map(|line| line.time.unwrap().seconds).collect();
        assert_eq!(new, [99, 100]);
    }
}
