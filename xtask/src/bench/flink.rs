//! The Nexmark queries in Tidegate and in real Flink, one after the other: events in files of JSON → the sink `blackhole`.
//! Files, because both read them; the Nexmark generator is none that Flink has by itself.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use super::machine::Machine;
use super::nexmark::Query;
use crate::interrupt::Interrupt;
use crate::project::Project;
use crate::services::flink::{Ended, Runner};
use crate::tidegate::job::Job;
use crate::tidegate::stats::{Insert, Stats};

/// Time between two checkpoints.
const INTERVAL_MS: u64 = 1_000;

/// What the figures do not say.
const LIMITS: &[&str] = &[
    "both read the same files of JSON: decoding them is most of the work, and generating is none of it",
    "events_per_second of Flink is by the job's net run time, of Tidegate by the job's wall time; starting the process \
     is in neither",
    "Flink runs in one JVM with a heap of 4 GB, with heap state, object reuse and Java's default garbage collector; its \
     run has the compiler's warm-up in it, which shorter runs feel more",
    "one run per query: differences of a few per cent are noise",
    "count_char of q14 is a function in Java for Flink, and built in in Tidegate",
];

/// What all runs have in common.
pub(crate) struct Bench<'a> {
    /// The checkout.
    pub(crate) project: &'a Project,
    /// Tidegate.
    pub(crate) program: &'a Path,
    /// Flink.
    pub(crate) flink: &'a Runner,
    /// Input, scripts and checkpoints.
    pub(crate) folder: &'a Path,
    /// Events in the input.
    pub(crate) events: u64,
    /// Subtasks per operator, and files of the input: each is read from its beginning to its end, so that no row is
    /// late.
    pub(crate) parallelism: u32,
    /// Queries, one after the other.
    pub(crate) queries: &'a [Query],
    /// Ctrl-C ends it.
    pub(crate) interrupt: &'a Interrupt,
}

/// The figures of one query.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    query: &'static str,
    events: u64,
    tidegate_seconds: f64,
    tidegate_events_per_second: f64,
    tidegate_rows_out: u64,
    tidegate_late_rows: u64,
    tidegate_cpu_seconds: Option<f64>,
    tidegate_peak_rss_bytes: Option<u64>,
    /// `ran`, `refused` (Flink does not plan the query) or `failed`.
    flink: &'static str,
    flink_seconds: Option<f64>,
    flink_events_per_second: Option<f64>,
    ratio: Option<f64>,
}

