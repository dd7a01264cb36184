//! The result of a benchmark, as a table for people and as one JSON document for programs.

use std::fmt::Write;

use serde::Serialize;

use super::machine::Machine;
use super::nexmark::Query;
use crate::tidegate::stats::Percentiles;

/// What the figures do not say, so that nobody reads it into them.
const LIMITS: &[&str] = &[
    "events_per_second counts every event that the source numbered, per second of the job's wall \
     time from its start to its end; bids_per_second counts bids alone",
    "generating the events is part of the work, and only the columns that the query uses are \
     generated; where a query reads bids only, the other events are numbered but not made \
     (source_rows counts what was made)",
    "texts are picked from tables that are made once: a text column costs the copy of 16 bytes per \
     row, not its characters",
    "the sink throws rows away: nothing is encoded or written but checkpoints, which go to a local \
     directory",
    "cpu_seconds and peak_rss_bytes are those of the whole process, start and end included",
    "one process on one machine; another density of events in event time makes other windows",
    "seconds_without_checkpoints is one more run of the same events: its difference from seconds is \
     what checkpoints cost, and noise",
    "one run per query: differences of a few per cent are noise",
];

/// A whole benchmark.
#[derive(Serialize)]
pub(crate) struct Report {
    /// `nexmark`.
    pub(crate) benchmark: &'static str,
    /// Where it ran.
    pub(crate) machine: Machine,
    /// How it ran.
    pub(crate) settings: Settings,
    /// By query.
    pub(crate) queries: Vec<Entry>,
    /// What the figures do not say.
    limits: &'static [&'static str],
}

/// How it ran.
#[derive(Serialize)]
pub(crate) struct Settings {
    /// Cargo profile of the binary.
    pub(crate) profile: &'static str,
    /// Subtasks per operator.
    pub(crate) parallelism: u32,
    /// Time between checkpoints.
    pub(crate) checkpoint_interval: &'static str,
    /// Events that share a second of event time.
    pub(crate) events_per_second_of_event_time: u64,
}

/// What came of a query.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Entry {
    /// It ran.
    Measured(Measured),
    /// It did not.
    Failed {
        /// Which.
        query: Query,
        /// Why.
        error: String,
    },
}

/// The figures of one run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    /// Which query.
    pub(crate) query: Query,
    /// Events that the source numbered: people, auctions and bids.
    pub(crate) events: u64,
    /// Bids among them.
    pub(crate) bids: u64,
    /// Rows that the source made: all events, or the bids where the filter was pushed into it.
    pub(crate) source_rows: u64,
    /// Rows that reached the sink.
    pub(crate) sink_rows: u64,
    /// Rows that came after their window.
    pub(crate) late_rows: u64,
    /// Wall time of the job.
    pub(crate) seconds: f64,
    /// `events` per second of wall time.
    pub(crate) events_per_second: f64,
    /// `bids` per second of wall time.
    pub(crate) bids_per_second: f64,
    /// User and system time of the process.
    pub(crate) cpu_seconds: Option<f64>,
    /// `events` per second of `cpu_seconds`.
    pub(crate) events_per_cpu_second: Option<f64>,
    /// Largest resident size of the process.
    pub(crate) peak_rss_bytes: Option<u64>,
    /// Bytes of state in memory when the last event was read.
    pub(crate) state_bytes: Option<u64>,
    /// Completed checkpoints.
    pub(crate) checkpoints: u64,
    /// From trigger to completion, milliseconds.
    pub(crate) checkpoint_ms: Percentiles,
    /// Wall time of the same work without checkpoints, where that was asked for.
    pub(crate) seconds_without_checkpoints: Option<f64>,
}

impl Report {
    /// An empty one.
    pub(crate) fn new(benchmark: &'static str, machine: Machine, settings: Settings) -> Self {
        let (queries, limits) = (Vec::new(), LIMITS);
        Self { benchmark, machine, settings, queries, limits }
    }

    /// Whether a query did not run.
    pub(crate) fn failed(&self) -> bool {
        self.queries.iter().any(|entry| matches!(entry, Entry::Failed { .. }))
    }

