//! A coordinator with certificates and tokens, and everybody who may call it or not.

use std::net::Ipv4Addr;

use tidegate_proto::internal::v1 as wire;
use tidegate_proto::internal::v1::raft_client::RaftClient;
use tidegate_proto::internal::v1::worker_service_client::WorkerServiceClient;
use tidegate_proto::v1::cluster_service_client::ClusterServiceClient;
use tidegate_proto::v1::job_service_client::JobServiceClient;
use tidegate_runtime::SystemClock;
use tidegate_security::{Authority, Identity, NodeRequest, NodeRole, NodeRoles, Validity};
use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tonic::transport::Channel;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use super::*;
use crate::CheckpointFolders;
use crate::raft::NodeOptions;
use crate::raft::network::{Connector, TcpConnector};
use crate::service::{Coordinator, CoordinatorOptions, Formation, Security};

struct Nodes {
    authority: Authority,
    validity: Validity,
}

impl Nodes {
    fn new() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let now_ms = SystemClock::shared().now_ms().unsigned_abs();
        let validity = Validity { now_ms, days: 1 };
        Self { authority: Authority::create("test", validity).unwrap(), validity }
    }

    fn issue(&self, roles: NodeRoles) -> Identity {
        let hosts = vec!["127.0.0.1".to_owned()];
        let request = NodeRequest { name: "n".to_owned(), hosts, roles };
        let issued = self.authority.issue(&request, self.validity).unwrap();
        let authority = self.authority.own().certificate.clone();
        Identity::new(authority, issued.certificate, issued.key).unwrap()
    }
}

/// A coordinator that is a cluster by itself.
async fn coordinator(identity: Identity, folder: &tempfile::TempDir) -> (Coordinator, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let options = CoordinatorOptions {
        node: NodeOptions::new(1, "test"),
        formation: Formation::Initial([(1, address.clone())].into()),
        data: folder.path().to_owned(),
        folders: CheckpointFolders { checkpoints: None, savepoints: None },
        security: Security {
            identity: Some(identity.clone()),
            tokens: tokens(),
            open: false,
            keyring: None,
        },
    };
    let connector = Arc::new(TcpConnector::with_identity(&identity));
    let clock = SystemClock::shared();
    (Coordinator::start(options, listener, connector, clock).await.unwrap(), address)
}

