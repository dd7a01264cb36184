//! A worker's end of the shuffle, and all channels of one run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use tidegate_engine::exchange::{Receiver, Sender};
use tidegate_runtime::{Clock, Task, spawn_on};
use tidegate_types::{Error, ErrorCode, Result};
use tokio::runtime::Handle;

use super::encode::BatchEncoder;
use super::hello::Hello;
use super::incoming::{Incoming, Share};
use super::names::{ChannelId, EdgeId, RunKey, WorkerName};
use super::options::ShuffleOptions;
use super::outgoing::Outgoing;
use super::peers::Peers;
use super::registry::{Calls, Edges, Registry};
use super::transport::Transport;
use crate::metrics::ShuffleMetrics;

/// Another worker, and where its shuffle listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerAddress {
    /// Its name.
    pub name: WorkerName,
    /// `host:port`.
    pub address: String,
}

impl fmt::Display for WorkerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.name, self.address)
    }
}

impl WorkerAddress {
    /// `CANCELLED`: the worker cannot be talked to any more.
    pub(crate) fn gone(&self, how: &str) -> Error {
        Error::new(ErrorCode::Cancelled, format!("the worker {self} is gone: {how}"))
    }
}

/// The channels of one edge that lead to or come from other workers.
#[derive(Debug, Clone)]
pub struct EdgeLinks {
    /// The edge.
    pub edge: EdgeId,
    /// The columns that travel on it.
    pub schema: SchemaRef,
    /// Channels to subtasks on other workers, by worker. Both ends must list the same channels; their
    /// order is that of [`ChannelId`].
    pub outgoing: Vec<(WorkerAddress, BTreeSet<ChannelId>)>,
    /// Channels from subtasks on other workers, by worker.
    pub incoming: Vec<(WorkerAddress, BTreeSet<ChannelId>)>,
}

/// A worker's end of the shuffle.
#[derive(Clone)]
pub struct Shuffle(Arc<Inner>);

struct Inner {
    name: WorkerName,
    options: Arc<ShuffleOptions>,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    runtime: Handle,
    peers: Arc<Peers>,
    registry: Arc<Registry>,
    share: Arc<Share>,
}

impl Shuffle {
    /// The shuffle of the worker `name`, whose connections run on `runtime`.
    pub fn new(
        name: WorkerName,
        options: ShuffleOptions,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        runtime: Handle,
    ) -> Self {
        let options = Arc::new(options);
        Self(Arc::new(Inner {
            name,
            peers: Arc::new(Peers::new(transport.clone(), options.clone())),
            share: Arc::new(Share::new(&options)),
            options,
            transport,
            clock,
            runtime,
            registry: Arc::default(),
        }))
    }

    /// This worker's name.
    pub fn name(&self) -> &WorkerName {
        &self.0.name
    }

    /// Opens the channels of a run: lets the calls of its other workers in, and dials them. An older
    /// run of the job ends at once.
    ///
    /// # Errors
    /// `FENCED` if this run or a newer one has been open here, `UNSUPPORTED` for columns that cannot
    /// travel, `INTERNAL` if a worker is listed twice for an edge.
    pub fn open_run(&self, key: RunKey, links: Vec<EdgeLinks>) -> Result<RunChannels> {
        let mut opening = Opening {
            shuffle: &self.0,
            key: &key,
            metrics: Arc::default(),
            edges: Edges::new(),
            calls: Vec::new(),
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
        };
        for link in links {
            for (peer, channels) in link.incoming {
                opening.read(link.edge, &link.schema, peer, channels)?;
            }
            for (peer, channels) in link.outgoing {
                opening.send(link.edge, &link.schema, peer, channels)?;
            }
        }
        let Opening { metrics, edges, calls, inputs, outputs, .. } = opening;
        let outgoing: Vec<_> = calls.iter().map(|call| call.call.clone()).collect();
        self.0.registry.open(&key, Calls { incoming: edges, outgoing: outgoing.clone() })?;
        let dialling = calls.into_iter().map(|call| self.dial(call)).collect();
        let registry = self.0.registry.clone();
        let run = OpenRun { key, registry, outgoing, metrics, _dialling: dialling };
        Ok(RunChannels { inputs, outputs, run })
    }

    fn dial(&self, planned: PlannedCall) -> Task<()> {
        let PlannedCall { call, encoder, hello } = planned;
        let peers = self.0.peers.clone();
        let peer = peers.peer(&call.peer().address);
        let name = format!("shuffle of {} to {}", hello.key, hello.to);
        let calling = async move { peers.call(peer, call, encoder, hello).await };
        spawn_on(&self.0.runtime, name, calling)
    }

