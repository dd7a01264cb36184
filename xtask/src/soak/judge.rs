//! Judges what comes out: every id once and unchanged, none that was never sent, and the sums of every window once and
//! equal to the recomputation.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::input::{Input, PARTITIONS, Sums, Window, window};

/// How many offenders of each kind are listed.
const LISTED: usize = 10;

/// Index of the topic with the passed-on records among those that are read.
const PASSED: &str = "0";
/// Index of the topic with the windows.
const SUMS: &str = "1";

/// What was seen so far.
pub(crate) struct Judge {
    input: Input,
    /// How often each id was seen, by partition.
    seen: Vec<Vec<u8>>,
    /// Ids that were seen.
    distinct: u64,
    windows: HashMap<Window, Sums>,
    /// The recomputation.
    expected: BTreeMap<Window, Sums>,
    verdict: Verdict,
}

/// The judgement; lists hold the first few only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Verdict {
    /// Records read from the topic of passed-on records.
    pub(crate) passed: u64,
    /// Records with an id that had been read before.
    pub(crate) duplicates: u64,
    /// Which: partition and sequence number.
    pub(crate) duplicate_ids: Vec<(u32, u64)>,
    /// Ids that were sent and never came out.
    pub(crate) losses: u64,
    /// Which.
    pub(crate) lost_ids: Vec<(u32, u64)>,
    /// Records with an id that was never sent, with another value than was sent, or that cannot be read.
    pub(crate) unknown: u64,
    /// Which.
    pub(crate) unknown_records: Vec<String>,
    /// Windows that the recomputation has.
    pub(crate) sums_expected: u64,
    /// Windows that came out and were compared.
    pub(crate) sums_compared: u64,
    /// Windows that came out again.
    pub(crate) sums_duplicate: u64,
    /// Windows that never came out.
    pub(crate) sums_missing: u64,
    /// Windows whose count or sum differs, or that should not be there.
    pub(crate) sums_wrong: u64,
    /// The first of all these windows, in words.
    pub(crate) windows: Vec<String>,
}

#[derive(Deserialize)]
struct PassedRow {
    p: u32,
    seq: u64,
    v: i64,
}

#[derive(Deserialize)]
struct SumsRow<'a> {
    ws: &'a str,
    k: &'a str,
    c: u64,
    s: i64,
}

impl Judge {
    /// Before anything came out.
    pub(crate) fn new(input: Input) -> Self {
        let seen = vec![vec![0; input.per_partition as usize]; PARTITIONS as usize];
        Self {
            input,
            seen,
            distinct: 0,
            windows: HashMap::new(),
            expected: input.windows(),
            verdict: Verdict::default(),
        }
    }

    /// Takes a line of the reader: index of the topic, partition, value.
    pub(crate) fn take(&mut self, line: &str) -> Result<()> {
        let mut parts = line.splitn(3, '\t');
        let (Some(topic), Some(_), Some(value)) = (parts.next(), parts.next(), parts.next()) else {
            bail!("the reader wrote a line that is not one: {line}");
        };
        let outcome = match topic {
            PASSED => self.passed(value),
            SUMS => self.sums(value),
            _ => bail!("the reader wrote a line of another topic: {line}"),
        };
        if let Err(error) = outcome {
            self.verdict.unknown += 1;
            list(&mut self.verdict.unknown_records, || format!("{value}: {error:#}"));
        }
        Ok(())
    }

    fn passed(&mut self, value: &str) -> Result<()> {
        let PassedRow { p, seq, v } = serde_json::from_str(value).context("it does not parse")?;
        self.verdict.passed += 1;
        let partition = self.seen.get_mut(p as usize).context("no such partition")?;
        let seen = partition.get_mut(seq as usize).context("this id was never sent")?;
        let sent = self.input.record(p, seq).value;
        if v != sent {
            bail!("{sent} was sent");
        }
        if *seen > 0 {
            self.verdict.duplicates += 1;
            list(&mut self.verdict.duplicate_ids, || (p, seq));
        } else {
            self.distinct += 1;
        }
        *seen = seen.saturating_add(1);
        Ok(())
    }

    fn sums(&mut self, value: &str) -> Result<()> {
        let SumsRow { ws, k, c, s } = serde_json::from_str(value).context("it does not parse")?;
        let window = window(ws, k)?;
        if let Some(before) = self.windows.insert(window, (c, s)) {
            self.verdict.sums_duplicate += 1;
            list(&mut self.verdict.windows, || {
                format!("{k} from {ws}: again, (count, sum) first {before:?}, then {:?}", (c, s))
            });
        }
        Ok(())
    }

    /// Whether anything came out that must not, however the soak goes on.
    pub(crate) fn offended(&self) -> bool {
        let Verdict { duplicates, unknown, sums_duplicate, .. } = self.verdict;
        duplicates + unknown + sums_duplicate > 0
    }

    /// Whether every id and as many windows as there should be came out.
    pub(crate) fn all_there(&self) -> bool {
        self.distinct == self.input.records() && self.windows.len() >= self.expected.len()
    }

    /// How many records came out so far.
    pub(crate) fn passed_on(&self) -> u64 {
        self.verdict.passed
    }

    /// What came out so far, without what is missing.
    pub(crate) fn so_far(&self) -> Verdict {
        self.verdict.clone()
    }

