//! The process of a worker, as it is shipped: the agent, the engine's tasks, the shuffle; on simulated parts.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use async_trait::async_trait;
use futures::{FutureExt, StreamExt};
use tidegate_worker::service::{Agent, AgentOptions, Host};
use tidegate_worker::shuffle::transport::{BoxIo, Listener};
use tidegate_worker::shuffle::{Shuffle, ShuffleOptions, ShuffleServer, Transport, WorkerName};
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio_stream::wrappers::ReceiverStream;

use crate::kernel::{Dialer, HostClock, Main, Network, Stream};
use crate::outside::connectors::Connectors;
use crate::outside::feed::Feed;
use crate::outside::target::Target;

/// Slots of a worker.
const SLOTS: u32 = 3;

/// What a worker is started with.
pub(crate) struct Boot {
    pub(crate) name: String,
    /// Where its shuffle is reached.
    pub(crate) address: SocketAddr,
    pub(crate) coordinators: Vec<String>,
    pub(crate) now: Duration,
    pub(crate) ahead: Arc<AtomicI64>,
    pub(crate) network: Network,
    pub(crate) feed: Feed,
    pub(crate) target: Target,
}

/// The process.
pub(crate) fn main(boot: Boot) -> Main {
    async move {
        let clock = HostClock::begin(boot.now, boot.ahead);
        let runtime = Handle::current();
        let shuffle = Shuffle::new(
            WorkerName::new(boot.name.clone()),
            ShuffleOptions::default(),
            Arc::new(Links(boot.network.clone())),
            clock.clone(),
            runtime.clone(),
        );
        let server = match ShuffleServer::bind(&shuffle, boot.address).await {
            Ok(server) => server,
            Err(error) => return format!("does not start: {error}"),
        };
        let (_known, known) = watch::channel(boot.coordinators);
        let options = AgentOptions {
            name: boot.name,
            incarnation: clock.now_ms().unsigned_abs(),
            shuffle_address: server.local_address().to_string(),
            slots: SLOTS,
            labels: BTreeMap::new(),
            coordinators: known,
        };
        let connectors = Connectors { feed: boot.feed, target: boot.target, clock: clock.clone() };
        let host =
            Host { clock, connectors: Arc::new(connectors), runtime, slots: SLOTS, prober: None };
        let dialer = Dialer(boot.network);
        let connect = Arc::new(move |address: &str| dialer.channel(address));
        let (_never, shutdown) = oneshot::channel();
        match Agent::new(options, connect, host, shuffle).run(shutdown).await {
            Ok(()) => "stopped".to_owned(),
            Err(error) => format!("stopped: {error}"),
        }
    }
    .boxed()
}

/// Connections between workers.
struct Links(Network);

#[async_trait]
impl Transport for Links {
    async fn connect(&self, address: &str) -> io::Result<BoxIo> {
        Ok(Box::new(self.0.connect(address).await?))
    }

    async fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Listener>> {
        Ok(Box::new(Incoming { address, streams: self.0.listen(&address.to_string()) }))
    }
}

struct Incoming {
    address: SocketAddr,
    streams: ReceiverStream<io::Result<Stream>>,
}

#[async_trait]
impl Listener for Incoming {
    fn local_address(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    async fn accept(&mut self) -> io::Result<BoxIo> {
        match self.streams.next().await {
            Some(stream) => Ok(Box::new(stream?)),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}
