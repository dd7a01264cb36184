//! Previews of tables on a worker: a small job of this process whose rows are sent back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidegate_checkpoint::Directory;
use tidegate_connectors::ConnectorEnv;
use tidegate_engine::Changes;
use tidegate_functions::Zone;
use tidegate_job_control::driver::progress::Progress;
use tidegate_job_control::{Outcome, Request};
use tidegate_plan::settings::Settings;
use tidegate_plan::{Operator, RowKind, Schema, StreamGraph, encoding};
use tidegate_proto::internal::v1 as wire;
use tidegate_proto::internal::v1::previewed::{End, Row};
use tidegate_proto::tasks::malformed;
use tidegate_runtime::{Clock, spawn};
use tidegate_types::{Error, ErrorCode, JobId, Result};
use tidegate_worker::RunMetrics;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::embedded::{Embedded, JobSpec, Watched};
use crate::output::{Connectors, JsonRows};

/// Previews of a worker at the same time.
const AT_ONCE: usize = 4;
/// Batches that wait to be taken.
const CAPACITY: usize = 4;
/// Memory for the state of one: that of a join it has none, of content by key the rows that are shown.
const MEMORY: &str = "64 mb";
/// How long one may take to end behind its deadline.
const ENDING: Duration = Duration::from_secs(2);

/// Makes previews.
pub(super) struct Previews {
    clock: Arc<dyn Clock>,
    runtime: Handle,
    running: Semaphore,
}

impl Previews {
    /// With the runtime of jobs.
    pub(super) fn new(clock: Arc<dyn Clock>, runtime: Handle) -> Self {
        Self { clock, runtime, running: Semaphore::new(AT_ONCE) }
    }

    /// Runs a plan until there are enough rows, or the deadline comes.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED` if too many run here; what the table is read with.
    pub(super) async fn run(
        &self,
        preview: wire::probe::Preview,
        deadline: Duration,
    ) -> Result<wire::Previewed> {
        let _permit = self.running.try_acquire().map_err(|_| {
            let message = format!("{AT_ONCE} previews run on this worker already");
            Error::new(ErrorCode::ResourceExhausted, message).help("try again in some seconds")
        })?;
        let plan =
            std::str::from_utf8(&preview.plan).map_err(|_| malformed("a plan is not text"))?;
        let graph = encoding::decode(plan)?;
        let zone = Zone::parse(&graph.settings.time_zone)?;
        let mut rows = Rows {
            json: JsonRows::new(collected(&graph)?, zone)?,
            found: Vec::new(),
            most: preview.rows as usize,
            room: usize::try_from(preview.bytes).unwrap_or(usize::MAX),
        };
        let (collected, mut changes) = mpsc::channel(CAPACITY);
        let (requests, asked) = mpsc::channel(1);
        let mut job = spawn("preview", self.job(graph, zone, collected, asked)?);
        let limit = tokio::time::sleep(deadline);
        tokio::pin!(limit);
        let end = loop {
            tokio::select! {
                next = changes.recv() => match next {
                    Some(changes) => {
                        if let Some(end) = rows.take(&changes)? {
                            break end;
                        }
                    }
                    None => break End::Input,
                },
                () = &mut limit => break End::Time,
            }
        };
        if end == End::Input {
            // Whether it has ended or failed is only known now.
            match job.await?? {
                Outcome::Failed(code, message) => return Err(Error::new(code, message)),
                _ => return Ok(rows.previewed(end)),
            }
        }
        drop(changes);
        let _ = requests.try_send(Request::Cancel);
        if tokio::time::timeout(ENDING, &mut job).await.is_err() {
            tracing::warn!("a preview does not end in time: it is dropped");
        }
        Ok(rows.previewed(end))
    }

    fn job(
        &self,
        graph: StreamGraph,
        zone: Zone,
        collected: mpsc::Sender<Changes>,
        requests: mpsc::Receiver<Request>,
    ) -> Result<impl Future<Output = Result<Outcome>> + use<>> {
        let (now, elapsed) = (self.clock.clone(), self.clock.clone());
        let env = ConnectorEnv {
            clock: Arc::new(move || now.now_ms()),
            monotonic: Arc::new(move || elapsed.elapsed()),
            zone,
            stdout: Arc::new(Mutex::new(Box::new(std::io::stdout()))),
            stderr: Arc::new(Mutex::new(Box::new(std::io::stderr()))),
        };
        let connectors = Connectors::new(env, Some(collected));
        let embedded = Embedded {
            clock: self.clock.clone(),
            connectors: Arc::new(connectors),
            runtime: self.runtime.clone(),
        };
        let mut settings = Settings::new();
        settings.set("taskmanager.memory.managed.size", MEMORY)?;
        // One attempt: what fails is said.
        settings.set("restart-strategy.type", "none")?;
        let folder = tempfile::tempdir().map_err(|error| {
            Error::new(ErrorCode::Unavailable, format!("make a folder for a preview: {error}"))
        })?;
        let spec = JobSpec {
            job: JobId::from_name("preview"),
            graph,
            settings,
            parallelism: 1,
            directory: Directory::open(&folder.path().display().to_string())?,
            savepoint_dir: None,
            restore: None,
        };
        let (progress, _) = watch::channel(Progress::default());
        let (metrics, _) = watch::channel(RunMetrics::default());
        Ok(async move {
            let ran = embedded.run(spec, requests, Watched { progress, metrics }).await;
            drop(folder);
            ran.map(|(outcome, _)| outcome)
        })
    }
}

/// The columns of the rows that a plan collects.
fn collected(graph: &StreamGraph) -> Result<&Schema> {
    let sink = graph.nodes.iter().find(|node| matches!(node.operator, Operator::Sink(_)));
    sink.map(|node| &node.schema).ok_or_else(|| malformed("a preview without a sink"))
}

/// What was found so far.
struct Rows {
    json: JsonRows,
    found: Vec<Row>,
    most: usize,
    /// Bytes that there is room for.
    room: usize,
}

impl Rows {
    /// Takes rows; says whether these are enough.
    fn take(&mut self, changes: &Changes) -> Result<Option<End>> {
        let records = self.json.records(changes)?;
        for row in 0..records.len() {
            let Some(record) = records.get(row) else { continue };
            if record.len() > self.room {
                return Ok(Some(End::Bytes));
            }
            self.room -= record.len();
            let kind = RowKind::from_i8(changes.kind(row)).unwrap_or(RowKind::Insert);
            let json = String::from_utf8_lossy(record).into_owned();
            self.found.push(Row { kind: kind.to_string(), json });
            if self.found.len() >= self.most {
                return Ok(Some(End::Rows));
            }
        }
        Ok(None)
    }

    fn previewed(self, end: End) -> wire::Previewed {
        wire::Previewed { rows: self.found, end: end.into() }
    }
}