impl Bench<'_> {
    /// The input, and then every query in both.
    pub(crate) fn run(&self) -> Result<Vec<Measured>> {
        let input = self.folder.join("events");
        eprintln!("── writing {} events", self.events);
        self.write_input(&input)?;
        self.queries.iter().map(|query| self.query(*query, &input)).collect()
    }

    /// Events in the order of their times within each file, which take turns.
    fn write_input(&self, input: &Path) -> Result<()> {
        let part = self.folder.join("whole");
        let script = format!(
            "{}
CREATE TABLE files (
  event_type INT,
  person ROW<id BIGINT, name STRING, emailAddress STRING, creditCard STRING, city STRING, state STRING,
    `dateTime` TIMESTAMP(3), extra STRING>,
  auction ROW<id BIGINT, itemName STRING, description STRING, initialBid BIGINT, reserve BIGINT,
    `dateTime` TIMESTAMP(3), expires TIMESTAMP(3), seller BIGINT, category BIGINT, extra STRING>,
  bid ROW<auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, `dateTime` TIMESTAMP(3),
    extra STRING>
) WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'json', 'json.encode.ignore-null-fields' = 'true');
INSERT INTO files SELECT event_type, person, auction, bid FROM datagen;
",
            Query::tables(self.project)?,
            part.display()
        );
        let events = ("EVENTS", self.events.to_string());
        self.tidegate("input", &script, 1, vec![events])?;
        deal(&part, input, u64::from(self.parallelism))
    }

    fn query(&self, query: Query, input: &Path) -> Result<Measured> {
        let name = query.name();
        eprintln!("── {name}");
        let tables = from_files(&Query::tables(self.project)?, input)?;
        let text = without_comments(&format!("{tables}\n{}", query.text(self.project)?));
        let folder = self.folder.join(format!("tidegate-{name}"));
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        let defines = query.defines(&folder)?;
        let stats = self.tidegate(name, &text, self.parallelism, defines)?;
        let [insert] = stats.inserts.as_slice() else {
            bail!("the script should have one INSERT, it has {}", stats.inserts.len());
        };
        let read = insert.records_in;
        ensure!(
            read > 0 && read.is_multiple_of(self.events),
            "{name}: Tidegate read {read} records, which is no multiple of {} events",
            self.events
        );
        let flink = self.in_flink(query, &text)?;
        Ok(measured(name, self.events, insert, &stats, flink))
    }

    fn in_flink(&self, query: Query, text: &str) -> Result<Ended> {
        let name = query.name();
        let folder = self.folder.join(format!("flink-{name}"));
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        let mut script = text.to_owned();
        for (variable, value) in query.defines(&folder)? {
            script = script.replace(&format!("${{{variable}}}"), &value);
        }
        let path = self.path(name, "flink.sql");
        fs::write(&path, script).with_context(|| format!("write {}", path.display()))?;
        let ended = self.flink.run(
            &path,
            self.parallelism,
            INTERVAL_MS,
            &folder.join("checkpoints"),
            self.interrupt,
        )?;
        if self.interrupt.raised() {
            bail!("interrupted");
        }
        Ok(ended)
    }

    fn path(&self, name: &str, extension: &str) -> PathBuf {
        self.folder.join(format!("{name}.{extension}"))
    }

    fn tidegate(
        &self,
        name: &str,
        script: &str,
        parallelism: u32,
        defines: Vec<(&'static str, String)>,
    ) -> Result<Stats> {
        let path = self.path(name, "sql");
        fs::write(&path, script).with_context(|| format!("write {}", path.display()))?;
        let interval = format!("{INTERVAL_MS} ms");
        let job = Job {
            program: self.program,
            folder: self.folder,
            script: &path,
            defines,
            settings: &[
                ("execution.checkpointing.interval", &interval),
                ("restart-strategy.type", "none"),
                ("table.local-time-zone", "UTC"),
            ],
            parallelism: Some(parallelism),
            checkpoints: &self.folder.join(format!("checkpoints-{name}")),
            shown: false,
        };
        let finished = job.run(self.interrupt)?;
        if self.interrupt.raised() {
            bail!("interrupted");
        }
        ensure!(finished.status.success(), "tidegate ended with {}; see above", finished.status);
        finished.stats.context("tidegate printed no statistics")
    }
}

fn measured(
    query: &'static str,
    events: u64,
    insert: &Insert,
    stats: &Stats,
    flink: Ended,
) -> Measured {
    let (outcome, flink_seconds) = match flink {
        Ended::Ran(time) => ("ran", Some(time.as_secs_f64().max(1e-3))),
        Ended::Refused => ("refused", None),
        Ended::Failed => ("failed", None),
    };
    let tidegate_seconds = insert.wall_seconds.max(1e-3);
    let rate = |seconds: f64| events as f64 / seconds;
    let measured = Measured {
        query,
        events,
        tidegate_seconds,
        tidegate_events_per_second: rate(tidegate_seconds),
        tidegate_rows_out: insert.records_out,
        tidegate_late_rows: insert.late_records,
        tidegate_cpu_seconds: stats.cpu_seconds,
        tidegate_peak_rss_bytes: stats.peak_rss_bytes,
        flink: outcome,
        flink_seconds,
        flink_events_per_second: flink_seconds.map(rate),
        ratio: flink_seconds.map(|seconds| seconds / tidegate_seconds),
    };
    let flink = measured.flink_events_per_second;
    eprintln!(
        "── {query}: Tidegate {:.0} events/s, Flink {}",
        measured.tidegate_events_per_second,
        flink.map_or_else(|| outcome.to_owned(), |rate| format!("{rate:.0} events/s"))
    );
    measured
}

/// The tables with files in place of the generator. The watermark's delay allows for files that are read side by side.
fn from_files(tables: &str, input: &Path) -> Result<String> {
    let (before, rest) = tables.split_once(") WITH (").context("the events have options")?;
    let (options, behind) = rest.split_once(");").context("the options end")?;
    ensure!(options.contains("'connector' = 'nexmark'"), "the first table is no generator");
    let path = input.display();
    Ok(format!(
        "{before}) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json');{behind}"
    ))
}

