//! One call of `tidegate run`: its command line, and what came of it.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::lines;
use super::stats::Stats;
use crate::interrupt::Interrupt;

/// What a shell adds to a signal's number to make it an exit code.
const BY_SIGNAL: i32 = 128;

/// A script and how it is run.
pub(crate) struct Job<'a> {
    /// The binary.
    pub(crate) program: &'a Path,
    /// The working directory.
    pub(crate) folder: &'a Path,
    /// The script.
    pub(crate) script: &'a Path,
    /// Values of its `${…}`.
    pub(crate) defines: Vec<(&'static str, String)>,
    /// Settings as by `SET`.
    pub(crate) settings: &'a [(&'a str, &'a str)],
    /// Subtasks per operator; the number of cores if none.
    pub(crate) parallelism: Option<u32>,
    /// Where checkpoints go.
    pub(crate) checkpoints: &'a Path,
    /// Whether to show progress and the rows that it prints.
    pub(crate) shown: bool,
}

/// How a run went.
pub(crate) struct Finished {
    /// How the process ended.
    pub(crate) status: ExitStatus,
    /// From the start of the process to its first line.
    pub(crate) first_row: Option<Duration>,
    /// From the start of the process to its end.
    pub(crate) took: Duration,
    /// What it says about itself; none if it did not come to that.
    pub(crate) stats: Option<Stats>,
}

impl Job<'_> {
    /// Runs it to its end, or to Ctrl-C, which it gets as well.
    pub(crate) fn run(&self, interrupt: &Interrupt) -> Result<Finished> {
        let start = Instant::now();
        let mut first_row = None;
        let mut stats = None;
        let status = lines::follow(&mut self.command(), interrupt, |line| {
            if let Some(found) = Stats::parse(line) {
                stats = Some(found);
                return Ok(());
            }
            first_row.get_or_insert_with(|| start.elapsed());
            if self.shown {
                let mut out = std::io::stdout().lock();
                writeln!(out, "{line}")
                    .and_then(|()| out.flush())
                    .context("write to standard output")?;
            }
            Ok(())
        })?;
        Ok(Finished { status, first_row, took: start.elapsed(), stats })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command.current_dir(self.folder).arg("run").arg(self.script);
        for (name, value) in &self.defines {
            command.arg("--define").arg(format!("{name}={value}"));
        }
        for (key, value) in self.settings {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        if let Some(parallelism) = self.parallelism {
            command.arg("--parallelism").arg(parallelism.to_string());
        }
        command.arg("--checkpoint-dir").arg(self.checkpoints);
        command.args(["--stats", "json"]);
        if self.shown {
            command.arg("--live");
        }
        command
    }
}

impl Finished {
    /// The exit code as a shell would report it.
    pub(crate) fn code(&self) -> u8 {
        let signal = || self.status.signal().map(|signal| BY_SIGNAL + signal);
        let code = self.status.code().or_else(signal);
        code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::stats::SAMPLE;
    use super::*;

    fn run(script: &str) -> (Finished, String) {
        let folder = tempfile::tempdir().unwrap();
        let arguments = folder.path().join("arguments");
        let program = folder.path().join("program");
        let text = format!("#!/bin/sh\necho \"$@\" > {}\n{script}\n", arguments.display());
        std::fs::write(&program, text).unwrap();
        std::process::Command::new("chmod").arg("+x").arg(&program).status().unwrap();
        let job = Job {
            program: &program,
            folder: folder.path(),
            script: Path::new("job.sql"),
            defines: vec![("ROWS", "5".to_owned())],
            settings: &[("execution.checkpointing.interval", "1 s")],
            parallelism: Some(2),
            checkpoints: Path::new("/c"),
            shown: false,
        };
        let finished = job.run(&Interrupt::unraised()).unwrap();
        (finished, std::fs::read_to_string(arguments).unwrap())
    }

    #[test]
    fn rows_are_timed_and_statistics_are_kept() {
        let (finished, arguments) = run(&format!("sleep 0.2; echo '+I[1]'; echo '{SAMPLE}'"));
        assert_eq!(finished.code(), 0);
        assert!(finished.first_row.unwrap() >= Duration::from_millis(200));
        assert!(finished.took >= finished.first_row.unwrap());
        assert_eq!(finished.stats.unwrap().checkpoints_completed, 3);
        assert_eq!(
            arguments.trim(),
            "run job.sql --define ROWS=5 --set execution.checkpointing.interval=1 s \
             --parallelism 2 --checkpoint-dir /c --stats json"
        );
    }

    #[test]
    fn a_run_without_rows_or_statistics_is_told_by_its_exit_code() {
        let (failed, _) = run("exit 3");
        assert_eq!(failed.code(), 3);
        assert!(failed.first_row.is_none() && failed.stats.is_none());
        let (killed, _) = run("kill -9 $$");
        assert_eq!(killed.code(), 137);
    }
}
