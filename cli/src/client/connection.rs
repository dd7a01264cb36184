//! The connection of the client to any coordinator that answers.

use std::error::Error as _;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use tidegate_coordinator::raft::network::TcpConnector;
use tidegate_discovery::{EtcdOptions, EtcdTls, look_up};
use tidegate_proto::status::from_status;
use tidegate_proto::v1 as api;
use tidegate_proto::v1::cluster_service_client::ClusterServiceClient;
use tidegate_proto::v1::job_service_client::JobServiceClient;
use tidegate_proto::v1::operation_service_client::OperationServiceClient;
use tidegate_proto::v1::savepoint_service_client::SavepointServiceClient;
use tidegate_proto::v1::session_service_client::SessionServiceClient;
use tidegate_runtime::SystemClock;
use tidegate_security::identity::roots;
use tidegate_types::{Error, ErrorCode, Result};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::credentials::{Credentials, CredentialsFile};
use crate::args::{ClientOptions, OutputFormat};
use crate::security::read;

/// How long a coordinator may take to take a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one call may take: longer than any that waits on purpose.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// How long it may take to say whether it serves.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);
/// Seconds before an access token expires in which it is exchanged.
const REFRESH_AHEAD: i64 = 30;
/// Seconds of one call that waits for an operation.
const WAIT_SECONDS: i32 = 20;
/// Bytes of an answer at most.
const MESSAGE_BYTES: usize = 32 << 20;

/// A channel that says with every call who calls.
pub(super) type Calls = InterceptedService<Channel, Bearer>;

/// Says with a token who calls, if there is one.
#[derive(Clone)]
pub(super) struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

impl Bearer {
    fn of(token: &str) -> Result<Self> {
        let header = MetadataValue::try_from(format!("Bearer {token}"));
        let mut header = header.map_err(|_| {
            let message = "the token has characters that no token has";
            Error::new(ErrorCode::InvalidOption, message)
                .help("give what `tidegate token create` printed")
        })?;
        // Left out where a request is printed.
        header.set_sensitive(true);
        Ok(Self(Some(header)))
    }

    /// From the file that was named, or the environment.
    fn find(options: &ClientOptions) -> Result<Self> {
        let token = match &options.token_file {
            Some(path) => Some(read(path)?),
            None => std::env::var("TIDEGATE_TOKEN").ok(),
        };
        let Some(token) = token.map(|text| text.trim().to_owned()).filter(|t| !t.is_empty()) else {
            return Ok(Self(None));
        };
        Self::of(&token)
    }

    /// From the session that `tidegate login` has kept, refreshed if it is time; none if there is none.
    async fn of_session(channel: &Channel, cluster: &str) -> Result<Self> {
        let file = CredentialsFile::open()?;
        let Some(kept) = file.get(cluster)? else { return Ok(Self(None)) };
        if kept.access_expires > now() + REFRESH_AHEAD {
            return Self::of(&kept.access_token);
        }
        let mut client =
            SessionServiceClient::new(InterceptedService::new(channel.clone(), Self(None)));
        let request = api::RefreshSessionRequest { refresh_token: kept.refresh_token };
        match answer(client.refresh_session(request).await) {
            Ok(tokens) => {
                let renewed = Credentials::of(&tokens);
                let bearer = Self::of(&renewed.access_token);
                file.set(cluster, Some(renewed))?;
                bearer
            }
            Err(error) if error.code() == ErrorCode::Unauthenticated => {
                file.set(cluster, None)?;
                Err(error.context(format!("the session of {} is over", kept.account)))
            }
            Err(error) => Err(error),
        }
    }
}

/// Seconds since the epoch.
fn now() -> i64 {
    SystemClock::shared().now_ms() / 1_000
}

/// A connection to a coordinator.
pub(super) struct Connection {
    channel: Calls,
    anonymous: Calls,
    /// By which sessions of this cluster are kept.
    pub(super) cluster_key: String,
    /// `projects/{project}`
    pub(super) parent: String,
    /// How answers are printed.
    pub(super) format: OutputFormat,
    wait: bool,
}

impl Connection {
    /// Connects to the first coordinator that serves; if none says that it does, to the first that answers: a leader
    /// may be about to be elected.
    ///
    /// Whoever `signs_in` needs no session.
    ///
    /// # Errors
    /// `UNAVAILABLE` with all addresses.
    pub(super) async fn open(options: &ClientOptions, signs_in: bool) -> Result<Self> {
        Self::open_for(options, signs_in, CALL_TIMEOUT).await
    }

