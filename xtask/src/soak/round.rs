//! One round: a process is started, meets its faults, and is ended.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::plan::{Broker, Ending, Failpoint, Round, Store, name_of};
use super::proxy::Proxy;
use super::report::Tally;
use super::subject::{Guarantee, Start, Subject, by_kill, told};
use crate::interrupt::Interrupt;
use crate::project::Project;
use crate::services::{control, kafka_tools};
use crate::tidegate::running::{Running, Watched};

/// How long a process may take to what it is expected to do, before the round is ended by a kill.
const BOUND: Duration = Duration::from_secs(25);

/// How long a process may take to its failpoint, before it is killed; longer if it has to wait for the broker.
const FAILPOINT: Duration = Duration::from_secs(15);

/// How long an older run may take to notice that it is refused.
const REFUSAL: Duration = Duration::from_secs(30);

/// Checkpoints that a process has completed before it is made a zombie.
const BEFORE_ZOMBIE: u64 = 2;

/// Checkpoints of the last run after everything has come out.
const SETTLING: u64 = 2;

/// How long the last run may bring nothing before it is given up.
const STALLED: Duration = Duration::from_secs(45);

/// How long a stop with a savepoint may take.
const STOPPING: Duration = Duration::from_secs(60);

/// What rounds are carried out with.
pub(super) struct Stage<'a> {
    /// The services' project.
    pub(super) home: &'a Project,
    /// The job.
    pub(super) subject: &'a Subject,
    /// Address of the object store.
    pub(super) store: &'a str,
    /// What stands in front of it in rounds where it has faults.
    pub(super) proxy: &'a Proxy,
    /// Ctrl-C ends the round.
    pub(super) interrupt: &'a Interrupt,
}

