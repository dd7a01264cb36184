//! Rounds with a savepoint: the job goes on from it and back to it, or another job begins at it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::input::PARTITIONS;
use super::plan::{End, Round};
use super::report::Tally;
use super::round::{Run, Stage};
use super::savepoint::Savepoint;
use super::subject::{From, Start, Subject};
use crate::tidegate::running::Running;

/// Heap of the reader of another job's output.
const HEAP: &str = "192m";

/// Checkpoints of the other job after its kill.
const AGAIN: u64 = 2;

impl Stage<'_> {
    /// What had come out behind the savepoint stays, and comes again; what came before it does not.
    pub(super) fn rewind(
        &self,
        round: &Round,
        (before, after, delay_ms): (u64, u64, u64),
        end: End,
        tally: &mut Tally,
    ) -> Result<()> {
        let Some(savepoint) = self.savepoint(round, before, tally)? else { return Ok(()) };
        let mut on = self.start(round, Run::named("-on"), tally)?;
        if !self.runs(round, &mut on, after, tally)? {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(delay_ms));
        self.kill(round, on, tally)?;
        // Nothing that the killed process made visible may be counted as written by the one that goes back.
        let waited = self.witness.sync()?;
        let again = self.witness.judge().rewind(&savepoint.cut);
        tally.rewinds += 1;
        eprintln!(
            "   going back: {again} records must come again; transactions were open for {waited:.1} s"
        );
        let run = Run {
            suffix: "-back",
            failpoint: at(end),
            from: Some(&savepoint.folder),
            ..Run::default()
        };
        let back = self.start(round, run, tally)?;
        self.until(round, back, end, tally)
    }

    /// Both go on from the savepoint, each with its own output.
    pub(super) fn fork(
        &self,
        round: &Round,
        before: u64,
        parallelism: [u32; 2],
        end: End,
        tally: &mut Tally,
    ) -> Result<()> {
        let Some(from) = self.savepoint(round, before, tally)? else { return Ok(()) };
        let other = self.subject.fork(round.number);
        let [_, passed, sums] = &other.topics;
        self.tools.create_topics(&[passed, sums], PARTITIONS, &[])?;
        let folder = self.savepoints(round, "-fork");
        let start = |suffix: &str, parallelism, restore, failpoint, tally: &mut Tally| {
            tally.count_start();
            other.start(&Start {
                name: &format!("round-{:03}{suffix}", round.number),
                parallelism,
                endpoint: self.store,
                restore,
                failpoint,
                idle_timeout: false,
                savepoints: Some(&folder),
            })
        };
        let on = self.start(round, Run::named("-on"), tally)?;
        let [first, again] = parallelism;
        let restore = From::Savepoint(&from.folder);
        let process = start("-fork", first, restore, at(end), tally)?;
        self.until(round, process, end, tally)?;
        let mut process = start("-fork-again", again, From::Directory, None, tally)?;
        if !self.runs(round, &mut process, AGAIN, tally)? {
            return self.kill(round, on, tally);
        }
        self.kill_after(round, on, 1, 0, tally)?;
        if !self.stop("the other job", process, tally)? {
            return Ok(());
        }
        let to = Savepoint::only_one_below(&folder)?;
        self.judge_fork(round, &other, (&from, &to), tally)
    }

    /// Stops the job with a savepoint; none if it did not come to that. The second half of the round's records is
    /// written behind it.
    fn savepoint(
        &self,
        round: &Round,
        before: u64,
        tally: &mut Tally,
    ) -> Result<Option<Savepoint>> {
        let folder = self.savepoints(round, "");
        let run = Run { savepoints: Some(&folder), ..Run::named("-before") };
        let mut process: Running = self.start(round, run, tally)?;
        let stopped = self.runs(round, &mut process, before, tally)?
            && self.stop(&format!("round {}: the job", round.number), process, tally)?;
        self.feed.release_half();
        if !stopped {
            return Ok(None);
        }
        Savepoint::only_one_below(&folder).map(Some)
    }

    fn savepoints(&self, round: &Round, suffix: &str) -> PathBuf {
        self.subject.folder.join(format!("savepoint-{:03}{suffix}", round.number))
    }

    /// Reads all that another job has written, which has ended.
    fn judge_fork(
        &self,
        round: &Round,
        other: &Subject,
        (from, to): (&Savepoint, &Savepoint),
        tally: &mut Tally,
    ) -> Result<()> {
        let [_, passed, sums] = &other.topics;
        let mut command = self.tools.program("Records", HEAP)?;
        command.args(["consume", &self.tools.address(), passed, sums]).stdin(Stdio::null());
        let output = command.output().context("read the other job's output")?;
        ensure!(output.status.success(), "the reader ended with {}", output.status);
        let text = String::from_utf8(output.stdout).context("read the other job's output")?;
        let mut judge = self.witness.judge().of_fork(&from.cut, &to.cut);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            judge.take(line)?;
        }
        let verdict = judge.finish();
        for offence in verdict.offences() {
            tally.offence(format!("round {}: of the other job {offence}", round.number));
        }
        tally.forks += 1;
        tally.fork_records += verdict.passed;
        tally.fork_windows += verdict.sums_compared;
        eprintln!(
            "   the other job wrote {} records and {} windows",
            verdict.passed, verdict.sums_compared
        );
        Ok(())
    }
}

fn at(end: End) -> Option<(super::plan::Failpoint, u64)> {
    match end {
        End::Kill(_) => None,
        End::Failpoint(place) => Some((place, 0)),
    }
}