    /// As [`Connection::open`], for calls that may take another time.
    ///
    /// # Errors
    /// As [`Connection::open`].
    pub(super) async fn open_for(
        options: &ClientOptions,
        signs_in: bool,
        call: Duration,
    ) -> Result<Self> {
        let bearer = Bearer::find(options)?;
        let mut connector = match &options.ca {
            Some(path) => {
                let authority = read(path)?;
                roots(&authority).map_err(|error| error.context(path.display().to_string()))?;
                TcpConnector::with_authority(&authority)
            }
            None => TcpConnector::default(),
        };
        connector.connect_timeout = CONNECT_TIMEOUT;
        let mut last = String::new();
        let mut answers = None;
        let coordinators = addresses(options).await?;
        for address in &coordinators {
            if bearer.0.is_some() && options.ca.is_none() && !is_local(address) {
                eprintln!("warning: the token travels to {address} in the clear; give --ca FILE");
            }
            match connector.endpoint(address)?.timeout(call).connect().await {
                Ok(channel) if serves(&channel).await => {
                    answers = Some(channel);
                    break;
                }
                Ok(channel) => drop(answers.get_or_insert(channel)),
                Err(error) => last = cause(&error),
            }
        }
        if let Some(channel) = answers {
            let cluster_key = options.coordinator.join(",");
            let bearer = match (&bearer.0, signs_in) {
                (None, false) => Bearer::of_session(&channel, &cluster_key).await?,
                _ => bearer,
            };
            return Ok(Self {
                anonymous: InterceptedService::new(channel.clone(), Bearer(None)),
                cluster_key,
                channel: InterceptedService::new(channel, bearer),
                parent: format!("projects/{}", options.project),
                format: options.output,
                wait: !options.no_wait,
            });
        }
        let addresses = coordinators.join(", ");
        let message = format!("no coordinator answers at {addresses}: {last}");
        Err(Error::new(ErrorCode::Unavailable, message).help(
            "start one (`tidegate server`), or name the coordinators with --coordinator or TIDEGATE_COORDINATOR",
        ))
    }

    /// The full name of a job: a name that has no `/` is one of the project.
    pub(super) fn job_name(&self, name: &str) -> String {
        match name.contains('/') {
            true => name.to_owned(),
            false => format!("{}/jobs/{name}", self.parent),
        }
    }

    pub(super) fn jobs(&self) -> JobServiceClient<Calls> {
        JobServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_BYTES)
    }

    /// The channel, for calls of any method.
    pub(super) fn calls(&self) -> Calls {
        self.channel.clone()
    }

    /// For whoever is signed in.
    pub(super) fn sessions(&self) -> SessionServiceClient<Calls> {
        SessionServiceClient::new(self.channel.clone())
    }

    /// For whoever is not.
    pub(super) fn anonymous_sessions(&self) -> SessionServiceClient<Calls> {
        SessionServiceClient::new(self.anonymous.clone())
    }

    pub(super) fn savepoints(&self) -> SavepointServiceClient<Calls> {
        SavepointServiceClient::new(self.channel.clone())
    }

    pub(super) fn cluster(&self) -> ClusterServiceClient<Calls> {
        ClusterServiceClient::new(self.channel.clone())
    }

    /// Waits until an operation is done, unless the user does not want to.
    ///
    /// # Errors
    /// Why the operation failed.
    pub(super) async fn finish(&self, operation: api::Operation) -> Result<api::Operation> {
        let mut operation = operation;
        let mut client = OperationServiceClient::new(self.channel.clone());
        while self.wait && !operation.done {
            let name = operation.name.clone();
            let request = api::WaitOperationRequest { name, timeout_seconds: WAIT_SECONDS };
            operation = answer(client.wait_operation(request).await)?;
        }
        match &operation.error {
            Some(error) => Err(Error::new(
                tidegate_proto::tasks::code_of(&error.code),
                format!("{}: {}", operation.target, error.message),
            )),
            None => Ok(operation),
        }
    }
}

/// Where the coordinators are: as named, or as the etcd that is named knows.
async fn addresses(options: &ClientOptions) -> Result<Vec<String>> {
    // What was split at commas is one address again, if it is that of an etcd.
    let Some(etcd) = EtcdOptions::from_address(&options.coordinator.join(",")) else {
        return Ok(options.coordinator.clone());
    };
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let file = |name: &str| set(name).map(|path| read(Path::new(&path))).transpose();
    let mut etcd = etcd?;
    if let Some(user) = set("TIDEGATE_ETCD_USER") {
        etcd = etcd.with_user(user, set("TIDEGATE_ETCD_PASSWORD").unwrap_or_default());
    }
    if let Some(authority) = file("TIDEGATE_ETCD_CA")? {
        let identity = file("TIDEGATE_ETCD_CERTIFICATE")?.zip(file("TIDEGATE_ETCD_KEY")?);
        etcd = etcd.with_tls(EtcdTls { authority, identity });
    }
    Box::pin(look_up(&etcd)).await
}

/// Whether a coordinator knows a leader that a majority follows.
async fn serves(channel: &Channel) -> bool {
    let request = HealthCheckRequest::default();
    let mut health = HealthClient::new(channel.clone());
    let answer = tokio::time::timeout(HEALTH_TIMEOUT, health.check(request)).await;
    matches!(answer, Ok(Ok(answer)) if answer.get_ref().status() == ServingStatus::Serving)
}

/// The content of an answer.
///
/// # Errors
/// What the server says.
pub(super) fn answer<T>(answer: Result<tonic::Response<T>, Status>) -> Result<T> {
    answer.map(tonic::Response::into_inner).map_err(|status| match status.source() {
        // Not an answer: the connection ended.
        Some(source) => {
            let message = format!("the coordinator does not answer: {}", cause(source));
            Error::new(ErrorCode::Unavailable, message).help(
                "is it one, and does its cluster use TLS? Then give --ca FILE, otherwise none",
            )
        }
        None => from_status(&status),
    })
}

/// Whether an address is on this machine.
fn is_local(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
