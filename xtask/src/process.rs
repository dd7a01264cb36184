//! Running programs: in the foreground with their output shown, quietly, or detached as servers that
//! are found again later by process id and start time (an id alone may have gone to another process).

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};

use crate::interrupt::Interrupt;

/// How often a waiting loop looks again.
pub(crate) const POLL: Duration = Duration::from_millis(100);

/// How long an interrupted program may take to end before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// Of the times in `/proc/PID/stat`: the same on every Linux that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// One process, told apart from a later one with the same id by its start time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    /// The process id.
    pub(crate) pid: u32,
    /// Start time in clock ticks since boot, field 22 of `/proc/PID/stat`.
    pub(crate) started: u64,
}

impl ProcessId {
    /// The identity of a process that exists now.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let (_, started) =
            read_stat(pid).with_context(|| format!("read the state of process {pid}"))?;
        Ok(Self { pid, started })
    }

    /// Whether this very process still runs; one that ended and was not yet reaped does not.
    pub(crate) fn alive(self) -> bool {
        read_stat(self.pid)
            .is_some_and(|(state, started)| started == self.started && !matches!(state, 'Z' | 'X'))
    }

    /// Sends a signal by name (`TERM`, `KILL`), if this very process still runs.
    pub(crate) fn signal(self, name: &str) -> Result<()> {
        if self.alive() { send(name, &self.pid.to_string()) } else { Ok(()) }
    }

    /// User and system time that the process has used, in seconds, if it still runs.
    pub(crate) fn cpu_seconds(self) -> Option<f64> {
        if !self.alive() {
            return None;
        }
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        Some(parse_ticks(&stat)? as f64 / TICKS_PER_SECOND)
    }

    /// Waits until the process has ended; says whether it has.
    pub(crate) fn wait_ended(self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.alive() {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(POLL);
        }
        true
    }
}

/// State letter and start time of a process, if it exists.
fn read_stat(pid: u32) -> Option<(char, u64)> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The command in field 2 is in brackets and may hold spaces and brackets itself.
fn parse_stat(stat: &str) -> Option<(char, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let started = fields.nth(18)?.parse().ok()?;
    Some((state, started))
}

/// User and system time, fields 14 and 15, in clock ticks.
fn parse_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// `target` is a process id, or a negated process group. The shell's own `kill` is there on every
/// machine, and spares this crate a system call binding.
pub(crate) fn send(signal: &str, target: &str) -> Result<()> {
    let status = Command::new("sh")
        .args(["-c", r#"kill -s "$1" -- "$2""#, "sh", signal, target])
        .stderr(Stdio::null())
        .status()
        .context("run sh")?;
    if !status.success() {
        bail!("cannot send SIG{signal} to process {target}");
    }
    Ok(())
}

/// Starts a server in a process group of its own, so that Ctrl-C in the terminal does not reach it,
/// with its output appended to `log`.
pub(crate) fn spawn_detached(command: &mut Command, log: &Path) -> Result<ProcessId> {
    let out = File::options()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("open {}", log.display()))?;
    let err = out.try_clone().context("share the log file")?;
    let child = command
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .process_group(0)
        .spawn()
        .with_context(|| format!("start {}", describe(command)))?;
    ProcessId::of(child.id())
}

/// Runs a program to its end with its output shown, and fails if it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("start {}", describe(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", describe(command));
    }
    Ok(())
}

/// Runs a program with its output kept back, and shown only when it fails.
pub(crate) fn run_quietly(command: &mut Command) -> Result<String> {
    command.stdin(Stdio::null());
    let output = command.output().with_context(|| format!("start {}", describe(command)))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("{} ended with {}\n{stdout}{stderr}", describe(command), output.status);
    }
    Ok(stdout)
}

/// Like [`run_quietly`], but a program that takes longer than `limit` is killed with all it started.
pub(crate) fn run_limited(command: &mut Command, limit: Duration) -> Result<()> {
    let output = tempfile::NamedTempFile::new().context("create a temporary file")?;
    let file = || output.as_file().try_clone().context("share the temporary file");
    command.stdout(file()?).stderr(file()?);
    let (mut child, group) = spawn_in_group(command)?;
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().context("wait for the program")? {
            let text = tail(output.path(), 100);
            return if status.success() {
                Ok(())
            } else {
                Err(anyhow!("{} ended with {status}\n{text}", describe(command)))
            };
        }
        if Instant::now() >= deadline {
            end_group(&mut child, &group)?;
            bail!("{} took longer than {} s", describe(command), limit.as_secs());
        }
        std::thread::sleep(POLL);
    }
}

/// Runs a program that Ctrl-C ends together with all that it started; says how it ended.
pub(crate) fn run_interruptible(
    command: &mut Command,
    interrupt: &Interrupt,
) -> Result<ExitStatus> {
    let (mut child, group) = spawn_in_group(command)?;
    loop {
        if let Some(status) = child.try_wait().context("wait for the program")? {
            return Ok(status);
        }
        if interrupt.raised() {
            return end_group(&mut child, &group);
        }
        std::thread::sleep(POLL);
    }
}

