//! What a subtask continues from: state of its operators, output of its sinks that must be settled
//! before anything new is written.

use futures::future::try_join_all;
use tidegate_checkpoint::{Manifest, TableState};
use tidegate_engine::connector::{Confirmed, RestoredEpoch, RestoredOutput, StagedUnit};
use tidegate_engine::metrics::TaskMetrics;
use tidegate_engine::operator::{OperatorContext, delayed};
use tidegate_engine::staging::StagingFolder;
use tidegate_engine::task::chain::{Chain, Stage};
use tidegate_engine::task::sink_stage::SinkStage;
use tidegate_engine::task::snapshot::{StateFiles, restore_operator};
use tidegate_plan::task_graph::Task;
use tidegate_runtime::failpoint;
use tidegate_types::error::ResultExt;
use tidegate_types::{MIN_WATERMARK, OperatorId, Result, SubtaskId, Watermark};

use crate::deployment::Deployment;

/// The state that a subtask of an operator continues from.
pub(crate) struct OperatorRestore {
    /// Combined watermark.
    pub(crate) watermark: Watermark,
    /// Tables of every subtask of the checkpoint.
    pub(crate) tables: Vec<TableState>,
    /// Staged output of every writer of the checkpoint.
    pub(crate) staged: Vec<StagedUnit>,
    /// Output of every writer that was known to be visible.
    pub(crate) confirmed: Vec<Confirmed>,
}

/// Collects an operator's state from a manifest.
pub(crate) fn restored_operator(manifest: Option<&Manifest>, id: OperatorId) -> OperatorRestore {
    let mut restore = OperatorRestore {
        watermark: MIN_WATERMARK,
        tables: Vec::new(),
        staged: Vec::new(),
        confirmed: Vec::new(),
    };
    let Some(state) = manifest.and_then(|manifest| manifest.operator(id)) else { return restore };
    let watermarks =
        state.subtasks.iter().map(|subtask| subtask.watermark.unwrap_or(MIN_WATERMARK));
    restore.watermark = watermarks.min().unwrap_or(MIN_WATERMARK);
    for subtask in &state.subtasks {
        restore.staged.extend(subtask.staged.iter().cloned());
        restore.confirmed.extend(subtask.confirmed.iter().cloned());
        restore.tables.extend(subtask.tables.iter().cloned());
    }
    restore
}

/// Opens the operators of a chain with their restored state, and settles the output of its sinks.
pub(crate) async fn open(
    chain: &mut Chain,
    deployment: &Deployment,
    task: &Task,
    subtask: SubtaskId,
    metrics: &TaskMetrics,
) -> Result<()> {
    let key_groups = deployment.graph.settings.key_groups;
    let watermark = chain.watermark();
    let mut sinks = Vec::new();
    let delays = chain.delays();
    for (node, delay) in chain.nodes_mut().iter_mut().zip(delays) {
        let restored = deployment.restored.as_ref();
        let manifest =
            restored.map(|restored| restored.manifest.as_ref()).filter(|_| node.id.is_some());
        let state = restored_operator(manifest, node.id.unwrap_or(OperatorId(0)));
        match &mut node.stage {
            Stage::Operator(operator) => {
                let owned = deployment.owned(subtask.index, task.parallelism);
                let context = OperatorContext {
                    subtask: subtask.index,
                    parallelism: task.parallelism,
                    key_groups,
                    owned,
                    watermark: delayed(watermark, delay),
                    batch_rows: deployment.batch_rows,
                    metrics: node.metrics.clone(),
                    memory: deployment.memory.clone(),
                    spill: deployment.spill.counting(&node.metrics),
                };
                operator.open(&context).context(|| node.name.clone())?;
                node.files = StateFiles::new(owned);
                let Some(restored) = restored.filter(|_| node.id.is_some()) else { continue };
                let bytes =
                    restore_operator(operator.as_mut(), owned, &state.tables, &restored.storage)
                        .await
                        .context(|| node.name.clone())?;
                metrics.restored_bytes.add(bytes);
                node.files = StateFiles::restored(&state.tables, owned, restored.reusable);
            }
            Stage::Sink(sink) => {
                let output = output_of(state, deployment, subtask.index, task.parallelism);
                sinks.push((sink, output, node.name.as_str()));
            }
            Stage::Output(_) | Stage::Lookup(_) => {}
        }
    }
    // Side by side: one may have to wait until another has ended what a dead run left open.
    let settled = sinks.into_iter().map(|(sink, output, name)| settle(sink, output, name));
    try_join_all(settled).await.map(drop)
}

/// The part of a sink's restored output that a subtask settles.
fn output_of(
    state: OperatorRestore,
    deployment: &Deployment,
    subtask: u32,
    parallelism: u32,
) -> RestoredOutput {
    let Some(restored) = &deployment.restored else { return RestoredOutput::nothing() };
    let mine = |writer: u32| writer % parallelism == subtask;
    let mut units: Vec<_> = state.staged.into_iter().filter(|unit| mine(unit.writer)).collect();
    units.sort_by_key(|unit| (unit.writer, unit.epoch));
    if failpoint::defect("skip-settlement") {
        units.clear();
    }
    RestoredOutput {
        checkpoint: Some(RestoredEpoch {
            lineage: restored.manifest.lineage.clone(),
            epoch: restored.manifest.epoch,
        }),
        units,
        confirmed: state.confirmed.into_iter().filter(|known| mine(known.writer)).collect(),
        folder: Some(StagingFolder {
            storage: restored.staging.clone(),
            stored: deployment.staged_as,
        }),
    }
}

async fn settle(sink: &mut SinkStage, output: RestoredOutput, name: &str) -> Result<()> {
    let mut confirmed = output.confirmed.clone();
    confirmed.extend(output.units.iter().map(|unit| Confirmed {
        lineage: unit.lineage.clone(),
        writer: unit.writer,
        epoch: unit.epoch,
    }));
    sink.writer.recover(output).await.context(|| format!("settle output of {name}"))?;
    sink.open(name, &confirmed);
    Ok(())
}
