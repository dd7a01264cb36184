//! Before a job starts: the record and folder it goes on with, whether a checkpoint fits its plan;
//! and the manifest's view of what its tasks acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_checkpoint::task::TaskState;
use tidegate_checkpoint::{Directory, Manifest, OperatorState, SubtaskState};
use tidegate_plan::StreamGraph;
use tidegate_plan::settings::Settings;
use tidegate_plan::state_layout::state_layout;
use tidegate_types::{CompletedCheckpoint, Epoch, JobId, JobRecord, Result, SubtaskId};

use crate::compatibility::Compatibility;

/// The record to go on with and the folder of this start, below the job's folder `home`.
///
/// A checkpoint that the job's own record led to goes on in its folder and lineage. One that was
/// named explicitly may be older than what is visible by now: it begins a new lineage, so that its
/// output is told apart from that of the runs which it leaves. `random` makes the lineage unique.
pub fn open_record(
    job: &JobId,
    home: &Directory,
    previous: Option<JobRecord>,
    initial: Option<&CompletedCheckpoint>,
    random: u64,
) -> (JobRecord, Directory) {
    let lineage = format!("{job}-{random:016x}");
    let mut record = previous.unwrap_or_else(|| JobRecord::new(job.clone(), lineage.clone()));
    let own = initial.and_then(|checkpoint| {
        let rest = checkpoint.folder.strip_prefix(home.url())?.trim_start_matches('/');
        let run = rest.split('/').next().filter(|run| !run.is_empty())?;
        record.checkpoints.iter().any(|known| known == checkpoint).then(|| home.child(run))
    });
    match own {
        Some(folder) => (record, folder),
        None => {
            // Checkpoints of earlier starts stay where they are; this start does not touch them.
            record.checkpoints.clear();
            record.lineage = lineage;
            record.origin = initial.cloned();
            let folder = home.child(&format!("{}", record.attempt.0 + 1));
            (record, folder)
        }
    }
}

/// Gathers what the tasks acknowledged by operator, subtasks in order.
pub(super) fn operator_states(
    graph: &StreamGraph,
    states: &BTreeMap<SubtaskId, TaskState>,
) -> Vec<OperatorState> {
    let mut operators = Vec::new();
    for node in &graph.nodes {
        let subtasks: Vec<_> = states
            .values()
            .flat_map(|state| state.operators.iter())
            .filter(|(id, _)| *id == node.id)
            .map(|(_, state)| state.clone())
            .collect();
        if !subtasks.is_empty() {
            let layout = state_layout(node, graph);
            operators.push(OperatorState {
                id: node.id,
                name: node.name.clone(),
                layout,
                subtasks,
            });
        }
    }
    operators
}

/// State files and staged output of checkpoints that are not complete yet.
pub(super) fn objects_in_flight(
    acknowledged: &BTreeMap<Epoch, BTreeMap<SubtaskId, TaskState>>,
) -> BTreeSet<String> {
    let subtasks = acknowledged
        .values()
        .flat_map(BTreeMap::values)
        .flat_map(|state| &state.operators)
        .map(|(_, subtask)| subtask);
    let tables = subtasks.clone().flat_map(|subtask: &SubtaskState| &subtask.tables);
    let files = tables.flat_map(|table| &table.files);
    let chunks = subtasks.flat_map(|subtask| &subtask.staged).flat_map(|unit| &unit.chunks);
    files.map(|file| file.path.clone()).chain(chunks.map(|chunk| chunk.path.clone())).collect()
}

/// Refuses a checkpoint whose state would be lost before anything starts.
pub(super) fn check_fits(
    manifest: &Manifest,
    graph: &StreamGraph,
    settings: &Settings,
) -> Result<()> {
    let may_drop = settings.boolean("execution.state-recovery.ignore-unclaimed-state");
    let what = format!("checkpoint {} of job {}", manifest.epoch, manifest.job);
    Compatibility::of(manifest, graph).check(&what, may_drop)
}
