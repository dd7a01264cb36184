//! The dialling side: one connection per worker that is dialled, shared by all calls to it, and the
//! course of a call.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use hyper_util::rt::TokioIo;
use tidegate_types::{Error, ErrorCode, Result};
use tonic::Status;
use tonic::codegen::Service;
use tonic::codegen::http::Uri;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::codec::FlightCodec;
use super::encode::BatchEncoder;
use super::header::Grant;
use super::hello::Hello;
use super::options::{ShuffleOptions, Tls};
use super::outgoing::{FrameStream, Outgoing};
use super::payload::MAX_MESSAGE_BYTES;
use super::server::{DO_EXCHANGE, MAX_FRAME, WINDOW};
use super::status::refusal;
use super::transport::{BoxIo, Transport};

/// How often a connection is tried before the peer counts as gone.
const ATTEMPTS: u32 = 5;
/// Pause between tries.
const PAUSE: Duration = Duration::from_millis(200);

/// The workers that are dialled. A connection lives as long as a call uses it.
pub(crate) struct Peers {
    transport: Arc<dyn Transport>,
    options: Arc<ShuffleOptions>,
    peers: Mutex<HashMap<String, Weak<Peer>>>,
}

/// A worker that is dialled.
pub(crate) struct Peer {
    address: String,
    connection: tokio::sync::Mutex<Option<Channel>>,
}

impl Peers {
    /// Nobody is dialled yet.
    pub(crate) fn new(transport: Arc<dyn Transport>, options: Arc<ShuffleOptions>) -> Self {
        Self { transport, options, peers: Mutex::default() }
    }

    /// The worker at an address.
    pub(crate) fn peer(&self, address: &str) -> Arc<Peer> {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(peer) = peers.get(address).and_then(Weak::upgrade) {
            return peer;
        }
        peers.retain(|_, peer| peer.strong_count() > 0);
        let peer = Arc::new(Peer { address: address.to_owned(), connection: Default::default() });
        peers.insert(address.to_owned(), Arc::downgrade(&peer));
        peer
    }

    /// Makes a call and carries it to its end. What goes wrong reaches the call's senders.
    pub(crate) async fn call(
        &self,
        peer: Arc<Peer>,
        call: Arc<Outgoing>,
        encoder: BatchEncoder,
        hello: Hello,
    ) {
        match self.exchange(&peer, &call, encoder, hello).await {
            Ok(()) => call.finish(),
            Err(error) => call.fail(error),
        }
    }

    async fn exchange(
        &self,
        peer: &Peer,
        call: &Arc<Outgoing>,
        encoder: BatchEncoder,
        hello: Hello,
    ) -> Result<()> {
        let lost =
            |status: Status| refusal(&status).unwrap_or_else(|| call.peer().gone(status.message()));
        let connection = self.connection(peer).await.map_err(|error| call.peer().gone(&error))?;
        let mut grpc =
            tonic::client::Grpc::new(connection).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let late = |_| call.peer().gone("it does not answer the handshake");
        let patience = self.options.deployment_timeout + self.options.handshake_timeout;
        let frames = FrameStream::new(call.clone(), encoder, hello.encode());
        let accepted = tokio::time::timeout(patience, async {
            grpc.ready().await.map_err(|error| call.peer().gone(&chain(&error)))?;
            let path = PathAndQuery::from_static(DO_EXCHANGE);
            let request = tonic::Request::new(frames);
            grpc.streaming(request, path, FlightCodec).await.map_err(lost)
        });
        let mut responses = accepted.await.map_err(late)??.into_inner();
        while let Some(response) = responses.message().await.map_err(lost)? {
            call.grant(&Grant::decode(response.app_metadata)?)?;
        }
        Ok(())
    }

    /// The connection to a peer, made if there is none. What went wrong as text.
    async fn connection(&self, peer: &Peer) -> Result<Channel, String> {
        let mut connection = peer.connection.lock().await;
        if let Some(channel) = &*connection {
            return Ok(channel.clone());
        }
        let endpoint = self.endpoint(&peer.address).map_err(|error| error.to_string())?;
        let mut failure = String::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            let connector =
                Connector { transport: self.transport.clone(), address: peer.address.clone() };
            let timeout = self.options.connect_timeout;
            match tokio::time::timeout(timeout, endpoint.connect_with_connector(connector)).await {
                Ok(Ok(channel)) => return Ok(connection.insert(channel).clone()),
                Ok(Err(error)) => failure = chain(&error),
                Err(_) => return Err(format!("no connection within {} ms", timeout.as_millis())),
            }
        }
        Err(failure)
    }

    fn endpoint(&self, address: &str) -> Result<Endpoint> {
        let scheme = if self.options.tls.is_some() { "https" } else { "http" };
        let invalid = |error: &dyn std::fmt::Display| {
            Error::new(
                ErrorCode::InvalidOption,
                format!("'{address}' is no address of a worker's shuffle: {error}"),
            )
            .help("give host:port")
        };
        let endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))
            .map_err(|error| invalid(&error))?
            .connect_timeout(self.options.connect_timeout)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_frame_size(MAX_FRAME)
            .http2_keep_alive_interval(self.options.keep_alive_interval)
            .keep_alive_timeout(self.options.keep_alive_timeout)
            .keep_alive_while_idle(true);
        match &self.options.tls {
            None => Ok(endpoint),
            Some(tls) => endpoint.tls_config(client_tls(tls)).map_err(|error| {
                Error::new(ErrorCode::InvalidOption, format!("TLS of the shuffle: {error}"))
            }),
        }
    }
}

fn client_tls(tls: &Tls) -> ClientTlsConfig {
    let config = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&tls.authority))
        .identity(Identity::from_pem(&tls.certificate, &tls.key));
    match &tls.server_name {
        Some(name) => config.domain_name(name),
        None => config,
    }
}

/// An error with its causes: what a connection failed of is at the end.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Dials one address, whatever it is asked for.
struct Connector {
    transport: Arc<dyn Transport>,
    address: String,
}

impl Service<Uri> for Connector {
    type Response = TokioIo<BoxIo>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let (transport, address) = (self.transport.clone(), self.address.clone());
        async move { transport.connect(&address).await.map(TokioIo::new) }.boxed()
    }
}
