//! A task in stages: each is announced and timed, all run, and a summary closes.

use std::time::{Duration, Instant};

use anyhow::Result;

/// How a stage ended.
pub(crate) enum Outcome {
    /// It did what it should.
    Passed,
    /// It found faults, and has already printed them.
    Failed(String),
    /// It could not be done here; the reason is printed in the summary.
    NotChecked(String),
}

/// The stages so far.
#[derive(Default)]
pub(crate) struct Stages(Vec<(&'static str, Outcome, Duration)>);

impl Stages {
    /// Runs one stage. An error is a failure of that stage, not the end of the task.
    pub(crate) fn run(&mut self, name: &'static str, stage: impl FnOnce() -> Result<Outcome>) {
        eprintln!("── {name}");
        let start = Instant::now();
        let outcome = stage().unwrap_or_else(|error| {
            eprintln!("{error:#}");
            Outcome::Failed("see above".to_owned())
        });
        let took = start.elapsed();
        eprintln!("── {name}: {} in {:.1} s", word(&outcome), took.as_secs_f64());
        self.0.push((name, outcome, took));
    }

    /// Whether any stage failed.
    pub(crate) fn failed(&self) -> bool {
        self.0.iter().any(|(_, outcome, _)| matches!(outcome, Outcome::Failed(_)))
    }

    /// Prints one line per stage and the whole time.
    pub(crate) fn print_summary(&self) {
        eprintln!("── summary");
        for line in self.summary_lines() {
            eprintln!("{line}");
        }
    }

    fn summary_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, outcome, took) in &self.0 {
            let reason = match outcome {
                Outcome::Passed => String::new(),
                Outcome::Failed(reason) | Outcome::NotChecked(reason) => format!("  {reason}"),
            };
            let seconds = took.as_secs_f64();
            lines.push(format!("{name:<12} {:<11} {seconds:>7.1} s{reason}", word(outcome)));
        }
        let total: Duration = self.0.iter().map(|(_, _, took)| *took).sum();
        lines.push(format!("{:<12} {:<11} {:>7.1} s", "total", "", total.as_secs_f64()));
        lines
    }
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "ok",
        Outcome::Failed(_) => "FAILED",
        Outcome::NotChecked(_) => "NOT CHECKED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_fails_its_stage_and_the_next_one_still_runs() {
        let mut stages = Stages::default();
        stages.run("broken", || anyhow::bail!("no"));
        stages.run("fine", || Ok(Outcome::Passed));
        assert!(stages.failed());
        let lines = stages.summary_lines();
        assert!(lines[0].contains("FAILED") && lines[1].contains("ok"), "{lines:?}");
    }

    #[test]
    fn what_was_not_checked_is_said_with_its_reason() {
        let mut stages = Stages::default();
        stages.run("advisories", || Ok(Outcome::NotChecked("no database".to_owned())));
        assert!(!stages.failed());
        assert!(stages.summary_lines()[0].contains("NOT CHECKED"));
        assert!(stages.summary_lines()[0].contains("no database"));
    }
}