    /// The judgement when everything must have come out.
    pub(crate) fn finish(&self) -> Verdict {
        let mut verdict = self.verdict.clone();
        for (partition, seen) in (0..).zip(&self.seen) {
            for (sequence, seen) in (0..).zip(seen) {
                if *seen == 0 {
                    verdict.losses += 1;
                    list(&mut verdict.lost_ids, || (partition, sequence));
                }
            }
        }
        compare(&mut verdict, &self.expected, &self.windows);
        verdict
    }
}

/// Compares windows one by one.
fn compare(
    verdict: &mut Verdict,
    expected: &BTreeMap<Window, Sums>,
    found: &HashMap<Window, Sums>,
) {
    verdict.sums_expected = expected.len() as u64;
    for (window, sums) in expected {
        let Some(actual) = found.get(window) else {
            verdict.sums_missing += 1;
            list(&mut verdict.windows, || format!("{window:?}: missing, should be {sums:?}"));
            continue;
        };
        verdict.sums_compared += 1;
        if actual != sums {
            verdict.sums_wrong += 1;
            list(&mut verdict.windows, || format!("{window:?}: {actual:?}, should be {sums:?}"));
        }
    }
    for (window, sums) in found {
        if !expected.contains_key(window) {
            verdict.sums_wrong += 1;
            list(&mut verdict.windows, || format!("{window:?}: {sums:?}, should not be there"));
        }
    }
}

impl Verdict {
    /// What is wrong, in words; empty if nothing is.
    pub(crate) fn offences(&self) -> Vec<String> {
        let mut offences = Vec::new();
        let mut say = |count: u64, what: &str, which: String| {
            if count > 0 {
                offences.push(format!("{count} {what}, the first: {which}"));
            }
        };
        say(self.duplicates, "ids came out twice", format!("{:?}", self.duplicate_ids));
        say(self.losses, "ids are lost", format!("{:?}", self.lost_ids));
        say(self.unknown, "records should not be", format!("{:?}", self.unknown_records));
        let windows = self.sums_duplicate + self.sums_missing + self.sums_wrong;
        say(windows, "windows are doubled, missing or wrong", format!("{:?}", self.windows));
        offences
    }
}

fn list<T>(list: &mut Vec<T>, item: impl FnOnce() -> T) {
    if list.len() < LISTED {
        list.push(item());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> Input {
        Input::new(5, 40, 1)
    }

    fn passed(input: Input, p: u32, seq: u64) -> String {
        format!("0\t1\t{{\"p\":{p},\"seq\":{seq},\"v\":{}}}", input.record(p, seq).value)
    }

    fn fed() -> Judge {
        let mut judge = Judge::new(input());
        for p in 0..PARTITIONS {
            (0..10).for_each(|seq| judge.take(&passed(input(), p, seq)).unwrap());
        }
        for ((start, key), (count, sum)) in input().windows() {
            judge.take(&row(start, key, count, sum)).unwrap();
        }
        judge
    }

    fn row(start: i64, key: u64, count: u64, sum: i64) -> String {
        let time = chrono::DateTime::from_timestamp_millis(start).unwrap();
        let time = time.format("%Y-%m-%d %H:%M:%S%.3f");
        format!("1\t0\t{{\"ws\":\"{time}\",\"k\":\"k{key}\",\"c\":{count},\"s\":{sum}}}")
    }

    #[test]
    fn everything_once_is_no_offence() {
        let judge = fed();
        let verdict = judge.finish();
        assert_eq!(verdict.offences(), Vec::<String>::new());
        assert_eq!((verdict.passed, verdict.sums_compared), (40, verdict.sums_expected));
        assert!(verdict.sums_expected > 10 && !judge.offended() && judge.all_there());
    }

    #[test]
    fn doubles_and_strangers_offend_at_once() {
        let mut judge = fed();
        judge.take(&passed(input(), 2, 3)).unwrap();
        judge.take("0\t0\t{\"p\":2,\"seq\":10,\"v\":1}").unwrap();
        judge.take("0\t0\tgarbage").unwrap();
        assert!(judge.offended());
        let verdict = judge.finish();
        assert_eq!(verdict.duplicate_ids, [(2, 3)]);
        assert_eq!((verdict.duplicates, verdict.unknown, verdict.losses), (1, 2, 0));
        assert!(judge.take("no tabs").is_err());
    }

    #[test]
    fn a_changed_value_is_not_the_record() {
        let mut judge = Judge::new(input());
        let wrong = input().record(0, 0).value + 1;
        judge.take(&format!("0\t0\t{{\"p\":0,\"seq\":0,\"v\":{wrong}}}")).unwrap();
        assert_eq!(judge.finish().unknown, 1);
    }

    #[test]
    fn what_is_missing_is_found_at_the_end_only() {
        let judge = Judge::new(input());
        assert!(!judge.offended() && !judge.all_there());
        assert_eq!(judge.so_far(), Verdict::default());
        let verdict = judge.finish();
        assert_eq!((verdict.losses, verdict.lost_ids.len()), (40, LISTED));
        assert_eq!(verdict.sums_missing, verdict.sums_expected);
    }

    #[test]
    fn windows_are_compared_by_count_and_sum() {
        let mut judge = fed();
        let ((start, key), (count, sum)) = input().windows().into_iter().next().unwrap();
        judge.take(&row(start, key, count, sum + 1)).unwrap();
        judge.take(&row(start + 10_000_000, 3, 1, 1)).unwrap();
        let verdict = judge.finish();
        assert_eq!((verdict.sums_duplicate, verdict.sums_wrong, verdict.sums_missing), (1, 2, 0));
        assert_eq!(verdict.offences().len(), 1);
    }
}
