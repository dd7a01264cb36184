//! The same scripts in Tidegate and in real Flink, one after the other: bids in files of JSON → the sink `blackhole`.
//! Files, because both read them; the Nexmark generator is none that Flink has by itself.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use super::machine::Machine;
use crate::interrupt::Interrupt;
use crate::services::flink::Runner;
use crate::tidegate::job::Job;
use crate::tidegate::stats::Stats;

/// Of 50 events 46 are bids.
const EVENTS: u64 = 50;
const BIDS: u64 = 46;

/// Files: more than readers, so that both are busy to the end.
const FILES: u64 = 16;

/// Time between two checkpoints.
const INTERVAL_MS: u64 = 1_000;

/// What the figures do not say.
const LIMITS: &[&str] = &[
    "both read the same files of JSON: decoding them is most of the work, and generating is none of it",
    "records_per_second of Flink is by the job's net run time, of Tidegate by the job's wall time; starting the process \
     is in neither",
    "Flink runs in one JVM with a heap of 4 GB, with heap state, object reuse and Java's default garbage collector; its \
     run has the compiler's warm-up in it, which shorter runs feel more",
    "one run per query: differences of a few per cent are noise",
];

/// A query: its name, the columns of its sink, and the query itself.
struct Query {
    name: &'static str,
    columns: &'static str,
    select: &'static str,
}

const QUERIES: [Query; 6] = [
    Query {
        name: "q0",
        columns: "auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` TIMESTAMP(3), extra STRING",
        select: "SELECT auction, bidder, price, `dateTime`, extra FROM bid",
    },
    Query {
        name: "q1",
        columns: "auction BIGINT, bidder BIGINT, price DECIMAL(23, 3), `dateTime` TIMESTAMP(3), extra STRING",
        select: "SELECT auction, bidder, 0.908 * price AS price, `dateTime`, extra FROM bid",
    },
    Query {
        name: "q2",
        columns: "auction BIGINT, price BIGINT",
        select: "SELECT auction, price FROM bid WHERE MOD(auction, 123) = 0",
    },
    Query {
        name: "tumble",
        columns: "auction BIGINT, starttime TIMESTAMP(3), endtime TIMESTAMP(3), bids BIGINT",
        select: "SELECT auction, window_start, window_end, COUNT(*)
FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))
GROUP BY auction, window_start, window_end",
    },
    Query {
        name: "hop",
        columns: "auction BIGINT, starttime TIMESTAMP(3), endtime TIMESTAMP(3), bids BIGINT",
        select: "SELECT auction, window_start, window_end, COUNT(*)
FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
GROUP BY auction, window_start, window_end",
    },
    Query {
        name: "session",
        columns: "bidder BIGINT, bid_count BIGINT, starttime TIMESTAMP(3), endtime TIMESTAMP(3)",
        select: "SELECT bidder, COUNT(*), window_start, window_end
FROM TABLE(SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))
GROUP BY bidder, window_start, window_end",
    },
];

/// Names of the queries.
pub(crate) fn names() -> Vec<&'static str> {
    QUERIES.iter().map(|query| query.name).collect()
}

/// What all runs have in common.
pub(crate) struct Bench<'a> {
    /// Tidegate.
    pub(crate) program: &'a Path,
    /// Flink.
    pub(crate) flink: &'a Runner,
    /// Input, scripts and checkpoints.
    pub(crate) folder: &'a Path,
    /// Bids at least.
    pub(crate) records: u64,
    /// Subtasks per operator.
    pub(crate) parallelism: u32,
    /// Names of queries; all if empty.
    pub(crate) queries: &'a [String],
    /// Ctrl-C ends it.
    pub(crate) interrupt: &'a Interrupt,
}

/// The figures of one query.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    query: &'static str,
    records: u64,
    tidegate_seconds: f64,
    tidegate_records_per_second: f64,
    flink_seconds: f64,
    flink_records_per_second: f64,
    ratio: f64,
    tidegate_late_rows: u64,
    tidegate_cpu_seconds: Option<f64>,
    tidegate_peak_rss_bytes: Option<u64>,
}

