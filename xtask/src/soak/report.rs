//! What a soak did and found, as one line of JSON and as a few lines for people.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Serialize;

use super::judge::Verdict;
use super::plan::Mutation;
use super::proxy::faults::Counts;

/// How many offences are listed.
const LISTED: usize = 20;

/// What was counted while the rounds went on.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Tally {
    /// Processes that were started.
    pub(crate) starts: u64,
    /// Those that went on from the checkpoint directory.
    pub(crate) restarts: u64,
    /// Processes that were ended by SIGKILL from outside.
    pub(crate) kills: u64,
    /// Processes that ended themselves, by failpoint.
    pub(crate) failpoints_hit: BTreeMap<String, u64>,
    /// Processes that did not come to their failpoint in time and were killed.
    pub(crate) failpoints_missed: BTreeMap<String, u64>,
    /// Restarts of the broker.
    pub(crate) broker_restarts: u64,
    /// Older runs that went on.
    pub(crate) zombies: u64,
    /// Those that were refused and ended by themselves.
    pub(crate) zombies_refused: u64,
    /// Those of them that the job's record refused, before Kafka or a missing file did.
    pub(crate) zombies_fenced: u64,
    /// Rounds in which windows came out although a partition had no records.
    pub(crate) idle_passed: u64,
    /// Ways back to a savepoint.
    pub(crate) rewinds: u64,
    /// Jobs that began at a savepoint of the first one, and were judged.
    pub(crate) forks: u64,
    /// Records that they wrote, each once.
    pub(crate) fork_records: u64,
    /// Windows that they wrote, each once.
    pub(crate) fork_windows: u64,
    /// Markers that were deleted.
    pub(crate) markers_deleted: u64,
    /// Starts without them that were refused.
    pub(crate) markers_missed: u64,
    /// Processes that gave up while the store had faults, which they may.
    pub(crate) exits_by_store: u64,
    /// Lines of logs that tell of damage that was noticed.
    pub(crate) damage_noticed: u64,
    /// Completed checkpoints, as far as the metrics told before the ends of the processes.
    pub(crate) checkpoints: u64,
    /// Rounds in which the checkpoints that were waited for did not come in time.
    pub(crate) slow_rounds: Vec<u32>,
    /// Rows that the last run dropped as late; none should be.
    pub(crate) late_records: u64,
    /// Offences other than those of the output; the first few.
    pub(crate) offences: Vec<String>,
}

impl Tally {
    /// Counts a process; says whether there is something that it can go on from.
    pub(crate) fn count_start(&mut self) -> bool {
        let restore = self.starts > 0;
        self.starts += 1;
        self.restarts += u64::from(restore);
        restore
    }

    /// Notes an offence.
    pub(crate) fn offence(&mut self, text: String) {
        eprintln!("   OFFENCE: {text}");
        if self.offences.len() < LISTED {
            self.offences.push(text);
        }
    }
}

/// The whole result.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Whether nothing was found.
    pub(crate) passed: bool,
    /// Repeats the rounds and the records.
    pub(crate) seed: u64,
    /// The safeguard that was taken out.
    pub(crate) mutation: Option<Mutation>,
    /// `exactly-once` or `at-least-once`.
    pub(crate) guarantee: String,
    /// Rounds that were carried out.
    pub(crate) rounds: u32,
    /// Rounds by what they had; one can have several.
    pub(crate) rounds_by_fault: BTreeMap<&'static str, u32>,
    /// Rounds with another parallelism than the one before.
    pub(crate) parallelism_changes: u32,
    /// Records that were written to the input topic; fewer are read if it ended early.
    pub(crate) records: u64,
    /// Requests that passed the proxy, and their faults.
    pub(crate) store_faults: Counts,
    /// Seconds for which transactions were open after the last run; none if it did not take place.
    pub(crate) open_transactions_seconds: Option<f64>,
    /// The round after which the output was found wrong; none if it was at the end, or never.
    pub(crate) offended_in_round: Option<u32>,
    /// Whether the last run took place: without it nothing can be said to be lost.
    pub(crate) complete: bool,
    #[serde(flatten)]
    pub(crate) tally: Tally,
    #[serde(flatten)]
    pub(crate) verdict: Verdict,
    /// From the first round to the verdict.
    pub(crate) wall_seconds: f64,
    /// Repeats it.
    pub(crate) command: String,
}

impl Report {
    /// One line of JSON.
    pub(crate) fn json(&self) -> Result<String> {
        serde_json::to_string(self).context("encode the report")
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let Self { tally, verdict, .. } = self;
        let hit: u64 = tally.failpoints_hit.values().sum();
        let mut text = format!(
            "{} rounds in {:.0} s: {} kills, {hit} failpoints hit, {} broker restarts, {} of {} older \
             runs refused ({} by the record), {} checkpoints\n{} rounds with an idle partition, {} ways back, {} forks \
             ({} records, {} windows), {} starts without markers refused\n{}",
            self.rounds,
            self.wall_seconds,
            tally.kills,
            tally.broker_restarts,
            tally.zombies_refused,
            tally.zombies,
            tally.zombies_fenced,
            tally.checkpoints,
            tally.idle_passed,
            tally.rewinds,
            tally.forks,
            tally.fork_records,
            tally.fork_windows,
            tally.markers_missed,
            verdict.text(self.records),
        );
        let offences = [tally.offences.clone(), verdict.offences()].concat();
        text.push_str(&closing(offences, self.passed, &self.command));
        text
    }
}

/// The last lines for people.
pub(super) fn closing(offences: Vec<String>, passed: bool, command: &str) -> String {
    let offences: String = offences.iter().map(|offence| format!("OFFENCE: {offence}\n")).collect();
    let word = if passed { "passed" } else { "FAILED" };
    format!("{offences}{word}; to repeat it: {command}\n")
}

#[cfg(test)]
pub(super) fn sample() -> Report {
    Report {
        passed: false,
        seed: 7,
        mutation: Some(Mutation::Settlement),
        guarantee: "exactly-once".to_owned(),
        rounds: 5,
        rounds_by_fault: BTreeMap::from([("kill", 2)]),
        parallelism_changes: 3,
        records: 1_000,
        store_faults: Counts::default(),
        open_transactions_seconds: Some(0.0),
        offended_in_round: None,
        complete: true,
        tally: Tally::default(),
        verdict: Verdict { losses: 2, lost_ids: vec![(0, 1), (3, 9)], ..Verdict::default() },
        wall_seconds: 31.0,
        command: "cargo xtask soak --seed 7".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_one_line_with_all_figures_side_by_side() {
        let text = sample().json().unwrap();
        assert!(!text.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((value["losses"].as_u64(), value["kills"].as_u64()), (Some(2), Some(0)));
        assert_eq!(value["mutation"], "skip-settlement");
        assert_eq!(value["lost_ids"][1][1], 9);
        assert_eq!(value["store_faults"]["lost_answer"], 0);
    }

    #[test]
    fn people_get_the_offences_and_how_to_repeat_them() {
        let text = sample().text();
        assert!(text.contains("2 ids are lost, the first: [(0, 1), (3, 9)]"), "{text}");
        assert!(text.ends_with("FAILED; to repeat it: cargo xtask soak --seed 7\n"), "{text}");
    }
}
