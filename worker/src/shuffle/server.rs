//! The listening side: takes connections, lets calls in that the registry knows.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow_flight::FlightData;
use futures::{FutureExt, Stream, stream};
use tidegate_runtime::{Task, spawn, spawn_on};
use tidegate_security::NodeRoles;
use tidegate_types::{Error, ErrorCode, Result};
use tokio::sync::{Semaphore, oneshot};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{NamedService, StreamingService};
use tonic::transport::server::TlsConnectInfo;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

use super::codec::FlightCodec;
use super::decode;
use super::encode::Frame;
use super::header::malformed;
use super::hello::Hello;
use super::incoming::CreditStream;
use super::names::WorkerName;
use super::options::{ShuffleOptions, Tls};
use super::reader::{Failure, MessageReader};
use super::registry::Registry;
use super::run::Shuffle;
use super::status::to_status;
use super::transport::{Accepted, Listener};

/// The one method of Arrow Flight that workers use.
pub(crate) const DO_EXCHANGE: &str = "/arrow.flight.protocol.FlightService/DoExchange";
/// Bytes under way that HTTP/2 allows a connection and each of its calls. Far above what credits
/// allow a channel that is slow: the connection is always read, so this never holds a call back.
pub(crate) const WINDOW: u32 = 16 << 20;
/// Largest HTTP/2 frame: large enough to cost little, small enough that a barrier of another call
/// does not wait behind it.
pub(crate) const MAX_FRAME: u32 = 128 << 10;
/// Pause after a connection could not be accepted, such as for want of descriptors.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);

/// The listening end of a worker's shuffle. Dropping it ends listening; calls that have come in go on
/// until their runs end.
pub struct ShuffleServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    _serving: Task<()>,
}

impl ShuffleServer {
    /// Begins to listen at `address` (port 0: any) and to serve the runs that `shuffle` opens.
    ///
    /// # Errors
    /// `UNAVAILABLE` if the address cannot be had, `INVALID_OPTION` for certificates that cannot be
    /// used.
    pub async fn bind(shuffle: &Shuffle, address: SocketAddr) -> Result<Self> {
        let unavailable = |error: std::io::Error| {
            Error::new(ErrorCode::Unavailable, format!("listen at {address}: {error}"))
                .help("choose another address for the worker's shuffle, or free this one")
        };
        let listener = shuffle.transport().listen(address).await.map_err(unavailable)?;
        let address = listener.local_address().map_err(unavailable)?;
        let options = shuffle.options().clone();
        let mut builder = builder(&options)?;
        let service = Exchange {
            me: shuffle.name().clone(),
            registry: shuffle.registry().clone(),
            calls: Arc::new(Semaphore::new(options.max_calls)),
            options: options.clone(),
        };
        let (stop, stopped) = oneshot::channel();
        let incoming = Box::pin(accepted(listener, options.max_connections));
        let serving = async move {
            let router = builder.add_service(service);
            let stopped = stopped.map(|_| ());
            if let Err(error) = router.serve_with_incoming_shutdown(incoming, stopped).await {
                tracing::error!(%error, "the shuffle stopped serving");
            }
        };
        let serving = spawn_on(shuffle.runtime(), format!("shuffle at {address}"), serving);
        Ok(Self { address, stop: Some(stop), _serving: serving })
    }

