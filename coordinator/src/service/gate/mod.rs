//! The gate that every call passes before anything else looks at it: what the `.proto` files demand of the caller is
//! demanded here, in one place and before it is known whether what is named exists.
//!
//! - A method of the public API demands a permission. The caller says who it is with a token; a coordinator that passes
//!   a call on says it for the caller, which only a certificate with the coordinator's role may.
//! - A service between nodes demands a certificate with a role, where TLS is configured.
//! - Health and reflection demand nothing: they say what runs, and what is in a public file.
//! - What is in none of these is not served.
//!
//! Calls that change something leave an audit record (`audit`). A call whose deadline passes is answered
//! `DEADLINE_EXCEEDED` (`deadline`).

mod audit;
mod body;
mod caller;
mod deadline;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use tidegate_proto::access::{Access, Method, Subject};
use tidegate_proto::status::to_status;
use tidegate_security::KnownTokens;
use tidegate_types::{Error, ErrorCode, Result};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tower_layer::Layer;

use audit::Record;
use body::{DENIED_BYTES, Patience};
pub(super) use caller::{hand_on, peer_has};

/// Services that are open to everybody.
const OPEN: [&str; 3] = ["/grpc.health.v1.", "/grpc.reflection.v1.", "/grpc.reflection.v1alpha."];

/// Who is let in.
struct Rules {
    methods: BTreeMap<String, Method>,
    /// `None`: nobody is asked who they are.
    tokens: Option<KnownTokens>,
    /// Whether nodes have certificates.
    certificates: bool,
}

/// Puts the gate in front of services.
#[derive(Clone)]
pub(super) struct Gate(Arc<Rules>);

impl Gate {
    /// For what `tidegate_proto` describes. `certificates`: nodes prove who they are; `tokens`: clients do.
    ///
    /// # Errors
    /// `INTERNAL` if the descriptions cannot be read; the build has read them before.
    pub(super) fn new(tokens: Option<KnownTokens>, certificates: bool) -> Result<Self> {
        let methods = tidegate_proto::access::table(tidegate_proto::DESCRIPTORS)
            .map_err(|error| Error::internal(format!("read who may call what: {error}")))?;
        Ok(Self(Arc::new(Rules { methods, tokens, certificates })))
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
        mut request: Request<Body>,
        method: &Method,
        permission: &str,
    ) -> Result<Response<Body>, S::Error>
    where
        S: Service<Request<Body>, Response = Response<Body>>,
    {
        let asserted = caller::is_handed_on(&request);
        let (principal, allowed) = match caller::who(&request, self.tokens.as_ref()) {
            Ok(principal) if principal.grants.allow(permission) => (principal, Ok(())),
            Ok(principal) => {
                let message = format!("{} may not {}", principal.name, method.name);
                let error = Error::new(ErrorCode::PermissionDenied, message)
                    .help(format!("it takes the permission {permission}"));
                (principal, Err(error))
            }
            Err(error) => (caller::nobody(), Err(error)),
        };
        let mut subject = Subject::default();
        if (allowed.is_err() || method.mutates()) && !method.takes_stream {
            // Of a caller who is refused no more is read than is needed to say what it was about.
            let patience = match allowed {
                Ok(()) => Patience::with(super::server::MESSAGE_BYTES),
                Err(_) => Patience::with(DENIED_BYTES),
            };
            let bytes;
            (request, bytes) = match body::read(request, patience).await {
                Ok(read) => read,
                Err((request, status)) if allowed.is_ok() => {
                    if method.mutates() && !asserted {
                        let extensions = request.extensions();
                        let record =
                            Record::new(&principal.name, &method.name, &subject, extensions);
                        record.end(audit::Outcome::Answered(status.code()));
                    }
                    return Ok(status.into_http());
                }
                Err((request, _)) => (request, Default::default()),
            };
            subject = method.subject(body::message(&bytes));
        }
        let record = (method.mutates() && !asserted)
            .then(|| Record::new(&principal.name, &method.name, &subject, request.extensions()));
        if let Err(error) = allowed {
            let status = caller::refusal(&error, permission, &subject.resource);
            if let Some(record) = record {
                record.end(audit::Outcome::Denied(status.code()));
            }
            return Ok(status.into_http());
        }
        request.extensions_mut().insert(principal);
        let response = inner.call(request).await?;
        if let Some(record) = record {
            record.end(audit::Outcome::of(response.headers()));
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests;
