//! The result of the benchmark of state, as lines for people and as one JSON document for programs.

use serde::Serialize;

use super::super::machine::Machine;
use super::observer::{LeftOver, Uploads};
use crate::tidegate::stats::{Percentiles, Stats, Uploaded};

/// What the figures do not say.
const LIMITS: &[&str] = &[
    "uploads are files that a checkpoint names and none before it, by its manifest: what was written and given up is \
     not in them",
    "files are compressed; state_bytes is the size in memory, at the last checkpoint before the kill",
    "rows are drawn by chance, so a little less than the share asked for is touched between two checkpoints",
    "first_checkpoint_seconds is from the start of the process to its first checkpoint after the restore, one interval \
     and the start of the process included",
    "savepoint_bytes is the live state alone, written whole: what restore_reads is compared with",
    "the store is a local directory and the files were just written: they are read from memory",
];

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct Found {
    pub(super) keys: u64,
    pub(super) touched: f64,
    pub(super) interval_ms: u64,
    pub(super) parallelism: u32,
    pub(super) rows_per_second: u64,
    /// Of the measured checkpoints.
    pub(super) seconds: f64,
    pub(super) state_bytes: Option<u64>,
    pub(super) measured: Uploads,
    pub(super) left_over_at_kill: LeftOver,
    pub(super) left_over_at_end: LeftOver,
    pub(super) restored: Restored,
}

/// After the restore.
#[derive(Debug, Serialize)]
pub(super) struct Restored {
    pub(super) first_checkpoint_seconds: f64,
    pub(super) savepoint_bytes: u64,
    /// Of the restored process.
    pub(super) stats: Told,
}

/// What the process tells about itself; none where it does not.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    checkpoint_ms: Percentiles,
    checkpoint_uploaded_bytes: Option<Uploaded>,
    checkpoint_pause_ms: Option<Percentiles>,
    checkpoint_cost_ms: Option<Percentiles>,
    restore_bytes: Option<u64>,
    restore_seconds: Option<f64>,
    state_bytes: Option<u64>,
    peak_rss_bytes: Option<u64>,
}

impl From<Stats> for Told {
    fn from(stats: Stats) -> Self {
        Self {
            checkpoint_ms: stats.checkpoint_ms,
            checkpoint_uploaded_bytes: stats.checkpoint_uploaded_bytes,
            checkpoint_pause_ms: stats.checkpoint_pause_ms,
            checkpoint_cost_ms: stats.checkpoint_cost_ms,
            restore_bytes: stats.restore_bytes,
            restore_seconds: stats.restore_seconds,
            state_bytes: stats.state_bytes,
            peak_rss_bytes: stats.peak_rss_bytes,
        }
    }
}

impl Told {
    /// Names of the fields that the binary does not print.
    fn missing(&self) -> Vec<&'static str> {
        let fields = [
            ("checkpoint_uploaded_bytes", self.checkpoint_uploaded_bytes.is_none()),
            ("checkpoint_pause_ms", self.checkpoint_pause_ms.is_none()),
            ("checkpoint_cost_ms", self.checkpoint_cost_ms.is_none()),
            ("restore_bytes", self.restore_bytes.is_none()),
            ("restore_seconds", self.restore_seconds.is_none()),
            ("state_bytes", self.state_bytes.is_none()),
        ];
        fields.into_iter().filter(|(_, missing)| *missing).map(|(name, _)| name).collect()
    }
}

/// A whole benchmark.
#[derive(Serialize)]
pub(crate) struct Report {
    benchmark: &'static str,
    machine: Machine,
    profile: &'static str,
    /// Bytes of state in memory per key.
    bytes_per_key: Option<f64>,
    /// Median upload of a checkpoint by the bytes of a savepoint, which are all of the state written once.
    upload_share: f64,
    /// What a restore reads by the bytes of a savepoint.
    restore_share: f64,
    /// Statistics that the binary does not print.
    missing_statistics: Vec<&'static str>,
    #[serde(flatten)]
    found: Found,
    limits: &'static [&'static str],
}

