//! One round: a process is started, meets its faults, and is ended.

use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::feed::Feed;
use super::input::Input;
use super::place::restart_broker;
use super::plan::{Broker, End, Ending, Failpoint, Round, Store, name_of};
use super::proxy::Proxy;
use super::report::Tally;
use super::subject::{From, Guarantee, Start, Subject, by_kill, told};
use super::witness::Witness;
use crate::interrupt::Interrupt;
use crate::project::Project;
use crate::services::kafka_tools::Tools;
use crate::tidegate::running::{Running, Watched};
use crate::tidegate::stats::Stats;

/// How long a process may take to what it is expected to do, before the round is ended by a kill.
pub(super) const BOUND: Duration = Duration::from_secs(25);

/// How long a process may take to its failpoint, before it is killed; longer if it has to wait for the broker.
const FAILPOINT: Duration = Duration::from_secs(15);

/// How long an older run may take to notice that it is refused.
const REFUSAL: Duration = Duration::from_secs(30);

/// Checkpoints that a process has completed before it is made a zombie.
const BEFORE_ZOMBIE: u64 = 2;

/// How long windows may take that close only without an idle partition: the rows of the round are written over some
/// seconds, and then the partition has to be idle for as long as the job is told to wait.
const WITHOUT_IDLE: Duration = Duration::from_secs(45);

/// How long a stop with a savepoint may take.
const STOPPING: Duration = Duration::from_secs(60);

/// What rounds are carried out with.
pub(super) struct Stage<'a> {
    /// The services' project.
    pub(super) home: &'a Project,
    /// The broker's tools.
    pub(super) tools: &'a Tools<'a>,
    /// What is written.
    pub(super) input: &'a Input,
    /// Who writes it.
    pub(super) feed: &'a Feed,
    /// Who reads what comes out.
    pub(super) witness: &'a Witness,
    /// The job.
    pub(super) subject: &'a Subject,
    /// Address of the object store.
    pub(super) store: &'a str,
    /// What stands in front of it in rounds where it has faults.
    pub(super) proxy: &'a Proxy,
    /// Ctrl-C ends the round.
    pub(super) interrupt: &'a Interrupt,
}

/// How a process of a round differs from others.
#[derive(Clone, Copy, Default)]
pub(super) struct Run<'a> {
    /// Behind the round's number, in names of files.
    pub(super) suffix: &'a str,
    /// Where it ends itself, and how often it passes there before.
    pub(super) failpoint: Option<(Failpoint, u64)>,
    /// What it goes back to, instead of going on from the newest checkpoint.
    pub(super) from: Option<&'a Path>,
    /// Where it puts its savepoint.
    pub(super) savepoints: Option<&'a Path>,
}

impl<'a> Run<'a> {
    /// A process with a name of its own.
    pub(super) fn named(suffix: &'a str) -> Self {
        Self { suffix, ..Self::default() }
    }
}

