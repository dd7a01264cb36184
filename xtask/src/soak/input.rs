//! The records of a soak, each a function of the seed and its id (partition, sequence number), and what the job must
//! make of them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDateTime};

use super::prng::Prng;

/// Partitions of every topic.
pub(crate) const PARTITIONS: u32 = 4;

/// Event time of the first records, milliseconds since 1970: a full day, so also a full window.
const BASE_MS: i64 = 1_710_028_800_000;

/// Length of the windows, milliseconds.
const WINDOW_MS: i64 = 10_000;

/// A record's event time is at most so far from where its place in the partition says, milliseconds. The job's
/// watermark allows for more than twice that, so no record is late.
const DISORDER_MS: u64 = 2_000;

/// How far the job's watermark stays behind, seconds.
pub(crate) const WATERMARK_DELAY_SECONDS: u32 = 5;

const KEYS: u64 = 40;

/// Event time that passes in a round, milliseconds.
const ROUND_MS: u64 = 30_000;

/// Which records there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input {
    /// Changes keys, values and times.
    pub(crate) seed: u64,
    /// Records of each partition.
    pub(crate) per_partition: u64,
    /// Event time that they cover, milliseconds.
    span_ms: u64,
}

/// One record but for its id.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Key of the windows.
    pub(crate) key: u64,
    /// What is summed up.
    pub(crate) value: i64,
    /// Event time, milliseconds since 1970.
    pub(crate) time_ms: i64,
}

/// Start of a window (milliseconds since 1970) and its key.
pub(crate) type Window = (i64, u64);

/// Count and sum of a window.
pub(crate) type Sums = (u64, i64);

impl Input {
    /// At least so many records, the same number for each partition; event time passes in step with the rounds.
    pub(crate) fn new(seed: u64, records: u64, rounds: u32) -> Self {
        let per_partition = records.div_ceil(u64::from(PARTITIONS)).max(1);
        Self { seed, per_partition, span_ms: ROUND_MS * u64::from(rounds + 1) }
    }

    /// All records of all partitions.
    pub(crate) fn records(&self) -> u64 {
        self.per_partition * u64::from(PARTITIONS)
    }

    /// The record with an id.
    pub(crate) fn record(&self, partition: u32, sequence: u64) -> Record {
        let mut prng = Prng::new(self.seed ^ (u64::from(partition) << 56) ^ sequence);
        let key = prng.below(KEYS);
        let value = prng.below(2_001) as i64 - 1_000;
        let place =
            (u128::from(sequence) * u128::from(self.span_ms)) / u128::from(self.per_partition);
        let jitter = prng.below(2 * DISORDER_MS + 1) as i64 - DISORDER_MS as i64;
        Record { key, value, time_ms: BASE_MS + place as i64 + jitter }
    }

    /// The line that the producer takes: partition, tab, the record as JSON.
    pub(crate) fn line(&self, partition: u32, sequence: u64) -> String {
        let Record { key, value, time_ms } = self.record(partition, sequence);
        let time = time(time_ms);
        format!(
            "{partition}\t{{\"p\":{partition},\"seq\":{sequence},\"k\":\"k{key}\",\"v\":{value},\"ts\":\"{time}\"}}\n"
        )
    }

    /// A record of a partition that is no record of the soak: it pushes the watermark past all of them.
    pub(crate) fn end_line(&self, partition: u32) -> String {
        let time_ms = BASE_MS + 10 * i64::try_from(self.span_ms).unwrap_or(0) + 3_600_000;
        let time = time(time_ms);
        format!(
            "{partition}\t{{\"p\":{partition},\"seq\":-1,\"k\":\"end\",\"v\":0,\"ts\":\"{time}\"}}\n"
        )
    }

    /// The recomputation: every window of every key.
    pub(crate) fn windows(&self) -> BTreeMap<Window, Sums> {
        let mut windows = BTreeMap::new();
        for partition in 0..PARTITIONS {
            for sequence in 0..self.per_partition {
                let record = self.record(partition, sequence);
                let start = record.time_ms - record.time_ms.rem_euclid(WINDOW_MS);
                let sums: &mut Sums = windows.entry((start, record.key)).or_default();
                sums.0 += 1;
                sums.1 += record.value;
            }
        }
        windows
    }
}

/// As the job reads it.
fn time(time_ms: i64) -> impl std::fmt::Display {
    let time = DateTime::from_timestamp_millis(time_ms).unwrap_or_default();
    time.format("%Y-%m-%d %H:%M:%S%.3f")
}

/// A window as the job writes it: its start as a timestamp without zone, and its key.
pub(crate) fn window(start: &str, key: &str) -> Result<Window> {
    let time = NaiveDateTime::parse_from_str(start, "%Y-%m-%d %H:%M:%S%.f")
        .with_context(|| format!("{start} is no timestamp"))?;
    let number = key.strip_prefix('k').and_then(|digits| digits.parse().ok());
    let key = number.with_context(|| format!("{key} is no key"))?;
    Ok((time.and_utc().timestamp_millis(), key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_functions_of_seed_and_id_within_bounds() {
        let input = Input::new(1, 1_000, 2);
        assert_eq!((input.per_partition, input.records()), (250, 1_000));
        assert_eq!(input.record(2, 17), input.record(2, 17));
        assert_ne!(input.record(2, 17), input.record(3, 17));
        assert_ne!(input.record(2, 17), Input::new(2, 1_000, 2).record(2, 17));
        let times: Vec<i64> = (0..250).map(|sequence| input.record(0, sequence).time_ms).collect();
        assert!(times.windows(2).any(|pair| pair[0] > pair[1]), "they are in order");
        let mut highest = i64::MIN;
        for time in times {
            let allowed = i64::from(WATERMARK_DELAY_SECONDS) * 1_000;
            assert!(time > highest.saturating_sub(allowed), "a record is late");
            highest = highest.max(time);
        }
    }

    #[test]
    fn a_line_is_json_behind_the_partition() {
        let input = Input::new(1, 1_000, 2);
        let line = input.line(3, 9);
        let (partition, json) = line.trim_end().split_once('\t').unwrap();
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(
            (partition, value["p"].as_u64(), value["seq"].as_u64()),
            ("3", Some(3), Some(9))
        );
        assert!(value["ts"].as_str().unwrap().starts_with("2024-03-"), "{value}");
        assert!(input.end_line(3).starts_with("3\t{\"p\":3,\"seq\":-1,"));
    }

    #[test]
    fn windows_hold_all_records_and_are_read_back() {
        let input = Input::new(1, 1_000, 2);
        let windows = input.windows();
        assert_eq!(windows.values().map(|sums| sums.0).sum::<u64>(), 1_000);
        assert!(windows.keys().all(|(start, key)| start % WINDOW_MS == 0 && *key < KEYS));
        assert_eq!(window("2024-03-10 00:00:10", "k7").unwrap(), (BASE_MS + 10_000, 7));
        assert_eq!(window("2024-03-10 00:00:10.000", "k7").unwrap(), (BASE_MS + 10_000, 7));
        assert!(window("soon", "k7").is_err() && window("2024-03-10 00:00:10", "7").is_err());
    }
}