    /// A table, and what belongs to it.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        let mut line = |cells: [&str; 11]| {
            let [query, rest @ ..] = cells;
            let widths = [14, 8, 11, 11, 8, 11, 10, 6, 19, 10];
            let mut padded = format!("{query:<8}");
            for (cell, width) in rest.iter().zip(widths) {
                padded.push_str(&format!("{cell:>width$}"));
            }
            writeln!(text, "{}", padded.trim_end()).expect("writing to a string cannot fail");
        };
        line([
            "QUERY",
            "EVENTS",
            "SECONDS",
            "EVENTS/S",
            "BIDS/S",
            "CPU S",
            "EV/CPU S",
            "PEAK MB",
            "CHKP",
            "CHKP MS 50/99/MAX",
            "CHKP COST",
        ]);
        for entry in &self.queries {
            match entry {
                Entry::Measured(measured) => {
                    let cells = measured.cells();
                    line(std::array::from_fn(|index| cells[index].as_str()));
                }
                Entry::Failed { query, .. } => {
                    line([query.name(), "FAILED", "", "", "", "", "", "", "", "", ""]);
                }
            }
        }
        for entry in &self.queries {
            if let Entry::Failed { query, error } = entry {
                writeln!(text, "{}: {error}", query.name())
                    .expect("writing to a string cannot fail");
            }
        }
        let Settings { profile, parallelism, checkpoint_interval, .. } = self.settings;
        writeln!(
            text,
            "\n{}\nprofile {profile}, parallelism {parallelism}, a checkpoint every \
             {checkpoint_interval}; generating is part of the work",
            self.machine.summary()
        )
        .expect("writing to a string cannot fail");
        text
    }
}

impl Measured {
    fn cells(&self) -> [String; 11] {
        let unless_unknown = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let Percentiles { p50, p99, max } = self.checkpoint_ms;
        [
            self.query.name().to_owned(),
            self.events.to_string(),
            format!("{:.1}", self.seconds),
            millions(self.events_per_second),
            millions(self.bids_per_second),
            unless_unknown(self.cpu_seconds.map(|cpu| format!("{cpu:.1}"))),
            unless_unknown(self.events_per_cpu_second.map(millions)),
            unless_unknown(self.peak_rss_bytes.map(|bytes| (bytes / 1_000_000).to_string())),
            self.checkpoints.to_string(),
            format!("{p50:.0}/{p99:.0}/{max:.0}"),
            unless_unknown(self.seconds_without_checkpoints.map(|without| {
                format!("{:.1} %", (self.seconds / without.max(1e-3) - 1.0) * 100.0)
            })),
        ]
    }
}

fn millions(number: f64) -> String {
    format!("{:.3} M", number / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let machine = Machine {
            cores: 2,
            cpu: None,
            memory_bytes: None,
            kernel: Some("6.1".to_owned()),
            load_before: Some(0.1),
            rustc: "rustc 1.95.0".to_owned(),
            git_commit: None,
            git_changed: None,
        };
        let settings = Settings {
            profile: "release",
            parallelism: 2,
            checkpoint_interval: "1 s",
            events_per_second_of_event_time: 100_000,
        };
        let mut report = Report::new("nexmark", machine, settings);
        report.queries.push(Entry::Measured(Measured {
            query: Query::Q0,
            events: 400_000_000,
            bids: 368_000_000,
            source_rows: 368_000_000,
            sink_rows: 368_000_000,
            late_rows: 0,
            seconds: 32.0,
            events_per_second: 12_500_000.0,
            bids_per_second: 11_500_000.0,
            cpu_seconds: Some(62.5),
            events_per_cpu_second: Some(6_400_000.0),
            peak_rss_bytes: Some(116_740_096),
            state_bytes: Some(9_000_000),
            checkpoints: 31,
            checkpoint_ms: Percentiles { p50: 4.4, p99: 12.0, max: 15.6 },
            seconds_without_checkpoints: Some(31.0),
        }));
        report
    }

    #[test]
    fn a_row_of_the_table() {
        let text = report().table();
        let row: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(
            row.join(" "),
            "q0 400000000 32.0 12.500 M 11.500 M 62.5 6.400 M 116 31 4/12/16 3.2 %"
        );
        assert!(text.contains("profile release, parallelism 2"), "{text}");
    }

    #[test]
    fn json_is_one_line_with_figures_machine_and_limits() {
        let text = serde_json::to_string(&report()).unwrap();
        assert!(!text.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["queries"][0]["query"], "q0");
        assert_eq!(value["queries"][0]["events_per_second"], 12_500_000.0);
        assert_eq!(value["queries"][0]["checkpoint_ms"]["p99"], 12.0);
        assert_eq!(value["machine"]["cores"], 2);
        assert_eq!(value["limits"].as_array().unwrap().len(), LIMITS.len());
    }

    #[test]
    fn a_failed_query_is_in_both_forms_with_its_reason() {
        let mut report = report();
        assert!(!report.failed());
        report
            .queries
            .push(Entry::Failed { query: Query::Session, error: "nothing came out".to_owned() });
        assert!(report.failed());
        let text = report.table();
        assert!(text.contains("session") && text.contains("session: nothing came out"), "{text}");
        let value: serde_json::Value =
            serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
        assert_eq!(value["queries"][1]["error"], "nothing came out");
    }
}
