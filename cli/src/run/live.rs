//! The live view: one line per job and second on standard error.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::temporal_conversions::timestamp_ms_to_datetime;
use tidegate_job_control::driver::progress::Progress;
use tidegate_plan::StreamGraph;
use tidegate_runtime::Clock;
use tidegate_types::{MAX_WATERMARK, MIN_WATERMARK};
use tidegate_worker::RunMetrics;
use tokio::sync::watch;

use crate::embedded::report::inserts;

/// Time between two lines.
const INTERVAL: Duration = Duration::from_secs(1);

/// A watermark that is further from the clock shows its own time.
const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// What is shown of a job.
pub(crate) struct Shown {
    /// Its name.
    pub(crate) name: String,
    /// Its plan.
    pub(crate) graph: StreamGraph,
    /// How it goes.
    pub(crate) progress: watch::Receiver<Progress>,
    /// Counters of its current run.
    pub(crate) metrics: watch::Receiver<RunMetrics>,
    last_in: u64,
}

/// The jobs of a script, for the live view and the metrics endpoint.
#[derive(Clone)]
pub(crate) struct Board {
    clock: Arc<dyn Clock>,
    jobs: Arc<Mutex<Vec<Shown>>>,
}

impl Board {
    /// No jobs yet.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, jobs: Arc::default() }
    }

    /// Adds a job.
    pub(crate) fn add(
        &self,
        name: String,
        graph: StreamGraph,
        progress: watch::Receiver<Progress>,
        metrics: watch::Receiver<RunMetrics>,
    ) {
        self.with(|jobs| jobs.push(Shown { name, graph, progress, metrics, last_in: 0 }));
    }

    /// Looks at the jobs.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Vec<Shown>) -> T) -> T {
        look(&mut self.jobs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Prints a line per job and second until it is dropped.
    pub(crate) async fn run(self) {
        let mut before = self.clock.elapsed();
        loop {
            tokio::time::sleep(INTERVAL).await;
            let now = self.clock.elapsed();
            let seconds = (now - before).as_secs_f64();
            before = now;
            let now_ms = self.clock.now_ms();
            self.with(|jobs| {
                for job in jobs {
                    eprintln!("{}", line(job, seconds, now_ms));
                }
            });
        }
    }
}

fn line(job: &mut Shown, seconds: f64, now_ms: i64) -> String {
    let progress = *job.progress.borrow();
    let metrics = job.metrics.borrow().clone();
    let reports = inserts(&job.graph, &metrics, 0.0);
    let records_in = reports.iter().map(|report| report.records_in).max().unwrap_or(0);
    let records_out: u64 = reports.iter().map(|report| report.records_out).sum();
    let late: u64 = reports.iter().map(|report| report.late_records).sum();
    let rate = records_in.saturating_sub(job.last_in) as f64 / seconds.max(1e-3);
    job.last_in = records_in;
    let marks = metrics.entries();
    let marks = marks.iter().map(|entry| entry.metrics.watermark.get());
    let watermark = marks.filter(|mark| *mark != 0 && *mark != MIN_WATERMARK).min();
    let watermark = match watermark {
        None => "none yet".to_owned(),
        Some(MAX_WATERMARK) => "end of input".to_owned(),
        Some(mark) => place(mark, now_ms),
    };
    format!(
        "[{}] in {records_in} ({}/s) · out {records_out} · late {late} · watermark {watermark} · checkpoints {} (last {:.0} ms) · restarts {}",
        job.name,
        short(rate),
        progress.checkpoints,
        progress.last_checkpoint_ms,
        progress.restarts,
    )
}

/// Where a watermark is: how far behind the clock, or, where the events are not of today, which time it
/// shows.
fn place(mark: i64, now_ms: i64) -> String {
    let behind = now_ms.saturating_sub(mark);
    match timestamp_ms_to_datetime(mark) {
        Some(time) if behind.unsigned_abs() > DAY_MS => {
            time.format("%Y-%m-%d %H:%M:%S").to_string()
        }
        _ => format!("{:.1} s behind", behind as f64 / 1e3),
    }
}

/// A number in three significant digits with k, M or G.
fn short(number: f64) -> String {
    match number {
        n if n >= 1e9 => format!("{:.2}G", n / 1e9),
        n if n >= 1e6 => format!("{:.2}M", n / 1e6),
        n if n >= 1e3 => format!("{:.1}k", n / 1e3),
        n => format!("{n:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-01 12:00:00.
    const NOW: i64 = 1_767_268_800_000;

    #[test]
    fn watermarks_of_today_are_told_by_their_distance_and_others_by_their_time() {
        assert_eq!(place(NOW - 1_250, NOW), "1.2 s behind");
        assert_eq!(place(NOW + 500, NOW), "-0.5 s behind");
        assert_eq!(place(NOW - 2 * 86_400_000, NOW), "2025-12-30 12:00:00");
        assert!(place(i64::MIN + 1, NOW).ends_with(" s behind"));
    }
}
