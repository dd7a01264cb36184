//! What a finished run reports: per insert, and about its checkpoints.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use tidegate_job_control::driver::progress::CheckpointReport;
use tidegate_plan::StreamGraph;
use tidegate_plan::operator::Operator;
use tidegate_types::Attempt;
use tidegate_worker::RunMetrics;

/// One INSERT of a job.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct InsertReport {
    /// The insert's name: its table, made unique.
    pub(crate) name: String,
    /// Rows that its sources read.
    pub(crate) records_in: u64,
    /// Rows that its sink wrote.
    pub(crate) records_out: u64,
    /// Rows that came after their window.
    pub(crate) late_records: u64,
    /// Records that could not be decoded and were skipped.
    pub(crate) bad_records: u64,
    /// From the start of the job to its end.
    pub(crate) wall_seconds: f64,
}

/// A whole job.
#[derive(Debug, Clone, Default)]
pub(crate) struct JobReport {
    /// By insert, in the order of the script.
    pub(crate) inserts: Vec<InsertReport>,
    /// By node of the graph.
    pub(crate) operators: Vec<OperatorReport>,
    /// What its checkpoints cost.
    pub(crate) checkpoints: CheckpointReport,
    /// What restoring and spilling state took.
    pub(crate) restores: Restores,
}

/// What restoring state took, over all runs of a job.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Restores {
    /// The last run that was added.
    counted: Option<Attempt>,
    /// Bytes read.
    pub(crate) bytes: u64,
    /// The longest of all tasks, seconds.
    pub(crate) seconds: f64,
    /// Bytes of keyed state of the last run, in memory.
    pub(crate) state_bytes: u64,
    /// The same on local disk.
    pub(crate) spilled_bytes: u64,
    /// Bytes of keyed state that all runs wrote to local disk.
    pub(crate) spill_written_bytes: u64,
}

impl Restores {
    /// Adds a run that has ended, once.
    pub(crate) fn add(&mut self, attempt: Attempt, metrics: &RunMetrics) {
        if self.counted.replace(attempt) == Some(attempt) {
            return;
        }
        let mut tasks = HashMap::new();
        let (mut state, mut spilled) = (0, 0);
        for entry in metrics.entries() {
            state += entry.metrics.state_bytes.get().max(0) as u64;
            spilled += entry.metrics.spilled_bytes.get().max(0) as u64;
            self.spill_written_bytes += entry.metrics.spill_written.get();
            tasks.insert(Arc::as_ptr(&entry.task), entry.task);
        }
        (self.state_bytes, self.spilled_bytes) = (state, spilled);
        for task in tasks.values() {
            self.bytes += task.restored_bytes.get();
            self.seconds = self.seconds.max(task.restored.get() as f64 / 1e9);
        }
    }
}

/// What one operator did, over all subtasks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OperatorReport {
    records_in: u64,
    records_out: u64,
    late_records: u64,
    /// Bytes of state in memory and on local disk, at the end.
    state_bytes: u64,
    /// Time in which its tasks computed, with the operators that are chained to it, nanoseconds.
    busy: u64,
}

impl JobReport {
    /// What each node did, as text.
    pub(crate) fn done(&self) -> Vec<String> {
        self.operators.iter().map(ToString::to_string).collect()
    }
}

impl std::fmt::Display for OperatorReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[rows in={}, out={}", self.records_in, self.records_out)?;
        if self.late_records > 0 {
            write!(f, ", late={}", self.late_records)?;
        }
        if self.state_bytes > 0 {
            write!(f, ", state={:.1} kB", self.state_bytes as f64 / 1e3)?;
        }
        write!(f, ", task busy={:.1} ms]", self.busy as f64 / 1e6)
    }
}

/// Sums the counters of a run by node.
pub(crate) fn operators(graph: &StreamGraph, metrics: &RunMetrics) -> Vec<OperatorReport> {
    let mut reports = vec![OperatorReport::default(); graph.nodes.len()];
    for entry in metrics.entries() {
        let Some(report) = reports.get_mut(entry.node) else { continue };
        let counters = &entry.metrics;
        report.records_in += counters.records_in.get();
        report.records_out += counters.records_out.get();
        report.late_records += counters.late_records.get();
        let state = counters.state_bytes.get().max(0) + counters.spilled_bytes.get().max(0);
        report.state_bytes += state.unsigned_abs();
        report.busy += entry.task.busy.get();
    }
    reports
}

/// Sums the counters of a run by insert: everything upstream of a sink counts for it.
pub(crate) fn inserts(
    graph: &StreamGraph,
    metrics: &RunMetrics,
    wall_seconds: f64,
) -> Vec<InsertReport> {
    let entries = metrics.entries();
    let mut reports = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        let Operator::Sink(sink) = &node.operator else { continue };
        let upstream = upstream(graph, index);
        let mut report = InsertReport {
            name: sink.insert.clone(),
            records_in: 0,
            records_out: 0,
            late_records: 0,
            bad_records: 0,
            wall_seconds,
        };
        for entry in entries.iter().filter(|entry| upstream[entry.node]) {
            if graph.nodes[entry.node].inputs.is_empty() {
                report.records_in += entry.metrics.records_in.get();
            }
            if entry.node == index {
                report.records_out += entry.metrics.records_in.get();
            }
            report.late_records += entry.metrics.late_records.get();
            report.bad_records +=
                entry.source.as_ref().map_or(0, |source| source.bad_records.get());
        }
        reports.push(report);
    }
    reports
}

fn upstream(graph: &StreamGraph, sink: usize) -> Vec<bool> {
    let mut marked = vec![false; graph.nodes.len()];
    marked[sink] = true;
    for index in (0..=sink).rev().filter(|index| *index < graph.nodes.len()) {
        if marked[index] {
            graph.nodes[index].inputs.iter().for_each(|input| marked[input.node] = true);
        }
    }
    marked
}

/// A percentile of samples by nearest rank; 0 if there are none.
pub(crate) fn percentile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_by_nearest_rank() {
        let samples = [4.0, 1.0, 3.0, 2.0];
        assert_eq!([0.5, 0.99, 1.0].map(|p| percentile(&samples, p)), [2.0, 4.0, 4.0]);
        assert_eq!(percentile(&[], 0.5), 0.0);
    }
}
