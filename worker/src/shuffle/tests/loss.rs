//! What happens to a run when a worker, a task or the network goes away.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use async_trait::async_trait;
use tidegate_types::ErrorCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::transport::{BoxIo, Listener};
use super::*;

/// A worker on a runtime of its own, which can be killed with all its connections.
struct Mortal {
    runtime: Option<tokio::runtime::Runtime>,
    worker: Option<Worker>,
}

impl Mortal {
    async fn start(name: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let name = name.to_owned();
        let starting = async move { Worker::start(&name, ShuffleOptions::default()).await };
        let worker = tidegate_runtime::spawn_on(runtime.handle(), "start", starting).await.unwrap();
        Self { runtime: Some(runtime), worker: Some(worker) }
    }

    fn worker(&self) -> &Worker {
        self.worker.as_ref().unwrap()
    }

    /// Everything ends without a word, as in a process that is killed: sockets are closed by the
    /// system.
    fn kill(mut self) {
        std::mem::forget(self.worker.take());
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn assert_gone(error: &tidegate_types::Error, worker: &WorkerAddress) {
    assert_eq!(error.code(), ErrorCode::Cancelled, "{error}");
    let expected = format!("the worker {worker} is gone");
    assert!(error.message().starts_with(&expected), "{error}");
}

/// Sends until it fails.
async fn send_until_lost(sender: &mut Box<dyn Sender>) -> tidegate_types::Error {
    loop {
        if let Err(error) = send(sender, Element::Batch(rows(0, 1_000, 40))).await {
            return error;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_notice_that_the_reading_worker_died() {
    let from = Worker::start("w1", ShuffleOptions::default()).await;
    let to = Mortal::start("w2").await;
    let address = to.worker().address();
    let mut reading = to.worker().read_from(&from, key(1), 2, schema()).unwrap();
    let mut sending = from.send_to(to.worker(), key(1), 2, schema()).unwrap();
    let (mut blocked, mut waiting) = (sending.sender(0), sending.sender(1));
    let mut receiver = reading.receiver(0);
    send(&mut blocked, Element::Watermark(1)).await.unwrap();
    assert!(matches!(next(&mut receiver).await, Ok(Element::Watermark(1))));
    let blocked =
        tidegate_runtime::spawn("blocked", async move { send_until_lost(&mut blocked).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    std::mem::forget((receiver, reading));
    to.kill();
    let error = tokio::time::timeout(Duration::from_secs(5), blocked).await.unwrap().unwrap();
    assert_gone(&error, &address);
    assert_gone(&send(&mut waiting, Element::Idle).await.unwrap_err(), &address);
    assert_gone(&sending.0.run.received().await.unwrap_err(), &address);
    assert_eq!(sending.0.run.metrics().buffered.get(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_notice_that_the_sending_worker_died() {
    let from = Mortal::start("w1").await;
    let to = Worker::start("w2", ShuffleOptions::default()).await;
    let address = from.worker().address();
    let mut reading = to.read_from(from.worker(), key(1), 2, schema()).unwrap();
    let mut sending = from.worker().send_to(&to, key(1), 2, schema()).unwrap();
    let (mut ended, mut cut) = (sending.sender(0), sending.sender(1));
    send(&mut ended, Element::Batch(rows(0, 10, 1))).await.unwrap();
    send(&mut ended, Element::End).await.unwrap();
    send(&mut cut, Element::Watermark(1)).await.unwrap();
    let (mut complete, mut receiver) = (reading.receiver(0), reading.receiver(1));
    assert!(matches!(next(&mut receiver).await, Ok(Element::Watermark(1))));
    std::mem::forget((cut, sending));
    from.kill();
    let error = tokio::time::timeout(Duration::from_secs(5), next(&mut receiver)).await.unwrap();
    assert_gone(&error.unwrap_err(), &address);
    // A channel that had everything keeps it.
    assert_eq!(read_all(&mut complete).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_listens() {
    let from = Worker::start("w1", ShuffleOptions::default()).await;
    let to = Worker::start("w2", ShuffleOptions::default()).await;
    let address = to.address();
    let mut links = links(schema());
    links.outgoing.push((address.clone(), ids(1)));
    drop(to);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut sending = Sending(from.shuffle.open_run(key(1), vec![links]).unwrap());
    let error = send(&mut sending.sender(0), Element::Idle).await.unwrap_err();
    assert_gone(&error, &address);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_goes_away_ends_its_channel_alone() {
    let mut pair = Pair::open(ShuffleOptions::default(), 2, schema()).await;
    let (mut sender, receiver) = (pair.sending.sender(0), pair.reading.receiver(0));
    let (mut other, mut reader) = (pair.sending.sender(1), pair.reading.receiver(1));
    drop(receiver);
    let error = send_until_lost(&mut sender).await;
    assert_eq!(
        (error.code(), error.message()),
        (ErrorCode::Cancelled, "the receiving task is gone")
    );
    send(&mut other, Element::Batch(rows(0, 1, 1))).await.unwrap();
    drop(other);
    assert!(matches!(next(&mut reader).await, Ok(Element::Batch(_))));
    let error = next(&mut reader).await.unwrap_err();
    assert_eq!((error.code(), error.message()), (ErrorCode::Cancelled, "the sending task is gone"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_a_run_ends_it_on_both_sides() {
    let mut pair = Pair::open(ShuffleOptions::default(), 1, schema()).await;
    let (mut sender, mut receiver) = (pair.sending.sender(0), pair.reading.receiver(0));
    send(&mut sender, Element::Idle).await.unwrap();
    assert!(matches!(next(&mut receiver).await, Ok(Element::Idle)));
    drop(pair.reading);
    assert_eq!(send_until_lost(&mut sender).await.code(), ErrorCode::Cancelled);
    assert_eq!(next(&mut receiver).await.unwrap_err().code(), ErrorCode::Cancelled);

    let mut pair = Pair::open(ShuffleOptions::default(), 1, schema()).await;
    let (mut sender, mut receiver) = (pair.sending.sender(0), pair.reading.receiver(0));
    send(&mut sender, Element::Idle).await.unwrap();
    assert!(matches!(next(&mut receiver).await, Ok(Element::Idle)));
    drop(pair.sending);
    assert_eq!(send_until_lost(&mut sender).await.code(), ErrorCode::Cancelled);
    assert_eq!(next(&mut receiver).await.unwrap_err().code(), ErrorCode::Cancelled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_has_everything_may_go_at_once() {
    for _ in 0..20 {
        let mut pair = Pair::open(ShuffleOptions::default(), 2, schema()).await;
        let senders = [pair.sending.sender(0), pair.sending.sender(1)];
        for mut sender in senders {
            send(&mut sender, Element::Batch(rows(0, 1_000, 10))).await.unwrap();
            send(&mut sender, Element::End).await.unwrap();
        }
        for channel in 0..2 {
            assert_eq!(read_all(&mut pair.reading.receiver(channel)).await.len(), 2);
        }
        drop(pair.reading);
        pair.sending.0.run.received().await.unwrap();
    }
}

/// A network that swallows everything once it is told to: nobody hears that the other is gone.
#[derive(Clone, Default)]
struct Network {
    swallows: Arc<AtomicBool>,
}

struct Wire {
    io: BoxIo,
    network: Network,
}

#[async_trait]
impl Transport for Network {
    async fn connect(&self, address: &str) -> io::Result<BoxIo> {
        let io = Tcp.connect(address).await?;
        Ok(Box::new(Wire { io, network: self.clone() }))
    }

    async fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Listener>> {
        Tcp.listen(address).await
    }
}

impl Wire {
    fn is_dead(&self) -> bool {
        self.network.swallows.load(Ordering::SeqCst)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_dead() {
            return Poll::Pending;
        }
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_dead() {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A lost network does not say goodbye.
        if self.is_dead() {
            return Poll::Pending;
        }
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_vanishes_silently_is_noticed_on_both_sides() {
    let options = ShuffleOptions {
        keep_alive_interval: Duration::from_millis(300),
        keep_alive_timeout: Duration::from_millis(700),
        ..ShuffleOptions::default()
    };
    let network = Network::default();
    let from = Worker::with_transport("w1", options.clone(), Arc::new(network.clone())).await;
    let to = Worker::start("w2", options).await;
    let mut reading = to.read_from(&from, key(1), 1, schema()).unwrap();
    let mut sending = from.send_to(&to, key(1), 1, schema()).unwrap();
    let (mut sender, mut receiver) = (sending.sender(0), reading.receiver(0));
    send(&mut sender, Element::Idle).await.unwrap();
    assert!(matches!(next(&mut receiver).await, Ok(Element::Idle)));
    // An idle connection stays.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    send(&mut sender, Element::Idle).await.unwrap();
    assert!(matches!(next(&mut receiver).await, Ok(Element::Idle)));

    network.swallows.store(true, Ordering::SeqCst);
    let sides = async { tokio::join!(send_until_lost(&mut sender), next(&mut receiver)) };
    let (sender, receiver) = tokio::time::timeout(Duration::from_secs(4), sides).await.unwrap();
    assert_gone(&sender, &to.address());
    assert_gone(&receiver.unwrap_err(), &from.address());
}
