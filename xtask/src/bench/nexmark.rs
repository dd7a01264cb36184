//! The Nexmark queries of `examples/nexmark`: their scripts, and one run of one of them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use serde::Serialize;

use super::report::Measured;
use super::sizing::{self, SAMPLE_EVENTS, SAMPLE_SECONDS, events_for};
use crate::interrupt::Interrupt;
use crate::project::Project;
use crate::tidegate::job::Job;
use crate::tidegate::stats::Stats;

const FOLDER: &str = "examples/nexmark";

/// Time between two checkpoints.
pub(crate) const CHECKPOINT_INTERVAL: &str = "1 s";

/// Events that share a second of event time, as `ddl.sql` says.
pub(crate) const EVENTS_PER_SECOND_OF_EVENT_TIME: u64 = 100_000;

/// A benchmark that fails should say so, not start again.
const NO_RESTART: (&str, &str) = ("restart-strategy.type", "none");
const CHECKPOINTS: (&str, &str) = ("execution.checkpointing.interval", CHECKPOINT_INTERVAL);

/// Of 50 events the first is a person, three are auctions, the rest are bids.
const BLOCK: u64 = 50;
const BEFORE_BIDS: u64 = 4;

/// How often a run that was too short is repeated with more events.
const TRIES: usize = 3;

/// A query; what it asks is in the comment of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Query {
    /// Pass through
    Q0,
    /// Projection with a decimal multiplication
    Q1,
    /// Filter
    Q2,
    /// Local item suggestion: a join of people and auctions
    Q3,
    /// Average price by category: a join, two aggregates
    Q4,
    /// Hot items: hopping windows, a window join
    Q5,
    /// Average selling price by seller: Top-1, OVER
    Q6,
    /// Highest bid of each ten seconds: a window, a join by time
    Q7,
    /// Monitor new users: a window join
    Q8,
    /// Winning bids: a join, Top-1
    Q9,
    /// Log to the file system, in partitions
    Q10,
    /// User sessions
    Q11,
    /// Windows by the clock
    Q12,
    /// Side input: a lookup join
    Q13,
    /// Calculation: functions and a CASE
    Q14,
    /// Bidding statistics: distinct counts by day, filtered
    Q15,
    /// Channel statistics: the same by channel
    Q16,
    /// Auction statistics: aggregates by auction and day
    Q17,
    /// Last bid of each auction and bidder: deduplication
    Q18,
    /// Top-10 prices of each auction
    Q19,
    /// Filter join: bids on one category
    Q20,
    /// Add channel id: regular expressions
    Q21,
    /// Get URL directories
    Q22,
    /// Join of bids, people and auctions
    Q23,
    /// Counts in tumbling windows
    Tumble,
    /// Counts in hopping windows
    Hop,
    /// Counts in sessions
    Session,
}

/// Names on the command line and of files, in the order of [`Query`].
const NAMES: [&str; 27] = [
    "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "q9", "q10", "q11", "q12", "q13", "q14",
    "q15", "q16", "q17", "q18", "q19", "q20", "q21", "q22", "q23", "tumble", "hop", "session",
];

/// Keys of the file that `q13` looks up.
const SIDE_KEYS: u32 = 10_000;

impl Query {
    /// Its name on the command line and of its file.
    pub(crate) fn name(self) -> &'static str {
        NAMES[self as usize]
    }

    /// What its script needs beside the number of events; files are made in `folder`.
    pub(crate) fn defines(self, folder: &Path) -> Result<Vec<(&'static str, String)>> {
        Ok(match self {
            Self::Q10 => vec![("OUTPUT", folder.join("output").display().to_string())],
            Self::Q13 => {
                let path = folder.join("side_input.csv");
                let lines: String = (0..SIDE_KEYS).map(|key| format!("{key},{key}\n")).collect();
                fs::write(&path, lines).with_context(|| format!("write {}", path.display()))?;
                vec![("SIDE_INPUT", path.display().to_string())]
            }
            _ => Vec::new(),
        })
    }

    /// Tables and query as one script.
    pub(crate) fn script(self, project: &Project) -> Result<String> {
        Ok(format!("{}\n{}\n", Self::tables(project)?, self.text(project)?))
    }

    /// The tables that all queries read.
    pub(crate) fn tables(project: &Project) -> Result<String> {
        read(project, "ddl")
    }

    /// Its sink and its INSERT.
    pub(crate) fn text(self, project: &Project) -> Result<String> {
        read(project, self.name())
    }
}

