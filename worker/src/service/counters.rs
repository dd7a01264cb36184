//! Counters of the runs of this worker, for heartbeats.

use std::collections::BTreeMap;

use tidegate_proto::internal::v1 as wire;
use tidegate_types::MIN_WATERMARK;

use super::runs::Runs;
use crate::metrics::OperatorEntry;

/// What the leader is told from time to time.
pub(super) fn heartbeat(runs: &Runs) -> wire::Heartbeat {
    let run = |(job, hosted): (&String, &super::runs::Hosted)| {
        let tasks = hosted.tasks.as_ref()?;
        Some(wire::RunCounters {
            job: job.clone(),
            attempt: hosted.attempt.0,
            operators: operators(&tasks.metrics.entries()),
        })
    };
    wire::Heartbeat {
        resident_bytes: resident_bytes(),
        runs: runs.iter().filter_map(run).collect(),
    }
}

/// Adds up the subtasks of each operator.
fn operators(entries: &[OperatorEntry]) -> Vec<wire::OperatorCounters> {
    let mut operators: BTreeMap<usize, wire::OperatorCounters> = BTreeMap::new();
    for entry in entries {
        let sum = operators.entry(entry.node).or_insert_with(|| wire::OperatorCounters {
            node: entry.node as u32,
            name: entry.name.clone(),
            ..wire::OperatorCounters::default()
        });
        let (own, task) = (&entry.metrics, &entry.task);
        sum.subtasks += 1;
        sum.records_in += own.records_in.get();
        sum.records_out += own.records_out.get();
        sum.late_records += own.late_records.get();
        sum.bad_records += entry.source.as_ref().map_or(0, |source| source.bad_records.get());
        sum.state_bytes += own.state_bytes.get();
        sum.busy_ns += task.busy.get();
        sum.idle_ns += task.idle.get();
        sum.backpressured_ns += task.backpressured.get();
        let mark = Some(own.watermark.get()).filter(|mark| *mark != 0 && *mark != MIN_WATERMARK);
        sum.watermark = match (sum.watermark, mark) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
    operators.into_values().collect()
}

/// Resident memory of this process; 0 where the system does not tell.
pub(super) fn resident_bytes() -> u64 {
    if tidegate_runtime::blocking::is_simulated() {
        // Many hosts share a process, and what it takes is not the same every time.
        return 0;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
