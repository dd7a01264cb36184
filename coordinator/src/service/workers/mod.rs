//! The streams of workers. `pool` knows who is there, `remote` runs jobs on them.

pub(crate) mod logs;
mod pool;
pub(crate) mod probes;
pub(crate) mod remote;
mod watch;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{Stream, StreamExt};
use tidegate_proto::internal::v1 as wire;
use tidegate_proto::internal::v1::worker_command::Command;
use tidegate_proto::internal::v1::worker_message::Message;
use tidegate_proto::internal::v1::worker_service_server::WorkerService;
use tidegate_proto::tasks;
use tidegate_proto::v1 as api;
use tidegate_runtime::{Clock, spawn};
use tidegate_types::{Error, ErrorCode, Result};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

pub(crate) use pool::{WorkerInfo, WorkerPool};

/// How often workers are to be heard.
const HEARTBEAT: Duration = Duration::from_millis(1_000);
/// A worker from which nothing was heard for this long is gone.
const SILENCE: Duration = Duration::from_secs(5);
/// How long a worker may take to register.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(5);

/// Who leads, as far as the streams of workers must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lead {
    /// This coordinator, in this term.
    Here(u64),
    /// Another, at this address, if that is known.
    Elsewhere(Option<String>),
}

/// What the streams of workers need of the coordinator.
#[async_trait]
pub(crate) trait Reception: Send + Sync {
    /// Who leads.
    fn lead(&self) -> Lead;

    /// Makes a worker known to the cluster.
    ///
    /// # Errors
    /// `FENCED` if a newer process has its name; `UNAVAILABLE` if this coordinator cannot decide it.
    async fn admit(&self, worker: &WorkerInfo, version: &str) -> Result<()>;
}

/// Takes up the streams of workers.
#[derive(Clone)]
pub(crate) struct WorkerStreams {
    pool: WorkerPool,
    reception: Arc<dyn Reception>,
    clock: Arc<dyn Clock>,
}

/// A worker's stream; dropping it tells the pool that it has ended.
struct Registered<'a> {
    streams: &'a WorkerStreams,
    worker: &'a str,
    session: pool::SessionId,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        let now = self.streams.clock.elapsed();
        self.streams.pool.disconnected(self.worker, self.session, now);
    }
}

type Commands = Pin<Box<dyn Stream<Item = Result<wire::WorkerCommand, Status>> + Send>>;

impl WorkerStreams {
    /// Streams of workers for a pool.
    pub(crate) fn new(
        pool: WorkerPool,
        reception: Arc<dyn Reception>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { pool, reception, clock }
    }

    /// Registers a worker, or says why not.
    async fn register(
        &self,
        register: wire::Register,
    ) -> Result<
        (WorkerInfo, pool::SessionId, mpsc::Receiver<wire::WorkerCommand>, u64),
        wire::Refused,
    > {
        let refused = |error: &Error, leader: Option<String>| wire::Refused {
            failure: Some(tasks::failure_to_wire(error)),
            leader: leader.unwrap_or_default(),
            r#final: error.code() == ErrorCode::Fenced,
        };
        let term = match self.reception.lead() {
            Lead::Here(term) => term,
            Lead::Elsewhere(leader) => {
                let error = Error::new(ErrorCode::Unavailable, "this coordinator does not lead");
                return Err(refused(&error, leader));
            }
        };
        if register.term > term {
            let message = format!("term {} is known to the worker, {term} here", register.term);
            return Err(refused(&Error::new(ErrorCode::Unavailable, message), None));
        }
        let info = WorkerInfo {
            name: register.worker,
            incarnation: register.incarnation,
            shuffle_address: register.shuffle_address,
            slots: register.slots,
            labels: register.labels.into_iter().collect(),
        };
        let admitted = self.reception.admit(&info, &register.version).await;
        admitted.map_err(|error| refused(&error, None))?;
        // The lead may have been lost meanwhile: then nobody would ever look at this stream again.
        let registered = self.pool.register(term, info.clone(), &register.runs);
        let (session, commands) = registered.map_err(|error| refused(&error, None))?;
        Ok((info, session, commands, term))
    }

