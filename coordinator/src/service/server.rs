//! A coordinator: its part of the replicated metadata, the supervisor, and everything that it serves on one port.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tidegate_proto::internal::v1::worker_service_server::WorkerServiceServer;
use tidegate_proto::v1::access_service_server::AccessServiceServer;
use tidegate_proto::v1::approval_service_server::ApprovalServiceServer;
use tidegate_proto::v1::audit_service_server::AuditServiceServer;
use tidegate_proto::v1::business_data_service_server::BusinessDataServiceServer;
use tidegate_proto::v1::catalog_service_server::CatalogServiceServer;
use tidegate_proto::v1::category_service_server::CategoryServiceServer;
use tidegate_proto::v1::cluster_service_server::ClusterServiceServer;
use tidegate_proto::v1::data_source_service_server::DataSourceServiceServer;
use tidegate_proto::v1::hook_service_server::HookServiceServer;
use tidegate_proto::v1::job_service_server::JobServiceServer;
use tidegate_proto::v1::meta_model_service_server::MetaModelServiceServer;
use tidegate_proto::v1::operation_service_server::OperationServiceServer;
use tidegate_proto::v1::project_service_server::ProjectServiceServer;
use tidegate_proto::v1::quality_rule_service_server::QualityRuleServiceServer;
use tidegate_proto::v1::relation_service_server::RelationServiceServer;
use tidegate_proto::v1::resource_service_server::ResourceServiceServer;
use tidegate_proto::v1::role_service_server::RoleServiceServer;
use tidegate_proto::v1::savepoint_service_server::SavepointServiceServer;
use tidegate_proto::v1::session_service_server::SessionServiceServer;
use tidegate_proto::v1::table_service_server::TableServiceServer;
use tidegate_proto::v1::tag_service_server::TagServiceServer;
use tidegate_proto::v1::tenant_service_server::TenantServiceServer;
use tidegate_proto::v1::user_service_server::UserServiceServer;
use tidegate_runtime::telemetry::metrics::Source;
use tidegate_runtime::{Clock, Task, spawn};
use tidegate_security::envelope::Keyring;
use tidegate_security::{Identity, KnownTokens};
use tidegate_types::{Error, ErrorCode, Result};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Server, ServerTlsConfig};
use tower_layer::{Identity as NoLayer, Stack};

use super::api::Api;
use super::first_account::{self, FirstAccount};
use super::gate::{Asked, Gate};
use super::metrics::CoordinatorMetrics;
use super::reception::Desk;
use super::searching::{Searching, follow};
use super::workers::{WorkerPool, WorkerStreams};
use crate::governance::Governor;
use crate::jobs::{CheckpointFolders, Supervisor};
use crate::raft::network::{Connector, raft_service};
use crate::raft::{Metadata, NodeId, NodeOptions, Storage};
use crate::secrets::Secrets;

/// Bytes of a message at most: a script with its plan, a report with the state of a task.
pub(super) const MESSAGE_BYTES: usize = 32 << 20;

/// Bytes of a message of an upload: 4 MiB of the file, and what is said about it.
const PIECE_BYTES: usize = 5 << 20;

/// How long a client may take to secure its connection.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// How a coordinator comes into its cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Formation {
    /// It forms a new cluster of these, itself among them, if its folder is empty and it has the lowest number.
    Initial(BTreeMap<NodeId, String>),
    /// It waits until the cluster adds it.
    Join,
}

/// What a coordinator starts with.
#[derive(Debug, Clone)]
pub struct CoordinatorOptions {
    /// Its part of the replicated metadata.
    pub node: NodeOptions,
    /// How it comes into its cluster.
    pub formation: Formation,
    /// Folder of log and snapshots.
    pub data: PathBuf,
    /// Where checkpoints go.
    pub folders: CheckpointFolders,
    /// Who may call.
    pub security: Security,
}

/// How callers prove who they are.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// This node's certificate; `None`: nothing is encrypted, and nodes prove nothing.
    pub identity: Option<Identity>,
    /// Tokens of clients, beside the sessions of accounts.
    pub tokens: KnownTokens,
    /// Whether nobody is asked who they are: everybody may do everything.
    pub open: bool,
    /// Keys of secrets, the same on every coordinator; none: nothing that has secrets can be kept.
    pub keyring: Option<Keyring>,
}