    pub(crate) fn transport(&self) -> &Arc<dyn Transport> {
        &self.0.transport
    }

    pub(crate) fn options(&self) -> &Arc<ShuffleOptions> {
        &self.0.options
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.0.registry
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.0.runtime
    }
}

/// The ends of channels that a worker has in a run.
pub struct RunChannels {
    /// Reading ends, from subtasks on other workers.
    pub inputs: BTreeMap<(EdgeId, ChannelId), Box<dyn Receiver>>,
    /// Writing ends, to subtasks on other workers.
    pub outputs: BTreeMap<(EdgeId, ChannelId), Box<dyn Sender>>,
    /// The run.
    pub run: OpenRun,
}

/// A run that is open. Dropping it ends all its calls at once, so keep it until the whole run is over,
/// or until [`OpenRun::received`] says that the others have everything.
pub struct OpenRun {
    key: RunKey,
    registry: Arc<Registry>,
    outgoing: Vec<Arc<Outgoing>>,
    metrics: Arc<ShuffleMetrics>,
    _dialling: Vec<Task<()>>,
}

impl OpenRun {
    /// What the run has sent and received.
    pub fn metrics(&self) -> &Arc<ShuffleMetrics> {
        &self.metrics
    }

    /// Waits until the other workers have received everything that was sent, the ends of all channels
    /// included.
    ///
    /// # Errors
    /// `CANCELLED` if one of them is gone.
    pub async fn received(&self) -> Result<()> {
        for call in &self.outgoing {
            call.received().await?;
        }
        Ok(())
    }
}

impl Drop for OpenRun {
    fn drop(&mut self) {
        self.registry.close(&self.key);
    }
}

/// The channels of a run while they are made.
struct Opening<'a> {
    shuffle: &'a Inner,
    key: &'a RunKey,
    metrics: Arc<ShuffleMetrics>,
    edges: Edges,
    calls: Vec<PlannedCall>,
    inputs: BTreeMap<(EdgeId, ChannelId), Box<dyn Receiver>>,
    outputs: BTreeMap<(EdgeId, ChannelId), Box<dyn Sender>>,
}

/// A call to be made.
struct PlannedCall {
    call: Arc<Outgoing>,
    encoder: BatchEncoder,
    hello: Hello,
}

impl Opening<'_> {
    fn read(
        &mut self,
        edge: EdgeId,
        schema: &SchemaRef,
        peer: WorkerAddress,
        channels: BTreeSet<ChannelId>,
    ) -> Result<()> {
        let channels: Vec<ChannelId> = channels.into_iter().collect();
        let name = peer.name.clone();
        let call = Incoming::new(
            peer,
            channels.clone(),
            schema.clone(),
            self.shuffle.options.in_flight,
            self.shuffle.share.clone(),
            self.metrics.clone(),
            self.shuffle.clock.clone(),
        );
        for (index, channel) in channels.into_iter().enumerate() {
            self.inputs.insert((edge, channel), Box::new(call.receiver(index)));
        }
        match self.edges.insert((edge, name), call) {
            None => Ok(()),
            Some(twice) => Err(listed_twice(edge, twice.peer())),
        }
    }

    fn send(
        &mut self,
        edge: EdgeId,
        schema: &SchemaRef,
        peer: WorkerAddress,
        channels: BTreeSet<ChannelId>,
    ) -> Result<()> {
        if self.calls.iter().any(|call| call.hello.edge == edge && call.hello.to == peer.name) {
            return Err(listed_twice(edge, &peer));
        }
        let channels: Vec<ChannelId> = channels.into_iter().collect();
        let encoder = BatchEncoder::new(schema, self.shuffle.options.compression)?;
        let hello = Hello {
            key: self.key.clone(),
            edge,
            from: self.shuffle.name.clone(),
            to: peer.name.clone(),
            channels: channels.clone(),
        };
        let (metrics, clock) = (self.metrics.clone(), self.shuffle.clock.clone());
        let call = Outgoing::new(peer, channels.len(), schema.clone(), metrics, clock);
        for (index, channel) in channels.into_iter().enumerate() {
            self.outputs.insert((edge, channel), Box::new(call.sender(index)));
        }
        self.calls.push(PlannedCall { call, encoder, hello });
        Ok(())
    }
}

fn listed_twice(edge: EdgeId, peer: &WorkerAddress) -> Error {
    Error::internal(format!("worker {} is listed twice for {edge}", peer.name))
}
