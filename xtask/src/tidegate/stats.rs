//! What `tidegate run --stats json` prints as its last line.

use serde::{Deserialize, Serialize};

/// What a script did and what it cost.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Stats {
    /// By INSERT, in the order of the script.
    pub(crate) inserts: Vec<Insert>,
    /// User and system time of the process; none where the system does not tell.
    pub(crate) cpu_seconds: Option<f64>,
    /// Largest resident size of the process; none where the system does not tell.
    pub(crate) peak_rss_bytes: Option<u64>,
    /// Checkpoints that were completed.
    pub(crate) checkpoints_completed: u64,
    /// From trigger to completion, milliseconds.
    pub(crate) checkpoint_ms: Percentiles,
    /// Bytes of state written per checkpoint; none where the binary does not tell, as with all below.
    #[serde(default)]
    pub(crate) checkpoint_uploaded_bytes: Option<Uploaded>,
    /// How long a task stood still in one go for a checkpoint, milliseconds.
    #[serde(default)]
    pub(crate) checkpoint_pause_ms: Option<Percentiles>,
    /// How long a task stood still for a checkpoint altogether, milliseconds.
    #[serde(default)]
    pub(crate) checkpoint_cost_ms: Option<Percentiles>,
    /// Bytes that were read to restore.
    #[serde(default)]
    pub(crate) restore_bytes: Option<u64>,
    /// How long that took.
    #[serde(default)]
    pub(crate) restore_seconds: Option<f64>,
    /// Bytes of state at the end.
    #[serde(default)]
    pub(crate) state_bytes: Option<u64>,
}

/// Bytes written for checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Uploaded {
    /// Per checkpoint.
    #[serde(flatten)]
    pub(crate) each: Percentiles,
    /// Of all.
    pub(crate) total: f64,
}

/// One INSERT.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Insert {
    /// Rows that its sources read.
    pub(crate) records_in: u64,
    /// Rows that its sink wrote.
    pub(crate) records_out: u64,
    /// Rows that came after their window.
    pub(crate) late_records: u64,
    /// Records that could not be decoded.
    pub(crate) bad_records: u64,
    /// From the start of the job to its end.
    pub(crate) wall_seconds: f64,
}

/// A distribution; all 0 where there was nothing.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Percentiles {
    /// Median.
    pub(crate) p50: f64,
    /// 99th percentile.
    pub(crate) p99: f64,
    /// The largest.
    pub(crate) max: f64,
}

impl Stats {
    /// Reads a line of output, if it is such a line.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        if !line.starts_with('{') {
            return None;
        }
        serde_json::from_str(line).ok()
    }

    /// One sentence for people.
    pub(crate) fn summary(&self) -> String {
        let sum = |count: fn(&Insert) -> u64| -> u64 { self.inserts.iter().map(count).sum() };
        let records = sum(|insert| insert.records_in);
        let mut text = format!(
            "{records} records in ({:.0}/s), {} out, {} late; {} checkpoints",
            records as f64 / self.seconds().max(1e-3),
            sum(|insert| insert.records_out),
            sum(|insert| insert.late_records),
            self.checkpoints_completed,
        );
        if self.checkpoints_completed > 0 {
            let Percentiles { p50, max, .. } = self.checkpoint_ms;
            text.push_str(&format!(" (median {p50:.0} ms, longest {max:.0} ms)"));
        }
        let bad = sum(|insert| insert.bad_records);
        if bad > 0 {
            text.push_str(&format!("; {bad} records could not be decoded"));
        }
        text
    }

    /// Wall time of the longest job.
    fn seconds(&self) -> f64 {
        let times = self.inserts.iter().map(|insert| insert.wall_seconds);
        times.fold(0.0, f64::max)
    }
}

#[cfg(test)]
pub(crate) const SAMPLE: &str = r#"{"checkpoint_ms":{"max":147.343,"p50":137.937,"p99":147.0},"checkpoints_completed":3,"cpu_seconds":0.96,"inserts":[{"bad_records":0,"late_records":1348,"name":"top_pages","records_in":60000,"records_out":24,"wall_seconds":3.0}],"peak_rss_bytes":116740096,"wall_seconds":3.055}"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_told_from_rows_and_summed_up() {
        let stats = Stats::parse(SAMPLE).unwrap();
        assert_eq!(
            stats.summary(),
            "60000 records in (20000/s), 24 out, 1348 late; \
             3 checkpoints (median 138 ms, longest 147 ms)"
        );
        assert!(Stats::parse("+I[2026-11-22T16:05:36, US, 1]").is_none());
        assert!(Stats::parse(r#"{"a":1}"#).is_none());
    }

    #[test]
    fn newer_fields_are_read_where_they_are() {
        assert_eq!(Stats::parse(SAMPLE).unwrap().checkpoint_uploaded_bytes, None);
        let more =
            r#"{"checkpoint_uploaded_bytes":{"p50":1,"p99":2,"max":3,"total":6},"state_bytes":9,"#;
        let stats = Stats::parse(&SAMPLE.replacen('{', more, 1)).unwrap();
        let uploaded = stats.checkpoint_uploaded_bytes.unwrap();
        assert_eq!((uploaded.each.max, uploaded.total, stats.state_bytes), (3.0, 6.0, Some(9)));
    }

    #[test]
    fn what_the_system_does_not_tell_may_be_missing_and_bad_records_are_named() {
        let line = SAMPLE
            .replace("0.96", "null")
            .replace("116740096", "null")
            .replace(r#""bad_records":0"#, r#""bad_records":2"#)
            .replace(r#""checkpoints_completed":3"#, r#""checkpoints_completed":0"#);
        let stats = Stats::parse(&line).unwrap();
        assert_eq!((stats.cpu_seconds, stats.peak_rss_bytes), (None, None));
        assert!(stats.summary().ends_with("0 checkpoints; 2 records could not be decoded"));
    }
}
