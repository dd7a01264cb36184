//! Messages of the Raft protocol to other nodes.

#![allow(clippy::result_large_err, reason = "the Raft library says what its errors are")]

use std::time::Duration;

use openraft::error::{
    InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError, Unreachable,
};
use openraft::network::{Backoff, RPCOption};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use openraft::{AnyError, BasicNode, RaftNetwork, RaftNetworkFactory};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tidegate_proto::internal::v1::{RaftRequest, RaftResponse};
use tonic::{Code, Request, Response, Status};

use super::ENCODING;
use super::peers::{Peer, Peers};
use crate::raft::codec;
use crate::raft::types::{LogId, NodeId, SnapshotMeta, TypeConfig, Vote};

/// How long a node that cannot be reached is left alone.
const BACKOFF: Duration = Duration::from_millis(200);

/// What [`AppendEntriesRequest`] has beside entries.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AppendHeader {
    pub(super) vote: Vote,
    pub(super) prev_log_id: Option<LogId>,
    pub(super) leader_commit: Option<LogId>,
}

/// What [`InstallSnapshotRequest`] has beside data.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SnapshotHeader {
    pub(super) vote: Vote,
    pub(super) meta: SnapshotMeta,
    pub(super) offset: u64,
    pub(super) done: bool,
}

/// Makes clients for the Raft library.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) peers: Peers,
}

/// Sends to one node.
pub(crate) struct Client {
    peers: Peers,
    target: Peer,
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Client;

    async fn new_client(&mut self, target: NodeId, node: &BasicNode) -> Client {
        let target = Peer { id: target, address: node.addr.clone() };
        Client { peers: self.peers.clone(), target }
    }
}

type Failure<E> = RPCError<NodeId, BasicNode, RaftError<NodeId, E>>;

impl Client {
    fn request<T: Serialize>(&self, header: &T, option: &RPCOption) -> Request<RaftRequest> {
        let mut request = Request::new(RaftRequest {
            cluster: self.peers.cluster(),
            target: self.target.id,
            encoding: ENCODING,
            header: codec::json(header),
            entries: Vec::new(),
            data: Vec::new(),
        });
        request.set_timeout(option.hard_ttl());
        request
    }

    fn client<E: std::error::Error>(
        &self,
    ) -> Result<
        tidegate_proto::internal::v1::raft_client::RaftClient<tonic::transport::Channel>,
        Failure<E>,
    > {
        self.peers.client(&self.target.address).map_err(|error| Unreachable::new(&error).into())
    }
}

/// The answer, or why there is none, in the library's terms.
fn answer<T: DeserializeOwned, E: std::error::Error>(
    response: Result<Response<RaftResponse>, Status>,
) -> Result<T, Failure<E>> {
    let response = response.map_err(|status| match status.code() {
        // Another node answers at this address, or it is stopping, or nobody answers: try again later.
        Code::Unavailable | Code::FailedPrecondition | Code::Unimplemented => {
            RPCError::Unreachable(Unreachable::new(&status))
        }
        _ => RPCError::Network(NetworkError::new(&status)),
    })?;
    codec::from_json(&response.into_inner().header)
        .map_err(|error| NetworkError::new(&AnyError::error(error)).into())
}

impl RaftNetwork<TypeConfig> for Client {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<NodeId>, Failure<openraft::error::Infallible>> {
        let AppendEntriesRequest { vote, prev_log_id, entries, leader_commit } = rpc;
        let mut request = self.request(&AppendHeader { vote, prev_log_id, leader_commit }, &option);
        request.get_mut().entries = entries.iter().map(codec::seal_entry).collect();
        answer(self.client()?.append_entries(request).await)
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<NodeId>,
        option: RPCOption,
    ) -> Result<VoteResponse<NodeId>, Failure<openraft::error::Infallible>> {
        answer(self.client()?.vote(self.request(&rpc, &option)).await)
    }

    async fn install_snapshot(
        &mut self,
        rpc: InstallSnapshotRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<InstallSnapshotResponse<NodeId>, Failure<InstallSnapshotError>> {
        let InstallSnapshotRequest { vote, meta, offset, data, done } = rpc;
        let mut request = self.request(&SnapshotHeader { vote, meta, offset, done }, &option);
        request.get_mut().data = data;
        let received: Result<InstallSnapshotResponse<NodeId>, InstallSnapshotError> =
            answer(self.client()?.install_snapshot(request).await)?;
        received
            .map_err(|error| RemoteError::new(self.target.id, RaftError::APIError(error)).into())
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(BACKOFF))
    }
}
