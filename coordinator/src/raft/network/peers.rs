//! Connections to other coordinators, one per address and reused, and questions to the leader.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidegate_catalog::Command;
use tidegate_proto::internal::v1::LeaderRequest;
use tidegate_proto::internal::v1::raft_client::RaftClient;
use tidegate_types::Result;
use tonic::transport::Channel;
use tonic::{ConnectError, Request, Status};

use super::{Connector, ENCODING, MESSAGE_BYTES};
use crate::raft::codec;
use crate::raft::node::{Answer, Change};
use crate::raft::types::NodeId;

/// More connections than this are not kept: old addresses of members that moved.
const CONNECTIONS: usize = 64;

/// Connections to other coordinators; clones share them.
#[derive(Clone)]
pub(crate) struct Peers {
    cluster: Arc<str>,
    connector: Arc<dyn Connector>,
    channels: Arc<Mutex<BTreeMap<String, Channel>>>,
}

/// Where a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) id: NodeId,
    pub(crate) address: String,
}

impl Peers {
    pub(crate) fn new(cluster: &str, connector: Arc<dyn Connector>) -> Self {
        Self { cluster: cluster.into(), connector, channels: Arc::default() }
    }

    /// Name of the cluster that everything is sent in.
    pub(super) fn cluster(&self) -> String {
        self.cluster.as_ref().to_owned()
    }

    /// A client for an address. `INVALID_OPTION` if it is none.
    pub(super) fn client(&self, address: &str) -> Result<RaftClient<Channel>> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = match channels.get(address) {
            Some(channel) => channel.clone(),
            None => {
                if channels.len() >= CONNECTIONS {
                    channels.clear();
                }
                let channel = self.connector.channel(address)?;
                channels.insert(address.to_owned(), channel.clone());
                channel
            }
        };
        let client = RaftClient::new(channel);
        Ok(client.max_decoding_message_size(MESSAGE_BYTES).max_encoding_message_size(MESSAGE_BYTES))
    }

    /// Passes a command on to the leader.
    pub(crate) async fn forward(&self, to: &Peer, command: &Command, within: Duration) -> Answer {
        let request = self.request(to, command.encode(), within);
        let answer = match self.client(&to.address) {
            Ok(mut client) => client.forward(request).await,
            Err(error) => return Answer::Unavailable(error.to_string()),
        };
        read_answer(answer.map(|response| response.into_inner().answer))
    }

    /// Asks the leader what a read must have seen.
    pub(crate) async fn read_index(&self, to: &Peer, within: Duration) -> Answer {
        let request = self.request(to, Vec::new(), within);
        let answer = match self.client(&to.address) {
            Ok(mut client) => client.read_index(request).await,
            Err(error) => return Answer::Unavailable(error.to_string()),
        };
        read_answer(answer.map(|response| response.into_inner().answer))
    }

    /// Passes a change of the membership on to the leader.
    pub(crate) async fn change(&self, to: &Peer, change: &Change, within: Duration) -> Answer {
        let request = self.request(to, codec::json(change), within);
        let answer = match self.client(&to.address) {
            Ok(mut client) => client.change_membership(request).await,
            Err(error) => return Answer::Unavailable(error.to_string()),
        };
        read_answer(answer.map(|response| response.into_inner().answer))
    }

    fn request(&self, to: &Peer, payload: Vec<u8>, within: Duration) -> Request<LeaderRequest> {
        let mut request = Request::new(LeaderRequest {
            cluster: self.cluster(),
            target: to.id,
            encoding: ENCODING,
            payload,
        });
        request.set_timeout(within);
        request
    }
}

/// What came back. Without an answer nobody knows what happened, unless there was no connection to send over.
fn read_answer(answer: std::result::Result<Vec<u8>, Status>) -> Answer {
    match answer {
        Ok(bytes) => codec::from_json(&bytes).unwrap_or_else(|error| {
            Answer::Unknown(format!("the leader's answer makes no sense: {error}"))
        }),
        Err(status) if was_not_sent(&status) => Answer::Unavailable(status.message().to_owned()),
        Err(status) => Answer::Unknown(format!("{:?}: {}", status.code(), status.message())),
    }
}

/// Whether the call failed before it was sent.
fn was_not_sent(status: &Status) -> bool {
    let mut source = status.source();
    while let Some(error) = source {
        if error.is::<ConnectError>() {
            return true;
        }
        source = error.source();
    }
    false
}
