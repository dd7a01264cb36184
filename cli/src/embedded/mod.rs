//! A cluster of one process: job control's driver over a folder of records and tasks in this process.
//!
//! [`tasks`] runs them, [`spec`] says what a job is started with, [`report`] sums up a run.

pub(crate) mod report;
pub(crate) mod spec;
pub(crate) mod tasks;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tidegate_checkpoint::finding::{RestoreFrom, find};
use tidegate_checkpoint::records::RecordFolder;
use tidegate_job_control::driver::opening::open_record;
use tidegate_job_control::driver::random;
use tidegate_job_control::driver::run::{Ledger, Note};
use tidegate_job_control::{Driver, DriverSpec, Outcome, Request, Start, Surroundings};
use tidegate_plan::task_graph::TaskGraph;
use tidegate_runtime::Clock;
use tidegate_types::error::ResultExt;
use tidegate_types::{CompletedCheckpoint, JobRecord, Result};
use tidegate_worker::ConnectorFactory;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

pub(crate) use report::JobReport;
pub(crate) use spec::{JobSpec, Watched};
use tasks::LocalRuns;

/// The surroundings of embedded jobs.
#[derive(Clone)]
pub(crate) struct Embedded {
    /// Time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Connectors.
    pub(crate) connectors: Arc<dyn ConnectorFactory>,
    /// The data plane's runtime.
    pub(crate) runtime: Handle,
}

/// Keeps records in the job's folder.
struct FolderLedger(RecordFolder);

#[async_trait]
impl Ledger for FolderLedger {
    async fn save(&self, record: &JobRecord) -> Result<()> {
        self.0.save(record).await
    }

    async fn note(&self, _note: Note) {}
}

impl Embedded {
    /// Runs a job to its end. `requests` may stop it, `watched` shows how it goes.
    ///
    /// # Errors
    /// Why the job failed for good, or could not start.
    pub(crate) async fn run(
        &self,
        spec: JobSpec,
        requests: mpsc::Receiver<Request>,
        watched: Watched,
    ) -> Result<(Outcome, JobReport)> {
        let started = self.clock.elapsed();
        let home = spec.directory.child(spec.job.as_str());
        let clock_id = self.clock.now_ms();
        home.storage()
            .probe(&format!("{clock_id}-{:x}", random()))
            .await
            .context(|| format!("open checkpoint directory {}", spec.directory.url()))?;
        let records = RecordFolder::new(home.storage());
        let previous = records.load().await?;
        let initial = initial(&spec).await?;
        let (record, folder) = open_record(&spec.job, &home, previous, initial.first(), random());
        let savepoints = match &spec.savepoint_dir {
            Some(directory) => directory.child(spec.job.as_str()),
            None => folder.child("savepoints"),
        };
        let graph = Arc::new(spec.graph);
        let tasks = Arc::new(TaskGraph::build(&graph, spec.parallelism));
        let (job, settings) = (spec.job, spec.settings);
        let driven = DriverSpec { job, graph: graph.clone(), settings, folder, savepoints };
        let restores = Arc::new(Mutex::default());
        let metrics = watched.metrics.subscribe();
        let runs = LocalRuns {
            embedded: self.clone(),
            spec: driven.clone(),
            tasks,
            metrics: watched.metrics,
            restores: Arc::clone(&restores),
        };
        let surroundings = Surroundings {
            clock: self.clock.clone(),
            ledger: Arc::new(FolderLedger(records)),
            runs: Arc::new(runs),
        };
        let driver = Driver::new(driven, surroundings, record, watched.progress);
        let (outcome, checkpoints) = driver.drive(Start::Fresh(initial), requests).await;
        let wall = (self.clock.elapsed() - started).as_secs_f64();
        let restores = *restores.lock().unwrap_or_else(PoisonError::into_inner);
        let report = JobReport {
            inserts: report::inserts(&graph, &metrics.borrow(), wall),
            operators: report::operators(&graph, &metrics.borrow()),
            checkpoints,
            restores,
        };
        Ok((outcome?, report))
    }
}

/// What the job starts from, best first.
async fn initial(spec: &JobSpec) -> Result<Vec<CompletedCheckpoint>> {
    let Some(path) = &spec.restore else { return Ok(Vec::new()) };
    match find(path, &spec.job).await.context(|| "restore")? {
        RestoreFrom::Checkpoints(checkpoints) => Ok(checkpoints),
        RestoreFrom::Nothing => {
            tracing::warn!(job = %spec.job, "no checkpoint was ever completed at {path}: the job starts from the beginning");
            Ok(Vec::new())
        }
    }
}
