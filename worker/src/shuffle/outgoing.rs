//! The sending side of a call: queues of channels that the connection empties in turn.
//!
//! A batch waits with its sender until the channel has credit, so what is queued here has been
//! admitted by the reader. Control elements wait for nothing. Channels that have something take turns;
//! small batches that queue behind one another are joined when their turn comes, so nothing waits in
//! order to be joined.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use futures::Stream;
use tidegate_engine::element::{Changes, Element};
use tidegate_engine::exchange::Sender;
use tidegate_runtime::Clock;
use tidegate_types::{Error, ErrorCode, Result};

use super::credit::Allowance;
use super::encode::{BatchEncoder, Frame};
use super::header::{Grant, Header, Kind, malformed};
use super::payload::{self, PIECE_BYTES};
use super::run::WorkerAddress;
use crate::metrics::ShuffleMetrics;

/// Rows up to which queued batches are joined, as many as the engine collects for an exchange.
const JOINED_ROWS: usize = 4096;

/// The channels of an edge to one worker.
pub(crate) struct Outgoing {
    peer: WorkerAddress,
    schema: SchemaRef,
    metrics: Arc<ShuffleMetrics>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    channels: Vec<Channel>,
    /// Channels with something in their queue, each once, in turn.
    ready: VecDeque<usize>,
    /// Channels that have not sent their last element.
    open: usize,
    failure: Option<Error>,
    /// The peer has said that it received everything.
    complete: bool,
    connection: Option<Waker>,
    closed: Option<Waker>,
}

#[derive(Default)]
struct Channel {
    queue: VecDeque<Queued>,
    allowance: Allowance,
    sender: Option<Waker>,
    reader_gone: bool,
}

struct Queued {
    item: Item,
    charge: u32,
}

/// What a channel sends.
enum Item {
    Element(Element),
    Gone,
}

/// What the connection writes next.
enum Next {
    Message { channel: usize, items: Vec<Item>, charge: u32 },
    End,
    Wait,
}

impl Outgoing {
    /// `count` channels to a worker.
    pub(crate) fn new(
        peer: WorkerAddress,
        count: usize,
        schema: SchemaRef,
        metrics: Arc<ShuffleMetrics>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let state = State {
            channels: (0..count).map(|_| Channel::default()).collect(),
            ready: VecDeque::new(),
            open: count,
            failure: None,
            complete: false,
            connection: None,
            closed: None,
        };
        Arc::new(Self { peer, schema, metrics, clock, state: Mutex::new(state) })
    }

    /// The worker that reads.
    pub(crate) fn peer(&self) -> &WorkerAddress {
        &self.peer
    }

    /// The writing end of a channel.
    pub(crate) fn sender(self: &Arc<Self>, channel: usize) -> RemoteSender {
        RemoteSender { call: self.clone(), channel, ended: false }
    }

    /// Takes up credit that the reader gives.
    ///
    /// # Errors
    /// `INTERNAL` for a channel that the call does not have.
    pub(crate) fn grant(&self, grants: &[Grant]) -> Result<()> {
        let mut state = self.lock();
        for grant in grants {
            let channel = state
                .channels
                .get_mut(grant.channel as usize)
                .ok_or_else(|| malformed(&format!("credit for channel {}", grant.channel)))?;
            channel.allowance.grant(grant.bytes, grant.elements);
            channel.reader_gone |= grant.reader_gone;
            if let Some(sender) = channel.sender.take() {
                sender.wake();
            }
        }
        Ok(())
    }

    /// Ends the call: every sender fails with `error`, unless all was received.
    pub(crate) fn fail(&self, error: Error) {
        let mut state = self.lock();
        if state.complete || state.failure.is_some() {
            return;
        }
        state.failure = Some(error);
        let queues = state.channels.iter_mut().map(|channel| std::mem::take(&mut channel.queue));
        let left: u64 = queues.flatten().map(|queued| u64::from(queued.charge)).sum();
        self.metrics.buffered.subtract(left);
        state.ready.clear();
        state.wake_all();
    }

    /// The peer closed the call in good order: it has everything, or it should have.
    pub(crate) fn finish(&self) {
        let mut state = self.lock();
        if state.open == 0 && state.ready.is_empty() && state.failure.is_none() {
            state.complete = true;
            state.wake_all();
            return;
        }
        drop(state);
        self.fail(self.peer.gone("it closed the call"));
    }

