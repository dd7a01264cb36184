//! What a cluster is asked, by its own command-line client.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Longest that a command may take.
const COMMAND: Duration = Duration::from_secs(90);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// Asks any of the coordinators.
#[derive(Clone)]
pub(crate) struct Client {
    program: PathBuf,
    coordinators: String,
}

/// The last run of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// As the API spells it.
    pub(crate) state: String,
    /// Grows with every restart.
    pub(crate) attempt: u64,
    /// Number of its newest checkpoint.
    pub(crate) checkpoint: u64,
    /// All that was said.
    pub(crate) text: String,
}

/// Who is in the cluster.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    /// Number of the coordinator that leads.
    pub(crate) leader: Option<u8>,
    /// Numbers of the active workers, and how many slots runs hold of each.
    pub(crate) workers: Vec<(u8, u64)>,
}

impl Client {
    /// Of coordinators at these addresses.
    pub(crate) fn new(program: PathBuf, coordinators: &[String]) -> Self {
        Self { program, coordinators: coordinators.join(",") }
    }

    /// Runs a command; its answer, or what it says.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Result<Value> {
        self.ask_at(&self.coordinators, arguments)
    }

    /// Asks certain coordinators.
    pub(crate) fn ask_at(&self, coordinators: &str, arguments: &[&str]) -> Result<Value> {
        let mut child = Command::new(&self.program)
            .args(arguments)
            .args(["--output", "json"])
            .env("TIDEGATE_COORDINATOR", coordinators)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("start the client")?;
        let begin = Instant::now();
        while child.try_wait()?.is_none() {
            if begin.elapsed() > COMMAND {
                child.kill()?;
                child.wait()?;
                bail!("`tidegate {}` took longer than {COMMAND:?}", arguments.join(" "));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`tidegate {}`: {}", arguments.join(" "), said.trim());
        if output.stdout.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&output.stdout).context("the client printed no JSON")
    }

    /// The last run of a job.
    pub(crate) fn run(&self, job: &str) -> Result<Run> {
        let answer = self.ask(&["job", "describe", job])?;
        let run = &answer["latestRun"];
        let state = run["state"].as_str().with_context(|| format!("no state in {answer}"))?;
        Ok(Run {
            state: state.to_owned(),
            attempt: number(&run["attempt"]),
            checkpoint: number(&run["latestCheckpoint"]["number"]),
            text: run.to_string(),
        })
    }

    /// Who is in the cluster.
    pub(crate) fn members(&self) -> Result<Members> {
        self.members_at(&self.coordinators)
    }

    /// Who is in the cluster, as certain coordinators say.
    pub(crate) fn members_at(&self, coordinators: &str) -> Result<Members> {
        let answer = self.ask_at(coordinators, &["cluster", "status"])?;
        let list = |kind: &str| answer[kind].as_array().cloned().unwrap_or_default();
        let leads = |one: &&Value| one["leader"] == true;
        let leader = list("coordinators").iter().find(leads).map(|one| number(&one["id"]));
        let active = list("workers").into_iter().filter(|one| one["state"] == "ACTIVE");
        let workers = active.filter_map(|one| {
            let name = one["name"].as_str()?.strip_prefix("workers/worker-")?;
            Some((name.parse().ok()?, number(&one["usedSlots"])))
        });
        Ok(Members {
            leader: leader.and_then(|id| u8::try_from(id).ok()),
            workers: workers.collect(),
        })
    }

    /// Asks until the answer is as wanted; the last answer if time is up before. Errors are answers that are not.
    pub(crate) fn until<T>(
        &self,
        limit: Duration,
        mut ask: impl FnMut(&Self) -> Result<T>,
        wanted: impl Fn(&T) -> bool,
    ) -> Result<std::result::Result<T, String>> {
        let begin = Instant::now();
        loop {
            let answer = ask(self);
            let last = match answer {
                Ok(answer) if wanted(&answer) => return Ok(Ok(answer)),
                Ok(_) => "not yet".to_owned(),
                Err(error) => format!("{error:#}"),
            };
            if begin.elapsed() > limit {
                return Ok(Err(last));
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// Numbers of 64 bits are text in JSON.
fn number(value: &Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0)
}
