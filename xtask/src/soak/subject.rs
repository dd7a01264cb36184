//! The job under test: its script, and how one of its processes is started.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::input::WATERMARK_DELAY_SECONDS;
use super::plan::{Failpoint, Mutation, name_of};
use crate::tidegate::running::Running;

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

/// After so long without rows a split does not hold back the watermark, in rounds with an idle partition. Longer than a
/// client takes to bring the first rows after a restore, because what comes later than that may be late.
const IDLE_TIMEOUT: &str = "3 s";

/// How long a killed process can hold back readers, where no successor ends its transactions: after a way back, and
/// before markers are deleted. Longer than a broker takes to restart.
const TRANSACTION_TIMEOUT_MS: u32 = 20_000;

/// The topic of the markers, of both sinks and of all jobs.
pub(super) const MARKERS: &str = "__tidegate_markers";

/// What all processes of a job have in common.
#[derive(Clone)]
pub(crate) struct Subject {
    /// Its name.
    pub(crate) job: String,
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
    /// What it goes on from.
    pub(super) restore: From<'a>,
    /// Where it ends itself, and how often it passes there before.
    pub(super) failpoint: Option<(Failpoint, u64)>,
    /// Whether splits without rows stop to hold back the watermark.
    pub(super) idle_timeout: bool,
    /// Where it puts its savepoint, instead of its checkpoints' folder.
    pub(super) savepoints: Option<&'a Path>,
}

/// What a process goes on from.
#[derive(Clone, Copy)]
pub(super) enum From<'a> {
    /// Nothing: it is the first.
    Nothing,
    /// The newest checkpoint in the job's directory.
    Directory,
    /// This savepoint.
    Savepoint(&'a Path),
}

impl Subject {
    /// Another job on the same input, with its own output, transactional ids and checkpoints.
    pub(super) fn fork(&self, number: u32) -> Self {
        let [input, passed, sums] = &self.topics;
        let topics = [input.clone(), format!("{passed}-{number}"), format!("{sums}-{number}")];
        let checkpoints = format!("{}-fork", self.checkpoints);
        Self { job: format!("fork-{number}"), topics, checkpoints, ..self.clone() }
    }

    /// The statement set: windowed sums per key, and a branch that passes records on.
    pub(super) fn script(&self) -> String {
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
                 'properties.transaction.timeout.ms' = '{TRANSACTION_TIMEOUT_MS}'"
            ),
        };
        let (of_passed, of_sums) = (sink(passed), sink(sums));
        format!(
            "SET 'pipeline.name' = '{}';
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
",
            self.job
        )
    }

    /// Starts a process.
    pub(super) fn start(&self, start: &Start<'_>) -> Result<Running> {
        let path = |extension: &str| self.folder.join(format!("{}.{extension}", start.name));
        let script = path("sql");
        fs::write(&script, self.script()).with_context(|| format!("write {}", script.display()))?;
        let mut command = Command::new(&self.program);
        command.arg("run").arg(&script);
        command.arg("--parallelism").arg(start.parallelism.to_string());
        command.args(["--checkpoint-dir", &self.checkpoints]);
        match start.restore {
            From::Nothing => {}
            From::Directory => drop(command.args(["--restore", &self.checkpoints])),
            From::Savepoint(folder) => drop(command.arg("--restore").arg(folder)),
        }
        if start.idle_timeout {
            command.args(["--set", &format!("table.exec.source.idle-timeout={IDLE_TIMEOUT}")]);
        }
        if let Some(folder) = start.savepoints {
            let setting = format!("execution.checkpointing.savepoint-dir={}", folder.display());
            command.arg("--set").arg(setting);
        }
        for (key, value) in self.settings() {
            command.arg("--set").arg(format!("{key}={value}"));
        }
        command.args(["--stats", "json"]);
        command
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("TIDEGATE_S3_ENDPOINT", start.endpoint)
            .env("XDG_STATE_HOME", &self.folder)
            .env_remove("FAILPOINTS");
        let failpoints = self.failpoints(start.failpoint);
        if !failpoints.is_empty() {
            command.env("FAILPOINTS", failpoints);
        }
        Running::start(&mut command, &path("out"), &path("err"))
    }

    /// What every run is set to.
    pub(super) fn settings(&self) -> [(&'static str, String); 5] {
        [
            ("execution.checkpointing.interval", format!("{} ms", self.interval_ms)),
            ("execution.checkpointing.timeout", "10 s".to_owned()),
            ("restart-strategy.type", "exponential-delay".to_owned()),
            ("restart-strategy.exponential-delay.initial-backoff", "100 ms".to_owned()),
            ("restart-strategy.exponential-delay.max-backoff", "2 s".to_owned()),
        ]
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

/// Whether a process ended by SIGKILL.
pub(super) fn by_kill(status: ExitStatus) -> bool {
    status.signal() == Some(9)
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
            job: "soak".to_owned(),
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
    fn a_fork_shares_the_input_and_nothing_else() {
        let job = subject(Guarantee::ExactlyOnce, None);
        let fork = job.fork(7);
        assert_eq!(fork.topics, ["in", "passed-7", "sums-7"].map(str::to_owned));
        assert_ne!(fork.checkpoints, job.checkpoints);
        assert!(fork.script().contains("'sink.transactional-id-prefix' = 'passed-7'"));
        assert!(fork.script().starts_with("SET 'pipeline.name' = 'fork-7';"));
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
    fn panics_and_noticed_damage_are_read_from_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        fs::write(&log, "thread 'x' panicked at y\nfine\nerror [CORRUPT]: checksum of f\n")
            .unwrap();
        let (panics, damage) = told(&log);
        assert_eq!((panics.len(), damage), (1, 1));
    }
}
