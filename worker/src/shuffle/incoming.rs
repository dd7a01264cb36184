//! The receiving side of a call: queues of channels that tasks empty, and the credit that goes back.
//!
//! The connection is always read: a task that stalls leaves its channel without credit, and nothing
//! else. What a channel holds is bounded by the credit that was given, which is checked.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use futures::Stream;
use tidegate_engine::element::Element;
use tidegate_engine::exchange::Receiver;
use tidegate_runtime::{Clock, Task};
use tidegate_types::{Error, Result};
use tokio::sync::OwnedSemaphorePermit;
use tonic::Status;

use super::credit::{MIN_WINDOW, Window};
use super::decode::Message;
use super::encode::Frame;
use super::header::{Grant, Kind, malformed};
use super::names::ChannelId;
use super::options::ShuffleOptions;
use super::reader::{Failure, MessageReader};
use super::run::WorkerAddress;
use super::status::to_status;
use crate::metrics::ShuffleMetrics;

/// The memory that a worker's channels share.
#[derive(Debug)]
pub(crate) struct Share {
    memory: u64,
    channel: u64,
    channels: AtomicUsize,
}

impl Share {
    /// The share of nobody yet.
    pub(crate) fn new(options: &ShuffleOptions) -> Self {
        Self {
            memory: options.memory_bytes,
            channel: options.channel_bytes,
            channels: AtomicUsize::new(0),
        }
    }

    /// Most bytes that a channel may have under way.
    fn limit(&self) -> u64 {
        let channels = self.channels.load(Ordering::Relaxed).max(1) as u64;
        (self.memory / channels).min(self.channel).max(MIN_WINDOW)
    }
}

/// The channels of an edge from one worker.
pub(crate) struct Incoming {
    peer: WorkerAddress,
    channels: Vec<ChannelId>,
    schema: SchemaRef,
    metrics: Arc<ShuffleMetrics>,
    clock: Arc<dyn Clock>,
    share: Arc<Share>,
    state: Mutex<State>,
}

struct State {
    channels: Vec<Channel>,
    /// A call has been made for these channels: there is no second one.
    attached: bool,
    /// Channels whose last element has not come.
    open: usize,
    failure: Option<Error>,
    /// The sender has closed the call.
    closed: bool,
    /// Channels whose sender is to hear something, each once.
    news: Vec<u32>,
    responder: Option<Waker>,
}

struct Channel {
    queue: VecDeque<Message>,
    window: Window,
    reader: Option<Waker>,
    ended: bool,
    reader_gone: bool,
    has_news: bool,
}

impl Incoming {
    /// Channels from a worker, before it dials.
    pub(crate) fn new(
        peer: WorkerAddress,
        channels: Vec<ChannelId>,
        schema: SchemaRef,
        in_flight: Duration,
        share: Arc<Share>,
        metrics: Arc<ShuffleMetrics>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        share.channels.fetch_add(channels.len(), Ordering::Relaxed);
        let limit = share.limit();
        let channel = |_: &ChannelId| Channel {
            queue: VecDeque::new(),
            window: Window::new(in_flight, limit),
            reader: None,
            ended: false,
            reader_gone: false,
            has_news: false,
        };
        let state = State {
            channels: channels.iter().map(channel).collect(),
            attached: false,
            open: channels.len(),
            failure: None,
            closed: false,
            news: Vec::new(),
            responder: None,
        };
        Arc::new(Self { peer, channels, schema, metrics, clock, share, state: Mutex::new(state) })
    }

    /// The worker that sends.
    pub(crate) fn peer(&self) -> &WorkerAddress {
        &self.peer
    }

    /// The schema of the edge.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The channels, in the order that messages count them.
    pub(crate) fn channels(&self) -> &[ChannelId] {
        &self.channels
    }

    /// Claims the channels for a call. False if there was one already.
    pub(crate) fn attach(&self) -> bool {
        !std::mem::replace(&mut self.lock().attached, true)
    }

    /// The reading end of a channel.
    pub(crate) fn receiver(self: &Arc<Self>, channel: usize) -> RemoteReceiver {
        RemoteReceiver { call: self.clone(), channel }
    }

    /// Ends the call: readers that have not got their last element fail with `error`.
    pub(crate) fn fail(&self, error: Error) {
        let mut state = self.lock();
        if state.open == 0 {
            // Everything has come: that is the sender's news, whatever happens to the run here.
            state.closed = true;
            return state.wake_all();
        }
        if state.failure.is_some() {
            return;
        }
        state.failure = Some(error);
        let mut dropped = 0;
        for channel in state.channels.iter_mut().filter(|channel| !channel.ended) {
            dropped += channel.queue.drain(..).map(|message| message.size() as u64).sum::<u64>();
        }
        self.metrics.buffered.subtract(dropped);
        state.wake_all();
    }

    /// Sorts the messages of a call into the channels, until it ends or fails.
    pub(crate) async fn receive(self: Arc<Self>, mut messages: MessageReader) {
        loop {
            let delivered = match messages.next().await {
                Ok(Some(received)) => Message::parse(received).and_then(|m| self.deliver(m)),
                Ok(None) => return self.close(),
                Err(Failure::Lost(how)) => Err(self.peer.gone(&how)),
                Err(Failure::Malformed(error)) => Err(error),
            };
            if let Err(error) = delivered {
                return self.fail(error);
            }
        }
    }