/// As [`run_interruptible`]; each line of its standard output is shown and told.
pub(crate) fn run_shown(
    command: &mut Command,
    interrupt: &Interrupt,
    mut tell: impl FnMut(&str),
) -> Result<ExitStatus> {
    let (mut child, group) = spawn_in_group(command.stdout(Stdio::piped()))?;
    let output = child.stdout.take().context("a piped output can be taken once")?;
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            println!("{line}");
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    loop {
        let ended = child.try_wait().context("wait for the program")?;
        // A server that a test has left behind may hold the pipe open: what has come by now is all.
        if ended.is_some() {
            std::thread::sleep(POLL);
        }
        lines.try_iter().for_each(|line: String| tell(&line));
        if let Some(status) = ended {
            return Ok(status);
        }
        if interrupt.raised() {
            return end_group(&mut child, &group);
        }
        std::thread::sleep(POLL);
    }
}

/// Starts a program in a process group of its own; returns how `kill` names the group.
pub(crate) fn spawn_in_group(command: &mut Command) -> Result<(Child, String)> {
    spawn_reading(command, Stdio::null())
}

/// Like [`spawn_in_group`], for a program that reads what is written to the returned pipe.
pub(crate) fn spawn_fed(command: &mut Command) -> Result<(Child, String, ChildStdin)> {
    let (mut child, group) = spawn_reading(command, Stdio::piped())?;
    let input = child.stdin.take().context("a piped input can be taken once")?;
    Ok((child, group, input))
}

fn spawn_reading(command: &mut Command, input: Stdio) -> Result<(Child, String)> {
    let child = command
        .stdin(input)
        .process_group(0)
        .spawn()
        .with_context(|| format!("start {}", describe(command)))?;
    let group = format!("-{}", child.id());
    Ok((child, group))
}

/// Asks the program to end, as Ctrl-C would, and then kills what is left of all it started.
pub(crate) fn end_group(child: &mut Child, group: &str) -> Result<ExitStatus> {
    send("INT", group)?;
    let deadline = Instant::now() + GRACE;
    let mut status = child.try_wait().context("wait for the program")?;
    while status.is_none() && Instant::now() < deadline {
        std::thread::sleep(POLL);
        status = child.try_wait().context("wait for the program")?;
    }
    // An error here means that nothing is left.
    let _ = send("KILL", group);
    match status {
        Some(status) => Ok(status),
        None => child.wait().context("wait for the program"),
    }
}

/// Whether a program exists and ends well, with its output thrown away.
pub(crate) fn succeeds(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The last lines of a file, as far as it can be read.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    const WINDOW: u64 = 64 * 1024;
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(WINDOW)))?;
        let mut bytes = Vec::new();
        file.take(WINDOW).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_else(|error| format!("(cannot read it: {error})"));
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// The program's name and first words, for messages; not all arguments, which may hold passwords.
pub(crate) fn describe(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args().take(2) {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_of_a_command_with_brackets_and_spaces() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 2";
        assert_eq!(parse_stat(stat), Some(('S', 987_654)));
        assert_eq!(parse_stat("42 (cut"), None);
        let stat = "42 (x y) S 1 42 42 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 1 0 987654 1 2";
        assert_eq!(parse_ticks(stat), Some(300));
    }

    #[test]
    fn a_process_with_another_start_time_is_not_alive_and_gets_no_signal() {
        let me = ProcessId::of(std::process::id()).unwrap();
        assert!(me.alive());
        let impostor = ProcessId { started: me.started + 1, ..me };
        assert!(!impostor.alive());
        impostor.signal("KILL").unwrap();
    }

    /// A program whose background child ignores Ctrl-C, as those of a shell do; and the child's id.
    fn stubborn(folder: &Path) -> (Command, impl Fn() -> Option<ProcessId> + use<>) {
        let file = folder.join("pid");
        let script = format!("sleep 60 & echo $! > '{}'; wait", file.display());
        let mut command = Command::new("sh");
        command.args(["-c", &script]);
        let child = move || {
            let text = fs::read_to_string(&file).ok()?;
            ProcessId::of(text.trim().parse().ok()?).ok()
        };
        (command, child)
    }

    #[test]
    fn an_interrupted_program_ends_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let (mut command, child) = stubborn(folder.path());
        let interrupt = Interrupt::unraised();
        let waiting = interrupt.clone();
        let child = std::thread::spawn(move || {
            loop {
                if let Some(child) = child() {
                    waiting.raise();
                    return child;
                }
                std::thread::sleep(POLL);
            }
        });
        let status = run_interruptible(&mut command, &interrupt).unwrap();
        assert!(!status.success());
        assert!(child.join().unwrap().wait_ended(Duration::from_secs(5)));
    }

    #[test]
    fn a_program_that_takes_too_long_ends_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let (mut command, child) = stubborn(folder.path());
        let error = run_limited(&mut command, Duration::from_secs(1)).unwrap_err().to_string();
        assert!(error.contains("took longer than 1 s"), "{error}");
        assert!(child().is_none_or(|child| child.wait_ended(Duration::from_secs(5))));
    }

    #[test]
    fn the_output_of_a_failed_program_is_in_the_error() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let quiet = format!("{:#}", run_quietly(&mut command).unwrap_err());
        let limited = format!("{:#}", run_limited(&mut command, GRACE).unwrap_err());
        for text in [quiet, limited] {
            assert!(text.contains("out") && text.contains("err") && text.contains('3'), "{text}");
        }
    }

    #[test]
    fn a_detached_program_writes_its_log_and_ends_by_signal() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two; exec sleep 60"]);
        let process = spawn_detached(&mut command, &log).unwrap();
        while tail(&log, 1) != "two" {
            std::thread::sleep(POLL);
        }
        process.signal("KILL").unwrap();
        assert!(process.wait_ended(Duration::from_secs(5)));
        assert_eq!(tail(&log, 5), "one\ntwo");
    }
}
