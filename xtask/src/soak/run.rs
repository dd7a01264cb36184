//! A whole soak: services of its own, topics, producer and reader, the rounds, the last run, the verdict.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::feed::Feed;
use super::input::{Input, PARTITIONS};
use super::judge::{Judge, Verdict};
use super::place::{self, Store};
use super::plan::{self, Ending, Fault, Mix, Mutation, Round, name_of};
use super::proxy::Proxy;
use super::proxy::faults::Rates;
use super::report::{Report, Tally};
use super::round::{Stage, announce};
use super::subject::{Guarantee, Subject};
use super::witness::Witness;
use crate::interrupt::Interrupt;
use crate::project::Project;
use crate::services::kafka_tools::Tools;

/// How long the reader goes on behind an offence, to see more of it.
const AFTER_OFFENCE: Duration = Duration::from_secs(3);

/// What a caller asks for.
pub(crate) struct Settings {
    /// The binary.
    pub(crate) program: PathBuf,
    /// Whether it was built with failpoints.
    pub(crate) has_failpoints: bool,
    /// Rounds before the last run.
    pub(crate) rounds: u32,
    /// Repeats rounds and records.
    pub(crate) seed: u64,
    /// Records at least.
    pub(crate) records: u64,
    /// The safeguard to take out.
    pub(crate) mutation: Option<Mutation>,
    /// Kinds of faults; all that fit if empty.
    pub(crate) faults: Vec<Fault>,
    /// How often the object store's faults come.
    pub(crate) store_faults: Rates,
    /// What the sinks promise.
    pub(crate) guarantee: Guarantee,
    /// Time between checkpoints.
    pub(crate) interval_ms: u64,
    /// Whether rounds go on after an offence.
    pub(crate) keep_going: bool,
    /// Repeats it.
    pub(crate) command: String,
}

/// Soaks on services of its own.
pub(crate) fn run(project: &Project, settings: &Settings, interrupt: &Interrupt) -> Result<Report> {
    place::with_services(project, settings.seed, |home, folder| {
        let report = soak(home, settings, folder, interrupt)?;
        Ok((report.passed, report))
    })
}

fn soak(
    home: &Project,
    settings: &Settings,
    folder: &Path,
    interrupt: &Interrupt,
) -> Result<Report> {
    let tools = Tools::connect(home)?;
    let mix = Mix::new(&settings.faults, settings.mutation, settings.has_failpoints);
    let mix = match settings.guarantee {
        Guarantee::ExactlyOnce => mix,
        // There are no markers.
        Guarantee::AtLeastOnce => mix.without(Fault::Marker),
    };
    let rounds = plan::rounds(settings.seed, settings.rounds, &mix);
    let idle: Vec<_> = rounds.iter().map(|round| round.idle).collect();
    let input = Input::new(settings.seed, settings.records, &idle);
    let topics = ["in", "passed", "sums"].map(|name| format!("soak-{name}-{:x}", settings.seed));
    let [to, passed, sums] = topics.each_ref().map(String::as_str);
    tools.create_topics(&[to, passed, sums], PARTITIONS, &[])?;
    let store = Store::of(home)?;
    let proxy = Proxy::start(store.port, settings.seed, settings.store_faults)?;
    let subject = Subject {
        job: "soak".to_owned(),
        program: settings.program.clone(),
        folder: folder.to_owned(),
        bootstrap: tools.address(),
        topics: topics.clone(),
        checkpoints: format!("s3://{}/soak/{:x}", store.bucket, settings.seed),
        interval_ms: settings.interval_ms,
        environment: store.keys,
        guarantee: settings.guarantee,
        mutation: settings.mutation,
    };
    let witness = Witness::start(&tools, &[passed, sums], Judge::new(input.clone()))?;
    let feed = Feed::start(&tools, to, input.clone())?;
    let stage = Stage {
        home,
        tools: &tools,
        input: &input,
        feed: &feed,
        witness: &witness,
        subject: &subject,
        store: &store.endpoint,
        proxy: &proxy,
        interrupt,
    };
    let mut soak =
        Soak { settings, tally: Tally::default(), offended_in_round: None, start: Instant::now() };
    let done = soak.rounds(&stage, &rounds)?;
    soak.verdict(&stage, &rounds, done)
}

/// What goes on beside the rounds.
struct Soak<'a> {
    settings: &'a Settings,
    tally: Tally,
    offended_in_round: Option<u32>,
    start: Instant,
}