impl Stage<'_> {
    /// Carries out a round. An error is one of the harness; offences of the job go into the tally.
    pub(super) fn run(&self, round: &Round, tally: &mut Tally) -> Result<()> {
        self.feed.release_half();
        if !matches!(round.ending, Ending::Rewind { .. } | Ending::Fork { .. }) {
            self.feed.release_half();
        }
        std::thread::scope(|scope| {
            let broker = round.broker.map(|broker| scope.spawn(move || self.restart(broker)));
            self.proxy.trouble(round.store == Some(Store::Restore));
            let outcome = self.end(round, tally);
            self.proxy.trouble(false);
            if let Some(broker) = broker {
                broker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
                tally.broker_restarts += 1;
            }
            outcome
        })
    }

    /// Stops or kills the broker and starts it again on its data.
    fn restart(&self, broker: Broker) -> Result<()> {
        std::thread::sleep(Duration::from_millis(broker.delay_ms));
        restart_broker(self.home, broker.killed)
    }

    fn end(&self, round: &Round, tally: &mut Tally) -> Result<()> {
        match round.ending {
            Ending::Kill { checkpoints, delay_ms } => {
                let process = self.start(round, Run::default(), tally)?;
                self.kill_after(round, process, checkpoints, delay_ms, tally)
            }
            Ending::Failpoint { place, passed } => {
                let run = Run { failpoint: Some((place, passed)), ..Run::default() };
                let process = self.start(round, run, tally)?;
                self.until_failpoint(round, process, place, tally)
            }
            Ending::Zombie { beside_successor, delay_ms, missed } => {
                self.zombie(round, (beside_successor, delay_ms, missed), tally)
            }
            Ending::Rewind { before, after, delay_ms, end } => {
                self.rewind(round, (before, after, delay_ms), end, tally)
            }
            Ending::Fork { before, parallelism, end } => {
                self.fork(round, before, parallelism, end, tally)
            }
            Ending::Marker { checkpoints, delay_ms } => {
                self.without_markers(round, checkpoints, delay_ms, tally)
            }
        }
    }

    /// Starts a process of the job under test.
    pub(super) fn start(&self, round: &Round, run: Run<'_>, tally: &mut Tally) -> Result<Running> {
        let first = !tally.count_start();
        let proxy = self.proxy.endpoint();
        let mut process = self.subject.start(&Start {
            name: &format!("round-{:03}{}", round.number, run.suffix),
            parallelism: round.parallelism,
            endpoint: if round.store.is_some() { &proxy } else { self.store },
            restore: match run.from {
                Some(savepoint) => From::Savepoint(savepoint),
                None if first => From::Nothing,
                None => From::Directory,
            },
            failpoint: run.failpoint,
            idle_timeout: round.idle.is_some(),
            savepoints: run.savepoints,
        })?;
        if round.store == Some(Store::Checkpoints) {
            // What it comes to is found out by those who wait for it.
            process.watch(BOUND, |p| p.checkpoints > 0 || self.interrupt.raised())?;
            self.proxy.trouble(true);
        }
        Ok(process)
    }

    /// Waits for checkpoints, or for an end of the process, Ctrl-C or the bound.
    pub(super) fn wait(&self, process: &mut Running, checkpoints: u64) -> Result<Watched> {
        let watched =
            process.watch(BOUND, |p| p.checkpoints >= checkpoints || self.interrupt.raised())?;
        if self.interrupt.raised() {
            bail!("interrupted");
        }
        Ok(watched)
    }

    /// Waits until a process of the round has completed checkpoints; says whether it runs.
    pub(super) fn runs(
        &self,
        round: &Round,
        process: &mut Running,
        checkpoints: u64,
        tally: &mut Tally,
    ) -> Result<bool> {
        match self.wait(process, checkpoints)? {
            Watched::Ended(status) => {
                self.ended(round, process, status, tally)?;
                return Ok(false);
            }
            Watched::TimeUp => tally.slow_rounds.push(round.number),
            Watched::Reached => {}
        }
        Ok(true)
    }

    /// Waits until windows come out that close only without the idle partition; says whether the process runs.
    fn closes_without_idle(
        &self,
        round: &Round,
        process: &mut Running,
        tally: &mut Tally,
    ) -> Result<bool> {
        let window = self.input.window_of_slice(u64::from(round.number - 1));
        let closed = || self.witness.judge().has_window(window);
        match process.watch(WITHOUT_IDLE, |_| closed() || self.interrupt.raised())? {
            Watched::Ended(status) => {
                self.ended(round, process, status, tally)?;
                return Ok(false);
            }
            Watched::TimeUp => tally.offence(format!(
                "round {}: windows wait for a partition without records for {} s",
                round.number,
                WITHOUT_IDLE.as_secs()
            )),
            Watched::Reached => tally.idle_passed += 1,
        }
        Ok(true)
    }

    /// Waits as the end says, and ends the process.
    pub(super) fn until(
        &self,
        round: &Round,
        process: Running,
        end: End,
        tally: &mut Tally,
    ) -> Result<()> {
        match end {
            End::Kill(checkpoints) => self.kill_after(round, process, checkpoints, 0, tally),
            End::Failpoint(place) => self.until_failpoint(round, process, place, tally),
        }
    }

    /// Stops a process with a savepoint; says whether it did.
    pub(super) fn stop(&self, who: &str, mut process: Running, tally: &mut Tally) -> Result<bool> {
        process.signal("INT")?;
        match process.watch(STOPPING, |_| false)? {
            Watched::Ended(status) if status.success() => {
                tally.checkpoints += process.checkpoints;
                tally.late_records += late(&process.out)?;
                return Ok(true);
            }
            Watched::Ended(status) => {
                let words = process.last_words();
                tally.offence(format!("{who} stopped with {status}: {words}"));
            }
            Watched::Reached | Watched::TimeUp => {
                let seconds = STOPPING.as_secs();
                tally.offence(format!("{who} did not stop within {seconds} s"));
            }
        }
        Ok(false)
    }

    pub(super) fn kill_after(
        &self,
        round: &Round,
        mut process: Running,
        checkpoints: u64,
        delay_ms: u64,
        tally: &mut Tally,
    ) -> Result<()> {
        if !self.runs(round, &mut process, checkpoints, tally)? {
            return Ok(());
        }
        if round.idle.is_some() && !self.closes_without_idle(round, &mut process, tally)? {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(delay_ms));
        self.kill(round, process, tally)
    }

    pub(super) fn kill(
        &self,
        round: &Round,
        mut process: Running,
        tally: &mut Tally,
    ) -> Result<()> {
        // A last look, as the checkpoints are counted by asking.
        process.watch(Duration::ZERO, |_| true)?;
        if let Some(status) = process.ended()? {
            return self.ended(round, &process, status, tally);
        }
        self.note(round, &process, tally);
        process.kill()?;
        tally.kills += 1;
        Ok(())
    }

    fn until_failpoint(
        &self,
        round: &Round,
        mut process: Running,
        place: Failpoint,
        tally: &mut Tally,
    ) -> Result<()> {
        let limit = FAILPOINT + if round.broker.is_some() { BOUND } else { Duration::ZERO };
        match process.watch(limit, |_| self.interrupt.raised())? {
            Watched::Ended(status) if by_kill(status) => {
                self.note(round, &process, tally);
                *tally.failpoints_hit.entry(name_of(place)).or_default() += 1;
                Ok(())
            }
            Watched::Ended(status) => self.ended(round, &process, status, tally),
            Watched::Reached => bail!("interrupted"),
            Watched::TimeUp => {
                *tally.failpoints_missed.entry(name_of(place)).or_default() += 1;
                self.kill(round, process, tally)
            }
        }
    }

    /// The old process is stopped, its successor runs, and then the old one goes on: it must end by itself, because it
    /// is refused.
    fn zombie(
        &self,
        round: &Round,
        (beside_successor, delay_ms, missed): (bool, u64, u64),
        tally: &mut Tally,
    ) -> Result<()> {
        let mut old = self.start(round, Run::named("-zombie"), tally)?;
        if let Watched::Ended(status) = self.wait(&mut old, BEFORE_ZOMBIE)? {
            return self.ended(round, &old, status, tally);
        }
        std::thread::sleep(Duration::from_millis(delay_ms));
        old.signal("STOP")?;
        tally.zombies += 1;
        let mut new = self.start(round, Run::default(), tally)?;
        let watched = self.wait(&mut new, missed)?;
        if let Watched::Ended(status) = watched {
            self.ended(round, &new, status, tally)?;
            return self.resume(round, old, tally);
        }
        if matches!(watched, Watched::TimeUp) {
            tally.slow_rounds.push(round.number);
        }
        if beside_successor {
            self.resume(round, old, tally)?;
            self.kill(round, new, tally)
        } else {
            self.kill(round, new, tally)?;
            self.resume(round, old, tally)
        }
    }

    fn resume(&self, round: &Round, mut old: Running, tally: &mut Tally) -> Result<()> {
        old.signal("CONT")?;
        match old.watch(REFUSAL, |_| self.interrupt.raised())? {
            Watched::Reached => bail!("interrupted"),
            Watched::Ended(status) if status.code().is_some_and(|code| code != 0) => {
                tally.zombies_refused += 1;
                tally.zombies_fenced += u64::from(old.last_words().contains("[FENCED]"));
            }
            Watched::Ended(status) => tally.offence(format!(
                "round {}: an older run that went on was not refused: it ended with {status}",
                round.number
            )),
            Watched::TimeUp => tally.offence(format!(
                "round {}: an older run that went on was not refused within {} s",
                round.number,
                REFUSAL.as_secs()
            )),
        }
        self.note(round, &old, tally);
        old.kill()?;
        Ok(())
    }

    /// A process that ended by itself, which it must not while all is well around it.
    pub(super) fn ended(
        &self,
        round: &Round,
        process: &Running,
        status: ExitStatus,
        tally: &mut Tally,
    ) -> Result<()> {
        self.note(round, process, tally);
        if round.store.is_some() {
            tally.exits_by_store += 1;
            return Ok(());
        }
        tally.offence(format!(
            "round {}: the process ended by itself with {status}: {}",
            round.number,
            process.last_words()
        ));
        Ok(())
    }

    /// What the process has done and said.
    fn note(&self, round: &Round, process: &Running, tally: &mut Tally) {
        tally.checkpoints += process.checkpoints;
        let (panics, damage) = told(&process.err);
        tally.damage_noticed += damage;
        if let Some(panic) = panics.first() {
            tally.offence(format!("round {}: {panic}", round.number));
        }
        eprintln!(
            "   {:.1} s, {} checkpoints",
            process.started.elapsed().as_secs_f64(),
            process.checkpoints
        );
    }
}

