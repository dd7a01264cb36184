//! The product as a process: `tidegate run SCRIPT …` with a time limit, its output in files, and the
//! ways to end it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::clock::{now, pause};

/// Longest run, unless said otherwise.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How much of an output is shown in messages.
const TAIL: usize = 6_000;

/// Held by tests that keep all cores busy for long, so that time limits of others mean something.
pub fn heavy() -> MutexGuard<'static, ()> {
    static HEAVY: Mutex<()> = Mutex::new(());
    HEAVY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The binary: `TIDEGATE_BIN`, or the one beside the tests in cargo's target folder.
///
/// # Errors
/// If there is none.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("TIDEGATE_BIN") {
        return Ok(path.into());
    }
    let test = std::env::current_exe()?;
    let profile =
        test.parent().and_then(Path::parent).ok_or_else(|| anyhow!("no target folder"))?;
    let path = profile.join("tidegate");
    ensure!(
        path.is_file(),
        "{} does not exist: run through `cargo xtask test`, or `cargo build -p tidegate-cli` first",
        path.display()
    );
    Ok(path)
}

/// A run that is being put together.
#[derive(Debug)]
pub struct Run {
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    folder: PathBuf,
    name: String,
    timeout: Duration,
}

impl Run {
    /// Runs a script, which is written to `<folder>/<name>.sql`; the output goes to files beside it.
    ///
    /// # Errors
    /// If the script cannot be written.
    pub fn new(folder: &Path, name: &str, script: &str) -> Result<Self> {
        let path = folder.join(format!("{name}.sql"));
        std::fs::write(&path, script).with_context(|| format!("write {}", path.display()))?;
        Ok(Self {
            arguments: vec!["run".to_owned(), path.display().to_string()],
            variables: own_state(folder),
            folder: folder.to_owned(),
            name: name.to_owned(),
            timeout: TIMEOUT,
        })
    }

    /// Runs with these arguments instead of a script's.
    pub fn with_arguments(folder: &Path, name: &str, arguments: &[&str]) -> Self {
        Self {
            arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
            variables: own_state(folder),
            folder: folder.to_owned(),
            name: name.to_owned(),
            timeout: TIMEOUT,
        }
    }

    /// Adds an option with its value.
    #[must_use]
    pub fn option(mut self, name: &str, value: impl Into<String>) -> Self {
        self.arguments.extend([format!("--{name}"), value.into()]);
        self
    }

    /// Adds an option without a value, such as `--check`.
    #[must_use]
    pub fn flag(mut self, name: &str) -> Self {
        self.arguments.push(name.to_owned());
        self
    }

    /// `--set key=value`.
    #[must_use]
    pub fn set(self, key: &str, value: &str) -> Self {
        self.option("set", format!("{key}={value}"))
    }

    /// `--define name=value`.
    #[must_use]
    pub fn define(self, name: &str, value: &str) -> Self {
        self.option("define", format!("{name}={value}"))
    }

    /// `--checkpoint-dir` and a checkpoint interval.
    #[must_use]
    pub fn checkpoints(self, place: &str, interval: &str) -> Self {
        self.option("checkpoint-dir", place).set("execution.checkpointing.interval", interval)
    }

    /// `--restore`, if there is something to restore.
    #[must_use]
    pub fn restore(self, path: Option<&str>) -> Self {
        match path {
            Some(path) => self.option("restore", path),
            None => self,
        }
    }

    /// `--parallelism`.
    #[must_use]
    pub fn parallelism(self, parallelism: usize) -> Self {
        self.option("parallelism", parallelism.to_string())
    }

    /// Adds a variable to the process's environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Limits the time of the run.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Starts the process.
    ///
    /// # Errors
    /// If there is no binary or it does not start.
    pub fn start(self) -> Result<Process> {
        let binary = binary()?;
        let stdout = self.folder.join(format!("{}.out", self.name));
        let stderr = self.folder.join(format!("{}.err", self.name));
        let mut command = Command::new(&binary);
        command
            .args(&self.arguments)
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(File::create(&stdout)?)
            .stderr(File::create(&stderr)?);
        let started = now();
        let child = command.spawn().with_context(|| format!("start {}", binary.display()))?;
        let words = self.variables.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
        let words = words.chain([quoted(&binary.display().to_string())]);
        let words: Vec<String> =
            words.chain(self.arguments.iter().map(|word| quoted(word))).collect();
        let (timeout, command) = (self.timeout, words.join(" "));
        Ok(Process { child, command, stdout, stderr, started, timeout })
    }

    /// Starts the process and waits for its end.
    ///
    /// # Errors
    /// As [`Run::start`] and [`Process::wait`].
    pub fn finish(self) -> Result<Finished> {
        self.start()?.wait()
    }
}

/// Without a checkpoint directory, jobs of one name share one in the user's state folder: tests that
/// run side by side must not.
fn own_state(folder: &Path) -> Vec<(String, String)> {
    vec![("XDG_STATE_HOME".to_owned(), folder.join("state").display().to_string())]
}

