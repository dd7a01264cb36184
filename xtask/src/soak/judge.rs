//! Judges what comes out: every id once and unchanged, none that was never sent, and the sums of every window once and
//! equal to the recomputation. After a way back to a savepoint, what had come out behind it must come again, once. What
//! a forked job writes is judged between the savepoint that it began at and the one that it ended with.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::input::{Cut, Input, PARTITIONS, Sums, Window, window};

/// How many offenders of each kind are listed.
const LISTED: usize = 10;

/// Index of the topic with the passed-on records among those that are read.
const PASSED: &str = "0";
/// Index of the topic with the windows.
const SUMS: &str = "1";

/// What was seen so far.
pub(crate) struct Judge {
    input: Input,
    /// The ids that must come out, by partition.
    due: Vec<Range<u64>>,
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
    /// Records that had come out and must come again, because the job went back behind them.
    pub(crate) repeated: u64,
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
    /// Windows that had come out and must come again.
    pub(crate) sums_repeated: u64,
    /// Windows that came out again and must not.
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

impl Verdict {
    /// For people: what came out of so many records.
    pub(crate) fn text(&self, records: u64) -> String {
        let again = match self.repeated {
            0 => String::new(),
            repeated => format!(", {repeated} because of ways back"),
        };
        format!(
            "{} of {records} records came out{again}: {} twice, {} lost, {} unknown; {} of {} windows compared, {} twice, {} \
             missing, {} wrong\n",
            self.passed,
            self.duplicates,
            self.losses,
            self.unknown,
            self.sums_compared,
            self.sums_expected,
            self.sums_duplicate,
            self.sums_missing,
            self.sums_wrong,
        )
    }
}

impl Judge {
    /// Before anything came out.
    pub(crate) fn new(input: Input) -> Self {
        let expected = input.windows();
        let due = vec![0..input.per_partition; PARTITIONS as usize];
        Self::of(input, due, expected)
    }

    /// For the output of a job that began at a savepoint of this one and ended with one of its own.
    pub(crate) fn of_fork(&self, from: &Cut, to: &Cut) -> Self {
        let due = from.read.iter().zip(&to.read).map(|(from, to)| *from..*to).collect();
        let expected = self.expected.iter();
        let expected =
            expected.filter(|(window, _)| !from.has_closed(window) && to.has_closed(window));
        Self::of(self.input.clone(), due, expected.map(|(window, sums)| (*window, *sums)).collect())
    }

    fn of(input: Input, due: Vec<Range<u64>>, expected: BTreeMap<Window, Sums>) -> Self {
        let seen = vec![vec![0; input.per_partition as usize]; PARTITIONS as usize];
        let (windows, verdict) = (HashMap::new(), Verdict::default());
        Self { input, due, seen, distinct: 0, windows, expected, verdict }
    }

    /// The job goes back to a cut; everything that it made visible so far has been taken. What came out behind the cut
    /// stays visible and must come once more. Returns how many records that are.
    pub(crate) fn rewind(&mut self, cut: &Cut) -> u64 {
        let mut again = 0;
        for (seen, read) in self.seen.iter_mut().zip(&cut.read) {
            for seen in seen.iter_mut().skip(*read as usize).filter(|seen| **seen > 0) {
                again += 1;
                *seen = 0;
            }
        }
        let windows = self.windows.len();
        self.windows.retain(|window, _| cut.has_closed(window));
        self.distinct -= again;
        self.verdict.repeated += again;
        self.verdict.sums_repeated += (windows - self.windows.len()) as u64;
        again
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
        if !self.due.get(p as usize).is_some_and(|due| due.contains(&seq)) {
            bail!("it is not between the savepoints");
        }
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
        let due: u64 = self.due.iter().map(|due| due.end.saturating_sub(due.start)).sum();
        self.distinct == due && self.windows.len() >= self.expected.len()
    }

    /// Whether a window that begins at this moment has come out.
    pub(crate) fn has_window(&self, start_ms: i64) -> bool {
        self.windows.keys().any(|(start, _)| *start == start_ms)
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
        for ((partition, seen), due) in (0..).zip(&self.seen).zip(&self.due) {
            for sequence in due.clone() {
                if seen.get(sequence as usize).is_none_or(|seen| *seen == 0) {
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
mod tests;
