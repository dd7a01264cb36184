//! The connection of the client to any coordinator that answers.

use std::time::Duration;

use tidegate_proto::status::from_status;
use tidegate_proto::v1 as api;
use tidegate_proto::v1::cluster_service_client::ClusterServiceClient;
use tidegate_proto::v1::job_service_client::JobServiceClient;
use tidegate_proto::v1::operation_service_client::OperationServiceClient;
use tidegate_proto::v1::savepoint_service_client::SavepointServiceClient;
use tidegate_types::{Error, ErrorCode, Result};
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::args::{ClientOptions, OutputFormat};

/// How long a coordinator may take to take a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one call may take: longer than any that waits on purpose.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// How long it may take to say whether it serves.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);
/// Seconds of one call that waits for an operation.
const WAIT_SECONDS: i32 = 20;
/// Bytes of an answer at most.
const MESSAGE_BYTES: usize = 32 << 20;

/// A connection to a coordinator.
pub(super) struct Connection {
    channel: Channel,
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
    /// # Errors
    /// `UNAVAILABLE` with all addresses.
    pub(super) async fn open(options: &ClientOptions) -> Result<Self> {
        let mut last = String::new();
        let mut answers = None;
        for address in &options.coordinator {
            let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|error| {
                let message = format!("'{address}' is no address: {error}");
                Error::new(ErrorCode::InvalidOption, message).help("write it as host:port")
            })?;
            let endpoint =
                endpoint.connect_timeout(CONNECT_TIMEOUT).timeout(CALL_TIMEOUT).tcp_nodelay(true);
            match endpoint.connect().await {
                Ok(channel) if serves(&channel).await => {
                    answers = Some(channel);
                    break;
                }
                Ok(channel) => drop(answers.get_or_insert(channel)),
                Err(error) => last = cause(&error),
            }
        }
        if let Some(channel) = answers {
            return Ok(Self {
                channel,
                parent: format!("projects/{}", options.project),
                format: options.output,
                wait: !options.no_wait,
            });
        }
        let addresses = options.coordinator.join(", ");
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

    pub(super) fn jobs(&self) -> JobServiceClient<Channel> {
        JobServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_BYTES)
    }

    pub(super) fn savepoints(&self) -> SavepointServiceClient<Channel> {
        SavepointServiceClient::new(self.channel.clone())
    }

    pub(super) fn cluster(&self) -> ClusterServiceClient<Channel> {
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
    answer.map(tonic::Response::into_inner).map_err(|status| from_status(&status))
}

fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