    /// Serves a registered worker until its stream ends or it is silent.
    async fn serve(
        &self,
        worker: &WorkerInfo,
        session: pool::SessionId,
        mut incoming: Streaming<wire::WorkerMessage>,
    ) -> &'static str {
        // What the worker has sent, told again with every heartbeat: a leader from which nothing is heard is given up.
        let mut last = 0;
        loop {
            let message = match tokio::time::timeout(SILENCE, incoming.next()).await {
                Err(_) => return "it was silent",
                Ok(None) => return "it closed the stream",
                Ok(Some(Err(_))) => return "the stream broke",
                Ok(Some(Ok(message))) => message,
            };
            match message.message {
                Some(Message::Report(report)) => {
                    let sequence = report.sequence;
                    match tasks::report(&report) {
                        Ok(event) => {
                            self.pool.report(&worker.name, session, &report.job, event).await;
                        }
                        Err(error) => {
                            tracing::error!(%error, worker = worker.name, "a report is lost")
                        }
                    }
                    last = sequence;
                    if !self.acknowledge(worker, session, last) {
                        return "it takes no commands";
                    }
                }
                Some(Message::Answer(answer)) => self.pool.answer(&worker.name, session, answer),
                Some(Message::Heartbeat(heartbeat)) => {
                    self.pool.heartbeat(&worker.name, session, heartbeat);
                    if !self.acknowledge(worker, session, last) {
                        return "it takes no commands";
                    }
                }
                Some(Message::Register(_)) | None => return "it sent what does not belong there",
            }
        }
    }

    fn acknowledge(&self, worker: &WorkerInfo, session: pool::SessionId, sequence: u64) -> bool {
        let acknowledge = Command::Acknowledge(wire::Acknowledge { sequence });
        self.pool.tell(&worker.name, session, acknowledge).is_ok()
    }

    async fn stream(
        self,
        mut incoming: Streaming<wire::WorkerMessage>,
        outgoing: mpsc::Sender<Result<wire::WorkerCommand, Status>>,
    ) {
        let first = tokio::time::timeout(REGISTER_TIMEOUT, incoming.next()).await;
        let Ok(Some(Ok(wire::WorkerMessage { message: Some(Message::Register(register)) }))) =
            first
        else {
            let status = Status::invalid_argument("a worker's first message is its registration");
            let _ = outgoing.send(Err(status)).await;
            return;
        };
        let (worker, session, mut commands, term) = match self.register(register).await {
            Ok(registered) => registered,
            Err(refused) => {
                let command = Some(Command::Refused(refused));
                let _ = outgoing.send(Ok(wire::WorkerCommand { term: 0, command })).await;
                return;
            }
        };
        tracing::info!(worker = worker.name, slots = worker.slots, "a worker has registered");
        // Also where this task is ended from outside.
        let _registered = Registered { streams: &self, worker: &worker.name, session };
        let heartbeat_interval_ms = HEARTBEAT.as_millis() as u32;
        let welcome = Command::Registered(wire::Registered { heartbeat_interval_ms });
        let welcome = wire::WorkerCommand { term, command: Some(welcome) };
        let forward = async {
            if outgoing.send(Ok(welcome)).await.is_err() {
                return "it closed the stream";
            }
            // Ends when another stream of the worker, or the end of this lead, replaces this one.
            while let Some(command) = commands.recv().await {
                if outgoing.send(Ok(command)).await.is_err() {
                    return "it closed the stream";
                }
            }
            "it has another stream"
        };
        let why = tokio::select! {
            why = forward => why,
            why = self.serve(&worker, session, incoming) => why,
        };
        tracing::info!(worker = worker.name, why, "the stream of a worker has ended");
    }
}

#[async_trait]
impl WorkerService for WorkerStreams {
    type AttachStream = Commands;

    async fn attach(
        &self,
        request: Request<Streaming<wire::WorkerMessage>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let (outgoing, commands) = mpsc::channel(1);
        let serving =
            spawn("stream of a worker", self.clone().stream(request.into_inner(), outgoing));
        // The task lives as long as the stream of commands.
        let commands = ReceiverStream::new(commands).map(move |command| {
            let _ = &serving;
            command
        });
        Ok(Response::new(Box::pin(commands)))
    }
}

/// Adds up the counters of a run's operators over its workers.
pub(super) fn totals(counters: &[(String, wire::RunCounters)]) -> Vec<api::OperatorMetrics> {
    let mut totals: BTreeMap<u32, (api::OperatorMetrics, [u64; 3])> = BTreeMap::new();
    let newest = counters.iter().map(|(_, run)| run.attempt).max();
    let current = counters.iter().filter(|(_, run)| Some(run.attempt) == newest);
    for operator in current.flat_map(|(_, run)| &run.operators) {
        let (sum, times) = totals.entry(operator.node).or_default();
        sum.node = operator.node;
        sum.operator.clone_from(&operator.name);
        sum.subtasks += operator.subtasks;
        sum.records_in += operator.records_in;
        sum.records_out += operator.records_out;
        sum.late_records += operator.late_records;
        sum.bad_records += operator.bad_records;
        sum.state_bytes += operator.state_bytes;
        let known = sum
            .watermark
            .as_ref()
            .map(|mark| mark.seconds * 1_000 + i64::from(mark.nanos) / 1_000_000);
        let mark = match (known, operator.watermark) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        sum.watermark = mark.and_then(super::api::time);
        times[0] += operator.busy_ns;
        times[1] += operator.backpressured_ns;
        times[2] += operator.busy_ns + operator.backpressured_ns + operator.idle_ns;
    }
    let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let finished = totals.into_values().map(|(mut sum, [busy, backpressured, all])| {
        sum.busy = share(busy, all);
        sum.backpressured = share(backpressured, all);
        sum
    });
    finished.collect()
}