/// A script without its lines of comments, in which a semicolon ends nothing and a variable needs no value.
fn without_comments(script: &str) -> String {
    let lines = script.lines().filter(|line| !line.trim_start().starts_with("--"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Deals the lines of a folder's files to so many new files in turn, a block at a time.
fn deal(from: &Path, to: &Path, count: u64) -> Result<()> {
    use std::io::{BufRead, BufReader, BufWriter};
    fs::create_dir_all(to).with_context(|| format!("create {}", to.display()))?;
    let mut files = Vec::new();
    for number in 0..count {
        let path = to.join(format!("{number:02}.json"));
        let file = fs::File::create(&path).with_context(|| format!("create {}", path.display()))?;
        files.push(BufWriter::with_capacity(1 << 20, file));
    }
    let mut parts: Vec<PathBuf> = fs::read_dir(from)
        .with_context(|| format!("read {}", from.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .context("read a folder entry")?;
    parts.retain(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        path.is_file() && name.is_some_and(|name| !name.starts_with(['.', '_']))
    });
    parts.sort();
    let mut line = Vec::new();
    let mut number = 0;
    for part in parts {
        let file = fs::File::open(&part).with_context(|| format!("open {}", part.display()))?;
        let mut reader = BufReader::with_capacity(1 << 20, file);
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line).context("read a line")? == 0 {
                break;
            }
            let place = (number % files.len().max(1) as u64) as usize;
            let file = files.get_mut(place).context("there are files")?;
            std::io::Write::write_all(file, &line).context("write a line")?;
            number += 1;
        }
        fs::remove_file(&part).with_context(|| format!("remove {}", part.display()))?;
    }
    for mut file in files {
        std::io::Write::flush(&mut file).context("write a line")?;
    }
    Ok(())
}

/// A whole benchmark.
#[derive(Serialize)]
pub(crate) struct Report {
    benchmark: &'static str,
    machine: Machine,
    profile: &'static str,
    parallelism: u32,
    checkpoint_interval_ms: u64,
    flink: &'static str,
    queries: Vec<Measured>,
    limits: &'static [&'static str],
}

impl Report {
    /// From the queries.
    pub(crate) fn new(
        machine: Machine,
        profile: &'static str,
        parallelism: u32,
        flink: &'static str,
        queries: Vec<Measured>,
    ) -> Self {
        let (benchmark, limits) = ("flink", LIMITS);
        let checkpoint_interval_ms = INTERVAL_MS;
        Self {
            benchmark,
            machine,
            profile,
            parallelism,
            checkpoint_interval_ms,
            flink,
            queries,
            limits,
        }
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "{:<9}{:>12}{:>14}{:>8}{:>14}{:>8}{:>8}\n",
            "QUERY", "EVENTS", "TIDEGATE/S", "S", "FLINK/S", "S", "RATIO"
        );
        for query in &self.queries {
            let shown = |value: Option<f64>, places: usize| {
                value.map_or_else(|| query.flink.to_owned(), |value| format!("{value:.places$}"))
            };
            writeln!(
                text,
                "{:<9}{:>12}{:>14.0}{:>8.1}{:>14}{:>8}{:>8}",
                query.query,
                query.events,
                query.tidegate_events_per_second,
                query.tidegate_seconds,
                shown(query.flink_events_per_second, 0),
                shown(query.flink_seconds, 1),
                shown(query.ratio, 1)
            )
            .expect("writing to a string cannot fail");
        }
        writeln!(
            text,
            "\n{}\nprofile {}, Flink {}, parallelism {}, a checkpoint every {INTERVAL_MS} ms; JSON files → blackhole",
            self.machine.summary(),
            self.profile,
            self.flink,
            self.parallelism
        )
        .expect("writing to a string cannot fail");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_dealt_in_turn_and_hidden_files_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir(&from).unwrap();
        fs::write(from.join("part-0"), "a\nb\nc\n").unwrap();
        fs::write(from.join("part-1"), "d\n").unwrap();
        fs::write(from.join("_SUCCESS"), "x\n").unwrap();
        deal(&from, &to, 3).unwrap();
        assert_eq!(fs::read_to_string(to.join("00.json")).unwrap(), "a\nd\n");
        assert_eq!(fs::read_to_string(to.join("02.json")).unwrap(), "c\n");
    }

    #[test]
    fn events_are_read_from_files_and_comments_end_no_statement() {
        let project = Project::locate().unwrap();
        let tables = Query::tables(&project).unwrap();
        let tables = from_files(&tables, Path::new("/events")).unwrap();
        assert!(tables.contains("'path' = '/events'") && !tables.contains("nexmark'"), "{tables}");
        assert!(tables.contains("CREATE VIEW bid"), "{tables}");
        let tables = without_comments(&tables);
        assert_eq!(tables.matches(';').count(), 4, "{tables}");
    }
}
