//! The network between hosts: connections, how long bytes take, and what is cut.
//!
//! As with TCP, what is sent over a link that is cut arrives when it is mended, unless somebody has lost patience.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::http::Uri;
use tonic::codegen::{BoxFuture, Service};
use tonic::transport::{Channel, Endpoint};

use super::stream::{SharedPipe, Stream, connection, lock};
use super::{HostId, current_host};
use crate::random::Random;
use crate::trace;

/// Connections that wait to be taken.
const BACKLOG: usize = 64;

/// How long a connection may take to come about, and how often it is asked whether it lives: as shipped.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const ALIVE: Duration = Duration::from_secs(2);

/// The network; clones are handles to the same.
#[derive(Debug, Clone)]
pub(crate) struct Network(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    now: Duration,
    random: Random,
    /// Milliseconds that bytes take.
    latency: Range<u64>,
    /// Links that are cut, in one direction, and how often: what was cut twice has to be mended twice.
    cut: BTreeMap<(HostId, HostId), u32>,
    /// Links that are slow, and by how much more.
    slow: BTreeMap<(HostId, HostId), u64>,
    without_power: BTreeSet<HostId>,
    listeners: BTreeMap<String, (HostId, mpsc::Sender<io::Result<Stream>>)>,
    pipes: Vec<SharedPipe>,
    dialing: Vec<Dialing>,
}

#[derive(Debug)]
struct Dialing {
    from: HostId,
    address: String,
    at: Duration,
    answer: oneshot::Sender<io::Result<Stream>>,
}

impl Network {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            now: Duration::ZERO,
            random: Random::of(seed, "network"),
            latency: 1..30,
            cut: BTreeMap::new(),
            slow: BTreeMap::new(),
            without_power: BTreeSet::new(),
            listeners: BTreeMap::new(),
            pipes: Vec::new(),
            dialing: Vec::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When something arrives that is sent now.
    pub(super) fn arrival(&self, from: HostId, to: HostId) -> Duration {
        self.state().arrival(from, to)
    }

    /// Takes connections at an address, for the host that is at work.
    pub(crate) fn listen(&self, address: &str) -> ReceiverStream<io::Result<Stream>> {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        self.state().listeners.insert(address.to_owned(), (current_host(), sender));
        ReceiverStream::new(receiver)
    }

    /// Connects the host that is at work to an address.
    pub(crate) async fn connect(&self, address: &str) -> io::Result<Stream> {
        let (answer, answered) = oneshot::channel();
        {
            let mut state = self.state();
            let from = current_host();
            let at = state.arrival(from, from);
            state.dialing.push(Dialing { from, address: address.to_owned(), at, answer });
        }
        answered.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Cuts one direction of a link, or mends it.
    pub(crate) fn cut(&self, from: HostId, to: HostId, cut: bool) {
        let mut state = self.state();
        let cuts = state.cut.entry((from, to)).or_default();
        *cuts = if cut { *cuts + 1 } else { cuts.saturating_sub(1) };
    }

    /// Makes one direction of a link slow by so many milliseconds; 0 mends it.
    pub(crate) fn slow(&self, from: HostId, to: HostId, ms: u64) {
        self.state().slow.insert((from, to), ms);
    }

    /// Mends everything.
    pub(crate) fn mend(&self) {
        let mut state = self.state();
        state.cut.clear();
        state.slow.clear();
    }

    pub(super) fn power_lost(&self, host: HostId) {
        let mut state = self.state();
        state.without_power.insert(host);
        for pipe in state.pipes.iter().filter(|pipe| ends_at(pipe, host)) {
            lock(pipe).dead = true;
        }
    }

    pub(super) fn went_down(&self, host: HostId) {
        let mut state = self.state();
        state.listeners.retain(|_, (listening, _)| *listening != host);
        state.dialing.retain(|dialing| dialing.from != host);
    }

    pub(super) fn came_up(&self, host: HostId) {
        let mut state = self.state();
        if state.without_power.remove(&host) {
            // It knows nothing of its connections before.
            for pipe in state.pipes.iter().filter(|pipe| ends_at(pipe, host)) {
                lock(pipe).break_off();
            }
        }
    }

    pub(super) fn deliver(&self, now: Duration) {
        let mut state = self.state();
        state.now = now;
        state.pipes.retain(|pipe| !lock(pipe).is_over());
        let pipes = state.pipes.clone();
        let open = |pipe: &&SharedPipe| {
            let pipe = lock(pipe);
            !state.is_cut(pipe.from, pipe.to)
        };
        let open: Vec<_> = pipes.iter().filter(open).collect();
        let dialing = std::mem::take(&mut state.dialing);
        let (due, later) = dialing.into_iter().partition(|dialing| state.is_due(dialing));
        state.dialing = later;
        drop(state);
        for pipe in open {
            lock(pipe).deliver(now);
        }
        for dialing in due {
            self.answer(dialing);
        }
    }

    fn answer(&self, dialing: Dialing) {
        let Dialing { from, address, answer, .. } = dialing;
        let refused = || Err(io::ErrorKind::ConnectionRefused.into());
        let listener = self.state().listeners.get(&address).cloned();
        let result = match listener {
            None => refused(),
            Some((to, listener)) => {
                let (mine, theirs, pipes) = connection(self, from, to);
                match listener.try_send(Ok(theirs)) {
                    Ok(()) => {
                        trace::count(u64::from(from) << 8 | u64::from(to));
                        self.state().pipes.extend(pipes);
                        Ok(mine)
                    }
                    Err(_) => refused(),
                }
            }
        };
        // Whoever has lost patience closes what it gets.
        let _ = answer.send(result);
    }
}

/// Whether the host is at one of the pipe's ends.
fn ends_at(pipe: &SharedPipe, host: HostId) -> bool {
    let pipe = lock(pipe);
    pipe.from == host || pipe.to == host
}

impl State {
    fn is_cut(&self, from: HostId, to: HostId) -> bool {
        self.cut.get(&(from, to)).is_some_and(|cuts| *cuts > 0)
    }

    fn arrival(&mut self, from: HostId, to: HostId) -> Duration {
        let more = self.slow.get(&(from, to)).copied().unwrap_or(0);
        let takes = self.random.millis(self.latency.clone());
        self.now + takes + Duration::from_millis(more)
    }

    /// Whether an answer can be given: the address is reached both ways, or known not to be there.
    fn is_due(&self, dialing: &Dialing) -> bool {
        if dialing.at > self.now {
            return false;
        }
        let Some((to, _)) = self.listeners.get(&dialing.address) else {
            return self.without_power.is_empty();
        };
        !self.is_cut(dialing.from, *to) && !self.is_cut(*to, dialing.from)
    }
}

/// Makes gRPC channels over the network, as the shipped connector does over TCP.
#[derive(Debug, Clone)]
pub(crate) struct Dialer(pub(crate) Network);

impl Dialer {
    /// A channel to `host:port`.
    pub(crate) fn channel(&self, address: &str) -> tidegate_types::Result<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|error| {
            tidegate_types::Error::new(
                tidegate_types::ErrorCode::InvalidOption,
                format!("'{address}' is no address: {error}"),
            )
        })?;
        let endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT);
        let endpoint = endpoint.http2_keep_alive_interval(ALIVE).keep_alive_timeout(ALIVE);
        Ok(endpoint.keep_alive_while_idle(true).connect_with_connector_lazy(self.clone()))
    }
}

impl Service<Uri> for Dialer {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let network = self.0.clone();
        Box::pin(async move {
            let address = uri.authority().map(ToString::to_string).unwrap_or_default();
            network.connect(&address).await.map(TokioIo::new)
        })
    }
}
