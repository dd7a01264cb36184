//! A coordinator without its public API, on the disk, the network and the clock of a simulation: the replicated metadata,
//! the supervisor of jobs and the streams of workers, as they are shipped.

use std::io;
use std::sync::Arc;

use futures::Stream;
use tidegate_proto::internal::v1::worker_service_server::WorkerServiceServer;
use tidegate_runtime::{Clock, Task, spawn};
use tidegate_types::{Error, ErrorCode, Result};
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::transport::Server;
use tonic::transport::server::Connected;

use super::reception::Desk;
use super::server::{Formation, form};
use super::workers::{WorkerPool, WorkerStreams};
use crate::jobs::{CheckpointFolders, Supervisor};
use crate::raft::network::{Connector, raft_service};
use crate::raft::{Metadata, NodeOptions, Storage};
use crate::secrets::Secrets;

/// Bytes of a message at most.
const MESSAGE_BYTES: usize = 32 << 20;

/// What a coordinator of a simulation starts with.
pub struct Parts {
    /// Its part of the replicated metadata.
    pub node: NodeOptions,
    /// How it comes into its cluster.
    pub formation: Formation,
    /// Log and snapshots.
    pub storage: Storage,
    /// Where checkpoints go.
    pub folders: CheckpointFolders,
    /// Makes channels to other coordinators.
    pub connector: Arc<dyn Connector>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// A running coordinator; it ends with the runtime that it was started on.
pub struct SimulatedCoordinator {
    metadata: Metadata,
    serving: Task<Result<()>>,
    _supervisor: Task<()>,
}

impl SimulatedCoordinator {
    /// Starts a coordinator that takes these connections.
    ///
    /// # Errors
    /// As [`super::Coordinator::start`].
    pub async fn start<S, I>(parts: Parts, incoming: S) -> Result<Self>
    where
        S: Stream<Item = io::Result<I>> + Send + 'static,
        I: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    {
        let Parts { node, formation, storage, folders, connector, clock } = parts;
        let metadata = Metadata::start(&node, storage, connector).await?;
        let pool = WorkerPool::default();
        let desk = Desk { metadata: metadata.clone(), clock: clock.clone() };
        let streams = WorkerStreams::new(pool.clone(), Arc::new(desk), clock.clone());
        let workers = WorkerServiceServer::new(streams)
            .max_decoding_message_size(MESSAGE_BYTES)
            .max_encoding_message_size(MESSAGE_BYTES);
        let serving = Server::builder()
            .add_service(raft_service(&metadata))
            .add_service(workers)
            .serve_with_incoming(incoming);
        let serving = spawn("gRPC server", async move {
            let failed = |error| Error::new(ErrorCode::Unavailable, format!("serve: {error}"));
            serving.await.map_err(failed)
        });
        form(&metadata, &formation).await?;
        let supervisor =
            Supervisor::new(metadata.clone(), pool, clock, folders, Secrets::default());
        let supervisor = spawn("supervisor of jobs", supervisor.run());
        Ok(Self { metadata, serving, _supervisor: supervisor })
    }

    /// Its handle to the replicated metadata.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Waits until it cannot go on, and says why: its process would end.
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
}
