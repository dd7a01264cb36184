//! What the sending side puts into messages, looked at without a connection.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures::Stream;

use super::super::decode::Message;
use super::super::encode::{BatchEncoder, Frame};
use super::super::header::{Grant, Kind};
use super::super::options::Compression;
use super::super::outgoing::{FrameStream, Outgoing};
use super::super::reader::Received;
use super::*;

struct Call {
    outgoing: Arc<Outgoing>,
    frames: std::pin::Pin<Box<FrameStream>>,
}

fn call(channels: usize, compression: Compression) -> Call {
    let peer = WorkerAddress { name: WorkerName::new("w2"), address: "nowhere:1".to_owned() };
    let (metrics, clock) = (Arc::default(), SystemClock::shared());
    let outgoing = Outgoing::new(peer, channels, schema(), metrics, clock);
    let encoder = BatchEncoder::new(&schema(), compression).unwrap();
    let stream = FrameStream::new(outgoing.clone(), encoder, Frame::default());
    let mut call = Call { outgoing, frames: Box::pin(stream) };
    assert!(call.frame().unwrap().header.is_some(), "the schema comes first");
    let grants: Vec<Grant> = (0..channels as u32)
        .map(|channel| Grant { channel, reader_gone: false, bytes: 1 << 30, elements: 1_000 })
        .collect();
    call.outgoing.grant(&grants).unwrap();
    call
}

impl Call {
    fn frame(&mut self) -> Option<Frame> {
        match self.frames.as_mut().poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(frame) => frame,
            Poll::Pending => None,
        }
    }

    fn message(&mut self) -> Option<Message> {
        self.frame().map(|frame| Message::parse(received(&frame)).unwrap())
    }
}

fn received(frame: &Frame) -> Received {
    let body: Vec<u8> = frame.body.iter().flat_map(|buffer| buffer.to_vec()).collect();
    Received {
        descriptor: None,
        header: frame.header.as_ref().map_or(Bytes::new(), |h| h.to_vec().into()),
        metadata: frame.metadata.clone(),
        body: body.into(),
    }
}

#[tokio::test]
async fn small_batches_that_wait_are_joined_up_to_a_control_element() {
    let mut call = call(2, Compression::None);
    let (mut first, mut second) = (Box::new(call.outgoing.sender(0)), call.outgoing.sender(1));
    for number in 0..5 {
        first.send(Element::Batch(rows(number * 10, 10, 5))).await.unwrap();
    }
    first.send(Element::Watermark(1)).await.unwrap();
    first.send(Element::Batch(with_kinds(rows(50, 10, 5)))).await.unwrap();
    first.send(Element::Batch(rows(60, 10, 5))).await.unwrap();
    second.send(barrier(1)).await.unwrap();

    let joined = call.message().unwrap();
    assert_eq!((joined.header.channel, joined.header.elements), (0, 5));
    let Element::Batch(changes) = joined.element(&schema()).unwrap() else { panic!() };
    assert_eq!(numbers(&changes), (0..50).collect::<Vec<_>>());
    assert!(changes.kinds.is_none());
    // The barrier of the other channel waits for one message, not for the queue.
    assert_eq!(call.message().unwrap().header.kind, Kind::Barrier);
    assert_eq!(call.message().unwrap().header.kind, Kind::Watermark);
    let mixed = call.message().unwrap();
    assert_eq!(mixed.header.elements, 2);
    let Element::Batch(changes) = mixed.element(&schema()).unwrap() else { panic!() };
    assert_eq!(changes.kinds.unwrap().values()[..12], [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 0, 0]);
    assert!(call.message().is_none());
}

#[tokio::test]
async fn batches_of_full_size_are_not_joined() {
    let mut call = call(1, Compression::None);
    let mut sender = call.outgoing.sender(0);
    for number in 0..3 {
        sender.send(Element::Batch(rows(number, 3_000, 5))).await.unwrap();
    }
    for _ in 0..3 {
        assert_eq!(call.message().unwrap().header.elements, 1);
    }
}

#[tokio::test]
async fn a_channel_that_is_dropped_says_so_and_the_call_ends() {
    let mut call = call(2, Compression::None);
    let (first, mut second) = (call.outgoing.sender(0), call.outgoing.sender(1));
    drop(first);
    second.send(Element::End).await.unwrap();
    drop(second);
    assert_eq!(call.message().unwrap().header.kind, Kind::Gone);
    assert_eq!(call.message().unwrap().header.kind, Kind::End);
    let end = call.frames.as_mut().poll_next(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(end, Poll::Ready(None)));
}

/// The charge is what a reader's memory is bounded by: it must not be far from what is sent.
#[tokio::test]
async fn the_charge_is_about_what_travels() {
    let mut call = call(1, Compression::None);
    let mut sender = call.outgoing.sender(0);
    let wide = rows(0, 100_000, 60);
    for (offset, count) in [(0, 1), (5_000, 10), (100, 4_096), (0, 10_000)] {
        sender.send(Element::Batch(wide.slice(offset, count))).await.unwrap();
        let frame = call.frame().unwrap();
        let size =
            frame.body_length() + frame.metadata.len() + frame.header.as_ref().unwrap().len();
        let charge = Message::parse(received(&frame)).unwrap().header.charge as usize;
        // A batch without a few rows is mostly headers.
        assert!(size <= charge + 256 + charge / 20, "{count} rows: {size} bytes, charged {charge}");
        assert!(charge <= size + 256 + size / 20, "{count} rows: {size} bytes, charged {charge}");
    }
}

#[tokio::test]
async fn compressed_batches_are_smaller_and_equal() {
    let batch = rows(0, 4_000, 60);
    for compression in [Compression::Lz4, Compression::Zstd] {
        let mut call = call(1, compression);
        call.outgoing.sender(0).send(Element::Batch(batch.clone())).await.unwrap();
        let frame = call.frame().unwrap();
        assert!(frame.body_length() < 4_000 * 84 / 2, "{} bytes", frame.body_length());
        let Element::Batch(changes) =
            Message::parse(received(&frame)).unwrap().element(&schema()).unwrap()
        else {
            panic!()
        };
        assert_eq!(changes.rows, batch.rows);
    }
}

/// Damage of a message is an error, never a panic.
#[tokio::test]
async fn damaged_messages_are_refused() {
    let mut call = call(1, Compression::None);
    call.outgoing.sender(0).send(Element::Batch(with_kinds(rows(0, 50, 30)))).await.unwrap();
    let good = received(&call.frame().unwrap());
    let header: Vec<u8> = good.header.to_vec();
    let mut refused = 0;
    for place in 0..header.len() {
        for value in [0u8, 1, 0x7f, 0x80, 0xff] {
            let mut damaged = header.clone();
            damaged[place] = value;
            let message = Received { header: damaged.into(), ..good.clone() };
            refused += usize::from(Message::parse(message).unwrap().element(&schema()).is_err());
        }
    }
    assert!(refused > 0);
    let cut = Received { body: good.body.slice_with_length(0, 10), ..good.clone() };
    assert!(Message::parse(cut).unwrap().element(&schema()).is_err());
    let mut kinds = good.metadata.to_vec();
    *kinds.last_mut().unwrap() = 9;
    let unknown = Received { metadata: kinds.into(), ..good.clone() };
    assert!(Message::parse(unknown).unwrap().element(&schema()).is_err());
    let few = good.metadata.slice(..good.metadata.len() - 1);
    let few = Received { metadata: few, ..good };
    assert!(Message::parse(few).unwrap().element(&schema()).is_err());
}
