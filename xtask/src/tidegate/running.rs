//! `tidegate run` as a process that goes on while something else happens: watched through its metrics, sent signals,
//! killed.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::process::{self, ProcessId};
use crate::services::{ports, probe};

/// Between two looks at a process.
const LOOK: Duration = Duration::from_millis(20);

/// Between two questions for its metrics.
const ASK: Duration = Duration::from_millis(100);

/// Metric of completed checkpoints.
const CHECKPOINTS: &str = "tidegate_job_checkpoints_total";

/// A process that was started; killed when dropped.
pub(crate) struct Running {
    child: Child,
    id: ProcessId,
    port: u16,
    /// When it was started.
    pub(crate) started: Instant,
    asked: Instant,
    /// Checkpoints that it has completed, as far as is known.
    pub(crate) checkpoints: u64,
    last: u64,
    /// Standard output.
    pub(crate) out: PathBuf,
    /// Standard error.
    pub(crate) err: PathBuf,
}

impl Running {
    /// Starts a command line of `tidegate run`, with a port for metrics added to it, in a process group of its own, so
    /// that Ctrl-C reaches only the one who cleans up.
    pub(crate) fn start(command: &mut Command, out: &Path, err: &Path) -> Result<Self> {
        let picked = ports::pick(&["metrics"], &BTreeSet::new())?;
        let port = *picked.get("metrics").context("a port was picked")?;
        let create =
            |path: &Path| File::create(path).with_context(|| format!("create {}", path.display()));
        command
            .args(["--metrics-listen", &format!("127.0.0.1:{port}")])
            .stdin(Stdio::null())
            .stdout(create(out)?)
            .stderr(create(err)?)
            .process_group(0);
        let child =
            command.spawn().with_context(|| format!("start {}", process::describe(command)))?;
        let id = ProcessId::of(child.id())?;
        let started = Instant::now();
        let (out, err) = (out.to_owned(), err.to_owned());
        Ok(Self { child, id, port, started, asked: started, checkpoints: 0, last: 0, out, err })
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("look at a process")
    }

    /// Looks until `until` says so, the process ends (then how), or time is up.
    pub(crate) fn watch(
        &mut self,
        limit: Duration,
        until: impl Fn(&Self) -> bool,
    ) -> Result<Watched> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                return Ok(Watched::Ended(status));
            }
            self.ask();
            if until(self) {
                return Ok(Watched::Reached);
            }
            if begin.elapsed() >= limit {
                return Ok(Watched::TimeUp);
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Counts its checkpoints, if it is time to and it answers.
    fn ask(&mut self) {
        if self.asked.elapsed() < ASK {
            return;
        }
        self.asked = Instant::now();
        let Some(now) = self.metric(CHECKPOINTS) else {
            return;
        };
        // A run within the process begins to count anew.
        self.checkpoints += if now >= self.last { now - self.last } else { now };
        self.last = now;
    }

    /// The sum of a metric over its labels, if the process answers and has it.
    pub(crate) fn metric(&self, name: &str) -> Option<u64> {
        let (_, text) = probe::http_get(self.port, "/metrics").ok()?;
        metric(&text, name)
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        self.id.signal(name)
    }

    /// Ends it by SIGKILL, also where it is stopped; says how it ended if it had before.
    pub(crate) fn kill(mut self) -> Result<Option<ExitStatus>> {
        if let Some(status) = self.ended()? {
            return Ok(Some(status));
        }
        self.child.kill().context("kill a process")?;
        self.child.wait().context("wait for a process")?;
        Ok(None)
    }

    /// The end of what it said.
    pub(crate) fn last_words(&self) -> String {
        process::tail(&self.err, 6)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process came to while it was watched.
#[derive(Debug)]
pub(crate) enum Watched {
    /// What was waited for.
    Reached,
    /// Its end.
    Ended(ExitStatus),
    /// Neither in time.
    TimeUp,
}

/// The sum of a metric over its labels, if it is there.
fn metric(text: &str, name: &str) -> Option<u64> {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        if !rest.starts_with([' ', '{']) {
            return None;
        }
        line.rsplit_once(' ')?.1.parse::<f64>().ok()
    });
    values.map(|value| value as u64).reduce(|a, b| a + b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_over_labels() {
        let text = "# TYPE a counter\na_total{job=\"x\"} 3\na_total{job=\"y\"} 4\na_totals 9\n";
        assert_eq!(metric(text, "a_total"), Some(7));
        assert_eq!(metric(text, "b_total"), None);
    }
}
