//! The job under test as a process: started for a round, watched through its metrics, stopped, resumed, killed.

use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::input::WATERMARK_DELAY_SECONDS;
use super::plan::{Failpoint, Mutation, name_of};
use crate::process::{self, ProcessId};
use crate::services::{ports, probe};

/// Between two looks at a process.
pub(super) const LOOK: Duration = Duration::from_millis(20);

/// Between two questions for its metrics.
const ASK: Duration = Duration::from_millis(100);

/// Metric of completed checkpoints.
const CHECKPOINTS: &str = "tidegate_job_checkpoints_total";

/// What lines about damage say.
const DAMAGE: [&str; 4] = ["CORRUPT", "checksum", "is damaged", "does not parse"];

/// What a sink promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Guarantee {
    /// Every record once
    ExactlyOnce,
    /// Every record, some twice: the soak must find them
    AtLeastOnce,
}

/// What all processes of a soak have in common.
pub(crate) struct Subject {
    /// The binary.
    pub(crate) program: PathBuf,
    /// Scripts and outputs.
    pub(crate) folder: PathBuf,
    /// The broker.
    pub(crate) bootstrap: String,
    /// Topics: in, passed on, sums.
    pub(crate) topics: [String; 3],
    /// URL of the checkpoint directory.
    pub(crate) checkpoints: String,
    /// Time between checkpoints.
    pub(crate) interval_ms: u64,
    /// Keys of the object store.
    pub(crate) environment: Vec<(String, String)>,
    /// Of both sinks.
    pub(crate) guarantee: Guarantee,
    /// The safeguard that is missing.
    pub(crate) mutation: Option<Mutation>,
}

/// How one process differs from others.
pub(super) struct Start<'a> {
    /// Name of its output files.
    pub(super) name: &'a str,
    /// Subtasks per operator.
    pub(super) parallelism: u32,
    /// Address of the object store.
    pub(super) endpoint: &'a str,
    /// Whether it goes on from the checkpoint directory.
    pub(super) restore: bool,
    /// Where it ends itself, and how often it passes there before.
    pub(super) failpoint: Option<(Failpoint, u64)>,
}

impl Subject {
    /// The statement set: windowed sums per key, and a branch that passes records on.
    fn script(&self) -> String {
        let [input, passed, sums] = &self.topics;
        let kafka = format!(
            "'connector' = 'kafka', 'properties.bootstrap.servers' = '{}', 'format' = 'json'",
            self.bootstrap
        );
        let sink = |name: &str| match self.guarantee {
            Guarantee::AtLeastOnce => String::new(),
            Guarantee::ExactlyOnce => format!(
                ", 'sink.delivery-guarantee' = 'exactly-once', \
                 'sink.transactional-id-prefix' = '{name}', \
                 'properties.transaction.timeout.ms' = '60000'"
            ),
        };
        let (of_passed, of_sums) = (sink(passed), sink(sums));
        format!(
            "SET 'pipeline.name' = 'soak';
CREATE TABLE events (p INT, seq BIGINT, k STRING, v BIGINT, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '{WATERMARK_DELAY_SECONDS}' SECOND)
  WITH ({kafka}, 'topic' = '{input}', 'scan.startup.mode' = 'earliest-offset');
CREATE TABLE passed (p INT, seq BIGINT, v BIGINT) WITH ({kafka}, 'topic' = '{passed}'{of_passed});
CREATE TABLE sums (ws TIMESTAMP(3), k STRING, c BIGINT, s BIGINT)
  WITH ({kafka}, 'topic' = '{sums}'{of_sums});
EXECUTE STATEMENT SET BEGIN
INSERT INTO passed SELECT p, seq, v FROM events WHERE seq >= 0;
INSERT INTO sums SELECT window_start, k, COUNT(*), SUM(v)
  FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '10' SECOND))
  GROUP BY window_start, window_end, k;
END;
"
        )
    }

    /// Starts a process.
    pub(super) fn start(&self, start: &Start<'_>) -> Result<Running> {
        let path = |extension: &str| self.folder.join(format!("{}.{extension}", start.name));
        let script = path("sql");
        fs::write(&script, self.script()).with_context(|| format!("write {}", script.display()))?;
        let port = ports::pick(&["metrics"], &std::collections::BTreeSet::new())?;
        let port = *port.get("metrics").context("a port was picked")?;
        let create = |path: PathBuf| {
            File::create(&path).with_context(|| format!("create {}", path.display()))
        };
        let mut command = Command::new(&self.program);
        command.arg("run").arg(&script);
        command.arg("--parallelism").arg(start.parallelism.to_string());
        command.args(["--checkpoint-dir", &self.checkpoints]);
        if start.restore {
            command.args(["--restore", &self.checkpoints]);
        }
        for (key, value) in [
            ("execution.checkpointing.interval", format!("{} ms", self.interval_ms)),
            ("execution.checkpointing.timeout", "10 s".to_owned()),
            ("restart-strategy.type", "exponential-delay".to_owned()),
            ("restart-strategy.exponential-delay.initial-backoff", "100 ms".to_owned()),
            ("restart-strategy.exponential-delay.max-backoff", "2 s".to_owned()),
        ] {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        command.args(["--stats", "json", "--metrics-listen", &format!("127.0.0.1:{port}")]);
        command
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("TIDEGATE_S3_ENDPOINT", start.endpoint)
            .env("XDG_STATE_HOME", &self.folder)
            .env_remove("FAILPOINTS")
            .stdin(Stdio::null())
            .stdout(create(path("out"))?)
            .stderr(create(path("err"))?)
            .process_group(0);
        let failpoints = self.failpoints(start.failpoint);
        if !failpoints.is_empty() {
            command.env("FAILPOINTS", failpoints);
        }
        let child = command.spawn().with_context(|| format!("start {}", self.program.display()))?;
        let id = ProcessId::of(child.id())?;
        let started = Instant::now();
        let (out, err) = (path("out"), path("err"));
        Ok(Running { child, id, port, started, asked: started, checkpoints: 0, last: 0, out, err })
    }

    /// The value of `FAILPOINTS`.
    fn failpoints(&self, place: Option<(Failpoint, u64)>) -> String {
        let place = place.map(|(place, passed)| match passed {
            0 => format!("{}=return", name_of(place)),
            passed => format!("{}={passed}*off->return", name_of(place)),
        });
        let mutation = self.mutation.map(|mutation| format!("{}=return", name_of(mutation)));
        place.into_iter().chain(mutation).collect::<Vec<_>>().join(";")
    }
}

