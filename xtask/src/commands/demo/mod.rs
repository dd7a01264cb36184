//! `cargo xtask demo`: builds Tidegate and runs a job that can be watched. Results go to standard
//! output; progress, and what this command has to say, to standard error.

mod earthquakes;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::interrupt::{self, Interrupt};
use crate::project::Project;
use crate::tidegate::binary::{self, Profile};
use crate::tidegate::job::{Finished, Job};

const SCRIPT: &str = "examples/clickstream/clickstream.sql";

/// Clicks of `--once`: ten seconds' worth.
const ROWS_ONCE: u64 = 200_000;

/// So many clicks are never reached.
const ENDLESS: u64 = i64::MAX as u64;

/// Time between checkpoints.
const INTERVAL: &str = "1 s";

/// `demo [--once] [--rows N] [--kafka]`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// End after a bounded input, with exit code 0 if all went well; without it, Ctrl-C ends the job
    #[arg(long)]
    once: bool,
    /// End after so many clicks; 20 000 come per second
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=ENDLESS))]
    rows: Option<u64>,
    /// Go through a real Kafka, started and stopped for this: a topic into which recorded earthquakes are
    /// replayed → windows → topic; with `--once` one time, otherwise again and again
    #[arg(long, conflicts_with = "rows")]
    kafka: bool,
}

/// Returns the exit code of the job.
pub(crate) fn run(project: &Project, args: &Args) -> Result<ExitCode> {
    let interrupt = Interrupt::listen()?;
    let outcome = build_and_show(project, args, &interrupt);
    match outcome {
        Err(_) if interrupt.raised() => {
            eprintln!("interrupted");
            Ok(ExitCode::from(interrupt::EXIT_CODE))
        }
        outcome => outcome.map(ExitCode::from),
    }
}

fn build_and_show(project: &Project, args: &Args, interrupt: &Interrupt) -> Result<u8> {
    if args.kafka {
        earthquakes::install(project)?;
    }
    let program = binary::build(project, Profile::Demo, interrupt)?;
    let show = Show { project, program: &program, folder: &folder(project)?, interrupt };
    if args.kafka {
        return earthquakes::run(&show, args.once);
    }
    let rows = rows(args);
    match rows {
        ENDLESS => eprintln!("running {SCRIPT}; Ctrl-C stops it with a savepoint"),
        rows => eprintln!("running {SCRIPT} with {rows} clicks"),
    }
    let finished = show.run(SCRIPT, vec![("ROWS", rows.to_string())])?;
    Ok(verdict(&finished, interrupt.raised()))
}

fn rows(args: &Args) -> u64 {
    let unless_said = if args.once { ROWS_ONCE } else { ENDLESS };
    args.rows.unwrap_or(unless_said)
}

/// Where demos keep their data: beside that of the services.
fn folder(project: &Project) -> Result<PathBuf> {
    let folder = project.run_dir.join("demo");
    std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    Ok(folder)
}

/// What running a script and showing it takes.
struct Show<'a> {
    project: &'a Project,
    program: &'a Path,
    folder: &'a Path,
    interrupt: &'a Interrupt,
}

impl Show<'_> {
    /// Runs a script of the checkout with everything shown, and sums it up; Ctrl-C stops it.
    fn run(&self, script: &str, defines: Vec<(&'static str, String)>) -> Result<Finished> {
        let finished = self.job(script, defines, self.interrupt)?;
        eprintln!("{}", summary(&finished));
        Ok(finished)
    }

    /// Runs a script of the checkout with everything shown. Its checkpoints go with it, unless `stop` ended
    /// it: then there is a savepoint to go on from.
    fn job(
        &self,
        script: &str,
        defines: Vec<(&'static str, String)>,
        stop: &Interrupt,
    ) -> Result<Finished> {
        let checkpoints = tempfile::Builder::new()
            .prefix("checkpoints-")
            .tempdir_in(self.folder)
            .context("create a folder for checkpoints")?;
        // A demo that fails should say so, not start again.
        let settings =
            &[("execution.checkpointing.interval", INTERVAL), ("restart-strategy.type", "none")];
        let job = Job {
            program: self.program,
            folder: &self.project.root,
            script: Path::new(script),
            defines,
            settings,
            parallelism: None,
            checkpoints: checkpoints.path(),
            shown: true,
        };
        let finished = job.run(stop)?;
        if stop.raised() {
            let _kept = checkpoints.keep();
        }
        Ok(finished)
    }
}

fn summary(finished: &Finished) -> String {
    let took = finished.took.as_secs_f64();
    let mut text = match finished.first_row {
        Some(first) => format!(
            "first result row {:.1} s after the start of the process, ",
            first.as_secs_f64()
        ),
        None => String::new(),
    };
    text.push_str(&format!("end after {took:.1} s"));
    if let Some(stats) = &finished.stats {
        text.push('\n');
        text.push_str(&stats.summary());
    }
    text
}

/// The exit code: a job that ran to its end without a row in its output has not shown anything.
fn verdict(finished: &Finished, interrupted: bool) -> u8 {
    let code = finished.code();
    if code == 0 && finished.first_row.is_none() && !interrupted {
        eprintln!("the job ended without a result row");
        return 1;
    }
    code
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;
    use std::time::Duration;

    use super::*;
    use crate::tidegate::stats::{SAMPLE, Stats};

    fn args(once: bool, rows: Option<u64>) -> Args {
        let kafka = false;
        Args { once, rows, kafka }
    }

    fn finished(code: i32, first_row: Option<u64>) -> Finished {
        Finished {
            status: ExitStatus::from_raw(code << 8),
            first_row: first_row.map(Duration::from_millis),
            took: Duration::from_millis(10_440),
            stats: Stats::parse(SAMPLE),
        }
    }

    #[test]
    fn the_job_is_endless_unless_asked_otherwise() {
        assert_eq!(rows(&args(false, None)), ENDLESS);
        assert_eq!(rows(&args(true, None)), ROWS_ONCE);
        assert_eq!(rows(&args(true, Some(5))), 5);
        assert_eq!(rows(&args(false, Some(5))), 5);
    }

    #[test]
    fn an_end_without_rows_is_a_failure_and_ctrl_c_before_the_first_is_not() {
        assert_eq!(verdict(&finished(0, Some(1)), false), 0);
        assert_eq!(verdict(&finished(0, None), false), 1);
        assert_eq!(verdict(&finished(0, None), true), 0);
        assert_eq!(verdict(&finished(3, Some(1)), false), 3);
    }

    #[test]
    fn the_summary_says_when_the_first_row_came() {
        let text = summary(&finished(0, Some(2_960)));
        assert!(
            text.starts_with(
                "first result row 3.0 s after the start of the process, end after 10.4 s\n60000 "
            ),
            "{text}"
        );
        let text = summary(&finished(0, None));
        assert!(text.starts_with("end after 10.4 s\n"), "{text}");
    }
}