impl Soak<'_> {
    /// Carries the rounds out, until there is an offence unless asked otherwise; returns how many.
    fn rounds(&mut self, stage: &Stage<'_>, rounds: &[Round]) -> Result<u32> {
        for round in rounds {
            if stage.interrupt.raised() {
                bail!("interrupted");
            }
            eprintln!("{}", announce(round, self.settings.rounds, self.settings.guarantee));
            stage.run(round, &mut self.tally).with_context(|| format!("round {}", round.number))?;
            let (passed, offended) = {
                let judge = stage.witness.judge();
                (judge.passed_on(), judge.offended())
            };
            eprintln!("   {passed} records have come out; {}", self.progress(round.number));
            if offended || !self.tally.offences.is_empty() {
                self.offended_in_round.get_or_insert(round.number);
                if !self.settings.keep_going {
                    return Ok(round.number);
                }
            }
        }
        Ok(self.settings.rounds)
    }

    /// How fast it goes, and how long it may still take.
    fn progress(&self, done: u32) -> String {
        let elapsed = self.start.elapsed().as_secs_f64();
        let each = elapsed / f64::from(done.max(1));
        let left = each * f64::from(self.settings.rounds.saturating_sub(done)) / 60.0;
        format!("{each:.1} s a round, {:.0} min gone, about {left:.0} min left", elapsed / 60.0)
    }

    /// The last run, if all rounds went before it, and what came of it all.
    fn verdict(mut self, stage: &Stage<'_>, rounds: &[Round], done: u32) -> Result<Report> {
        let complete = self.settings.keep_going || self.offended_in_round.is_none();
        if complete {
            eprintln!("── last run, to the end of the input");
            stage.feed.finish()?;
            let parallelism = rounds.last().map_or(1, |round| round.parallelism);
            stage.last(parallelism, &mut self.tally)?;
        }
        let open_transactions_seconds = if complete {
            Some(stage.witness.finish()?)
        } else {
            // The transactions of the last process may be open for long, and what is behind them is nothing lost.
            std::thread::sleep(AFTER_OFFENCE);
            None
        };
        let verdict: Verdict = {
            let judge = stage.witness.judge();
            if complete { judge.finish() } else { judge.so_far() }
        };
        let done_rounds = rounds.get(..done as usize).unwrap_or(rounds);
        let mut tally = std::mem::take(&mut self.tally);
        if tally.late_records > 0 {
            let late = tally.late_records;
            tally.offence(format!(
                "runs that stopped with a savepoint had dropped {late} records as late; none is"
            ));
        }
        Ok(Report {
            passed: complete && tally.offences.is_empty() && verdict.offences().is_empty(),
            seed: self.settings.seed,
            mutation: self.settings.mutation,
            guarantee: name_of(self.settings.guarantee),
            rounds: done,
            rounds_by_fault: by_fault(done_rounds),
            parallelism_changes: parallelism_changes(done_rounds),
            records: stage.input.records(),
            store_faults: stage.proxy.counts(),
            open_transactions_seconds,
            offended_in_round: self.offended_in_round,
            complete,
            tally,
            verdict,
            wall_seconds: self.start.elapsed().as_secs_f64(),
            command: self.settings.command.clone(),
        })
    }
}

fn by_fault(rounds: &[Round]) -> BTreeMap<&'static str, u32> {
    let mut by_fault = BTreeMap::new();
    let mut count = |fault| *by_fault.entry(fault).or_insert(0) += 1;
    for round in rounds {
        count(match round.ending {
            Ending::Kill { .. } => "kill",
            Ending::Failpoint { .. } => "failpoint",
            Ending::Zombie { .. } => "zombie",
            Ending::Rewind { .. } => "rewind",
            Ending::Fork { .. } => "fork",
            Ending::Marker { .. } => "marker",
        });
        if round.idle.is_some() {
            count("idle");
        }
        if round.broker.is_some() {
            count("broker");
        }
        if round.store.is_some() {
            count("store");
        }
    }
    by_fault
}

fn parallelism_changes(rounds: &[Round]) -> u32 {
    let changed = |pair: &&[Round]| match pair {
        [before, after] => before.parallelism != after.parallelism,
        _ => false,
    };
    u32::try_from(rounds.windows(2).filter(changed).count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_counted_by_all_that_they_have() {
        let rounds = plan::rounds(1, 15, &Mix::new(&[], None, true));
        let counts = by_fault(&rounds);
        assert_eq!((counts["kill"], counts["failpoint"], counts["zombie"]), (4, 7, 1));
        assert_eq!((counts["rewind"], counts["fork"], counts["marker"]), (1, 1, 1));
        assert_eq!((counts["broker"], counts["store"], counts["idle"]), (2, 3, 1));
        assert!(parallelism_changes(&rounds) <= 14);
    }
}
