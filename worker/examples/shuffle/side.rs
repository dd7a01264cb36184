//! One process of the measurement: its subtasks, its channels, its clock.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tidegate_engine::element::Element;
use tidegate_engine::exchange::gate::{GateEvent, InputGate};
use tidegate_engine::exchange::partition::Partitioner;
use tidegate_engine::exchange::{Receiver, Sender, local};
use tidegate_plan::Exchange;
use tidegate_runtime::{Clock, SystemClock, spawn_on};
use tidegate_types::{Attempt, Error, ErrorCode, JobId, MIN_WATERMARK, Result, TaskId};
use tidegate_worker::shuffle::{
    ChannelId, Compression, EdgeId, EdgeLinks, RunChannels, RunKey, Shuffle, ShuffleOptions,
    ShuffleServer, Tcp, Token, WorkerAddress, WorkerName,
};

use crate::rows::{self, Shape};

const EDGE: EdgeId = EdgeId { task: TaskId(1), input: 0 };
const KEY_GROUPS: u16 = 128;

/// The process of each subtask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) producers: [usize; 2],
    pub(crate) consumers: [usize; 2],
}

/// What a process has done.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    pub(crate) cpu: f64,
}

impl Outcome {
    /// Rows per second.
    pub(crate) fn rate(&self) -> f64 {
        self.rows as f64 / self.seconds
    }
}

/// A process that listens.
pub(crate) struct Side {
    me: usize,
    place: Place,
    shape: Shape,
    whole: bool,
    runtime: tokio::runtime::Runtime,
    clock: Arc<dyn Clock>,
    shuffle: Shuffle,
    server: ShuffleServer,
}

/// Ends of channels, by subtask.
type Senders = Vec<Vec<Box<dyn Sender>>>;
type Receivers = Vec<Vec<Box<dyn Receiver>>>;

