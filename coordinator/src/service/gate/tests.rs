//! The gate in front of a service that answers everything: who gets through, what is answered otherwise, what is
//! recorded. `secured` is a whole coordinator with certificates.

mod accounts;
mod matrix;
mod roles_page;
mod secured;

use std::convert::Infallible;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use prost::Message;
use serde_json::Value;
use tidegate_catalog::{Catalog, Command};
use tidegate_proto::v1 as api;
use tidegate_runtime::SystemClock;
use tidegate_security::token::TokenHash;
use tidegate_security::{Role, TokenEntry, Tokens};
use tonic::Code;
use tonic_types::StatusExt;
use tracing_subscriber::fmt::MakeWriter;

use super::*;

/// Answers every call, after a while.
#[derive(Clone, Default)]
struct Behind {
    calls: Arc<AtomicUsize>,
    after: Duration,
    caller: Arc<Mutex<Option<Caller>>>,
}

impl Service<Request<Body>> for Behind {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.calls.fetch_add(1, Ordering::SeqCst);
        *self.caller.lock().unwrap() = request.extensions().get().cloned();
        let after = self.after;
        async move {
            tokio::time::sleep(after).await;
            Ok(Response::new(Body::empty()))
        }
        .boxed()
    }
}

/// Lines that are logged on this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Lines {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt().json().with_writer(self.clone()).finish();
        tracing::subscriber::set_default(subscriber)
    }

    /// The audit records: principal, method, resource, request id, outcome, code.
    fn records(&self) -> Vec<[String; 6]> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let audit = events.filter(|event| event["target"] == "audit");
        let fields = ["principal", "method", "resource", "request_id", "outcome", "code"];
        audit
            .map(|event| fields.map(|field| event["fields"][field].as_str().unwrap().to_owned()))
            .collect()
    }
}

/// A catalog in one process.
#[derive(Default)]
struct Alone(Mutex<Catalog>);

#[async_trait::async_trait]
impl directory::Directory for Alone {
    fn peek(&self, read: &mut dyn FnMut(&Catalog)) {
        read(&self.0.lock().unwrap());
    }

    async fn catch_up(&self) -> Result<()> {
        Ok(())
    }

    async fn propose(&self, command: Command) -> Result<()> {
        self.0.lock().unwrap().apply(command).map(drop)
    }
}

/// A gate in front of a catalog.
fn gate(asked: Asked, catalog: &Arc<Alone>) -> Gate {
    let clock = SystemClock::shared();
    let auditor = Arc::new(Auditor::start(catalog.clone(), clock.clone()));
    Gate::with(asked, catalog.clone(), &clock, Some(auditor)).unwrap()
}

fn asking(tokens: KnownTokens, certificates: bool) -> Gate {
    gate(Asked { tokens, nobody: false, certificates }, &Arc::default())
}

fn tokens() -> KnownTokens {
    let entry = |principal: &str, role: Role| TokenEntry {
        principal: principal.to_owned(),
        role: Some(role),
        permissions: Vec::new(),
        sha256: TokenHash::of(&format!("{principal}-token")),
    };
    let entries = vec![entry("look", Role::Viewer), entry("ci", Role::Operator)];
    KnownTokens::new(Tokens::new(entries).unwrap())
}

fn start_request() -> Vec<u8> {
    let request = api::StartJobRequest {
        name: "projects/default/jobs/gone".into(),
        request_id: "r-1".into(),
        ..Default::default()
    };
    let message = request.encode_to_vec();
    [&[0], u32::try_from(message.len()).unwrap().to_be_bytes().as_slice(), &message].concat()
}

fn call(path: &str, token: Option<&str>) -> http::request::Builder {
    let builder = Request::builder().uri(format!("http://h{path}"));
    match token {
        Some(token) => builder.header("authorization", format!("Bearer {token}")),
        None => builder,
    }
}

async fn pass(gate: &Gate, behind: &Behind, request: Request<Body>) -> Status {
    let response = gate.layer(behind.clone()).call(request).await.unwrap();
    Status::from_header_map(response.headers()).unwrap_or_else(|| Status::ok(""))
}

async fn start(gate: &Gate, behind: &Behind, token: Option<&str>) -> Status {
    let body = Body::new(http_body_util::Full::new(start_request().into()));
    let request = call("/tidegate.v1.JobService/StartJob", token).body(body).unwrap();
    pass(gate, behind, request).await
}

#[tokio::test]
async fn a_call_needs_a_token_and_its_permission() {
    let (gate, behind) = (asking(tokens(), false), Behind::default());
    let lines = Lines::default();
    let _listening = lines.listen();
    for (token, code, reason) in [
        (None, Code::Unauthenticated, "UNAUTHENTICATED"),
        (Some("wrong"), Code::Unauthenticated, "UNAUTHENTICATED"),
        (Some("look-token"), Code::PermissionDenied, "PERMISSION_DENIED"),
    ] {
        let status = start(&gate, &behind, token).await;
        assert_eq!(status.code(), code, "{status}");
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, "tidegate"));
        assert_eq!(info.metadata["permission"], "jobs.start");
        assert_eq!(info.metadata["resource"], "projects/default/jobs/gone");
        assert_eq!(status.get_error_details_vec().len(), 1);
    }
    assert_eq!(behind.calls.load(Ordering::SeqCst), 0);
    assert_eq!(start(&gate, &behind, Some("ci-token")).await.code(), Code::Ok);
    assert_eq!(behind.calls.load(Ordering::SeqCst), 1);
    assert_eq!(behind.caller.lock().unwrap().as_ref().unwrap().name, "ci");
    let record = |principal: &str, outcome: &str, code: &str| {
        let (method, job) = ("tidegate.v1.JobService/StartJob", "projects/default/jobs/gone");
        [principal, method, job, "r-1", outcome, code].map(str::to_owned)
    };
    let expected = [
        record("unauthenticated", "denied", "Unauthenticated"),
        record("unauthenticated", "denied", "Unauthenticated"),
        record("look", "denied", "PermissionDenied"),
        record("ci", "done", "Ok"),
    ];
    assert_eq!(lines.records(), expected);
}