/// A process that was started; killed when dropped.
pub(super) struct Running {
    child: Child,
    id: ProcessId,
    port: u16,
    /// When it was started.
    pub(super) started: Instant,
    asked: Instant,
    /// Checkpoints that it has completed, as far as is known.
    pub(super) checkpoints: u64,
    last: u64,
    /// Standard output.
    pub(super) out: PathBuf,
    /// Standard error.
    pub(super) err: PathBuf,
}

impl Running {
    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("look at a process")
    }

    /// Looks until `until` says so, the process ends (then how), or time is up.
    pub(super) fn watch(
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
        let answer = probe::http_get(self.port, "/metrics").ok();
        let Some(now) = answer.and_then(|(_, text)| metric(&text, CHECKPOINTS)) else {
            return;
        };
        // A run within the process begins to count anew.
        self.checkpoints += if now >= self.last { now - self.last } else { now };
        self.last = now;
    }

    /// Sends a signal by name.
    pub(super) fn signal(&self, name: &str) -> Result<()> {
        self.id.signal(name)
    }

    /// Ends it by SIGKILL, also where it is stopped; says how it ended if it had before.
    pub(super) fn kill(mut self) -> Result<Option<ExitStatus>> {
        if let Some(status) = self.ended()? {
            return Ok(Some(status));
        }
        self.child.kill().context("kill a process")?;
        self.child.wait().context("wait for a process")?;
        Ok(None)
    }

    /// The end of what it said.
    pub(super) fn last_words(&self) -> String {
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
pub(super) enum Watched {
    /// What was waited for.
    Reached,
    /// Its end.
    Ended(ExitStatus),
    /// Neither in time.
    TimeUp,
}

/// Whether a process ended by SIGKILL.
pub(super) fn by_kill(status: ExitStatus) -> bool {
    status.signal() == Some(9)
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

/// Lines of a process's log that tell of a panic, and of damage that was noticed.
pub(super) fn told(log: &Path) -> (Vec<String>, u64) {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let panics = text.lines().filter(|line| line.contains("panicked at")).map(str::to_owned);
    let noticed = |line: &&str| DAMAGE.iter().any(|word| line.contains(word));
    (panics.collect(), text.lines().filter(noticed).count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(guarantee: Guarantee, mutation: Option<Mutation>) -> Subject {
        Subject {
            program: "tidegate".into(),
            folder: "/f".into(),
            bootstrap: "b:1".to_owned(),
            topics: ["in", "passed", "sums"].map(str::to_owned),
            checkpoints: "s3://b/c".to_owned(),
            interval_ms: 300,
            environment: Vec::new(),
            guarantee,
            mutation,
        }
    }

    #[test]
    fn both_sinks_have_the_guarantee() {
        let script = subject(Guarantee::ExactlyOnce, None).script();
        assert_eq!(script.matches("'exactly-once'").count(), 2);
        assert!(script.contains("'sink.transactional-id-prefix' = 'sums'"), "{script}");
        let script = subject(Guarantee::AtLeastOnce, None).script();
        assert!(!script.contains("exactly-once"));
    }

    #[test]
    fn failpoints_and_mutations_go_by_one_variable() {
        let plain = subject(Guarantee::ExactlyOnce, None);
        assert_eq!(plain.failpoints(None), "");
        assert_eq!(plain.failpoints(Some((Failpoint::AfterCommit, 0))), "after-commit=return");
        let mutated = subject(Guarantee::ExactlyOnce, Some(Mutation::Settlement));
        assert_eq!(
            mutated.failpoints(Some((Failpoint::CompleteCommit, 3))),
            "complete-commit=3*off->return;skip-settlement=return"
        );
    }

    #[test]
    fn metrics_are_summed_over_labels() {
        let text = "# TYPE a counter\na_total{job=\"x\"} 3\na_total{job=\"y\"} 4\na_totals 9\n";
        assert_eq!(metric(text, "a_total"), Some(7));
        assert_eq!(metric(text, "b_total"), None);
    }

    #[test]
    fn panics_and_noticed_damage_are_read_from_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        fs::write(&log, "thread 'x' panicked at y\nfine\nerror [CORRUPT]: checksum of f\n")
            .unwrap();
        let (panics, damage) = told(&log);
        assert_eq!((panics.len(), damage), (1, 1));
    }
}