    fn deliver(&self, message: Message) -> Result<()> {
        let (index, header) = (message.header.channel as usize, message.header);
        let size = message.size() as u64;
        let mut state = self.lock();
        if let Some(error) = &state.failure {
            return Err(error.clone());
        }
        let channel = state
            .channels
            .get_mut(index)
            .ok_or_else(|| malformed(&format!("element of channel {index}")))?;
        if channel.ended {
            return Err(malformed(&format!("element after the end of channel {index}")));
        }
        channel.window.receive(header.charge, header.elements)?;
        let last = matches!(header.kind, Kind::End | Kind::Gone);
        channel.ended = last;
        let reader = channel.reader.take();
        if !channel.reader_gone {
            self.metrics.buffered.add(size);
            channel.queue.push_back(message);
        }
        if last {
            state.open -= 1;
        }
        drop(state);
        self.metrics.bytes_received.add(size);
        if header.kind == Kind::Batch {
            self.metrics.batches_received.add(1);
        }
        if let Some(reader) = reader {
            reader.wake();
        }
        Ok(())
    }

    /// The sender says that it has sent everything.
    fn close(&self) {
        let mut state = self.lock();
        if state.open > 0 {
            drop(state);
            return self.fail(self.peer.gone("it closed the call"));
        }
        state.closed = true;
        state.wake_all();
    }

    fn poll_take(&self, index: usize, context: &Context<'_>) -> Poll<Result<Message>> {
        let mut state = self.lock();
        let failure = state.failure.clone();
        let channel = &mut state.channels[index];
        let Some(message) = channel.queue.pop_front() else {
            if let Some(error) = failure {
                return Poll::Ready(Err(error));
            }
            channel.reader = Some(context.waker().clone());
            return Poll::Pending;
        };
        self.metrics.buffered.subtract(message.size() as u64);
        let (charge, elements) = (message.header.charge, message.header.elements);
        let now = self.clock.elapsed();
        if channel.window.take(charge, elements, self.share.limit(), now) && !channel.ended {
            state.tell(index);
        }
        Poll::Ready(Ok(message))
    }

    /// The reading task went away.
    fn abandon(&self, index: usize) {
        let mut state = self.lock();
        let channel = &mut state.channels[index];
        channel.reader_gone = true;
        let dropped: u64 = channel.queue.drain(..).map(|message| message.size() as u64).sum();
        self.metrics.buffered.subtract(dropped);
        if !channel.ended {
            state.tell(index);
        }
    }

    /// What the sender is to hear next; `None` if it is to wait.
    fn poll_news(&self, all: bool, context: &Context<'_>) -> Poll<Option<Result<Vec<Grant>>>> {
        let mut state = self.lock();
        if let Some(error) = &state.failure {
            return Poll::Ready(Some(Err(error.clone())));
        }
        if !all && state.news.is_empty() {
            if state.closed {
                return Poll::Ready(None);
            }
            state.responder = Some(context.waker().clone());
            return Poll::Pending;
        }
        let mut news = std::mem::take(&mut state.news);
        if all {
            news = (0..state.channels.len() as u32).collect();
        }
        let grants = news.into_iter().map(|index| state.channels[index as usize].grant(index));
        Poll::Ready(Some(Ok(grants.collect())))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.share.channels.fetch_sub(self.channels.len(), Ordering::Relaxed);
    }
}

impl State {
    fn tell(&mut self, index: usize) {
        if !std::mem::replace(&mut self.channels[index].has_news, true) {
            self.news.push(index as u32);
        }
        if let Some(responder) = self.responder.take() {
            responder.wake();
        }
    }

    fn wake_all(&mut self) {
        let readers = self.channels.iter_mut().filter_map(|channel| channel.reader.take());
        readers.chain(self.responder.take()).for_each(Waker::wake);
    }
}

impl Channel {
    fn grant(&mut self, index: u32) -> Grant {
        self.has_news = false;
        let (bytes, elements) = self.window.granted();
        Grant { channel: index, reader_gone: self.reader_gone, bytes, elements }
    }
}

/// The responses of a call: credit. When it is dropped, so is the call.
pub(crate) struct CreditStream {
    call: Arc<Incoming>,
    /// Reads the call's messages.
    _reading: Task<()>,
    _permit: OwnedSemaphorePermit,
    begun: bool,
    ended: bool,
}

impl CreditStream {
    /// The responses of a call whose messages `reading` sorts.
    pub(crate) fn new(
        call: Arc<Incoming>,
        reading: Task<()>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self { call, _reading: reading, _permit: permit, begun: false, ended: false }
    }
}

impl Stream for CreditStream {
    type Item = Result<Frame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let news = std::task::ready!(self.call.poll_news(!self.begun, context));
        self.begun = true;
        Poll::Ready(match news {
            None => {
                self.ended = true;
                None
            }
            Some(Err(error)) => {
                self.ended = true;
                Some(Err(to_status(&error)))
            }
            Some(Ok(grants)) => {
                Some(Ok(Frame { metadata: Grant::encode(&grants), ..Frame::default() }))
            }
        })
    }
}

impl Drop for CreditStream {
    fn drop(&mut self) {
        self.call.fail(self.call.peer.gone("the connection is closed"));
    }
}

/// The reading end of a channel from another worker.
pub(crate) struct RemoteReceiver {
    call: Arc<Incoming>,
    channel: usize,
}

impl Receiver for RemoteReceiver {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Element>> {
        let message = std::task::ready!(self.call.poll_take(self.channel, context));
        Poll::Ready(message.and_then(|message| message.element(&self.call.schema)))
    }
}

impl Drop for RemoteReceiver {
    fn drop(&mut self) {
        self.call.abandon(self.channel);
    }
}