fn with<T>(message: T, headers: &[(&'static str, &str)]) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    for (name, value) in headers {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    request
}

async fn cancel(channel: &Channel, headers: &[(&'static str, &str)]) -> Status {
    let name = "projects/default/jobs/none".to_owned();
    let request = api::CancelJobRequest { name, ..Default::default() };
    let mut client = JobServiceClient::new(channel.clone());
    client.cancel_job(with(request, headers)).await.unwrap_err()
}

#[tokio::test]
async fn every_service_asks_for_what_it_needs() {
    let (nodes, folder) = (Nodes::new(), tempfile::tempdir().unwrap());
    let own = nodes.issue(NodeRoles::only(NodeRole::Coordinator));
    let (coordinator, address) = coordinator(own.clone(), &folder).await;
    let client = TcpConnector::with_authority(own.authority()).channel(&address).unwrap();
    let lines = Lines::default();
    let _listening = lines.listen();

    // Without a certificate: the public API, with a token.
    assert_eq!(cancel(&client, &[]).await.code(), Code::Unauthenticated);
    let look = [("authorization", "Bearer look-token")];
    assert_eq!(cancel(&client, &look).await.code(), Code::PermissionDenied);
    let ci = [("authorization", "bearer ci-token")];
    assert_eq!(cancel(&client, &ci).await.code(), Code::NotFound);
    let mut clusters = ClusterServiceClient::new(client.clone());
    let cluster = clusters.get_cluster(with(api::GetClusterRequest {}, &look)).await.unwrap();
    assert_eq!(cluster.into_inner().coordinators.len(), 1);

    // Services between nodes: only with the certificate of the role.
    let raft = async |channel: Channel| {
        let request = wire::LeaderRequest::default();
        RaftClient::new(channel).read_index(request).await.unwrap_err().code()
    };
    let attach = async |channel: Channel| {
        let mut client = WorkerServiceClient::new(channel);
        match client.attach(tokio_stream::empty()).await {
            Err(status) => status.code(),
            Ok(opened) => opened.into_inner().message().await.unwrap_err().code(),
        }
    };
    let node = |roles| TcpConnector::with_identity(&nodes.issue(roles)).channel(&address).unwrap();
    let as_coordinator = node(NodeRoles::only(NodeRole::Coordinator));
    let (as_worker, as_none) =
        (node(NodeRoles::only(NodeRole::Worker)), node(NodeRoles::default()));
    assert_eq!(raft(client.clone()).await, Code::Unauthenticated);
    assert_eq!(raft(as_worker.clone()).await, Code::Unauthenticated);
    assert_eq!(raft(as_none.clone()).await, Code::Unauthenticated);
    // Let in, and refused for what it says: another cluster's name, no registration.
    assert_eq!(raft(as_coordinator.clone()).await, Code::FailedPrecondition);
    assert_eq!(attach(client.clone()).await, Code::Unauthenticated);
    assert_eq!(attach(as_coordinator.clone()).await, Code::Unauthenticated);
    assert_eq!(attach(as_worker.clone()).await, Code::InvalidArgument);

    // For somebody else: only a coordinator, and no more than that one may. Its first hop has recorded it.
    let recorded = lines.records().len();
    let bob = |grants| [("tidegate-principal", "bob"), ("tidegate-grants", grants)];
    assert_eq!(cancel(&as_coordinator, &bob("jobs.*")).await.code(), Code::NotFound);
    let denied = cancel(&as_coordinator, &bob("*.get")).await;
    assert!(denied.message().contains("bob may not"), "{denied}");
    assert_eq!(lines.records().len(), recorded);
    assert_eq!(cancel(&as_worker, &bob("jobs.*")).await.code(), Code::Unauthenticated);
    assert_eq!(cancel(&as_coordinator, &bob("*; DROP")).await.code(), Code::InvalidArgument);

    // Another authority's certificate, and none at all: no connection.
    let refused = async |connector: TcpConnector| {
        let status = cancel(&connector.channel(&address).unwrap(), &ci).await;
        // In TLS 1.3 the client hears of it only when it reads.
        assert!(matches!(status.code(), Code::Unavailable | Code::Unknown), "{status}");
    };
    refused(TcpConnector::with_identity(&Nodes::new().issue(NodeRoles::ALL))).await;
    refused(TcpConnector::default()).await;
    let stranger = TcpConnector::with_identity(&{
        let other = Nodes::new().issue(NodeRoles::ALL);
        let (certificate, key) = (other.certificate().to_owned(), other.key().to_owned());
        Identity::new(own.authority().to_owned(), certificate, key).unwrap()
    });
    refused(stranger).await;
    coordinator.stop().await.unwrap();
}

/// What reflection answers to one question.
async fn ask(client: &Channel, question: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest { message_request: Some(question), ..Default::default() };
    let mut client = ServerReflectionClient::new(client.clone());
    let answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap();
    let answers: Vec<ServerReflectionResponse> =
        answers.into_inner().map(Result::unwrap).collect().await;
    answers.into_iter().next().unwrap().message_response.unwrap()
}

#[tokio::test]
async fn reflection_and_health_need_no_token() {
    let (nodes, folder) = (Nodes::new(), tempfile::tempdir().unwrap());
    let own = nodes.issue(NodeRoles::ALL);
    let (coordinator, address) = coordinator(own.clone(), &folder).await;
    let client = TcpConnector::with_authority(own.authority()).channel(&address).unwrap();
    let listed = ask(&client, MessageRequest::ListServices(String::new())).await;
    let MessageResponse::ListServicesResponse(listed) = listed else { panic!("{listed:?}") };
    let names: Vec<&str> = listed.service.iter().map(|service| service.name.as_str()).collect();
    for name in ["tidegate.v1.JobService", "grpc.health.v1.Health"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let details = MessageRequest::FileContainingSymbol("google.rpc.ErrorInfo".into());
    let described = ask(&client, details).await;
    assert!(matches!(described, MessageResponse::FileDescriptorResponse(_)), "{described:?}");
    let symbol = MessageRequest::FileContainingSymbol("tidegate.v1.JobService.StartJob".into());
    let described = ask(&client, symbol).await;
    let MessageResponse::FileDescriptorResponse(files) = described else { panic!("no files") };
    // The permission travels with the description.
    let all = files.file_descriptor_proto.concat();
    assert!(all.windows(10).any(|bytes| bytes == b"jobs.start"));
    let mut health = tonic_health::pb::health_client::HealthClient::new(client);
    let service = "tidegate.v1.JobService".to_owned();
    let check = tonic_health::pb::HealthCheckRequest { service };
    // As soon as it leads.
    while health.check(check.clone()).await.unwrap().get_ref().status() != ServingStatus::Serving {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    coordinator.stop().await.unwrap();
}
