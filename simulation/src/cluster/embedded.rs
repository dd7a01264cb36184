//! The process of `tidegate run`: job control's driver over a folder of records, with tasks of its own. Nobody keeps a
//! person from starting two on one folder.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use tidegate_catalog::VersionSpec;
use tidegate_checkpoint::Directory;
use tidegate_checkpoint::finding::{RestoreFrom, find};
use tidegate_checkpoint::records::RecordFolder;
use tidegate_checkpoint::task::{Control, TaskEvent};
use tidegate_engine::staging::Stored;
use tidegate_job_control::driver::opening::open_record;
use tidegate_job_control::driver::progress::Progress;
use tidegate_job_control::driver::random;
use tidegate_job_control::driver::run::{Ledger, Note, Run, RunFacts, RunRequest, Runs};
use tidegate_job_control::{Driver, DriverSpec, Outcome, Start, Surroundings};
use tidegate_plan::encoding;
use tidegate_plan::settings::Settings;
use tidegate_plan::task_graph::TaskGraph;
use tidegate_runtime::Clock;
use tidegate_types::{ErrorCode, JobId, JobRecord, Result};
use tidegate_worker::{
    ConnectorFactory, Deployment, Links, Restored, RunningTasks, prepare, resources, start,
};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use crate::kernel::{HostClock, Main};
use crate::outside::connectors::Connectors;
use crate::outside::feed::Feed;
use crate::outside::target::Target;

/// How a process ends whose job has processed all of its input.
pub(crate) const FINISHED: &str = "finished";

/// The folder that all processes share.
const FOLDER: &str = "sim://embedded";

/// What a process is started with.
pub(crate) struct Boot {
    pub(crate) now: Duration,
    pub(crate) ahead: Arc<AtomicI64>,
    pub(crate) feed: Feed,
    pub(crate) target: Target,
    pub(crate) version: Arc<VersionSpec>,
}

/// The process.
pub(crate) fn main(boot: Boot) -> Main {
    async move {
        match run(boot).await {
            Ok(Outcome::Finished) => FINISHED.to_owned(),
            Ok(outcome) => format!("ended: {outcome:?}"),
            Err(error) => format!("stopped: {:?}: {error}", error.code()),
        }
    }
    .boxed()
}

struct FolderLedger(RecordFolder);

#[async_trait]
impl Ledger for FolderLedger {
    async fn save(&self, record: &JobRecord) -> Result<()> {
        self.0.save(record).await
    }

    async fn note(&self, _: Note) {}
}

async fn run(boot: Boot) -> Result<Outcome> {
    let Boot { now, ahead, feed, target, version } = boot;
    let clock = HostClock::begin(now, ahead);
    let job = JobId::from_name("job");
    let directory = Directory::open(FOLDER)?;
    let home = directory.child(job.as_str());
    let records = RecordFolder::new(home.storage());
    let previous = records.load().await?;
    let initial = match find(FOLDER, &job).await {
        Ok(RestoreFrom::Checkpoints(checkpoints)) => checkpoints,
        Ok(RestoreFrom::Nothing) => Vec::new(),
        Err(error) if error.code() == ErrorCode::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let (record, folder) = open_record(&job, &home, previous, initial.first(), random());
    let mut settings = Settings::new();
    for (key, value) in &version.settings {
        settings.set(key, value)?;
    }
    let graph = Arc::new(encoding::decode(&version.plan)?);
    let savepoints = folder.child("savepoints");
    let spec = DriverSpec { job, graph: graph.clone(), settings, folder, savepoints };
    let runs = LocalRuns {
        spec: spec.clone(),
        tasks: Arc::new(TaskGraph::build(&graph, version.parallelism)),
        connectors: Arc::new(Connectors { feed, target, clock: clock.clone() }),
        clock: clock.clone(),
    };
    let surroundings =
        Surroundings { clock, ledger: Arc::new(FolderLedger(records)), runs: Arc::new(runs) };
    let (progress, _) = watch::channel(Progress::default());
    let driver = Driver::new(spec, surroundings, record, progress);
    let (_nobody_asks, requests) = mpsc::channel(1);
    driver.drive(Start::Fresh(initial), requests).await.0
}

struct LocalRuns {
    spec: DriverSpec,
    tasks: Arc<TaskGraph>,
    connectors: Arc<dyn ConnectorFactory>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Runs for LocalRuns {
    async fn deploy(
        &self,
        request: RunRequest,
        events: mpsc::Sender<TaskEvent>,
    ) -> Result<Box<dyn Run>> {
        let RunRequest { attempt, lineage, restored } = request;
        let settings = &self.spec.settings;
        let deployment = Deployment {
            job: self.spec.job.to_string(),
            graph: self.spec.graph.clone(),
            tasks: self.tasks.clone(),
            attempt,
            lineage,
            batch_rows: 8_192,
            mode: settings.execution_mode(),
            restored: restored
                .map(|from| Restored::new(&from.checkpoint.folder, from.manifest, from.reusable))
                .transpose()?,
            checkpoints: self.spec.folder.storage(),
            savepoints: self.spec.savepoints.storage(),
            staged_as: Stored::Plain,
            memory: resources::memory(settings, 1.0),
            spill: resources::spill(settings),
            clock: self.clock.clone(),
            connectors: self.connectors.clone(),
        };
        let prepared = prepare(&deployment).await?;
        let tasks = start(deployment, prepared, Links::Local, &Handle::current(), events)?;
        let facts = RunFacts {
            tasks: tasks.ids(),
            sinks: tasks.sinks().clone(),
            staging: tasks.is_staging(),
            waiting: tasks.wait_for_checkpoints().to_vec(),
        };
        Ok(Box::new(LocalRun { facts, tasks }))
    }
}

struct LocalRun {
    facts: RunFacts,
    tasks: RunningTasks,
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
        self.tasks.stop().await
    }

    async fn kill(self: Box<Self>) {
        self.tasks.kill().await;
    }
}
