//! What is found out about the outside systems of a run before its tasks are started, by one worker for all.

use std::collections::HashMap;

use tidegate_engine::connector::Split;
use tidegate_types::Result;

use crate::build::Connectors;
use crate::deployment::Deployment;
use crate::splits::{self, KnownSplit};

/// The splits of each source by subtask; sources by the index of their node.
pub type AssignedSplits = HashMap<usize, Vec<Vec<KnownSplit>>>;

/// What was found out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prepared {
    /// Splits.
    pub splits: AssignedSplits,
    /// Whether a sink shows its output only with a checkpoint.
    pub staging: bool,
    /// Tables whose rows nobody would see without checkpoints, although the job never ends.
    pub waiting: Vec<String>,
}

/// Makes the connectors, checks the sinks and lists the splits. Starts nothing.
///
/// # Errors
/// What connectors, their enumeration or their checks fail with.
pub async fn prepare(deployment: &Deployment) -> Result<Prepared> {
    let connectors = Connectors::make(deployment)?;
    connectors.check().await?;
    let mut prepared = Prepared {
        splits: HashMap::new(),
        staging: connectors.any_staging(),
        waiting: connectors.wait_for_checkpoints(&deployment.graph),
    };
    for task in &deployment.tasks.tasks {
        let root = task.nodes[0];
        let Ok(source) = connectors.source(root) else { continue };
        let node = &deployment.graph.nodes[root];
        let manifest = deployment.restored.as_ref().map(|restored| restored.manifest.as_ref());
        let splits =
            splits::assign(source.as_ref(), node.id, &node.name, manifest, task.parallelism)
                .await?;
        prepared.splits.insert(root, splits);
    }
    Ok(prepared)
}

/// All splits of each source.
pub(crate) fn known_splits(assigned: &AssignedSplits) -> HashMap<usize, Vec<Split>> {
    let all = |parts: &Vec<Vec<KnownSplit>>| {
        parts.iter().flatten().map(|(split, _)| split.clone()).collect()
    };
    assigned.iter().map(|(node, parts)| (*node, all(parts))).collect()
}