/// As a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A running process; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    command: String,
    stdout: PathBuf,
    stderr: PathBuf,
    started: Instant,
    timeout: Duration,
}

impl Process {
    /// Fails if the process has ended by itself.
    ///
    /// # Errors
    /// With its exit status and what it said.
    pub fn must_run(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            let report = report(&self.command, &self.stdout, &self.stderr);
            bail!("the process ended too early: {status}\n{report}");
        }
        Ok(())
    }

    /// Whether it has not ended yet.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// What it has written to standard output so far.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn stdout(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(&self.stdout)?).into_owned())
    }

    /// Ends it at once (SIGKILL). True if it was still running.
    ///
    /// # Errors
    /// If it had ended by a failure of its own.
    pub fn kill(mut self) -> Result<bool> {
        if let Some(status) = self.child.try_wait()? {
            let report = report(&self.command, &self.stdout, &self.stderr);
            ensure!(
                status.success(),
                "the process failed before it was killed: {status}\n{report}"
            );
            return Ok(false);
        }
        self.child.kill()?;
        self.child.wait()?;
        ensure_no_panic(&self.command, &self.stdout, &self.stderr)?;
        Ok(true)
    }

    /// Does what Ctrl-C does (SIGINT).
    ///
    /// # Errors
    /// If there is no `kill` program.
    pub fn interrupt(&self) -> Result<()> {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-INT", &id]).status().context("run kill")?;
        ensure!(status.success(), "kill -INT {id}: {status}");
        Ok(())
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// At the time limit (the process is killed then), and if its output tells of a panic.
    pub fn wait(mut self) -> Result<Finished> {
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if self.started.elapsed() > self.timeout {
                self.child.kill()?;
                self.child.wait()?;
                let report = report(&self.command, &self.stdout, &self.stderr);
                bail!("no end within {} s\n{report}", self.timeout.as_secs());
            }
            pause(Duration::from_millis(3));
        };
        ensure_no_panic(&self.command, &self.stdout, &self.stderr)?;
        Ok(Finished {
            code: status.code(),
            status: status.to_string(),
            stdout: text(&self.stdout),
            stderr: text(&self.stderr),
            command: self.command.clone(),
            wall: self.started.elapsed(),
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

fn tail(text: &str) -> &str {
    let mut start = text.len().saturating_sub(TAIL);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

fn report(command: &str, stdout: &Path, stderr: &Path) -> String {
    let (stdout, stderr) = (text(stdout), text(stderr));
    format!(
        "command: {command}\nstandard error:\n{}\nstandard output:\n{}",
        tail(&stderr),
        tail(&stdout)
    )
}

fn ensure_no_panic(command: &str, stdout: &Path, stderr: &Path) -> Result<()> {
    let panicked = text(stderr).contains("panicked at") || text(stdout).contains("panicked at");
    ensure!(!panicked, "the process panicked\n{}", report(command, stdout, stderr));
    Ok(())
}

/// A run that has ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Exit code or signal, for people.
    pub status: String,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The command, for a shell.
    pub command: String,
    /// How long it ran.
    pub wall: Duration,
}

impl Finished {
    /// Fails unless the exit code is 0.
    ///
    /// # Errors
    /// With the command and what it said.
    pub fn success(self) -> Result<Self> {
        ensure!(self.code == Some(0), "{}\n{}", self.status, self.report());
        Ok(self)
    }

    /// Fails unless the process ended by itself with another exit code than 0, and standard error
    /// has all of `parts`.
    ///
    /// # Errors
    /// With the command and what it said.
    pub fn failure(self, parts: &[&str]) -> Result<Self> {
        ensure!(
            self.code.is_some_and(|code| code != 0),
            "expected a failure, got {}\n{}",
            self.status,
            self.report()
        );
        for part in parts {
            ensure!(
                self.stderr.contains(part),
                "standard error does not have '{part}'\n{}",
                self.report()
            );
        }
        Ok(self)
    }

    /// The JSON object of `--stats json`, the last line of standard output.
    ///
    /// # Errors
    /// If the last line is no JSON object.
    pub fn stats(&self) -> Result<serde_json::Value> {
        let line = self.stdout.lines().last().unwrap_or_default();
        let value: serde_json::Value = serde_json::from_str(line)
            .with_context(|| format!("last line is no JSON: {line}\n{}", self.report()))?;
        ensure!(value.is_object(), "last line is no JSON object: {line}");
        Ok(value)
    }

    /// The savepoint that a stopped run names on standard error.
    ///
    /// # Errors
    /// If it names none.
    pub fn savepoint(&self) -> Result<String> {
        let paths = self.stderr.lines().filter_map(|line| line.split_once("--restore "));
        let path = paths.map(|(_, path)| path.trim().to_owned()).next_back();
        path.ok_or_else(|| anyhow!("no savepoint is named\n{}", self.report()))
    }

    /// The command and what it said.
    pub fn report(&self) -> String {
        let (stderr, stdout) = (tail(&self.stderr), tail(&self.stdout));
        format!("command: {}\nstandard error:\n{stderr}\nstandard output:\n{stdout}", self.command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("a-b/c.sql"), "a-b/c.sql");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
