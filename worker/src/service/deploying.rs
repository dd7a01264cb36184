//! From a run as the leader describes it to a deployment of this process.

use std::sync::Arc;

use async_trait::async_trait;
use tidegate_checkpoint::Directory;
use tidegate_checkpoint::storage::of_checkpoint;
use tidegate_engine::staging::Stored;
use tidegate_plan::settings::Settings;
use tidegate_plan::task_graph::TaskGraph;
use tidegate_plan::{StreamGraph, encoding};
use tidegate_proto::internal::v1 as wire;
use tidegate_proto::tasks::{from_json, malformed, to_json};
use tidegate_runtime::Clock;
use tidegate_types::{Attempt, CompletedCheckpoint, Result};
use tokio::runtime::Handle;

use crate::deployment::{ConnectorFactory, Deployment, Restored};
use crate::prepare::{AssignedSplits, Prepared, prepare};
use crate::resources;
use crate::splits::KnownSplit;

/// Makes the connectors of a job.
#[async_trait]
pub trait ConnectorFactories: Send + Sync {
    /// The factory for the connectors of a plan.
    ///
    /// # Errors
    /// `INVALID_OPTION` for settings of the plan that connectors cannot use.
    fn of_plan(&self, graph: &StreamGraph) -> Result<Arc<dyn ConnectorFactory>>;
}

/// Visits outside systems for something that is no job.
#[async_trait]
pub trait Prober: Send + Sync {
    /// Goes there and says what it found.
    ///
    /// # Errors
    /// Why what was asked for could not be done; never with a secret.
    async fn visit(&self, probe: wire::Probe) -> Result<wire::answer::Result>;
}

/// What deployments of this process have in common.
#[derive(Clone)]
pub struct Host {
    /// Visits of outside systems; none: it makes none.
    pub prober: Option<Arc<dyn Prober>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Connectors.
    pub connectors: Arc<dyn ConnectorFactories>,
    /// The data plane's runtime.
    pub runtime: Handle,
    /// Slots of this worker: a run may use the share of memory that its slots are.
    pub slots: u32,
}

impl Host {
    /// Reads the plan and the checkpoint of a run.
    pub(super) async fn deployment(
        &self,
        run: &wire::RunSpec,
        own_slots: u32,
    ) -> Result<Deployment> {
        let plan = std::str::from_utf8(&run.plan).map_err(|_| malformed("a plan is not text"))?;
        let graph = Arc::new(encoding::decode(plan)?);
        let mut settings = Settings::new();
        for (key, value) in &run.settings {
            settings.set(key, value)?;
        }
        let folder = Directory::open(&run.folder)?;
        let share = f64::from(own_slots.max(1)) / f64::from(self.slots.max(1));
        Ok(Deployment {
            job: run.job.clone(),
            tasks: Arc::new(TaskGraph::build(&graph, run.parallelism)),
            connectors: self.connectors.of_plan(&graph)?,
            graph,
            attempt: Attempt(run.attempt),
            lineage: run.lineage.clone(),
            batch_rows: settings.integer("execution.batch-size").unwrap_or(8192) as usize,
            mode: settings.execution_mode(),
            restored: restored(run).await?,
            checkpoints: folder.storage(),
            savepoints: Directory::open(&run.savepoints)?.storage(),
            staged_as: if folder.is_local() { Stored::Plain } else { Stored::Zstd },
            memory: resources::memory(&settings, share),
            spill: resources::spill(&settings),
            clock: self.clock.clone(),
        })
    }

    /// Finds out about the outside systems of a run.
    pub(super) async fn prepare(&self, run: &wire::RunSpec) -> Result<wire::Prepared> {
        let Prepared { splits, staging, waiting } =
            prepare(&self.deployment(run, self.slots).await?).await?;
        let source = |(node, parts): (usize, Vec<Vec<KnownSplit>>)| {
            let subtasks = parts.iter().map(to_json).collect::<Result<_>>()?;
            Ok(wire::SourceSplits { node: node as u32, subtasks })
        };
        let mut sources = splits.into_iter().map(source).collect::<Result<Vec<_>>>()?;
        sources.sort_by_key(|source| source.node);
        Ok(wire::Prepared { sources, staging, waiting })
    }
}

/// Splits from the wire.
pub(super) fn splits(sources: &[wire::SourceSplits]) -> Result<AssignedSplits> {
    let source = |source: &wire::SourceSplits| {
        let parts = source.subtasks.iter().map(|splits| from_json("splits", splits));
        Ok((source.node as usize, parts.collect::<Result<_>>()?))
    };
    sources.iter().map(source).collect()
}

/// The checkpoint that a run continues from; each worker reads the manifest itself.
async fn restored(run: &wire::RunSpec) -> Result<Option<Restored>> {
    if run.restored.is_empty() {
        return Ok(None);
    }
    let checkpoint: CompletedCheckpoint = from_json("a checkpoint", &run.restored)?;
    let storage = Directory::open(&checkpoint.folder)?.storage();
    let manifest = storage.read_manifest(&checkpoint.manifest).await.map_err(of_checkpoint)?;
    Restored::new(&checkpoint.folder, Arc::new(manifest), run.reusable).map(Some)
}
