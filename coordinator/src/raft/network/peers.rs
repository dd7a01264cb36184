//! Connections to other coordinators, one per address and reused, and questions to the leader.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidegate_catalog::Command;
use tidegate_proto::internal::v1::LeaderRequest;
use tidegate_proto::internal::v1::raft_client::RaftClient;
use tidegate_types::Result;
use tokio::runtime::Handle;
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
    /// Where connections live: with the node, not with whoever was the first to need one.
    runtime: Handle,
}

/// Where a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) id: NodeId,
    pub(crate) address: String,
}

impl Peers {
    /// Connections that live on the current runtime.
    pub(crate) fn new(cluster: &str, connector: Arc<dyn Connector>) -> Self {
        let (channels, runtime) = (Arc::default(), Handle::current());
        Self { cluster: cluster.into(), connector, channels, runtime }
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
                let _entered = self.runtime.enter();
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tidegate_catalog::Action;
    use tokio::net::TcpListener;

    use super::*;
    use crate::raft::network::TcpConnector;

    async fn forward(address: String, within: Duration) -> Answer {
        let peers = Peers::new("test", Arc::new(TcpConnector::default()));
        let command = Command::new(1, Action::DeleteTenant { tenant: "t".to_owned(), etag: None });
        peers.forward(&Peer { id: 2, address }, &command, within).await
    }

    #[tokio::test]
    async fn what_was_not_sent_is_known_not_to_be_done() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let answer = forward(address, Duration::from_secs(5)).await;
        assert!(matches!(answer, Answer::Unavailable(_)), "{answer:?}");
        let answer = forward("no address".to_owned(), Duration::from_secs(5)).await;
        assert!(matches!(answer, Answer::Unavailable(_)), "{answer:?}");
    }

    #[tokio::test]
    async fn what_was_sent_and_not_answered_is_unknown() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let silent = forward(address.clone(), Duration::from_millis(300));
        let (answer, connection) = tokio::join!(silent, listener.accept());
        assert!(matches!(answer, Answer::Unknown(_)), "{answer:?}");
        drop(connection);
        let closed = tokio::join!(forward(address, Duration::from_secs(5)), async {
            drop(listener.accept().await);
        });
        assert!(matches!(closed.0, Answer::Unknown(_)), "{:?}", closed.0);
    }
}
