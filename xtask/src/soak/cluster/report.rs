//! What a soak of a cluster did and found, as one line of JSON and as a few lines for people.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Serialize;

use super::super::judge::Verdict;
use super::super::proxy::faults::Counts;
use super::super::report::closing;
use super::refusals::Refusals;

/// How many offences are listed.
const LISTED: usize = 20;

/// What was counted while the rounds went on.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Tally {
    /// Rounds by what they had.
    pub(crate) rounds_by_fault: BTreeMap<&'static str, u32>,
    /// Processes that were ended by SIGKILL from outside.
    pub(crate) kills: u64,
    /// Processes that ended themselves, by failpoint.
    pub(crate) failpoints_hit: BTreeMap<String, u64>,
    /// Failpoints to which no process came in time.
    pub(crate) failpoints_missed: BTreeMap<String, u64>,
    /// Processes that were stopped and went on after others had taken their place.
    pub(crate) stops: u64,
    /// Those that stopped at a failpoint, by its name.
    pub(crate) stopped_at: BTreeMap<String, u64>,
    /// What stopped and cut-off processes tried afterwards and was refused.
    pub(crate) refusals: Refusals,
    /// Cuts of the network.
    pub(crate) cuts: u64,
    /// Packets that they swallowed.
    pub(crate) packets_swallowed: u64,
    /// Restarts of the broker.
    pub(crate) broker_restarts: u64,
    /// Losses of the leader after which the run went on with the attempt that it had.
    pub(crate) adopted: u64,
    /// Attempts of the job, restarts among them.
    pub(crate) attempts: u64,
    /// Checkpoints.
    pub(crate) checkpoints: u64,
    /// Milliseconds from the loss of a leader to another one, as clients saw it.
    pub(crate) new_leader_ms: Vec<u64>,
    /// Milliseconds from a deed to two more checkpoints, the longest by kind.
    pub(crate) longest_recovery_ms: BTreeMap<&'static str, u64>,
    /// Rounds of which kinds were left out here, and why.
    pub(crate) left_out: BTreeMap<&'static str, String>,
    /// Offences other than those of the output; the first few.
    pub(crate) offences: Vec<String>,
}

impl Tally {
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
    /// Rounds that were carried out.
    pub(crate) rounds: u32,
    /// Whether each process had a host of its own.
    pub(crate) hosts: bool,
    /// Records that were written to the input topic.
    pub(crate) records: u64,
    /// Requests that passed the proxy while it had faults, and those.
    pub(crate) store_faults: Counts,
    /// Seconds for which transactions were open at the end.
    pub(crate) open_transactions_seconds: Option<f64>,
    /// Whether the job came to the end of its input: without that nothing can be said to be lost.
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
        let longest = |times: &[u64]| times.iter().max().copied().unwrap_or(0);
        let mut text = format!(
            "{} rounds in {:.0} s: {} kills, {hit} failpoints hit, {} stops, {} cuts ({} packets swallowed), {} broker \
             restarts, {} checkpoints in {} attempts\n{} losses of the leader left the tasks alone; another one led after \
             at most {} ms; refused: {}\n{}",
            self.rounds,
            self.wall_seconds,
            tally.kills,
            tally.stops,
            tally.cuts,
            tally.packets_swallowed,
            tally.broker_restarts,
            tally.checkpoints,
            tally.attempts,
            tally.adopted,
            longest(&tally.new_leader_ms),
            tally.refusals.text(),
            verdict.text(self.records),
        );
        for (kind, why) in &tally.left_out {
            text.push_str(&format!("left out: {kind}: {why}\n"));
        }
        let offences = [tally.offences.clone(), verdict.offences()].concat();
        text.push_str(&closing(offences, self.passed, &self.command));
        text
    }
}