impl Bench<'_> {
    /// The input, and then every query in both.
    pub(crate) fn run(&self) -> Result<Vec<Measured>> {
        let input = self.folder.join("bids");
        eprintln!("── writing {} bids", self.bids());
        self.write_input(&input)?;
        let asked = |query: &&Query| {
            self.queries.is_empty() || self.queries.iter().any(|q| q == query.name)
        };
        QUERIES.iter().filter(asked).map(|query| self.query(query, &input)).collect()
    }

    fn bids(&self) -> u64 {
        self.records.div_ceil(BIDS) * BIDS
    }

    /// Bids in the order of their times within each file, which take turns.
    fn write_input(&self, input: &Path) -> Result<()> {
        let part = self.folder.join("whole");
        let script = format!(
            "CREATE TABLE events (event_type INT, bid ROW<auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` TIMESTAMP(3), extra VARCHAR>)
WITH ('connector' = 'nexmark', 'events.num' = '{}', 'first-event.rate' = '100000', 'next-event.rate' = '100000');
CREATE TABLE bids (auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` TIMESTAMP(3), extra STRING)
WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'json');
INSERT INTO bids SELECT bid.auction, bid.bidder, bid.price, bid.`dateTime`, bid.extra FROM events WHERE event_type = 2;
",
            self.bids() / BIDS * EVENTS,
            part.display()
        );
        self.tidegate("input", &script, 1)?;
        deal(&part, input, FILES)
    }

    fn query(&self, query: &'static Query, input: &Path) -> Result<Measured> {
        eprintln!("── {}", query.name);
        let script = script(query, input);
        let stats = self.tidegate(query.name, &script, self.parallelism)?;
        let [insert] = stats.inserts.as_slice() else {
            bail!("the script should have one INSERT, it has {}", stats.inserts.len());
        };
        let (records, read) = (self.bids(), insert.records_in);
        ensure!(read == records, "{}: Tidegate read {read} records of {records}", query.name);
        let path = self.path(query.name, "sql");
        let flink_checkpoints = self.folder.join(format!("flink-{}", query.name));
        let flink = self.flink.run(
            &path,
            self.parallelism,
            INTERVAL_MS,
            &flink_checkpoints,
            self.interrupt,
        )?;
        let tidegate_seconds = insert.wall_seconds.max(1e-3);
        let flink_seconds = flink.as_secs_f64().max(1e-3);
        let rate = |seconds: f64| records as f64 / seconds;
        eprintln!(
            "── {}: Tidegate {:.0} records/s, Flink {:.0} records/s",
            query.name,
            rate(tidegate_seconds),
            rate(flink_seconds)
        );
        Ok(Measured {
            query: query.name,
            records,
            tidegate_seconds,
            tidegate_records_per_second: rate(tidegate_seconds),
            flink_seconds,
            flink_records_per_second: rate(flink_seconds),
            ratio: flink_seconds / tidegate_seconds,
            tidegate_late_rows: insert.late_records,
            tidegate_cpu_seconds: stats.cpu_seconds,
            tidegate_peak_rss_bytes: stats.peak_rss_bytes,
        })
    }

    fn path(&self, name: &str, extension: &str) -> PathBuf {
        self.folder.join(format!("{name}.{extension}"))
    }

    fn tidegate(&self, name: &str, script: &str, parallelism: u32) -> Result<Stats> {
        let path = self.path(name, "sql");
        fs::write(&path, script).with_context(|| format!("write {}", path.display()))?;
        let interval = format!("{INTERVAL_MS} ms");
        let job = Job {
            program: self.program,
            folder: self.folder,
            script: &path,
            defines: Vec::new(),
            settings: &[
                ("execution.checkpointing.interval", &interval),
                ("restart-strategy.type", "none"),
                ("table.local-time-zone", "UTC"),
            ],
            parallelism: Some(parallelism),
            checkpoints: &self.folder.join(format!("tidegate-{name}")),
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

/// What both run. The watermark allows for files that are read side by side.
fn script(query: &Query, input: &Path) -> String {
    format!(
        "CREATE TABLE bid (auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` TIMESTAMP(3), extra STRING,
  WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND)
WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'json');
CREATE TABLE nothing ({}) WITH ('connector' = 'blackhole');
INSERT INTO nothing
{};
",
        input.display(),
        query.columns,
        query.select
    )
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
            "QUERY", "RECORDS", "TIDEGATE/S", "S", "FLINK/S", "S", "RATIO"
        );
        for query in &self.queries {
            writeln!(
                text,
                "{:<9}{:>12}{:>14.0}{:>8.1}{:>14.0}{:>8.1}{:>8.1}",
                query.query,
                query.records,
                query.tidegate_records_per_second,
                query.tidegate_seconds,
                query.flink_records_per_second,
                query.flink_seconds,
                query.ratio
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
    fn every_script_has_tables_and_one_insert() {
        for query in &QUERIES {
            let script = script(query, Path::new("/bids"));
            assert_eq!(script.matches(';').count(), 3, "{script}");
            assert_eq!(script.matches("INSERT INTO").count(), 1, "{script}");
        }
        assert_eq!(names().len(), 6);
    }
}