/// Rows that a process dropped as late.
fn late(output: &Path) -> Result<u64> {
    let output = std::fs::read_to_string(output).context("read a process's output")?;
    let stats = output.lines().last().and_then(Stats::parse);
    Ok(stats.map_or(0, |stats| stats.inserts.iter().map(|insert| insert.late_records).sum()))
}

/// One line about a round, before it begins.
pub(super) fn announce(round: &Round, of: u32, guarantee: Guarantee) -> String {
    let ending = match round.ending {
        Ending::Kill { checkpoints: 0, delay_ms } => format!("kill -9 after {delay_ms} ms"),
        Ending::Kill { checkpoints, delay_ms } => {
            format!("kill -9 {delay_ms} ms after {checkpoints} checkpoints")
        }
        Ending::Failpoint { place, passed } => {
            format!("kill -9 at {} number {}", name_of(place), passed + 1)
        }
        Ending::Zombie { beside_successor, missed, .. } => {
            let when = if beside_successor { "beside" } else { "after" };
            format!("an older run goes on {when} its successor and {missed} checkpoints")
        }
        Ending::Rewind { before, after, end, .. } => {
            let end = of_end(end);
            format!("a savepoint after {before} checkpoints, {after} more, back to it, {end}")
        }
        Ending::Fork { before, parallelism: [first, again], end } => {
            let end = of_end(end);
            format!(
                "a savepoint after {before} checkpoints, another job from it with parallelism {first}, {end}, again \
                 with {again}"
            )
        }
        Ending::Marker { checkpoints, .. } => {
            format!("kill -9 after {checkpoints} checkpoints, no markers, and all back")
        }
    };
    let idle = match round.idle {
        Some(partition) => format!(", nothing in partition {partition}"),
        None => String::new(),
    };
    let broker = match round.broker {
        Some(Broker { killed: true, .. }) => ", broker killed",
        Some(_) => ", broker restarted",
        None => "",
    };
    let store = match round.store {
        Some(Store::Restore) => ", store with faults",
        Some(Store::Checkpoints) => ", store with faults from the first checkpoint",
        None => "",
    };
    let parallelism = round.parallelism;
    let guarantee = if guarantee == Guarantee::AtLeastOnce { ", at-least-once" } else { "" };
    format!(
        "── round {} of {of}: parallelism {parallelism}, {ending}{idle}{broker}{store}{guarantee}",
        round.number
    )
}

fn of_end(end: End) -> String {
    match end {
        End::Kill(checkpoints) => format!("kill -9 after {checkpoints} checkpoints"),
        End::Failpoint(place) => format!("kill -9 at {}", name_of(place)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_announced_with_its_faults() {
        let round = Round {
            number: 3,
            parallelism: 2,
            ending: Ending::Failpoint { place: Failpoint::AfterCommit, passed: 4 },
            broker: Some(Broker { killed: true, delay_ms: 5 }),
            store: Some(Store::Restore),
            idle: Some(1),
        };
        assert_eq!(
            announce(&round, 9, Guarantee::ExactlyOnce),
            "── round 3 of 9: parallelism 2, kill -9 at after-commit number 5, nothing in partition 1, broker killed, store with faults"
        );
    }

    #[test]
    fn late_rows_are_those_of_the_statistics() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        std::fs::write(&path, format!("x\n{}\n", crate::tidegate::stats::SAMPLE)).unwrap();
        assert_eq!(late(&path).unwrap(), 1_348);
        std::fs::write(&path, "nothing").unwrap();
        assert_eq!(late(&path).unwrap(), 0);
    }
}
