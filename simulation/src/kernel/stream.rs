//! Connections: two pipes of bytes, each with what is on its way and what has arrived.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

use super::HostId;
use super::network::Network;
use crate::trace;

/// Bytes that may be on their way; more wait at the sender.
const ON_THE_WAY: usize = 4 << 20;

/// What travels.
#[derive(Debug)]
enum Segment {
    Data(Bytes),
    /// The sender has closed its end.
    End,
}

/// One direction of a connection.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) from: HostId,
    pub(super) to: HostId,
    on_the_way: VecDeque<(Duration, Segment)>,
    bytes: usize,
    arrived: VecDeque<Bytes>,
    ended: bool,
    /// The connection is no more: reads and writes fail.
    broken: bool,
    /// A host of it has lost its power: nothing arrives, and nobody says so.
    pub(super) dead: bool,
    reader_gone: bool,
    writer_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

pub(super) type SharedPipe = Arc<Mutex<Pipe>>;

pub(super) fn lock(pipe: &SharedPipe) -> MutexGuard<'_, Pipe> {
    pipe.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pipe {
    fn between(from: HostId, to: HostId) -> SharedPipe {
        Arc::new(Mutex::new(Self {
            from,
            to,
            on_the_way: VecDeque::new(),
            bytes: 0,
            arrived: VecDeque::new(),
            ended: false,
            broken: false,
            dead: false,
            reader_gone: false,
            writer_gone: false,
            reader: None,
            writer: None,
        }))
    }

    /// Hands over what is due.
    pub(super) fn deliver(&mut self, now: Duration) {
        if self.dead {
            return;
        }
        let mut any = false;
        while let Some((_, segment)) = self.on_the_way.pop_front_if(|(at, _)| *at <= now) {
            any = true;
            match segment {
                Segment::Data(bytes) => {
                    self.bytes -= bytes.len();
                    trace::count(bytes.len() as u64);
                    self.arrived.push_back(bytes);
                }
                Segment::End => self.ended = true,
            }
        }
        if any {
            self.reader.take().into_iter().chain(self.writer.take()).for_each(Waker::wake);
        }
    }

    /// Ends the connection for both sides.
    pub(super) fn break_off(&mut self) {
        self.broken = true;
        self.dead = false;
        self.on_the_way.clear();
        self.reader.take().into_iter().chain(self.writer.take()).for_each(Waker::wake);
    }

    /// Whether nobody will use it any more.
    pub(super) fn is_over(&self) -> bool {
        self.reader_gone && (self.writer_gone || self.broken)
    }
}

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct Stream {
    network: Network,
    incoming: SharedPipe,
    outgoing: SharedPipe,
}

/// The two ends of a new connection, and its pipes.
pub(super) fn connection(
    network: &Network,
    a: HostId,
    b: HostId,
) -> (Stream, Stream, [SharedPipe; 2]) {
    let (there, back) = (Pipe::between(a, b), Pipe::between(b, a));
    let end = |incoming: &SharedPipe, outgoing: &SharedPipe| Stream {
        network: network.clone(),
        incoming: incoming.clone(),
        outgoing: outgoing.clone(),
    };
    (end(&back, &there), end(&there, &back), [there, back])
}

impl Connected for Stream {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

fn reset() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut pipe = lock(&self.incoming);
        if let Some(bytes) = pipe.arrived.front_mut() {
            let some = bytes.len().min(buffer.remaining());
            buffer.put_slice(&bytes[..some]);
            bytes.advance(some);
            if bytes.is_empty() {
                pipe.arrived.pop_front();
            }
            return Poll::Ready(Ok(()));
        }
        if pipe.broken {
            return Poll::Ready(Err(reset()));
        }
        if pipe.ended {
            return Poll::Ready(Ok(()));
        }
        pipe.reader = Some(context.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let (from, to) = {
            let mut pipe = lock(&self.outgoing);
            if pipe.broken || (pipe.reader_gone && !pipe.dead) {
                return Poll::Ready(Err(reset()));
            }
            if pipe.bytes >= ON_THE_WAY {
                pipe.writer = Some(context.waker().clone());
                return Poll::Pending;
            }
            (pipe.from, pipe.to)
        };
        let at = self.network.arrival(from, to);
        let mut pipe = lock(&self.outgoing);
        // What is sent later does not arrive earlier.
        let at = pipe.on_the_way.back().map_or(at, |(last, _)| at.max(*last));
        pipe.bytes += bytes.len();
        pipe.on_the_way.push_back((at, Segment::Data(Bytes::copy_from_slice(bytes))));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end();
        Poll::Ready(Ok(()))
    }
}

impl Stream {
    fn end(&self) {
        let (from, to) = {
            let mut pipe = lock(&self.outgoing);
            if std::mem::replace(&mut pipe.writer_gone, true) {
                return;
            }
            (pipe.from, pipe.to)
        };
        let at = self.network.arrival(from, to);
        let mut pipe = lock(&self.outgoing);
        let at = pipe.on_the_way.back().map_or(at, |(last, _)| at.max(*last));
        pipe.on_the_way.push_back((at, Segment::End));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.end();
        lock(&self.incoming).reader_gone = true;
    }
}
