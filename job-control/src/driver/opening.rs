//! Before a job starts: the record and folder it goes on with, whether a checkpoint fits its plan;
//! and the manifest's view of what its tasks acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_checkpoint::task::TaskState;
use tidegate_checkpoint::{Directory, Manifest, OperatorState, SubtaskState};
use tidegate_plan::StreamGraph;
use tidegate_plan::settings::Settings;
use tidegate_types::{
    CompletedCheckpoint, Epoch, Error, ErrorCode, JobId, JobRecord, Result, SubtaskId,
};

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
            operators.push(OperatorState { id: node.id, name: node.name.clone(), subtasks });
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

/// Refuses a checkpoint of another job before anything starts.
pub(super) fn check_fits(
    manifest: &Manifest,
    graph: &StreamGraph,
    settings: &Settings,
) -> Result<()> {
    let incompatible = |what: String| Err(Error::new(ErrorCode::Incompatible, what));
    if manifest.key_groups != graph.settings.key_groups {
        return incompatible(format!(
            "the checkpoint has {} key groups, the job {}: set 'pipeline.max-parallelism' to {}",
            manifest.key_groups, graph.settings.key_groups, manifest.key_groups
        ));
    }
    let lost: Vec<&str> = manifest
        .operators
        .iter()
        .filter(|operator| !graph.nodes.iter().any(|node| node.id == operator.id))
        .filter(|operator| {
            operator
                .subtasks
                .iter()
                .any(|s| !s.tables.is_empty() || s.source.is_some() || !s.staged.is_empty())
        })
        .map(|operator| operator.name.as_str())
        .collect();
    if lost.is_empty() || settings.boolean("execution.state-recovery.ignore-unclaimed-state") {
        return Ok(());
    }
    let error = Error::new(
        ErrorCode::Incompatible,
        format!(
            "checkpoint {} of job {} has state of operators that this job does not have: {}",
            manifest.epoch,
            manifest.job,
            lost.join(", ")
        ),
    );
    Err(error.help("restore a checkpoint of this job, or set 'execution.state-recovery.ignore-unclaimed-state' to true to drop that state"))
}
