//! A program whose standard output is read line by line while it runs, and to which Ctrl-C is passed
//! on. It runs in a process group of its own, so that it gets each signal once, however it was sent.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

use crate::interrupt::Interrupt;
use crate::process::{self, POLL};

/// The first Ctrl-C asks the program to end in good order, the second to end at once; it gets no third.
const PATIENCE: usize = 2;

/// Runs a program to its end; `on_line` gets its lines without their ends. An error of `on_line` ends
/// the program and is returned.
pub(crate) fn follow(
    command: &mut Command,
    interrupt: &Interrupt,
    on_line: impl FnMut(&str) -> Result<()> + Send,
) -> Result<ExitStatus> {
    command.stdout(Stdio::piped());
    let (mut child, group) = process::spawn_in_group(command)?;
    let output = child.stdout.take().context("a piped output can be taken once")?;
    let given_up = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let outcome = read_lines(output, on_line);
            given_up.store(outcome.is_err(), Ordering::Relaxed);
            outcome
        });
        let status = wait(&mut child, &group, interrupt, &given_up);
        let read = reader.join();
        read.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        status
    })
}

/// Reads until the program closes its output.
fn read_lines(output: impl Read, mut on_line: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = output.read_until(b'\n', &mut line).context("read the program's output")?;
        if length == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line);
        on_line(text.trim_end_matches(['\n', '\r']))?;
    }
}

/// Waits for the end, passing signals on meanwhile.
fn wait(
    child: &mut Child,
    group: &str,
    interrupt: &Interrupt,
    given_up: &AtomicBool,
) -> Result<ExitStatus> {
    let mut seen = 0;
    loop {
        if let Some(status) = child.try_wait().context("wait for the program")? {
            return Ok(status);
        }
        if given_up.load(Ordering::Relaxed) {
            return process::end_group(child, group);
        }
        let count = interrupt.count();
        if count > seen {
            let signal = if count > PATIENCE { "KILL" } else { "INT" };
            // It may have ended in this very moment.
            if let Err(error) = process::send(signal, group) {
                match child.try_wait().context("wait for the program")? {
                    Some(status) => return Ok(status),
                    None => return Err(error),
                }
            }
            seen = count;
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn all_lines_come_in_order_and_so_does_the_exit_code() {
        let mut lines = Vec::new();
        let interrupt = Interrupt::unraised();
        let status = follow(&mut shell(r"printf 'a\n\nb\r\nc'; exit 7"), &interrupt, |line| {
            lines.push(line.to_owned());
            Ok(())
        });
        assert_eq!(status.unwrap().code(), Some(7));
        assert_eq!(lines, ["a", "", "b", "c"]);
    }

    #[test]
    fn each_interrupt_reaches_the_program_and_its_last_words_are_read() {
        let script = "trap 'echo first; trap \"echo second; exit 3\" INT' INT; echo ready; \
                      while :; do sleep 0.05; done";
        let interrupt = Interrupt::unraised();
        let raised = interrupt.clone();
        let mut lines = Vec::new();
        let status = follow(&mut shell(script), &interrupt, |line| {
            lines.push(line.to_owned());
            if line != "second" {
                raised.raise();
            }
            Ok(())
        });
        assert_eq!(status.unwrap().code(), Some(3));
        assert_eq!(lines, ["ready", "first", "second"]);
    }

    #[test]
    fn a_program_that_ignores_two_interrupts_is_killed_by_the_third() {
        let script = "trap '' INT; echo ready; while :; do sleep 0.05; done";
        let interrupt = Interrupt::unraised();
        let raised = interrupt.clone();
        let status = follow(&mut shell(script), &interrupt, |_| {
            (0..=PATIENCE).for_each(|_| raised.raise());
            Ok(())
        });
        assert_eq!(status.unwrap().code(), None);
    }

    #[test]
    fn nobody_to_take_the_lines_ends_the_program() {
        let interrupt = Interrupt::unraised();
        let error =
            follow(&mut shell("while :; do echo row; sleep 0.05; done"), &interrupt, |_| {
                anyhow::bail!("nobody listens")
            });
        assert_eq!(error.unwrap_err().to_string(), "nobody listens");
    }
}
