//! The gate that every call passes before anything else looks at it: what the `.proto` files demand of the caller is
//! demanded here, in one place and before it is known whether what is named exists.
//!
//! - A method of the public API demands a permission in a place (`place`). The caller (`caller`) says who it is with a
//!   token; a coordinator that passes a call on says it for the caller, which only a certificate with the coordinator's
//!   role may. In a tenant that the caller has no role in nothing exists.
//! - A service between nodes demands a certificate with a role, where TLS is configured.
//! - Health and reflection demand nothing: they say what runs, and what is in a public file.
//! - What is in none of these is not served.
//!
//! Calls that change something leave an audit record (`audit`). A call whose deadline passes is answered
//! `DEADLINE_EXCEEDED` (`deadline`). Projects have quotas of calls (`rate`).

mod admission;
mod audit;
mod body;
mod caller;
mod deadline;
mod directory;
mod place;
mod rate;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use tidegate_job_control::driver::random;
use tidegate_proto::access::{Access, Method, Subject};
use tidegate_proto::status::to_status;
use tidegate_runtime::Clock;
use tidegate_security::KnownTokens;
use tidegate_types::{Error, ErrorCode, Result};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic_types::StatusExt;
use tower_layer::Layer;

use admission::{Admission, Doorkeeper};
use audit::{Auditor, Record};
use body::{DENIED_BYTES, Patience};
pub(super) use caller::{Caller, SignedIn, hand_on, peer_has};
pub(super) use place::Place;

use crate::raft::Metadata;
use crate::service::call::CurrentCall;

/// Services that are open to everybody.
const OPEN: [&str; 3] = ["/grpc.health.v1.", "/grpc.reflection.v1.", "/grpc.reflection.v1alpha."];

/// Who is asked what.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// Tokens of the configuration; clients without one must have an account.
    pub(super) tokens: KnownTokens,
    /// Whether nobody is asked who they are.
    pub(super) nobody: bool,
    /// Whether nodes have certificates.
    pub(super) certificates: bool,
}

/// Who is let in.
struct Rules {
    methods: BTreeMap<String, Method>,
    doorkeeper: Doorkeeper,
    certificates: bool,
    auditor: Option<Arc<Auditor>>,
}

/// Puts the gate in front of services.
#[derive(Clone)]
pub(super) struct Gate(Arc<Rules>);

impl Gate {
    /// For what `tidegate_proto` describes.
    ///
    /// # Errors
    /// `INTERNAL` if the descriptions cannot be read; the build has read them before.
    pub(super) fn new(asked: Asked, metadata: &Metadata, clock: &Arc<dyn Clock>) -> Result<Self> {
        let directory: Arc<dyn directory::Directory> = Arc::new(metadata.clone());
        let auditor = Arc::new(Auditor::start(directory.clone(), clock.clone()));
        Self::with(asked, directory, clock, Some(auditor))
    }

    fn with(
        asked: Asked,
        directory: Arc<dyn directory::Directory>,
        clock: &Arc<dyn Clock>,
        auditor: Option<Arc<Auditor>>,
    ) -> Result<Self> {
        let methods = tidegate_proto::access::table(tidegate_proto::DESCRIPTORS)
            .map_err(|error| Error::internal(format!("read who may call what: {error}")))?;
        let certificates = asked.certificates;
        let doorkeeper = Doorkeeper::new(asked, directory, clock.clone())?;
        Ok(Self(Arc::new(Rules { methods, doorkeeper, certificates, auditor })))
    }
}

impl<S> Layer<S> for Gate {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, rules: self.0.clone() }
    }
}

/// Services behind the gate.
#[derive(Clone)]
pub(super) struct Guarded<S> {
    inner: S,
    rules: Arc<Rules>,
}

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The one that is ready is used, a clone waits for the next call.
        let ready = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, ready);
        let rules = self.rules.clone();
        let limit = deadline::of(request.headers());
        deadline::within(limit, async move { rules.pass(inner, request).await }).boxed()
    }
}

