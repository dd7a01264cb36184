//! An HTTP proxy in front of the object store that answers wrongly, late or not at all, by chance. Requests pass
//! unchanged, the header `Host` among them, so signatures stay valid: the client signs for the proxy's address, and
//! the store checks what it was sent. Which fault a request meets is drawn in [`faults`].

pub(crate) mod faults;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, TRANSFER_ENCODING};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, client, server};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use faults::{Chance, Counts, Fault, Rates};

/// Largest body that passes.
const LARGEST: usize = 256 << 20;

/// Longest delay.
pub(super) const LONGEST_DELAY: Duration = Duration::from_millis(1_500);

/// The proxy; it ends when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    _runtime: Runtime,
}

struct State {
    store: SocketAddr,
    chance: Chance,
    troubled: AtomicBool,
}

impl Proxy {
    /// Listens on a free port of this machine, for the store on another.
    pub(crate) fn start(store_port: u16, seed: u64, rates: Rates) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("proxy")
            .enable_all()
            .build()
            .context("start the proxy")?;
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .context("listen as proxy")?;
        let address = listener.local_addr().context("find the proxy's address")?;
        let store = SocketAddr::from((Ipv4Addr::LOCALHOST, store_port));
        let state = Arc::new(State {
            store,
            chance: Chance::new(seed, rates),
            troubled: AtomicBool::new(false),
        });
        runtime.spawn(accept(listener, Arc::clone(&state)));
        Ok(Self { address, state, _runtime: runtime })
    }

    /// What clients use as the store's address.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Switches the faults on or off; off at first.
    pub(crate) fn trouble(&self, on: bool) {
        self.state.troubled.store(on, Ordering::Relaxed);
    }

    /// What happened so far.
    pub(crate) fn counts(&self) -> Counts {
        self.state.chance.counts()
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    loop {
        // An error is one of a connection, or a lack of descriptors that passes.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // A connection that the proxy drops is reset, not closed in good order.
        let _ = stream.set_zero_linger();
        let _ = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let serve = service_fn(|request| answer(&state, request));
            let connection = server::conn::http1::Builder::new();
            // It ends by the client, or by a fault on purpose.
            let _ = connection.serve_connection(TokioIo::new(stream), serve).await;
        });
    }
}

/// An error drops the connection.
async fn answer(state: &State, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    let troubled = state.troubled.load(Ordering::Relaxed);
    let reads_object = request.method() == Method::GET && is_object(&request);
    let fault = if troubled { state.chance.draw(reads_object) } else { None };
    match fault {
        Some(Fault::SlowDown) => return Ok(refusal(StatusCode::TOO_MANY_REQUESTS, "SlowDown")),
        Some(Fault::InternalError) => {
            return Ok(refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"));
        }
        Some(Fault::Unavailable) => {
            return Ok(refusal(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"));
        }
        Some(Fault::Reset) => bail!("reset on purpose"),
        Some(Fault::Delay) => tokio::time::sleep(state.chance.delay()).await,
        Some(Fault::LostAnswer | Fault::Corrupt) | None => {}
    }
    let (parts, mut body) = forward(state.store, request).await?;
    if fault == Some(Fault::LostAnswer) {
        tokio::time::sleep(state.chance.delay()).await;
        bail!("the answer is dropped on purpose");
    }
    if fault == Some(Fault::Corrupt) && parts.status.is_success() {
        body = state.chance.corrupt(body);
    }
    Ok(Response::from_parts(parts, Full::new(body)))
}

/// Whether the request is about an object's content: lists have no checksum of their own, so a changed byte in one is
/// nothing that a client could notice.
fn is_object<B>(request: &Request<B>) -> bool {
    let path = request.uri().path().trim_matches('/');
    path.contains('/') && request.uri().query().is_none()
}

fn refusal(status: StatusCode, code: &str) -> Response<Full<Bytes>> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>on purpose</Message></Error>"
    );
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// Over a connection of its own.
async fn forward(
    store: SocketAddr,
    request: Request<Incoming>,
) -> Result<(hyper::http::response::Parts, Bytes)> {
    let (parts, body) = request.into_parts();
    let body = whole(body).await?;
    let stream = TcpStream::connect(store).await.context("connect to the store")?;
    let _ = stream.set_nodelay(true);
    let (mut sender, connection) =
        client::conn::http1::handshake(TokioIo::new(stream)).await.context("speak to the store")?;
    tokio::spawn(connection);
    let request = Request::from_parts(parts, Full::new(body));
    let answer = sender.send_request(request).await.context("ask the store")?;
    let (mut parts, body) = answer.into_parts();
    let body = whole(body).await?;
    // The body is whole here, and it is sent as such.
    if parts.headers.remove(TRANSFER_ENCODING).is_some() {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    Ok((parts, body))
}

async fn whole(body: Incoming) -> Result<Bytes> {
    match Limited::new(body, LARGEST).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => bail!("read a body: {error}"),
    }
}

#[cfg(test)]
mod tests;
