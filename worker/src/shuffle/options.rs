//! Bounds and time-outs of the shuffle, with what each is for.

use std::fmt;
use std::time::Duration;

/// How batches are compressed on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all: the fastest within a data centre.
    #[default]
    None,
    /// LZ4 frames, buffer by buffer.
    Lz4,
    /// Zstandard, buffer by buffer.
    Zstd,
}

/// The certificates with which workers prove to each other who they are, in PEM.
#[derive(Clone)]
pub struct Tls {
    /// The authority that signed the certificates of all workers.
    pub authority: String,
    /// This worker's certificate, with its chain.
    pub certificate: String,
    /// The certificate's private key.
    pub key: String,
    /// The name that the certificates of other workers bear; `None`: the host they are dialled at.
    pub server_name: Option<String>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

/// Bounds and time-outs of a worker's shuffle.
#[derive(Debug, Clone)]
pub struct ShuffleOptions {
    /// Most bytes that may be under way in a channel, beyond the batch that overdraws.
    pub channel_bytes: u64,
    /// What the channels that this worker reads share: none gets more than its part of it.
    pub memory_bytes: u64,
    /// How much may be under way in a channel, as the time that its reader takes for it.
    pub in_flight: Duration,
    /// Calls that may come in at once, those that wait for their run to be deployed included.
    pub max_calls: usize,
    /// Connections that may be accepted at once.
    pub max_connections: usize,
    /// How long a connection may take to be made, secured included.
    pub connect_timeout: Duration,
    /// How long the first message of a call may take.
    pub handshake_timeout: Duration,
    /// How long a call waits for its run to be deployed on the listening worker.
    pub deployment_timeout: Duration,
    /// How often a peer is asked for a sign of life.
    pub keep_alive_interval: Duration,
    /// How long the sign may take before the peer counts as gone.
    pub keep_alive_timeout: Duration,
    /// Compression of what this worker sends.
    pub compression: Compression,
    /// Mutual TLS; `None`: plain.
    pub tls: Option<Tls>,
}

impl Default for ShuffleOptions {
    fn default() -> Self {
        Self {
            channel_bytes: 4 << 20,
            memory_bytes: 256 << 20,
            in_flight: Duration::from_millis(200),
            max_calls: 8192,
            max_connections: 1024,
            connect_timeout: Duration::from_secs(5),
            handshake_timeout: Duration::from_secs(10),
            deployment_timeout: Duration::from_secs(30),
            keep_alive_interval: Duration::from_secs(3),
            keep_alive_timeout: Duration::from_secs(5),
            compression: Compression::None,
            tls: None,
        }
    }
}
