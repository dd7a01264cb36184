//! The shuffle over real sockets of the loopback interface. Here: two workers and what they exchange.

mod backpressure;
mod delivery;
mod fencing;
mod joining;
mod loss;
mod tls;
mod types;

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Int8Array, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use tidegate_engine::element::{Barrier, BarrierKind, Changes, Element};
use tidegate_engine::exchange::{Receiver, Sender};
use tidegate_runtime::SystemClock;
use tidegate_types::{Attempt, Epoch, JobId, Result, TaskId};
use tokio::runtime::Handle;

use super::{
    ChannelId, EdgeId, EdgeLinks, RunChannels, RunKey, Shuffle, ShuffleOptions, ShuffleServer, Tcp,
    Token, Transport, WorkerAddress, WorkerName,
};

/// The only edge of the test's plans.
const EDGE: EdgeId = EdgeId { task: TaskId(1), input: 0 };
/// Longer than anything should take, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(30);

/// A worker that listens on a free port.
struct Worker {
    shuffle: Shuffle,
    server: ShuffleServer,
}

impl Worker {
    async fn start(name: &str, options: ShuffleOptions) -> Self {
        Self::with_transport(name, options, Arc::new(Tcp)).await
    }

    async fn with_transport(
        name: &str,
        options: ShuffleOptions,
        transport: Arc<dyn Transport>,
    ) -> Self {
        let clock = SystemClock::shared();
        let name = WorkerName::new(name);
        let shuffle = Shuffle::new(name, options, transport, clock, Handle::current());
        let address = "127.0.0.1:0".parse().unwrap();
        let server = ShuffleServer::bind(&shuffle, address).await.unwrap();
        Self { shuffle, server }
    }

    fn address(&self) -> WorkerAddress {
        WorkerAddress {
            name: self.shuffle.name().clone(),
            address: self.server.local_address().to_string(),
        }
    }

    /// Opens the sending side of a run, with `channels` to `to`.
    fn send_to(&self, to: &Self, key: RunKey, channels: u32, schema: SchemaRef) -> Result<Sending> {
        let mut links = links(schema);
        links.outgoing.push((to.address(), ids(channels)));
        Ok(Sending(self.shuffle.open_run(key, vec![links])?))
    }

    /// Opens the reading side of a run, with `channels` from `from`.
    fn read_from(
        &self,
        from: &Self,
        key: RunKey,
        channels: u32,
        schema: SchemaRef,
    ) -> Result<Reading> {
        let mut links = links(schema);
        links.incoming.push((from.address(), ids(channels)));
        Ok(Reading(self.shuffle.open_run(key, vec![links])?))
    }
}

/// The sending side of a run.
struct Sending(RunChannels);

impl Sending {
    fn sender(&mut self, producer: u32) -> Box<dyn Sender> {
        self.0.outputs.remove(&(EDGE, ChannelId { producer, consumer: 0 })).unwrap()
    }
}

/// The reading side of a run.
struct Reading(RunChannels);

impl Reading {
    fn receiver(&mut self, producer: u32) -> Box<dyn Receiver> {
        self.0.inputs.remove(&(EDGE, ChannelId { producer, consumer: 0 })).unwrap()
    }
}

/// Both sides of a run between two workers that were started for it.
struct Pair {
    from: Worker,
    to: Worker,
    sending: Sending,
    reading: Reading,
}

impl Pair {
    async fn open(options: ShuffleOptions, channels: u32, schema: SchemaRef) -> Self {
        let from = Worker::start("w1", options.clone()).await;
        let to = Worker::start("w2", options).await;
        let reading = to.read_from(&from, key(1), channels, schema.clone()).unwrap();
        let sending = from.send_to(&to, key(1), channels, schema).unwrap();
        Self { from, to, sending, reading }
    }
}

fn links(schema: SchemaRef) -> EdgeLinks {
    EdgeLinks { edge: EDGE, schema, outgoing: Vec::new(), incoming: Vec::new() }
}

fn ids(channels: u32) -> BTreeSet<ChannelId> {
    (0..channels).map(|producer| ChannelId { producer, consumer: 0 }).collect()
}

fn key(attempt: u64) -> RunKey {
    RunKey { job: JobId::from_name("job"), attempt: Attempt(attempt), token: Token::new("sesame") }
}

/// A number and a text.
fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("n", DataType::Int64, true),
        Field::new("s", DataType::Utf8View, true),
    ]))
}

/// Rows numbered from `first`, each with a text of `width` bytes.
fn rows(first: i64, count: usize, width: usize) -> Changes {
    let numbers = first..first + count as i64;
    let text = |number: i64| {
        let digits = number.to_string();
        "0".repeat(width.saturating_sub(digits.len())) + &digits
    };
    let texts: StringViewArray = numbers.clone().map(|number| Some(text(number))).collect();
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from_iter_values(numbers)), Arc::new(texts)];
    Changes::append(RecordBatch::try_new(schema(), columns).unwrap())
}

fn with_kinds(changes: Changes) -> Changes {
    let kinds: Int8Array = (0..changes.len()).map(|row| Some((row % 4) as i8)).collect();
    Changes { kinds: Some(kinds), ..changes }
}

fn numbers(changes: &Changes) -> Vec<i64> {
    changes.rows.column(0).as_primitive::<Int64Type>().values().to_vec()
}

fn barrier(epoch: u64) -> Element {
    Element::Barrier(Barrier { epoch: Epoch(epoch), kind: BarrierKind::Checkpoint })
}

async fn next(receiver: &mut Box<dyn Receiver>) -> Result<Element> {
    let next = poll_fn(|context| receiver.poll_next(context));
    tokio::time::timeout(PATIENCE, next).await.expect("nothing arrives")
}

async fn send(sender: &mut Box<dyn Sender>, element: Element) -> Result<()> {
    tokio::time::timeout(PATIENCE, sender.send(element)).await.expect("nothing can be sent")
}

/// What a channel brings until its end, with neighbouring batches as one.
async fn read_all(receiver: &mut Box<dyn Receiver>) -> Vec<Item> {
    let mut items = Vec::new();
    loop {
        let element = next(receiver).await.unwrap();
        let end = matches!(element, Element::End);
        push(&mut items, &element);
        if end {
            return items;
        }
    }
}

/// An element that can be compared, whatever batches its rows came in.
#[derive(Debug, Clone, PartialEq)]
enum Item {
    Rows(Vec<(i64, i8)>),
    Control(String),
}

fn push(items: &mut Vec<Item>, element: &Element) {
    let Element::Batch(changes) = element else {
        items.push(Item::Control(format!("{element:?}")));
        return;
    };
    let kinds = (0..changes.len()).map(|row| changes.kind(row));
    let more = numbers(changes).into_iter().zip(kinds);
    match items.last_mut() {
        Some(Item::Rows(rows)) => rows.extend(more),
        _ if changes.is_empty() => {}
        _ => items.push(Item::Rows(more.collect())),
    }
}