impl Stage<'_> {
    /// Carries out a round. An error is one of the harness; offences of the job go into the tally.
    pub(super) fn run(&self, round: &Round, tally: &mut Tally) -> Result<()> {
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
        let kafka = [kafka_tools::service()];
        if broker.killed {
            control::kill(self.home, &kafka)?;
        }
        control::restart(self.home, &kafka)
    }

    fn end(&self, round: &Round, tally: &mut Tally) -> Result<()> {
        match round.ending {
            Ending::Kill { checkpoints, delay_ms } => {
                let process = self.start(round, "", None, tally)?;
                self.kill_after(round, process, checkpoints, delay_ms, tally)
            }
            Ending::Failpoint { place, passed } => {
                let process = self.start(round, "", Some((place, passed)), tally)?;
                self.until_failpoint(round, process, place, tally)
            }
            Ending::Zombie { beside_successor, delay_ms, missed } => {
                self.zombie(round, (beside_successor, delay_ms, missed), tally)
            }
        }
    }

    fn start(
        &self,
        round: &Round,
        suffix: &str,
        failpoint: Option<(Failpoint, u64)>,
        tally: &mut Tally,
    ) -> Result<Running> {
        let restore = tally.count_start();
        let proxy = self.proxy.endpoint();
        let mut process = self.subject.start(&Start {
            name: &format!("round-{:03}{suffix}", round.number),
            parallelism: round.parallelism,
            endpoint: if round.store.is_some() { &proxy } else { self.store },
            restore,
            failpoint,
        })?;
        if round.store == Some(Store::Checkpoints) {
            // What it comes to is found out by those who wait for it.
            process.watch(BOUND, |p| p.checkpoints > 0 || self.interrupt.raised())?;
            self.proxy.trouble(true);
        }
        Ok(process)
    }

    /// Waits for checkpoints, or for an end of the process, Ctrl-C or the bound.
    fn wait(&self, process: &mut Running, checkpoints: u64) -> Result<Watched> {
        let watched =
            process.watch(BOUND, |p| p.checkpoints >= checkpoints || self.interrupt.raised())?;
        if self.interrupt.raised() {
            bail!("interrupted");
        }
        Ok(watched)
    }

    fn kill_after(
        &self,
        round: &Round,
        mut process: Running,
        checkpoints: u64,
        delay_ms: u64,
        tally: &mut Tally,
    ) -> Result<()> {
        match self.wait(&mut process, checkpoints)? {
            Watched::Ended(status) => return self.ended(round, &process, status, tally),
            Watched::TimeUp => tally.slow_rounds.push(round.number),
            Watched::Reached => {}
        }
        std::thread::sleep(Duration::from_millis(delay_ms));
        self.kill(round, process, tally)
    }

    fn kill(&self, round: &Round, mut process: Running, tally: &mut Tally) -> Result<()> {
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
        let mut old = self.start(round, "-zombie", None, tally)?;
        if let Watched::Ended(status) = self.wait(&mut old, BEFORE_ZOMBIE)? {
            return self.ended(round, &old, status, tally);
        }
        std::thread::sleep(Duration::from_millis(delay_ms));
        old.signal("STOP")?;
        tally.zombies += 1;
        let mut new = self.start(round, "", None, tally)?;
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
    fn ended(
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

    /// Runs without faults until everything has come out, and then stops with a savepoint. `seen` says how many records
    /// have come out and whether that is everything.
    pub(super) fn last(
        &self,
        parallelism: u32,
        seen: impl Fn() -> (u64, bool),
        tally: &mut Tally,
    ) -> Result<()> {
        let restore = tally.count_start();
        let mut process = self.subject.start(&Start {
            name: "last",
            parallelism,
            endpoint: self.store,
            restore,
            failpoint: None,
        })?;
        let watched = self.until_all(&mut process, seen)?;
        if let Watched::Ended(status) = watched {
            let words = process.last_words();
            tally.offence(format!("the last run ended by itself with {status}: {words}"));
            return Ok(());
        }
        if matches!(watched, Watched::TimeUp) {
            let seconds = STALLED.as_secs();
            tally.offence(format!(
                "not everything has come out, and the last run has brought nothing for {seconds} s"
            ));
        }
        // What comes twice may come behind what was waited for.
        let settled = process.checkpoints + SETTLING;
        process.watch(BOUND, |p| p.checkpoints >= settled)?;
        process.signal("INT")?;
        match process.watch(STOPPING, |_| false)? {
            Watched::Ended(status) if status.success() => {
                tally.checkpoints += process.checkpoints;
                let output = std::fs::read_to_string(&process.out).context("read its output")?;
                tally.late_records = late(&output);
            }
            Watched::Ended(status) => {
                let words = process.last_words();
                tally.offence(format!("the last run stopped with {status}: {words}"));
            }
            Watched::Reached | Watched::TimeUp => {
                let seconds = STOPPING.as_secs();
                tally.offence(format!("the last run did not stop within {seconds} s"));
            }
        }
        Ok(())
    }

    /// Watches until everything has come out or nothing comes any more.
    fn until_all(&self, process: &mut Running, seen: impl Fn() -> (u64, bool)) -> Result<Watched> {
        let mut count = 0;
        let mut stalled = Instant::now();
        loop {
            let watched = process.watch(Duration::from_secs(1), |_| seen().1)?;
            if self.interrupt.raised() {
                bail!("interrupted");
            }
            if !matches!(watched, Watched::TimeUp) {
                return Ok(watched);
            }
            let (now, _) = seen();
            if now != count {
                (count, stalled) = (now, Instant::now());
            } else if stalled.elapsed() > STALLED {
                return Ok(Watched::TimeUp);
            }
        }
    }
}

/// Rows that the last run dropped as late.
fn late(output: &str) -> u64 {
    let stats = output.lines().last().and_then(crate::tidegate::stats::Stats::parse);
    stats.map_or(0, |stats| stats.inserts.iter().map(|insert| insert.late_records).sum())
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
        "── round {} of {of}: parallelism {parallelism}, {ending}{broker}{store}{guarantee}",
        round.number
    )
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
        };
        assert_eq!(
            announce(&round, 9, Guarantee::ExactlyOnce),
            "── round 3 of 9: parallelism 2, kill -9 at after-commit number 5, broker killed, store with faults"
        );
    }

    #[test]
    fn late_rows_are_those_of_the_statistics() {
        assert_eq!(late(&format!("x\n{}\n", crate::tidegate::stats::SAMPLE)), 1_348);
        assert_eq!(late("nothing"), 0);
    }
}
