//! The gRPC service that other coordinators call.

use openraft::error::RaftError;
use openraft::raft::{AppendEntriesRequest, InstallSnapshotRequest, VoteRequest};
use serde::Serialize;
use tidegate_catalog::Command;
use tidegate_proto::internal::v1::raft_server::Raft as RaftRpc;
use tidegate_proto::internal::v1::{LeaderRequest, LeaderResponse, RaftRequest, RaftResponse};
use tidegate_types::{Error, ErrorCode};
use tonic::{Request, Response, Status};

use super::client::{AppendHeader, SnapshotHeader};
use super::{ENCODING, MESSAGE_BYTES};
use crate::raft::codec;
use crate::raft::node::{Answer, LeaderSide, Metadata};
use crate::raft::types::{NodeId, Raft, TypeConfig};

/// The service as something that a gRPC server takes.
pub type RaftServer = tidegate_proto::internal::v1::raft_server::RaftServer<RaftService>;

/// Answers other coordinators.
pub struct RaftService {
    id: NodeId,
    cluster: String,
    raft: Raft,
    leader: LeaderSide,
    snapshot_bytes: u64,
}

/// The service of a node, to be added to a gRPC server on the address that the membership has for the node.
pub fn raft_service(node: &Metadata) -> RaftServer {
    let service = RaftService {
        id: node.id(),
        cluster: node.cluster().to_owned(),
        raft: node.raft().clone(),
        leader: node.leader_side(),
        snapshot_bytes: node.snapshot_bytes(),
    };
    RaftServer::new(service)
        .max_decoding_message_size(MESSAGE_BYTES)
        .max_encoding_message_size(MESSAGE_BYTES)
}

impl RaftService {
    /// Refuses what is meant for another node or comes from another release.
    fn check(&self, cluster: &str, target: NodeId, encoding: u32) -> Result<(), Status> {
        if cluster != self.cluster {
            let mine = &self.cluster;
            let message = format!("this is a coordinator of cluster '{mine}', not of '{cluster}'");
            return Err(Status::failed_precondition(message));
        }
        if target != self.id {
            let message = format!("this is node {}, not node {target}", self.id);
            return Err(Status::failed_precondition(message));
        }
        if encoding != ENCODING {
            let message = format!("this node reads messages of version {ENCODING}, not {encoding}");
            return Err(Status::failed_precondition(message));
        }
        Ok(())
    }

    fn checked(&self, request: Request<RaftRequest>) -> Result<RaftRequest, Status> {
        let request = request.into_inner();
        self.check(&request.cluster, request.target, request.encoding)?;
        Ok(request)
    }

    fn checked_question(&self, request: Request<LeaderRequest>) -> Result<Vec<u8>, Status> {
        let request = request.into_inner();
        self.check(&request.cluster, request.target, request.encoding)?;
        Ok(request.payload)
    }
}

fn respond<T: Serialize>(header: &T) -> Result<Response<RaftResponse>, Status> {
    Ok(Response::new(RaftResponse { header: codec::json(header) }))
}

fn tell(answer: &Answer) -> Result<Response<LeaderResponse>, Status> {
    Ok(Response::new(LeaderResponse { answer: codec::json(answer) }))
}

/// A message that cannot be read.
fn unreadable(error: Error) -> Status {
    match error.code() {
        ErrorCode::Incompatible => Status::failed_precondition(error.to_string()),
        _ => Status::invalid_argument(error.to_string()),
    }
}

/// The node is stopping or has stopped.
fn stopped<E: std::fmt::Display>(error: E) -> Status {
    Status::unavailable(error.to_string())
}

#[tonic::async_trait]
impl RaftRpc for RaftService {
    async fn append_entries(
        &self,
        request: Request<RaftRequest>,
    ) -> Result<Response<RaftResponse>, Status> {
        let request = self.checked(request)?;
        let AppendHeader { vote, prev_log_id, leader_commit } =
            codec::from_json(&request.header).map_err(unreadable)?;
        let entries = request.entries.iter().map(|frame| codec::unseal_entry(frame));
        let entries = entries.collect::<Result<_, _>>().map_err(unreadable)?;
        let rpc: AppendEntriesRequest<TypeConfig> =
            AppendEntriesRequest { vote, prev_log_id, entries, leader_commit };
        respond(&self.raft.append_entries(rpc).await.map_err(stopped)?)
    }

    async fn vote(&self, request: Request<RaftRequest>) -> Result<Response<RaftResponse>, Status> {
        let request = self.checked(request)?;
        let rpc: VoteRequest<NodeId> = codec::from_json(&request.header).map_err(unreadable)?;
        respond(&self.raft.vote(rpc).await.map_err(stopped)?)
    }

    async fn install_snapshot(
        &self,
        request: Request<RaftRequest>,
    ) -> Result<Response<RaftResponse>, Status> {
        let RaftRequest { header, data, .. } = self.checked(request)?;
        let SnapshotHeader { vote, meta, offset, done } =
            codec::from_json(&header).map_err(unreadable)?;
        let end = offset.saturating_add(data.len() as u64);
        if end > self.snapshot_bytes {
            let most = self.snapshot_bytes;
            let message = format!("a snapshot of {end} bytes is larger than {most}");
            return Err(Status::resource_exhausted(message));
        }
        let rpc: InstallSnapshotRequest<TypeConfig> =
            InstallSnapshotRequest { vote, meta, offset, data, done };
        let received = match self.raft.install_snapshot(rpc).await {
            Ok(response) => Ok(response),
            Err(RaftError::APIError(error)) => Err(error),
            Err(RaftError::Fatal(error)) => return Err(stopped(error)),
        };
        respond(&received)
    }

    async fn forward(
        &self,
        request: Request<LeaderRequest>,
    ) -> Result<Response<LeaderResponse>, Status> {
        let payload = self.checked_question(request)?;
        let command = Command::decode(&payload).map_err(unreadable)?;
        tell(&self.leader.propose(None, command).await)
    }

    async fn read_index(
        &self,
        request: Request<LeaderRequest>,
    ) -> Result<Response<LeaderResponse>, Status> {
        self.checked_question(request)?;
        tell(&self.leader.read_index().await)
    }

    async fn change_membership(
        &self,
        request: Request<LeaderRequest>,
    ) -> Result<Response<LeaderResponse>, Status> {
        let payload = self.checked_question(request)?;
        let change = codec::from_json(&payload).map_err(unreadable)?;
        tell(&self.leader.change(change).await)
    }
}