    /// Waits until the peer has everything.
    ///
    /// # Errors
    /// What the call failed with.
    pub(crate) async fn received(&self) -> Result<()> {
        poll_fn(|context| {
            let mut state = self.lock();
            match &state.failure {
                Some(error) => return Poll::Ready(Err(error.clone())),
                None if state.complete => return Poll::Ready(Ok(())),
                None => {}
            }
            state.closed = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Queues an item once the channel may send it.
    async fn send(&self, channel: usize, element: Element, charge: u32) -> Result<()> {
        let mut element = Some(element);
        let mut blocked_since = None;
        poll_fn(|context| {
            let mut state = self.lock();
            if let Some(error) = &state.failure {
                return Poll::Ready(Err(error.clone()));
            }
            let target = &mut state.channels[channel];
            if target.reader_gone {
                return Poll::Ready(Err(Error::new(
                    ErrorCode::Cancelled,
                    "the receiving task is gone",
                )));
            }
            let admitted = match charge {
                0 => target.allowance.admits_control(),
                _ => target.allowance.admits_batch(),
            };
            if !admitted {
                target.sender = Some(context.waker().clone());
                blocked_since.get_or_insert_with(|| self.clock.elapsed());
                return Poll::Pending;
            }
            if let Some(since) = blocked_since.take() {
                let blocked = self.clock.elapsed().saturating_sub(since);
                self.metrics.blocked.add(blocked.as_nanos() as u64);
            }
            if let Some(element) = element.take() {
                target.allowance.send(charge);
                self.metrics.buffered.add(u64::from(charge));
                if matches!(element, Element::End) {
                    state.open -= 1;
                }
                state.push(channel, Queued { item: Item::Element(element), charge });
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// The sending task went away without an end.
    fn abandon(&self, channel: usize) {
        let mut state = self.lock();
        if state.failure.is_none() {
            state.open -= 1;
            state.push(channel, Queued { item: Item::Gone, charge: 0 });
        }
    }

    fn next(&self, context: &Context<'_>) -> Next {
        let mut state = self.lock();
        if state.failure.is_some() {
            return Next::End;
        }
        let Some(channel) = state.ready.pop_front() else {
            if state.open == 0 {
                return Next::End;
            }
            state.connection = Some(context.waker().clone());
            return Next::Wait;
        };
        let (items, charge) = state.channels[channel].pop_joined();
        self.metrics.buffered.subtract(u64::from(charge));
        if !state.channels[channel].queue.is_empty() {
            state.ready.push_back(channel);
        }
        Next::Message { channel, items, charge }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, channel: usize, queued: Queued) {
        let queue = &mut self.channels[channel].queue;
        if queue.is_empty() {
            self.ready.push_back(channel);
        }
        queue.push_back(queued);
        if let Some(connection) = self.connection.take() {
            connection.wake();
        }
    }

    fn wake_all(&mut self) {
        let senders = self.channels.iter_mut().filter_map(|channel| channel.sender.take());
        senders.chain(self.connection.take()).chain(self.closed.take()).for_each(Waker::wake);
    }
}

impl Channel {
    /// The next item, with the batches after it that can travel in the same message.
    fn pop_joined(&mut self) -> (Vec<Item>, u32) {
        let (mut items, mut charge, mut rows) = (Vec::with_capacity(1), 0u32, 0);
        while let Some(queued) = self.queue.front() {
            let batch = match &queued.item {
                Item::Element(Element::Batch(changes)) => Some(changes.len()),
                _ => None,
            };
            let fits = batch.is_some_and(|more| {
                rows + more <= JOINED_ROWS && (charge + queued.charge) as usize <= PIECE_BYTES
            });
            if !items.is_empty() && !fits {
                break;
            }
            charge += queued.charge;
            rows += batch.unwrap_or(0);
            items.extend(self.queue.pop_front().map(|queued| queued.item));
            if batch.is_none() {
                break;
            }
        }
        (items, charge)
    }
}

/// The messages of a call, as the connection asks for them.
pub(crate) struct FrameStream {
    call: Arc<Outgoing>,
    encoder: BatchEncoder,
    hello: Option<Frame>,
}

impl FrameStream {
    /// A stream that begins with `hello`.
    pub(crate) fn new(call: Arc<Outgoing>, encoder: BatchEncoder, hello: Frame) -> Self {
        let hello = Frame { header: Some(encoder.schema()), ..hello };
        Self { call, encoder, hello: Some(hello) }
    }

    fn frame(&mut self, channel: usize, mut items: Vec<Item>, charge: u32) -> Result<Frame> {
        let joined = items.len() as u32;
        let element = match items.pop() {
            Some(Item::Element(element)) if joined == 1 => element,
            Some(Item::Element(Element::Batch(last))) => {
                let batches = items.into_iter().filter_map(|item| match item {
                    Item::Element(Element::Batch(changes)) => Some(changes),
                    _ => None,
                });
                let parts: Vec<Changes> = batches.chain([last]).collect();
                Element::Batch(Changes::concat(&parts)?)
            }
            _ => {
                let header = Header::control(Kind::Gone, channel as u32, 0);
                let header = Header { elements: 0, ..header };
                return Ok(Frame { metadata: header.encode(&[]), ..Frame::default() });
            }
        };
        let frame = self.encoder.encode(channel as u32, &element, charge, joined)?;
        let metrics = &self.call.metrics;
        metrics.bytes_sent.add((frame.body_length() + frame.metadata.len()) as u64);
        if matches!(element, Element::Batch(_)) {
            metrics.batches_sent.add(1);
        }
        Ok(frame)
    }
}

impl Stream for FrameStream {
    type Item = Frame;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Frame>> {
        if let Some(hello) = self.hello.take() {
            return Poll::Ready(Some(hello));
        }
        match self.call.next(context) {
            Next::Wait => Poll::Pending,
            Next::End => Poll::Ready(None),
            Next::Message { channel, items, charge } => match self.frame(channel, items, charge) {
                Ok(frame) => Poll::Ready(Some(frame)),
                Err(error) => {
                    self.call.fail(error);
                    Poll::Ready(None)
                }
            },
        }
    }
}

/// The writing end of a channel to another worker.
pub(crate) struct RemoteSender {
    call: Arc<Outgoing>,
    channel: usize,
    ended: bool,
}

#[async_trait]
impl Sender for RemoteSender {
    async fn send(&mut self, element: Element) -> Result<()> {
        if self.ended {
            return Err(Error::internal("an element is sent after the end of a channel"));
        }
        let Element::Batch(changes) = element else {
            let end = matches!(element, Element::End);
            self.call.send(self.channel, element, 0).await?;
            self.ended = end;
            return Ok(());
        };
        for piece in payload::pieces(changes, &self.call.schema)? {
            let element = Element::Batch(piece.changes);
            self.call.send(self.channel, element, piece.charge).await?;
        }
        Ok(())
    }
}

impl Drop for RemoteSender {
    fn drop(&mut self) {
        if !self.ended {
            self.call.abandon(self.channel);
        }
    }
}