    /// The address that it listens at.
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for ShuffleServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

fn builder(options: &ShuffleOptions) -> Result<Server> {
    let builder = Server::builder()
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_frame_size(MAX_FRAME)
        // More than may come in, so that a call too many hears why it is refused.
        .max_concurrent_streams(u32::try_from(2 * options.max_calls).unwrap_or(u32::MAX))
        .http2_keepalive_interval(Some(options.keep_alive_interval))
        .http2_keepalive_timeout(Some(options.keep_alive_timeout));
    match &options.tls {
        None => Ok(builder),
        Some(tls) => builder.tls_config(server_tls(tls, options)).map_err(|error| {
            Error::new(ErrorCode::InvalidOption, format!("TLS of the shuffle: {error}"))
        }),
    }
}

fn server_tls(tls: &Tls, options: &ShuffleOptions) -> ServerTlsConfig {
    ServerTlsConfig::new()
        .identity(Identity::from_pem(&tls.certificate, &tls.key))
        .client_ca_root(Certificate::from_pem(&tls.authority))
        .timeout(options.connect_timeout)
}

/// The connections of a listener, at most `most` at once.
fn accepted(
    listener: Box<dyn Listener>,
    most: usize,
) -> impl Stream<Item = std::io::Result<Accepted>> + Send {
    let permits = Arc::new(Semaphore::new(most));
    stream::unfold((listener, permits), |(mut listener, permits)| async move {
        loop {
            let permit = permits.clone().acquire_owned().await.ok()?;
            match listener.accept().await {
                Ok(io) => return Some((Ok(Accepted { io, _permit: permit }), (listener, permits))),
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection of another worker");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    })
}

/// Arrow Flight's service, of which only `DoExchange` is there.
#[derive(Clone)]
struct Exchange {
    me: WorkerName,
    registry: Arc<Registry>,
    calls: Arc<Semaphore>,
    options: Arc<ShuffleOptions>,
}

impl NamedService for Exchange {
    const NAME: &'static str = "arrow.flight.protocol.FlightService";
}

impl Service<http::Request<Body>> for Exchange {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let exchange = self.clone();
        async move {
            if let Err(error) = exchange.check_peer(request.extensions()) {
                tracing::warn!(%error, "refused a call of another node");
                return Ok(to_status(&error).into_http());
            }
            if request.uri().path() != DO_EXCHANGE {
                return Ok(Status::unimplemented("workers only exchange").into_http());
            }
            let (parts, body) = request.into_parts();
            let call = Call { exchange, messages: Some(MessageReader::new(body)) };
            // tonic answers; what comes is read by the call itself.
            let request = http::Request::from_parts(parts, Body::empty());
            Ok(tonic::server::Grpc::new(FlightCodec).streaming(call, request).await)
        }
        .boxed()
    }
}

/// A call that has come in.
struct Call {
    exchange: Exchange,
    messages: Option<MessageReader>,
}

impl StreamingService<FlightData> for Call {
    type Response = Frame;
    type ResponseStream = CreditStream;
    type Future = BoxFuture<Response<CreditStream>, Status>;

    fn call(&mut self, _: Request<Streaming<FlightData>>) -> Self::Future {
        let exchange = self.exchange.clone();
        let messages = self.messages.take();
        async move {
            let messages = messages.ok_or_else(|| Status::internal("a call is taken once"))?;
            exchange.accept(messages).await.map_err(|error| {
                tracing::warn!(%error, "refused a call of another worker");
                to_status(&error)
            })
        }
        .boxed()
    }
}

impl Exchange {
    /// Only workers exchange rows. That their certificates are of the right authority, TLS has checked.
    fn check_peer(&self, extensions: &http::Extensions) -> Result<()> {
        let shown = || {
            let certificates = extensions.get::<TlsConnectInfo<()>>()?.peer_certs()?;
            Some(NodeRoles::of_certificate(certificates.first()?))
        };
        if self.options.tls.is_none() || shown().is_some_and(|roles| roles.worker) {
            return Ok(());
        }
        let message = "only a certificate of a worker gives access to the shuffle";
        Err(Error::new(ErrorCode::PermissionDenied, message)
            .help("`tidegate cert issue --worker NAME=HOST` makes one"))
    }

    async fn accept(&self, mut messages: MessageReader) -> Result<Response<CreditStream>> {
        let permit = self.calls.clone().try_acquire_owned().map_err(|_| {
            let most = self.options.max_calls;
            let message = format!("worker {} has {most} calls of the shuffle already", self.me);
            Error::new(ErrorCode::ResourceExhausted, message)
        })?;
        let first = tokio::time::timeout(self.options.handshake_timeout, messages.next())
            .await
            .map_err(|_| Error::new(ErrorCode::Unavailable, "the handshake takes too long"))?
            .map_err(|failure| match failure {
                Failure::Lost(how) => malformed(&how),
                Failure::Malformed(error) => error,
            })?
            .ok_or_else(|| malformed("a call ends before its handshake"))?;
        let hello = Hello::decode(first.descriptor.as_ref())?;
        if hello.to != self.me {
            return Err(Error::new(
                ErrorCode::NotFound,
                format!("this is worker {}, not {}", self.me, hello.to),
            ));
        }
        let schema = decode::schema(&first.header)?;
        let wait = self.options.deployment_timeout;
        let call = self.registry.claim(&hello, &schema, wait).await?;
        let name = format!("shuffle of {} from {}", hello.key, hello.from);
        let reading = spawn(name, call.clone().receive(messages));
        Ok(Response::new(CreditStream::new(call, reading, permit)))
    }
}
