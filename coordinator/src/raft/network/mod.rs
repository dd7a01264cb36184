//! What coordinators say to each other, over gRPC: the only part of the replicated metadata that knows it.
//!
//! How connections come about is handed in ([`Connector`], and whoever serves [`raft_service`] brings the incoming
//! ones), so that TLS or a simulated network can be put underneath.

mod client;
mod peers;
mod server;

use std::time::Duration;

use tidegate_types::{Error, ErrorCode, Result};
use tonic::transport::{Channel, Endpoint};

pub(crate) use client::Network;
pub(crate) use peers::{Peer, Peers};
pub use server::{RaftServer, raft_service};

/// Version of the encoding of what is inside the messages.
pub(crate) const ENCODING: u32 = 1;

/// Bytes of a message at most: a batch of entries, or the largest single entry, or a piece of a snapshot, and the rest.
pub(crate) const MESSAGE_BYTES: usize = 32 << 20;

/// How often a connection is asked whether it lives, and how long it may take to say so.
const ALIVE: Duration = Duration::from_secs(2);

/// Makes channels to other coordinators. A channel connects when it is used and again when its connection is lost.
pub trait Connector: Send + Sync + 'static {
    /// A channel to `host:port`. `INVALID_OPTION` if the address is none.
    fn channel(&self, address: &str) -> Result<Channel>;
}

impl<F: Fn(&str) -> Result<Channel> + Send + Sync + 'static> Connector for F {
    fn channel(&self, address: &str) -> Result<Channel> {
        self(address)
    }
}

/// Connects over plain TCP.
#[derive(Debug, Clone, Copy)]
pub struct TcpConnector {
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
}

impl Default for TcpConnector {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(1) }
    }
}

impl Connector for TcpConnector {
    fn channel(&self, address: &str) -> Result<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|error| {
            Error::new(ErrorCode::InvalidOption, format!("'{address}' is no address: {error}"))
        })?;
        let endpoint = endpoint.connect_timeout(self.connect_timeout).tcp_nodelay(true);
        // A host that has gone without a word is noticed even if nothing is sent to it.
        let endpoint = endpoint.http2_keep_alive_interval(ALIVE).keep_alive_timeout(ALIVE);
        Ok(endpoint.keep_alive_while_idle(true).connect_lazy())
    }
}