#[tokio::test]
async fn reading_leaves_no_record_and_what_is_open_needs_no_token() {
    let (gate, behind) = (asking(tokens(), false), Behind::default());
    let lines = Lines::default();
    let _listening = lines.listen();
    let read = async |path: &str, token: Option<&str>| {
        let request = call(path, token).body(Body::empty()).unwrap();
        pass(&gate, &behind, request).await.code()
    };
    let list = "/tidegate.v1.JobService/ListJobs";
    assert_eq!(read(list, Some("look-token")).await, Code::Ok);
    assert_eq!(read(list, None).await, Code::Unauthenticated);
    let open = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    assert_eq!(read(open, None).await, Code::Ok);
    assert_eq!(read("/grpc.health.v1.Health/Check", None).await, Code::Ok);
    for other in ["/tidegate.v1.JobService/DropJob", "/else.Service/Get", "/"] {
        assert_eq!(read(other, Some("ci-token")).await, Code::Unimplemented, "{other}");
    }
    assert_eq!(behind.calls.load(Ordering::SeqCst), 3);
    assert!(lines.records().is_empty());
}

#[tokio::test]
async fn nobody_but_a_node_says_for_whom_a_call_is() {
    let (gate, behind) = (asking(tokens(), true), Behind::default());
    let request = call("/tidegate.v1.JobService/StartJob", None)
        .header("tidegate-principal", "root")
        .header("tidegate-grants", "*");
    let status = pass(&gate, &behind, request.body(Body::empty()).unwrap()).await;
    assert_eq!(status.code(), Code::Unauthenticated);
    let internal = call("/tidegate.internal.v1.Raft/Forward", Some("ci-token"));
    let status = pass(&gate, &behind, internal.body(Body::empty()).unwrap()).await;
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(status.message().contains("a certificate of a coordinator"), "{status}");
    assert_eq!(behind.calls.load(Ordering::SeqCst), 0);
    // Without certificates in the cluster nobody can be told from a node.
    let open = asking(tokens(), false);
    let internal = call("/tidegate.internal.v1.Raft/Forward", None).body(Body::empty());
    assert_eq!(pass(&open, &behind, internal.unwrap()).await.code(), Code::Ok);
}

#[tokio::test]
async fn a_token_that_is_taken_back_counts_no_more() {
    let known = tokens();
    let (gate, behind) = (asking(known.clone(), false), Behind::default());
    assert_eq!(start(&gate, &behind, Some("ci-token")).await.code(), Code::Ok);
    known.replace(Tokens::default());
    assert_eq!(start(&gate, &behind, Some("ci-token")).await.code(), Code::Unauthenticated);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_kept_and_the_call_is_recorded() {
    let behind = Behind { after: Duration::from_secs(60), ..Behind::default() };
    let gate = gate(Asked { nobody: true, ..Asked::default() }, &Arc::default());
    let lines = Lines::default();
    let _listening = lines.listen();
    let slow = async |timeout: &str| {
        let body = Body::new(http_body_util::Full::new(start_request().into()));
        let request = call("/tidegate.v1.JobService/StartJob", None);
        let request = request.header("grpc-timeout", timeout).body(body).unwrap();
        pass(&gate, &behind, request).await
    };
    let status = slow("250m").await;
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(status.message(), "not done within 250ms, the deadline of the call");
    assert_eq!(slow("2M").await.code(), Code::Ok);
    // What makes no sense is no deadline.
    for nonsense in ["", "m", "5", "123456789m", "5x", "-5m"] {
        assert_eq!(slow(nonsense).await.code(), Code::Ok, "{nonsense}");
    }
    let outcomes: Vec<String> = lines.records().into_iter().map(|[.., o, _]| o).collect();
    assert_eq!(outcomes[..2], ["abandoned", "done"]);
    assert_eq!(lines.records()[0][0], "anonymous");
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_and_recorded() {
    let (gate, behind) = (asking(tokens(), false), Behind::default());
    let lines = Lines::default();
    let _listening = lines.listen();
    let large = async |token: &str| {
        let body = vec![0; crate::service::server::MESSAGE_BYTES + 6];
        let body = Body::new(http_body_util::Full::new(body.into()));
        let request = call("/tidegate.v1.JobService/StartJob", Some(token)).body(body).unwrap();
        pass(&gate, &behind, request).await.code()
    };
    assert_eq!(large("ci-token").await, Code::ResourceExhausted);
    assert_eq!(large("look-token").await, Code::PermissionDenied);
    let outcomes: Vec<String> = lines.records().into_iter().map(|[.., o, _]| o).collect();
    assert_eq!(outcomes, ["failed", "denied"]);
}
