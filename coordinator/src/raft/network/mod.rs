//! What coordinators say to each other, over gRPC: the only part of the replicated metadata that knows it.
//!
//! How connections come about is handed in ([`Connector`], and whoever serves [`raft_service`] brings the incoming
//! ones), so that TLS or a simulated network can be put underneath.

mod client;
mod peers;
mod server;

use std::time::Duration;

use tidegate_security::Identity;
use tidegate_types::{Error, ErrorCode, Result};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

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

/// Connects over TCP, with TLS if the node has a certificate.
#[derive(Debug, Clone)]
pub struct TcpConnector {
    /// How long a connection may take to come about, and again to be secured.
    pub connect_timeout: Duration,
    tls: Option<ClientTlsConfig>,
}

impl Default for TcpConnector {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(1), tls: None }
    }
}

impl TcpConnector {
    /// Shows a node's certificate, and believes those of the authority that signed it.
    pub fn with_identity(identity: &Identity) -> Self {
        let own = tonic::transport::Identity::from_pem(identity.certificate(), identity.key());
        let tls = Self::trusting(identity.authority()).identity(own);
        Self { tls: Some(tls), ..Self::default() }
    }

    /// Shows nothing, and believes the certificates of an authority (PEM).
    pub fn with_authority(authority: &str) -> Self {
        Self { tls: Some(Self::trusting(authority)), ..Self::default() }
    }

    fn trusting(authority: &str) -> ClientTlsConfig {
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority))
    }

    /// Where and how an address is dialled.
    ///
    /// # Errors
    /// `INVALID_OPTION` if the address is none, or the certificates cannot be used.
    pub fn endpoint(&self, address: &str) -> Result<Endpoint> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let endpoint = Endpoint::from_shared(format!("{scheme}://{address}")).map_err(|error| {
            Error::new(ErrorCode::InvalidOption, format!("'{address}' is no address: {error}"))
                .help("write it as host:port")
        })?;
        let endpoint = endpoint.connect_timeout(self.connect_timeout).tcp_nodelay(true);
        match &self.tls {
            None => Ok(endpoint),
            Some(tls) => {
                let tls = tls.clone().timeout(self.connect_timeout);
                endpoint.tls_config(tls).map_err(|error| {
                    let message = format!("TLS to {address}: {error}");
                    Error::new(ErrorCode::InvalidOption, message)
                })
            }
        }
    }
}

impl Connector for TcpConnector {
    fn channel(&self, address: &str) -> Result<Channel> {
        // A host that has gone without a word is noticed even if nothing is sent to it.
        let endpoint =
            self.endpoint(address)?.http2_keep_alive_interval(ALIVE).keep_alive_timeout(ALIVE);
        Ok(endpoint.keep_alive_while_idle(true).connect_lazy())
    }
}