fn read(project: &Project, name: &str) -> Result<String> {
    let path = project.root.join(FOLDER).join(format!("{name}.sql"));
    fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
}

/// How long a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// So many events.
    Events(u64),
    /// As many events as take at least so many seconds.
    Seconds(u64),
}

/// What all runs have in common.
pub(crate) struct Bench<'a> {
    /// The checkout.
    pub(crate) project: &'a Project,
    /// The binary.
    pub(crate) program: &'a Path,
    /// Where scripts and checkpoints go; emptied by the caller.
    pub(crate) folder: &'a Path,
    /// Subtasks per operator.
    pub(crate) parallelism: u32,
    /// How long each run is.
    pub(crate) length: Length,
    /// Whether each query also runs without checkpoints.
    pub(crate) checkpoint_cost: bool,
    /// Ctrl-C ends it.
    pub(crate) interrupt: &'a Interrupt,
}

impl Bench<'_> {
    /// Measures one query. Runs that only find out how many events are needed are not reported.
    pub(crate) fn measure(&self, query: Query) -> Result<Measured> {
        let mut measured = with_output(self.measure_with_checkpoints(query)?)?;
        if self.checkpoint_cost {
            let without = self.run(query, measured.events, &[NO_RESTART])?;
            measured.seconds_without_checkpoints = Some(without.seconds);
        }
        Ok(measured)
    }

    fn measure_with_checkpoints(&self, query: Query) -> Result<Measured> {
        let settings = [CHECKPOINTS, NO_RESTART];
        let run = |events| self.run(query, events, &settings);
        let seconds = match self.length {
            Length::Events(events) => return run(events),
            Length::Seconds(seconds) => seconds as f64,
        };
        let mut events = calibrate(seconds, run)?;
        for _ in 0..TRIES {
            let measured = run(events)?;
            if measured.seconds >= seconds {
                return Ok(measured);
            }
            eprintln!(
                "{}: {events} events took only {:.1} s; again with more",
                query.name(),
                measured.seconds
            );
            events = events_for(seconds, events, measured.seconds);
        }
        bail!("its speed changes too much: {TRIES} runs in a row were shorter than {seconds} s")
    }

    /// One run in a process and a checkpoint folder of its own.
    fn run(&self, query: Query, events: u64, settings: &[(&str, &str)]) -> Result<Measured> {
        let folder = tempfile::Builder::new()
            .prefix(query.name())
            .tempdir_in(self.folder)
            .context("create a folder for the run")?;
        let script = folder.path().join(format!("{}.sql", query.name()));
        fs::write(&script, query.script(self.project)?)
            .with_context(|| format!("write {}", script.display()))?;
        let mut defines = query.defines(folder.path())?;
        defines.push(("EVENTS", events.to_string()));
        let job = Job {
            program: self.program,
            folder: &self.project.root,
            script: &script,
            defines,
            settings,
            parallelism: Some(self.parallelism),
            checkpoints: folder.path(),
            shown: false,
        };
        let finished = job.run(self.interrupt)?;
        if self.interrupt.raised() {
            bail!("interrupted");
        }
        ensure!(finished.status.success(), "tidegate ended with {}; see above", finished.status);
        let stats = finished.stats.context("tidegate printed no statistics")?;
        measured(query, events, &stats)
    }
}

/// Events for a run of so many seconds, by short runs.
fn calibrate(seconds: f64, run: impl Fn(u64) -> Result<Measured>) -> Result<u64> {
    let first = run(SAMPLE_EVENTS)?;
    if first.seconds >= SAMPLE_SECONDS {
        return Ok(events_for(seconds, first.events, first.seconds));
    }
    let second = run(sizing::events_for(SAMPLE_SECONDS, first.events, first.seconds))?;
    Ok(events_for(seconds, second.events, second.seconds))
}

/// A run that gave something out. Short ones before it need not: windows by the clock are longer.
fn with_output(measured: Measured) -> Result<Measured> {
    ensure!(measured.sink_rows > 0, "nothing came out");
    Ok(measured)
}