/// A running coordinator.
pub struct Coordinator {
    metadata: Metadata,
    pool: WorkerPool,
    clock: Arc<dyn Clock>,
    address: SocketAddr,
    shutdown: Option<oneshot::Sender<()>>,
    serving: Task<Result<()>>,
    _supervisor: Task<()>,
    _governor: Task<()>,
    _searching: Task<()>,
}

impl Coordinator {
    /// Starts a coordinator that serves on a listener.
    ///
    /// # Errors
    /// `CORRUPT` with advice if what is stored is damaged; `UNAVAILABLE` if the folder cannot be used.
    pub async fn start(
        options: CoordinatorOptions,
        listener: TcpListener,
        connector: Arc<dyn Connector>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let unusable = |error: std::io::Error| {
            Error::new(ErrorCode::Unavailable, format!("use the listening address: {error}"))
        };
        let address = listener.local_addr().map_err(unusable)?;
        let storage = Storage::in_folder(&options.data, &options.node)?;
        let kept = options.data.join("applied.sled");
        let metadata =
            Metadata::start_with_cache(&options.node, storage, connector.clone(), Some(&kept));
        let metadata = metadata.await?;
        let pool = WorkerPool::default();
        let searching = Arc::new(Searching::default());
        let (shutdown, stopped) = oneshot::channel();
        let builder = secured(&options.security, &metadata, &clock)?;
        let serving = serve(
            Api::new(
                metadata.clone(),
                pool.clone(),
                clock.clone(),
                connector,
                Secrets::new(options.security.keyring.clone()),
                searching.clone(),
                options.folders.clone(),
            ),
            (&metadata, &pool, &clock),
            builder,
            (listener, stopped),
        )?;
        form(&metadata, &options.formation).await?;
        let secrets = Secrets::new(options.security.keyring.clone());
        let supervisor = Supervisor::new(
            metadata.clone(),
            pool.clone(),
            clock.clone(),
            options.folders.clone(),
            secrets.clone(),
        );
        let folders = options.folders.clone();
        let governor =
            Governor::new(metadata.clone(), pool.clone(), clock.clone(), secrets, folders);
        let following = follow(searching, metadata.clone());
        Ok(Self {
            metadata,
            pool,
            clock,
            address,
            shutdown: Some(shutdown),
            serving: spawn("gRPC server", serving),
            _supervisor: spawn("supervisor of jobs", supervisor.run()),
            _governor: spawn("governor of the catalog", governor.run()),
            _searching: spawn("index of the catalog", following),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its handle to the replicated metadata.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Creates the first account, if this coordinator leads a cluster that has none; answers when it is known who does.
    pub fn first_account(&self) -> impl Future<Output = Option<FirstAccount>> + use<> {
        first_account::create(self.metadata.clone(), self.clock.clone())
    }

    /// Its metrics.
    pub fn metrics(&self) -> Arc<dyn Source> {
        let (metadata, pool) = (self.metadata.clone(), self.pool.clone());
        Arc::new(CoordinatorMetrics { metadata, pool })
    }

    /// Waits until it cannot go on, and says why.
    pub async fn failed(&mut self) -> Error {
        let metadata = self.metadata.clone();
        tokio::select! {
            why = metadata.stopped() => why,
            ended = &mut self.serving => match ended {
                Ok(Ok(())) => Error::new(ErrorCode::Cancelled, "the coordinator was stopped"),
                Ok(Err(error)) | Err(error) => error,
            },
        }
    }

    /// Stops in order: others elect a new leader if it was the leader, tasks run on.
    ///
    /// # Errors
    /// If the log cannot be closed in order; what was acknowledged is safe all the same.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(shutdown) = self.shutdown.take() {
            let _ = shutdown.send(());
        }
        self.metadata.shutdown().await
    }
}

/// Connections that send what there is at once: with the default of TCP an answer waits some 40 ms for what the client
/// confirms late.
fn at_once(listener: TcpListener) -> TcpIncoming {
    TcpIncoming::from(listener).with_nodelay(Some(true))
}

/// Forms the cluster, if this coordinator is to and nobody has.
pub(super) async fn form(metadata: &Metadata, formation: &Formation) -> Result<()> {
    let Formation::Initial(members) = formation else { return Ok(()) };
    let first = members.keys().next() == Some(&metadata.id());
    if !first || !metadata.is_fresh() {
        return Ok(());
    }
    tracing::info!(members = members.len(), "forming a new cluster");
    metadata.initialize(members.clone()).await
}

/// A server behind the gate, with TLS if there is a certificate. Clients need none: the gate asks nodes for theirs.
fn secured(
    security: &Security,
    metadata: &Metadata,
    clock: &Arc<dyn Clock>,
) -> Result<Server<Stack<Gate, NoLayer>>> {
    let (tokens, nobody) = (security.tokens.clone(), security.open);
    let asked = Asked { tokens, nobody, certificates: security.identity.is_some() };
    let gate = Gate::new(asked, metadata, clock)?;
    let Some(identity) = &security.identity else { return Ok(Server::builder().layer(gate)) };
    let tls = ServerTlsConfig::new()
        .identity(tonic::transport::Identity::from_pem(identity.certificate(), identity.key()))
        .client_ca_root(Certificate::from_pem(identity.authority()))
        .client_auth_optional(true)
        .timeout(HANDSHAKE_TIMEOUT);
    let server = Server::builder().tls_config(tls).map_err(|error| {
        Error::new(ErrorCode::InvalidOption, format!("TLS of the coordinator: {error}"))
    })?;
    Ok(server.layer(gate))
}

fn serve(
    api: Api,
    (metadata, pool, clock): (&Metadata, &WorkerPool, &Arc<dyn Clock>),
    mut builder: Server<Stack<Gate, NoLayer>>,
    (listener, stopped): (TcpListener, oneshot::Receiver<()>),
) -> Result<impl Future<Output = Result<()>> + use<>> {
    let desk = Desk { metadata: metadata.clone(), clock: clock.clone() };
    let streams = WorkerStreams::new(pool.clone(), Arc::new(desk), clock.clone());
    let workers = WorkerServiceServer::new(streams)
        .max_decoding_message_size(MESSAGE_BYTES)
        .max_encoding_message_size(MESSAGE_BYTES);
    let jobs = JobServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_BYTES);
    let resources = ResourceServiceServer::new(api.clone()).max_decoding_message_size(PIECE_BYTES);
    let (health, health_service) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(tidegate_proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        // So that clients which know an API by reflection can read the details of errors.
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|error| Error::internal(format!("describe the API: {error}")))?;
    let router = builder
        .add_service(raft_service(metadata))
        .add_service(workers)
        .add_service(jobs)
        .add_service(SavepointServiceServer::new(api.clone()))
        .add_service(ClusterServiceServer::new(api.clone()))
        .add_service(OperationServiceServer::new(api.clone()))
        .add_service(SessionServiceServer::new(api.clone()))
        .add_service(UserServiceServer::new(api.clone()))
        .add_service(RoleServiceServer::new(api.clone()))
        .add_service(TenantServiceServer::new(api.clone()))
        .add_service(ProjectServiceServer::new(api.clone()))
        .add_service(DataSourceServiceServer::new(api.clone()))
        .add_service(TableServiceServer::new(api.clone()))
        .add_service(AccessServiceServer::new(api.clone()))
        .add_service(resources)
        .add_service(HookServiceServer::new(api.clone()))
        .add_service(ApprovalServiceServer::new(api.clone()))
        .add_service(CatalogServiceServer::new(api.clone()))
        .add_service(CategoryServiceServer::new(api.clone()))
        .add_service(MetaModelServiceServer::new(api.clone()))
        .add_service(BusinessDataServiceServer::new(api.clone()))
        .add_service(RelationServiceServer::new(api.clone()))
        .add_service(TagServiceServer::new(api.clone()))
        .add_service(QualityRuleServiceServer::new(api.clone()))
        .add_service(AuditServiceServer::new(api))
        .add_service(health_service)
        .add_service(reflection);
    let healthy = spawn("health", super::health::report(health, metadata.leadership()));
    Ok(async move {
        let _healthy = healthy;
        let stopped = async {
            let _ = stopped.await;
        };
        let serving = router.serve_with_incoming_shutdown(at_once(listener), stopped);
        serving.await.map_err(|error| {
            Error::new(ErrorCode::Unavailable, format!("serve the coordinator's port: {error}"))
        })
    })
}