impl Report {
    /// From a run.
    pub(crate) fn new(machine: Machine, profile: &'static str, found: Found) -> Self {
        let live = (found.restored.savepoint_bytes as f64).max(1.0);
        Self {
            benchmark: "state",
            machine,
            profile,
            bytes_per_key: found.state_bytes.map(|bytes| bytes as f64 / found.keys as f64),
            upload_share: found.measured.p50 as f64 / live,
            restore_share: found.measured.restore_reads as f64 / live,
            missing_statistics: found.restored.stats.missing(),
            found,
            limits: LIMITS,
        }
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let Found { measured, restored, left_over_at_kill, left_over_at_end, .. } = &self.found;
        let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
        let known = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
        let told = &restored.stats;
        let left = |left: &LeftOver| {
            format!(
                "{} of {} state files ({}), {} missing",
                left.unnamed,
                left.files,
                megabytes(left.unnamed_bytes),
                left.missing
            )
        };
        let mut lines = vec![
            (
                "state",
                format!(
                    "{} keys, {} in memory ({} bytes per key), {} as a savepoint",
                    self.found.keys,
                    known(self.found.state_bytes.map(megabytes)),
                    known(self.bytes_per_key.map(|bytes| format!("{bytes:.0}"))),
                    megabytes(restored.savepoint_bytes)
                ),
            ),
            (
                "uploads",
                format!(
                    "{} checkpoints in {:.0} s, p50 {} ({:.1} % of a savepoint), p99 {}, max {}, mean {}",
                    measured.checkpoints,
                    self.found.seconds,
                    megabytes(measured.p50),
                    self.upload_share * 100.0,
                    megabytes(measured.p99),
                    megabytes(measured.max),
                    megabytes(measured.mean)
                ),
            ),
            (
                "restore",
                format!(
                    "reads {} in {} files ({:.2} times a savepoint); first checkpoint after {:.1} s",
                    megabytes(measured.restore_reads),
                    measured.files,
                    self.restore_share,
                    restored.first_checkpoint_seconds
                ),
            ),
            (
                "told",
                format!(
                    "restore {} s, {}; pause p50 {} ms, p99 {} ms, max {} ms, altogether p50 {} ms a checkpoint (after the restore)",
                    known(told.restore_seconds.map(|seconds| format!("{seconds:.2}"))),
                    known(told.restore_bytes.map(megabytes)),
                    known(told.checkpoint_pause_ms.map(|pause| format!("{:.1}", pause.p50))),
                    known(told.checkpoint_pause_ms.map(|pause| format!("{:.1}", pause.p99))),
                    known(told.checkpoint_pause_ms.map(|pause| format!("{:.1}", pause.max))),
                    known(told.checkpoint_cost_ms.map(|cost| format!("{:.1}", cost.p50)))
                ),
            ),
            ("left over", format!("{} at the kill", left(left_over_at_kill))),
            ("", format!("{} at the end", left(left_over_at_end))),
        ];
        if !self.missing_statistics.is_empty() {
            let names = self.missing_statistics.join(", ");
            lines.push(("missing", format!("this binary does not print {names}")));
        }
        let mut text: String =
            lines.iter().map(|(name, line)| format!("{name:<10} {line}\n")).collect();
        text.push_str(&format!(
            "\n{}\nprofile {}, parallelism {}, a checkpoint every {} ms, {:.2} % of the keys touched in between\n",
            self.machine.summary(),
            self.profile,
            self.found.parallelism,
            self.found.interval_ms,
            self.found.touched * 100.0
        ));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidegate::stats::SAMPLE;

    #[test]
    fn fields_that_the_binary_does_not_print_are_named() {
        let told: Told = Stats::parse(SAMPLE).unwrap().into();
        assert_eq!(told.missing().len(), 6);
        let more = SAMPLE.replacen('{', r#"{"restore_bytes":1,"restore_seconds":0.5,"#, 1);
        let told: Told = Stats::parse(&more).unwrap().into();
        assert_eq!(
            told.missing().join(" "),
            "checkpoint_uploaded_bytes checkpoint_pause_ms checkpoint_cost_ms state_bytes"
        );
    }
}