impl Rules {
    /// Lets a call in, or answers it here.
    async fn pass<S>(
        &self,
        mut inner: S,
        request: Request<Body>,
    ) -> Result<Response<Body>, S::Error>
    where
        S: Service<Request<Body>, Response = Response<Body>>,
    {
        let path = request.uri().path();
        if OPEN.iter().any(|open| path.starts_with(open)) {
            return inner.call(request).await;
        }
        let Some(method) = self.methods.get(path) else {
            let status = Status::unimplemented(format!("{path} is not served"));
            return Ok(status.into_http());
        };
        match &method.access {
            Access::Peer(role) => match self.check_peer(&request, role) {
                Ok(()) => inner.call(request).await,
                Err(error) => {
                    tracing::warn!(%error, method = method.name, "refused a call of another node");
                    Ok(to_status(&error).into_http())
                }
            },
            Access::Permission(permission) => {
                let permission = permission.clone();
                self.pass_caller(inner, request, method, &permission).await
            }
        }
    }

    fn check_peer(&self, request: &Request<Body>, role: &str) -> Result<()> {
        if !self.certificates || peer_has(request.extensions(), role) {
            return Ok(());
        }
        let message = format!("only a certificate of a {role} gives access to this service");
        Err(Error::new(ErrorCode::Unauthenticated, message)
            .help("`tidegate cert issue` makes one; its section in the configuration is [tls]"))
    }

    async fn pass_caller<S>(
        &self,
        mut inner: S,
        request: Request<Body>,
        method: &Method,
        permission: &str,
    ) -> Result<Response<Body>, S::Error>
    where
        S: Service<Request<Body>, Response = Response<Body>>,
    {
        let asserted = caller::is_handed_on(&request);
        let shown = caller::shown(&request);
        // Who is not known is not worth much reading.
        let known = self.doorkeeper.caller(&shown).await;
        let patience = match known {
            Ok(_) => Patience::with(super::server::MESSAGE_BYTES),
            Err(_) => Patience::with(DENIED_BYTES),
        };
        // What a stream is about stands in its first message.
        let read = match method.takes_stream {
            true => body::first(request, patience).await,
            false => body::read(request, patience).await,
        };
        let (mut request, subject, unread) = match read {
            Ok((request, bytes)) => (request, method.subject(body::message(&bytes)), None),
            Err((request, status)) => (request, Subject::default(), Some(status)),
        };
        let (caller, admitted) = match known {
            Ok(caller) => {
                let Admission { caller, decision } =
                    self.doorkeeper.admit(&shown, caller, method, permission, &subject).await;
                (caller, decision)
            }
            Err(error) => (Caller::nobody(), Err(error)),
        };
        let address = audit::address(request.extensions());
        let origin = (method.mutates() && !asserted).then(|| {
            let call = format!("{:016x}", random());
            audit::origin(call, &caller.name, &method.name, &subject, request.extensions())
        });
        let record = origin.clone().map(|origin| Record::new(self.auditor.clone(), origin));
        if let Err(error) = admitted {
            let status = caller::refusal(&error, permission, &subject.resource);
            if let Some(record) = record {
                record.end(audit::Outcome::Denied(status.code()), error.code().as_str()).await;
            }
            return Ok(status.into_http());
        }
        if let Some(status) = unread {
            if let Some(record) = record {
                record.end(audit::Outcome::Answered(status.code()), "").await;
            }
            return Ok(status.into_http());
        }
        request.extensions_mut().insert(caller.clone());
        let address = address.map(|address| address.to_string()).unwrap_or_default();
        let call = CurrentCall { caller, origin, address };
        let response = call.serve(inner.call(request)).await?;
        if let Some(record) = record {
            let status = Status::from_header_map(response.headers());
            let info = status.and_then(|status| status.get_details_error_info());
            let reason = info.map(|info| info.reason).unwrap_or_default();
            record.end(audit::Outcome::of(response.headers()), &reason).await;
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests;
