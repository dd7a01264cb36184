//! The last log lines of each job on this process, for whoever asks for them: lines of level info and above that were
//! written in a span with a field `job`, or have a field `job` or `run` themselves. What standard error shows does not
//! matter.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::{Debug, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Lines that are kept of a job, and jobs of which any are.
const LINES: usize = 500;
const JOBS: usize = 500;
/// Bytes of a line at most.
const BYTES: usize = 2_000;

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Nanoseconds since 1970; no two lines of a job on a process have the same.
    pub time_ns: i64,
    /// `INFO`, `WARN`, `ERROR`.
    pub level: &'static str,
    /// The module that wrote it.
    pub target: String,
    /// The message with its fields.
    pub message: String,
}

#[derive(Default)]
struct Kept(BTreeMap<String, VecDeque<Line>>);

static KEPT: OnceLock<Mutex<Kept>> = OnceLock::new();

fn kept() -> MutexGuard<'static, Kept> {
    KEPT.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

/// The newest lines of a job that are younger than a moment, oldest first.
pub fn lines(job: &str, after_ns: i64, limit: usize) -> Vec<Line> {
    let kept = kept();
    let lines = kept.0.get(job).into_iter().flatten();
    let younger: Vec<&Line> = lines.filter(|line| line.time_ns > after_ns).collect();
    let begin = younger.len().saturating_sub(limit);
    younger.into_iter().skip(begin).cloned().collect()
}

impl Kept {
    fn add(&mut self, job: String, mut line: Line) {
        if !self.0.contains_key(&job) && self.0.len() >= JOBS {
            // The job that has been silent for the longest time.
            let last = |lines: &VecDeque<Line>| lines.back().map_or(0, |line| line.time_ns);
            let silent = self.0.iter().min_by_key(|(_, lines)| last(lines));
            if let Some(silent) = silent.map(|(job, _)| job.clone()) {
                self.0.remove(&silent);
            }
        }
        let lines = self.0.entry(job).or_default();
        if let Some(last) = lines.back() {
            line.time_ns = line.time_ns.max(last.time_ns + 1);
        }
        lines.push_back(line);
        while lines.len() > LINES {
            lines.pop_front();
        }
    }
}

/// Keeps lines of jobs.
pub(super) struct KeepJobLines;

/// The job of a span.
struct JobOf(String);

#[derive(Default)]
struct Fields {
    job: Option<String>,
    run: Option<String>,
    text: String,
}

impl Fields {
    /// The job that the fields name: a run is `{job}/runs/{number}`.
    fn job(&mut self) -> Option<String> {
        let of_run = |run: &String| run.split_once("/runs/").map(|(job, _)| job.to_owned());
        self.job.take().or_else(|| self.run.as_ref().and_then(of_run))
    }

    fn take(&mut self, name: &str, value: &str) {
        match name {
            "message" => self.text.insert_str(0, value),
            "job" => self.job = Some(value.to_owned()),
            // Writing to a string cannot fail.
            _ => drop(write!(self.text, " {name}={value}")),
        }
        if name == "run" {
            self.run = Some(value.to_owned());
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.take(field.name(), &format!("{value:?}"));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for KeepJobLines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let (Some(job), Some(span)) = (fields.job(), context.span(id)) {
            span.extensions_mut().insert(JobOf(job));
        }
    }

    #[allow(clippy::disallowed_methods, reason = "lines tell when they were written")]
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let level = match *event.metadata().level() {
            Level::ERROR => "ERROR",
            Level::WARN => "WARN",
            Level::INFO => "INFO",
            _ => return,
        };
        let mut fields = Fields::default();
        event.record(&mut fields);
        let of_span = context.event_scope(event).and_then(|mut scope| {
            scope.find_map(|span| span.extensions().get::<JobOf>().map(|job| job.0.clone()))
        });
        let Some(job) = of_span.or_else(|| fields.job()) else { return };
        let mut message = fields.text.trim_start().to_owned();
        if message.len() > BYTES {
            let end = (0..=BYTES).rev().find(|end| message.is_char_boundary(*end));
            message.truncate(end.unwrap_or(0));
            message.push('…');
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let line = Line {
            time_ns: i64::try_from(now.as_nanos()).unwrap_or(i64::MAX),
            level,
            target: event.metadata().target().to_owned(),
            message,
        };
        kept().add(job, line);
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn lines_belong_to_the_job_of_their_span_or_of_their_fields() {
        let subscriber = tracing_subscriber::registry().with(KeepJobLines);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info_span!("task", job = "projects/p/jobs/a").in_scope(|| {
                tracing::warn!(job = "other", rows = 3, "late rows");
                tracing::debug!("not kept");
            });
            tracing::info!(run = "projects/p/jobs/b/runs/7", "a run is over");
            tracing::info!("of no job");
        });
        let of_a = lines("projects/p/jobs/a", 0, 10);
        assert_eq!(of_a.len(), 1);
        assert_eq!((of_a[0].level, of_a[0].message.as_str()), ("WARN", "late rows rows=3"));
        let of_b = lines("projects/p/jobs/b", 0, 10);
        assert_eq!(of_b[0].message, "a run is over run=projects/p/jobs/b/runs/7");
        assert!(lines("projects/p/jobs/b", of_b[0].time_ns, 10).is_empty());
        assert!(lines("other", 0, 10).is_empty());
    }

    #[test]
    fn the_oldest_lines_and_the_most_silent_jobs_are_forgotten() {
        let mut kept = Kept::default();
        let line = |time_ns| Line {
            time_ns,
            level: "INFO",
            target: String::new(),
            message: String::new(),
        };
        for time in 0..600 {
            kept.add("loud".to_owned(), line(time));
        }
        assert_eq!(kept.0["loud"].len(), LINES);
        assert_eq!(kept.0["loud"][0].time_ns, 100);
        kept.add("loud".to_owned(), line(5));
        assert_eq!(kept.0["loud"].back().unwrap().time_ns, 600, "times only grow");
        for job in 0..JOBS {
            kept.add(format!("job-{job}"), line(1_000 + job as i64));
        }
        assert_eq!(kept.0.len(), JOBS);
        assert!(!kept.0.contains_key("loud"));
    }
}