/// Figures of a run, once it is clear that it read everything.
fn measured(query: Query, events: u64, stats: &Stats) -> Result<Measured> {
    let [insert] = stats.inserts.as_slice() else {
        bail!("the script should have one INSERT, it has {}", stats.inserts.len());
    };
    let bids = bids(events);
    let rows = insert.records_in;
    ensure!(
        is_complete(rows, events),
        "the source made {rows} rows for {events} events with {bids} bids"
    );
    let seconds = insert.wall_seconds.max(1e-3);
    Ok(Measured {
        query,
        events,
        bids,
        source_rows: rows,
        sink_rows: insert.records_out,
        late_rows: insert.late_records,
        seconds,
        events_per_second: events as f64 / seconds,
        bids_per_second: bids as f64 / seconds,
        cpu_seconds: stats.cpu_seconds,
        events_per_cpu_second: stats.cpu_seconds.map(|cpu| events as f64 / cpu.max(1e-2)),
        peak_rss_bytes: stats.peak_rss_bytes,
        state_bytes: stats.state_bytes,
        checkpoints: stats.checkpoints_completed,
        checkpoint_ms: stats.checkpoint_ms,
        seconds_without_checkpoints: None,
    })
}

/// Whether the sources of a query made all people, all auctions or all bids of the first so many events, or
/// several of these, each at most three times.
fn is_complete(rows: u64, events: u64) -> bool {
    let bids = bids(events);
    let people = events.div_ceil(BLOCK);
    let parts = [people, events - bids - people, bids];
    let times = || 0..=3_u64;
    let sums = times().flat_map(|a| times().flat_map(move |b| times().map(move |c| [a, b, c])));
    let sum = |times: [u64; 3]| times.iter().zip(parts).map(|(times, part)| times * part).sum();
    sums.map(sum).any(|sum: u64| sum == rows && rows > 0)
}

/// How many of the first so many events are bids.
fn bids(events: u64) -> u64 {
    let rest = (events % BLOCK).saturating_sub(BEFORE_BIDS);
    events / BLOCK * (BLOCK - BEFORE_BIDS) + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidegate::stats::SAMPLE;

    #[test]
    fn bids_are_the_last_46_of_50_events() {
        let counts = [0, 4, 5, 50, 54, 55, 1_000].map(bids);
        assert_eq!(counts, [0, 0, 1, 46, 46, 47, 920]);
    }

    fn stats(rows: u64, inserted: u64) -> Stats {
        let line = SAMPLE
            .replace("60000", &rows.to_string())
            .replace(r#""records_out":24"#, &format!(r#""records_out":{inserted}"#));
        Stats::parse(&line).unwrap()
    }

    #[test]
    fn figures_are_per_second_of_wall_time() {
        let measured = measured(Query::Hop, 60_000, &stats(55_200, 24)).unwrap();
        assert_eq!((measured.bids, measured.source_rows), (55_200, 55_200));
        assert!((measured.events_per_second - 20_000.0).abs() < 1e-6);
        assert!((measured.bids_per_second - 18_400.0).abs() < 1e-6);
        assert_eq!(measured.checkpoint_ms.p50, 137.937);
    }

    #[test]
    fn a_run_that_lost_rows_or_made_nothing_is_not_reported() {
        let lost = measured(Query::Q0, 60_000, &stats(55_199, 24)).unwrap_err();
        assert!(lost.to_string().contains("55199 rows"), "{lost}");
        assert!(measured(Query::Q0, 60_000, &stats(55_200, 0)).and_then(with_output).is_err());
        assert!(measured(Query::Q0, 60_000, &stats(60_000, 5)).is_ok());
        assert!(measured(Query::Q3, 60_000, &stats(4_800, 5)).is_ok(), "people and auctions");
        assert!(measured(Query::Q3, 60_000, &stats(4_801, 5)).is_err());
    }

    #[test]
    fn every_query_has_its_file_and_the_tables_say_the_density_that_is_reported() {
        let project = Project::locate().unwrap();
        let density = format!("'first-event.rate' = '{EVENTS_PER_SECOND_OF_EVENT_TIME}'");
        for query in Query::value_variants() {
            let script = query.script(&project).unwrap();
            assert!(script.contains(&density), "{query:?}");
            assert_eq!(script.matches("INSERT INTO").count(), 1, "{query:?}");
            assert_eq!(query.to_possible_value().unwrap().get_name(), query.name());
        }
    }
}
