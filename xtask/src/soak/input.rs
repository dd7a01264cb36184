//! The records of a soak, each a function of the seed and its id (partition, sequence number), and what the job must
//! make of them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

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

/// Event time that passes in a round, milliseconds: its slice.
const ROUND_MS: u64 = 30_000;

/// Which records there are.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// Changes keys, values and times.
    pub(crate) seed: u64,
    /// Records of each partition.
    pub(crate) per_partition: u64,
    /// Slices of event time: one for each round and one behind the last.
    pub(crate) slices: u64,
    /// By partition, the slices in which it has records.
    busy: Arc<Vec<Vec<u64>>>,
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

/// A cut through the job: what came before it, as a savepoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// By partition, how many records were read.
    pub(crate) read: Vec<u64>,
    /// The watermark of the windows, milliseconds since 1970; none before any.
    pub(crate) watermark_ms: Option<i64>,
}

impl Cut {
    /// Whether a window had come out.
    pub(crate) fn has_closed(&self, (start, _): &Window) -> bool {
        self.watermark_ms.is_some_and(|watermark| watermark >= start + WINDOW_MS - 1)
    }
}

impl Input {
    /// At least so many records, the same number for each partition; event time passes in step with the rounds.
    /// `idle` has an element for each round: the partition without records in it, if there is one.
    pub(crate) fn new(seed: u64, records: u64, idle: &[Option<u32>]) -> Self {
        let per_partition = records.div_ceil(u64::from(PARTITIONS)).max(1);
        let slices = idle.len() as u64 + 1;
        let busy = |partition: u32| {
            let of_rounds = (0..).zip(idle).filter(|(_, idle)| **idle != Some(partition));
            of_rounds.map(|(slice, _)| slice).chain([slices - 1]).collect()
        };
        Self { seed, per_partition, slices, busy: Arc::new((0..PARTITIONS).map(busy).collect()) }
    }

    /// The sequence numbers of a partition's records in a slice; none if it is idle then.
    pub(crate) fn of_slice(&self, partition: u32, slice: u64) -> Range<u64> {
        let busy = self.busy(partition);
        let Ok(place) = busy.binary_search(&slice) else { return 0..0 };
        let begin = |place: usize| (place as u64 * self.per_partition).div_ceil(busy.len() as u64);
        begin(place)..begin(place + 1)
    }

    /// A window of a round's slice that closes only if nobody waits for a partition without records in that slice.
    pub(crate) fn window_of_slice(&self, slice: u64) -> i64 {
        BASE_MS + i64::try_from(slice * ROUND_MS).unwrap_or(0) + WINDOW_MS
    }

    fn busy(&self, partition: u32) -> &[u64] {
        self.busy.get(partition as usize).map_or(&[], Vec::as_slice)
    }

    /// Where a record is in event time, milliseconds from the beginning.
    fn place_ms(&self, partition: u32, sequence: u64) -> u64 {
        let busy = self.busy(partition);
        let (count, all) = (busy.len() as u128, u128::from(self.per_partition));
        let place = u128::from(sequence) * count;
        let slice = busy.get((place / all) as usize).copied().unwrap_or(self.slices);
        slice * ROUND_MS + (place % all * u128::from(ROUND_MS) / all) as u64
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
        let place = self.place_ms(partition, sequence);
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
        let time_ms = BASE_MS + 10 * i64::try_from(self.slices * ROUND_MS).unwrap_or(0) + 3_600_000;
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
        let input = Input::new(1, 1_000, &[None; 2]);
        assert_eq!((input.per_partition, input.records()), (250, 1_000));
        assert_eq!(input.record(2, 17), input.record(2, 17));
        assert_ne!(input.record(2, 17), input.record(3, 17));
        assert_ne!(input.record(2, 17), Input::new(2, 1_000, &[None; 2]).record(2, 17));
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
    fn an_idle_partition_has_no_records_in_its_slice_and_all_of_them_in_the_others() {
        let input = Input::new(1, 1_000, &[None, Some(2), Some(0)]);
        assert_eq!(input.slices, 4);
        for partition in 0..PARTITIONS {
            let mut next = 0;
            for slice in 0..4 {
                let range = input.of_slice(partition, slice);
                let idle = (partition, slice) == (2, 1) || (partition, slice) == (0, 2);
                assert_eq!(range.is_empty(), idle, "{partition} {slice}");
                for sequence in range {
                    assert_eq!(sequence, next);
                    next += 1;
                    let place = input.place_ms(partition, sequence);
                    assert_eq!(place / ROUND_MS, slice);
                }
            }
            assert_eq!(next, 250);
        }
        assert_eq!(input.window_of_slice(1), BASE_MS + 40_000);
    }

    #[test]
    fn a_cut_has_closed_the_windows_before_its_watermark() {
        let cut = Cut { read: Vec::new(), watermark_ms: Some(BASE_MS + 9_999) };
        assert!(cut.has_closed(&(BASE_MS, 1)) && !cut.has_closed(&(BASE_MS + 10_000, 1)));
        assert!(!Cut { watermark_ms: None, ..cut }.has_closed(&(BASE_MS, 1)));
    }

    #[test]
    fn a_line_is_json_behind_the_partition() {
        let input = Input::new(1, 1_000, &[None; 2]);
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
        let input = Input::new(1, 1_000, &[None; 2]);
        let windows = input.windows();
        assert_eq!(windows.values().map(|sums| sums.0).sum::<u64>(), 1_000);
        assert!(windows.keys().all(|(start, key)| start % WINDOW_MS == 0 && *key < KEYS));
        assert_eq!(window("2024-03-10 00:00:10", "k7").unwrap(), (BASE_MS + 10_000, 7));
        assert_eq!(window("2024-03-10 00:00:10.000", "k7").unwrap(), (BASE_MS + 10_000, 7));
        assert!(window("soon", "k7").is_err() && window("2024-03-10 00:00:10", "7").is_err());
    }
}
