//! Audit records: one event with the target `audit` for every call that would change something, whatever came of it.

use std::net::SocketAddr;

use http::{Extensions, HeaderMap};
use tidegate_proto::access::Subject;
use tonic::transport::server::TcpConnectInfo;
use tonic::{Code, Status};

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

impl Outcome {
    /// From the headers of an answer: those of an error say so, those of a message nothing.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self::Answered(Status::from_header_map(headers).map_or(Code::Ok, |status| status.code()))
    }
}

/// A record that is not written yet. It is when the outcome is known, or when this is dropped.
pub(super) struct Record {
    principal: String,
    method: String,
    subject: Subject,
    peer: Option<SocketAddr>,
    outcome: Outcome,
}

impl Record {
    /// Of a call that begins.
    pub(super) fn new(
        principal: &str,
        method: &str,
        subject: &Subject,
        extensions: &Extensions,
    ) -> Self {
        let peer = extensions.get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
        let (principal, method) = (principal.to_owned(), method.to_owned());
        Self { principal, method, subject: subject.clone(), peer, outcome: Outcome::Abandoned }
    }

    /// Writes it.
    pub(super) fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let (outcome, code) = match self.outcome {
            Outcome::Denied(code) => ("denied", code),
            Outcome::Answered(Code::Ok) => ("done", Code::Ok),
            Outcome::Answered(code) => ("failed", code),
            Outcome::Abandoned => ("abandoned", Code::Unknown),
        };
        tracing::info!(
            target: "audit",
            principal = self.principal,
            method = self.method,
            resource = self.subject.resource,
            request_id = self.subject.request_id,
            peer = self.peer.map(tracing::field::display),
            outcome,
            code = ?code,
            "call"
        );
    }
}
