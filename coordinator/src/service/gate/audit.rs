//! Audit records: one for every call that would change something, whatever came of it. Each is an event with the target
//! `audit` and a record of the catalog.
//!
//! A command of an API call carries the call with it and leaves its record itself, with what it changes or why not.
//! Here are those calls that come to no command, and those whose end is another than their command's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Extensions, HeaderMap};
use tidegate_catalog::{self as catalog, Action, AuditAction, Call, Command, Origin};
use tidegate_proto::access::Subject;
use tidegate_runtime::{Clock, Task, spawn};
use tokio::sync::{mpsc, oneshot};
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use tonic::{Code, Status};

use super::directory::Directory;
use super::rate::Rates;

/// Calls that wait to be recorded.
const QUEUE: usize = 4_096;
/// Calls in one command.
const BATCH: usize = 256;
/// How often a batch is proposed before it is given up, and the pause between.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);
/// How long a refused call waits for its record: longer makes no answer better.
const WAIT: Duration = Duration::from_secs(1);
/// Refused calls of one caller and address that are recorded in a second.
const REFUSED_PER_SECOND: u32 = 20;

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was not let in.
    Denied(Code),
    /// It was let in, and answered with this code.
    Answered(Code),
    /// It was let in, and the caller or its deadline did not wait for the answer: it may have been done or not.
    Abandoned,
}

/// Writes records into the catalog.
pub(super) struct Auditor {
    queue: mpsc::Sender<(Call, Option<oneshot::Sender<()>>)>,
    rates: Rates,
    clock: Arc<dyn Clock>,
    _writer: Task<()>,
}

impl Auditor {
    /// Writes until it is dropped.
    pub(super) fn start(directory: Arc<dyn Directory>, clock: Arc<dyn Clock>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let writer = spawn("audit", write(directory, clock.clone(), waiting));
        Self { queue, rates: Rates::default(), clock, _writer: writer }
    }

    /// Records a call and waits until it is kept, for a while.
    async fn record(&self, call: Call) {
        let (kept, wait) = oneshot::channel();
        if self.queue.try_send((call, Some(kept))).is_err() {
            tracing::error!(target: "audit", "a record was lost: too many wait to be written");
            return;
        }
        let _ = tokio::time::timeout(WAIT, wait).await;
    }

    /// Records a call without waiting.
    fn record_later(&self, call: Call) {
        if self.queue.try_send((call, None)).is_err() {
            tracing::error!(target: "audit", "a record was lost: too many wait to be written");
        }
    }
}

async fn write(
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
    mut waiting: mpsc::Receiver<(Call, Option<oneshot::Sender<()>>)>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let (calls, kept): (Vec<Call>, Vec<_>) = batch.drain(..).unzip();
        for attempt in 1..=TRIES {
            let action = Action::Audit(AuditAction::Record { calls: calls.clone() });
            match directory.propose(Command::new(clock.now_ms(), action)).await {
                Ok(()) => break,
                Err(error) if attempt == TRIES => {
                    tracing::error!(target: "audit", %error, records = calls.len(), "records were lost");
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
        for kept in kept.into_iter().flatten() {
            // Whoever waited may have gone.
            let _ = kept.send(());
        }
    }
}

impl Outcome {
    /// From the headers of an answer: those of an error say so, those of a message nothing.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self::Answered(Status::from_header_map(headers).map_or(Code::Ok, |status| status.code()))
    }

    fn stored(self) -> catalog::Outcome {
        match self {
            Self::Denied(_) => catalog::Outcome::Denied,
            Self::Answered(Code::Ok) => catalog::Outcome::Done,
            Self::Answered(_) => catalog::Outcome::Failed,
            Self::Abandoned => catalog::Outcome::Abandoned,
        }
    }

    fn code(self) -> Code {
        match self {
            Self::Denied(code) | Self::Answered(code) => code,
            Self::Abandoned => Code::Unknown,
        }
    }
}

/// A record that is not written yet. It is when the outcome is known, or when this is dropped.
pub(super) struct Record {
    auditor: Option<Arc<Auditor>>,
    origin: Origin,
    ended: bool,
}

/// Address of the other end of a connection.
pub(super) fn address(extensions: &Extensions) -> Option<SocketAddr> {
    let plain = extensions.get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
    let secured = || {
        let info = extensions.get::<TlsConnectInfo<TcpConnectInfo>>()?;
        info.get_ref().remote_addr()
    };
    plain.or_else(secured)
}

impl Record {
    /// Of a call that begins.
    pub(super) fn new(auditor: Option<Arc<Auditor>>, origin: Origin) -> Self {
        Self { auditor, origin, ended: false }
    }

    /// Writes it. `reason` is the error's own code where it has one.
    pub(super) async fn end(mut self, outcome: Outcome, reason: &str) {
        self.ended = true;
        self.tell(outcome);
        let Some(auditor) = self.auditor.clone() else { return };
        let mut call = self.call(outcome, reason);
        if outcome != Outcome::Answered(Code::Ok) {
            let ip = self.origin.address.rsplit_once(':').map_or("", |(ip, _)| ip);
            let key = format!("{} {ip}", self.origin.principal);
            let now = auditor.clock.elapsed();
            let Some(left_out) = auditor.rates.take(&key, REFUSED_PER_SECOND, now) else { return };
            call.left_out = left_out;
        }
        auditor.record(call).await;
    }

    fn call(&self, outcome: Outcome, reason: &str) -> Call {
        let reason = match (outcome.stored(), reason) {
            (catalog::Outcome::Done, _) => String::new(),
            (_, "") => format!("{:?}", outcome.code()),
            (_, reason) => reason.to_owned(),
        };
        Call { origin: self.origin.clone(), outcome: outcome.stored(), reason, left_out: 0 }
    }

    fn tell(&self, outcome: Outcome) {
        let Origin { call, principal, method, resource, request_id, address } = &self.origin;
        tracing::info!(
            target: "audit",
            call,
            principal,
            method,
            resource,
            request_id,
            peer = address,
            outcome = outcome.stored().as_str(),
            code = ?outcome.code(),
            "call"
        );
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.ended {
            self.tell(Outcome::Abandoned);
            if let Some(auditor) = &self.auditor {
                auditor.record_later(self.call(Outcome::Abandoned, ""));
            }
        }
    }
}

/// What a call is, for its record.
pub(super) fn origin(
    call: String,
    principal: &str,
    method: &str,
    subject: &Subject,
    extensions: &Extensions,
) -> Origin {
    Origin {
        call,
        principal: principal.to_owned(),
        method: method.to_owned(),
        resource: subject.resource.clone(),
        request_id: subject.request_id.clone(),
        address: address(extensions).map(|address| address.to_string()).unwrap_or_default(),
    }
}
