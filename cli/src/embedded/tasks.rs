//! The tasks of a job in this process.

use std::sync::Arc;

use async_trait::async_trait;
use tidegate_checkpoint::task::{Control, TaskEvent};
use tidegate_engine::staging::Stored;
use tidegate_job_control::DriverSpec;
use tidegate_job_control::driver::run::{Run, RunFacts, RunRequest, Runs};
use tidegate_plan::task_graph::TaskGraph;
use tidegate_types::{Attempt, Result};
use tidegate_worker::{Deployment, Links, Restored, RunMetrics, RunningTasks, resources};
use tokio::sync::{mpsc, watch};

use super::Embedded;
use super::report::Restores;

/// Runs the tasks of one job on the data plane's runtime.
pub(crate) struct LocalRuns {
    pub(crate) embedded: Embedded,
    pub(crate) spec: DriverSpec,
    pub(crate) tasks: Arc<TaskGraph>,
    /// Counters of the current run.
    pub(crate) metrics: watch::Sender<RunMetrics>,
    /// What restoring took, over all runs.
    pub(crate) restores: Arc<std::sync::Mutex<Restores>>,
}

impl LocalRuns {
    fn deployment(&self, request: RunRequest) -> Result<Deployment> {
        let RunRequest { attempt, lineage, restored } = request;
        let settings = &self.spec.settings;
        Ok(Deployment {
            job: self.spec.job.to_string(),
            graph: self.spec.graph.clone(),
            tasks: self.tasks.clone(),
            attempt,
            lineage,
            batch_rows: settings.integer("execution.batch-size").unwrap_or(8192) as usize,
            mode: settings.execution_mode(),
            restored: restored
                .map(|from| Restored::new(&from.checkpoint.folder, from.manifest, from.reusable))
                .transpose()?,
            checkpoints: self.spec.folder.storage(),
            savepoints: self.spec.savepoints.storage(),
            // Compressed where the store is far away.
            staged_as: if self.spec.folder.is_local() { Stored::Plain } else { Stored::Zstd },
            memory: resources::memory(settings, 1.0),
            spill: resources::spill(settings),
            clock: self.embedded.clock.clone(),
            connectors: self.embedded.connectors.clone(),
        })
    }
}

#[async_trait]
impl Runs for LocalRuns {
    async fn deploy(
        &self,
        request: RunRequest,
        events: mpsc::Sender<TaskEvent>,
    ) -> Result<Box<dyn Run>> {
        let attempt = request.attempt;
        let deployment = self.deployment(request)?;
        let prepared = tidegate_worker::prepare(&deployment).await?;
        let tasks = tidegate_worker::start(
            deployment,
            prepared,
            Links::Local,
            &self.embedded.runtime,
            events,
        )?;
        self.metrics.send_replace(tasks.metrics.clone());
        let facts = RunFacts {
            tasks: tasks.ids(),
            sinks: tasks.sinks().clone(),
            staging: tasks.is_staging(),
            waiting: tasks.wait_for_checkpoints().to_vec(),
        };
        Ok(Box::new(LocalRun { attempt, facts, tasks, restores: self.restores.clone() }))
    }
}

struct LocalRun {
    attempt: Attempt,
    facts: RunFacts,
    tasks: RunningTasks,
    restores: Arc<std::sync::Mutex<Restores>>,
}

impl LocalRun {
    /// Adds what the run took to the job's report.
    fn note(&self) {
        let mut restores = self.restores.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        restores.add(self.attempt, &self.tasks.metrics);
    }
}

#[async_trait]
impl Run for LocalRun {
    fn facts(&self) -> &RunFacts {
        &self.facts
    }

    fn tell_all(&self, control: &Control) -> Result<()> {
        self.tasks.tell_all(control)
    }

    async fn stop(self: Box<Self>) -> Result<()> {
        self.note();
        self.tasks.stop().await
    }

    async fn kill(self: Box<Self>) {
        self.note();
        self.tasks.kill().await;
    }
}