impl Side {
    pub(crate) fn new(
        me: usize,
        place: Place,
        shape: Shape,
        whole: bool,
        compression: &str,
    ) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Error::new(ErrorCode::Unavailable, error.to_string()))?;
        let compression = match compression {
            "lz4" => Compression::Lz4,
            "zstd" => Compression::Zstd,
            _ => Compression::None,
        };
        let options = ShuffleOptions { compression, ..ShuffleOptions::default() };
        let clock = SystemClock::shared();
        let handle = runtime.handle().clone();
        let shuffle = Shuffle::new(name(me), options, Arc::new(Tcp), clock.clone(), handle);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = runtime.block_on(ShuffleServer::bind(&shuffle, any))?;
        Ok(Self { me, place, shape, whole, runtime, clock, shuffle, server })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.local_address()
    }

    /// Sends and reads until `wait` returns, then until everything is read.
    pub(crate) fn run(&self, peer: Option<SocketAddr>, wait: impl FnOnce()) -> Result<Outcome> {
        let mut channels = self.shuffle.open_run(
            RunKey {
                job: JobId::from_name("bench"),
                attempt: Attempt(1),
                token: Token::new("bench"),
            },
            vec![self.links(peer)],
        )?;
        let (senders, receivers) = self.ends(&mut channels);
        let (start, used) = (self.clock.elapsed(), cpu_seconds());
        let stop = Arc::new(AtomicBool::new(false));
        let handle = self.runtime.handle();
        let sending: Vec<_> = senders
            .into_iter()
            .filter(|senders| !senders.is_empty())
            .map(|senders| {
                let task = send(senders, self.shape, self.whole, stop.clone());
                spawn_on(handle, "sender", task)
            })
            .collect();
        let reading: Vec<_> = receivers
            .into_iter()
            .filter(|receivers| !receivers.is_empty())
            .map(|receivers| spawn_on(handle, "reader", read(receivers)))
            .collect();
        wait();
        stop.store(true, Ordering::Relaxed);
        let rows = self.runtime.block_on(async {
            let mut rows = 0;
            for sending in sending {
                sending.await??;
            }
            for reading in reading {
                rows += reading.await??;
            }
            channels.run.received().await?;
            Ok::<_, Error>(rows)
        })?;
        let seconds = (self.clock.elapsed() - start).as_secs_f64();
        let bytes = channels.run.metrics().bytes_received.get();
        Ok(Outcome { rows, bytes, seconds, cpu: cpu_seconds() - used })
    }

    fn links(&self, peer: Option<SocketAddr>) -> EdgeLinks {
        let mut links = EdgeLinks {
            edge: EDGE,
            schema: rows::schema(self.shape),
            outgoing: Vec::new(),
            incoming: Vec::new(),
        };
        let Some(address) = peer else { return links };
        let other = 1 - self.me;
        let peer = WorkerAddress { name: name(other), address: address.to_string() };
        let channels = |from: usize, to: usize| {
            self.pairs()
                .filter(|id| {
                    self.place.producers[id.producer as usize] == from
                        && self.place.consumers[id.consumer as usize] == to
                })
                .collect::<std::collections::BTreeSet<_>>()
        };
        let (outgoing, incoming) = (channels(self.me, other), channels(other, self.me));
        if !outgoing.is_empty() {
            links.outgoing.push((peer.clone(), outgoing));
        }
        if !incoming.is_empty() {
            links.incoming.push((peer, incoming));
        }
        links
    }

    /// Every sender with every reader, or each with its own if rows are not split.
    fn pairs(&self) -> impl Iterator<Item = ChannelId> + use<> {
        let whole = self.whole;
        (0..2)
            .flat_map(|producer| (0..2).map(move |consumer| ChannelId { producer, consumer }))
            .filter(move |id| !whole || id.producer == id.consumer)
    }

    fn ends(&self, remote: &mut RunChannels) -> (Senders, Receivers) {
        let (mut senders, mut receivers) = (Senders::new(), Receivers::new());
        senders.resize_with(2, Vec::new);
        receivers.resize_with(2, Vec::new);
        for id in self.pairs() {
            let (producer, consumer) = (id.producer as usize, id.consumer as usize);
            let sends = self.place.producers[producer] == self.me;
            let reads = self.place.consumers[consumer] == self.me;
            if sends && reads {
                let (sender, receiver) = local::channel();
                senders[producer].push(sender);
                receivers[consumer].push(receiver);
            } else if sends {
                senders[producer].extend(remote.outputs.remove(&(EDGE, id)));
            } else if reads {
                receivers[consumer].extend(remote.inputs.remove(&(EDGE, id)));
            }
        }
        (senders, receivers)
    }
}

fn name(side: usize) -> WorkerName {
    WorkerName::new(format!("w{side}"))
}

async fn send(
    senders: Vec<Box<dyn Sender>>,
    shape: Shape,
    whole: bool,
    stop: Arc<AtomicBool>,
) -> Result<()> {
    let exchange = if whole { Exchange::Forward } else { Exchange::Hash { keys: vec![0] } };
    let mut partitioner = Partitioner::new(exchange, KEY_GROUPS, senders);
    let batches = rows::batches(shape);
    for batch in batches.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        partitioner.send(Element::Batch(batch.clone())).await?;
        tokio::task::consume_budget().await;
    }
    partitioner.send(Element::End).await
}

async fn read(receivers: Vec<Box<dyn Receiver>>) -> Result<u64> {
    let channels = receivers.into_iter().map(|receiver| (0, receiver)).collect();
    let mut gate = InputGate::new(channels, MIN_WATERMARK);
    let mut rows = 0;
    loop {
        match gate.next().await? {
            GateEvent::Batch { changes, .. } => rows += changes.len() as u64,
            GateEvent::End => return Ok(rows),
            _ => {}
        }
    }
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let Ok(text) = std::fs::read_to_string("/proc/self/stat") else { return 0.0 };
    let after = text.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}
