//! The handle of a thread that fetches records: starting it, giving it splits, committing, ending it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::consumer::BaseConsumer;
use tidegate_types::{Error, ErrorCode, Result};
use tokio::sync::mpsc::Sender;

use super::batch::{RecordBatchBytes, Wanted};
use super::client::{Brokers, Context};
use super::fetch_loop::FetchLoop;
use super::offsets::TopicPartition;
use crate::env::MonotonicClock;

/// Records of one split.
#[derive(Debug)]
pub(super) struct Fetched {
    /// Index of the split in the reader.
    pub(super) split: usize,
    /// The records; none if only the position moved.
    pub(super) batch: RecordBatchBytes,
    /// The position behind them.
    pub(super) next: i64,
    /// Whether the split has ended behind them.
    pub(super) finished: bool,
}

/// A split that a fetcher reads.
#[derive(Debug)]
pub(super) struct Assigned {
    /// Index of the split in the reader.
    pub(super) split: usize,
    pub(super) topic: String,
    pub(super) partition: i32,
    /// Offset of the next record.
    pub(super) next: i64,
    /// Offset behind the last one, if there is an end.
    pub(super) stop: Option<i64>,
}

/// How a fetcher works.
#[derive(Clone)]
pub(super) struct FetchSettings {
    pub(super) brokers: Brokers,
    pub(super) wanted: Wanted,
    /// `earliest`, `latest` or `error`: what to do where an offset is gone.
    pub(super) reset: &'static str,
    pub(super) batch_rows: usize,
    pub(super) linger: Duration,
    /// For messages.
    pub(super) describe: String,
    pub(super) monotonic: MonotonicClock,
}

/// What the reader asks of the thread.
#[derive(Debug, Default)]
pub(super) struct Orders {
    pub(super) add: Vec<Assigned>,
    /// Offsets to commit; newer ones replace older ones.
    pub(super) commit: Option<Vec<(TopicPartition, i64)>>,
}

/// What handle and thread share.
#[derive(Debug, Default)]
pub(super) struct Control {
    stop: AtomicBool,
    orders: Mutex<Orders>,
}

impl Control {
    /// Whether the thread is to end.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// What was asked for since the last time.
    pub(super) fn take(&self) -> Orders {
        std::mem::take(&mut *self.orders.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A running fetcher; dropping it ends the thread.
#[derive(Debug)]
pub(super) struct Fetcher(Arc<Control>);

impl Fetcher {
    /// Starts a thread. Errors come through the channel.
    ///
    /// # Errors
    /// `INVALID_OPTION` for settings that librdkafka refuses; `RESOURCE_EXHAUSTED` if there can be
    /// no more threads.
    pub(super) fn start(
        settings: FetchSettings,
        expected_partitions: usize,
        sender: Sender<Result<Fetched>>,
    ) -> Result<Self> {
        let consumer = consumer(&settings, expected_partitions)?;
        let control = Arc::new(Control::default());
        let shared = Arc::clone(&control);
        let thread = std::thread::Builder::new()
            .name("kafka-fetch".to_owned())
            .spawn(move || FetchLoop::new(settings, consumer, shared, sender).run());
        match thread {
            Ok(_) => Ok(Self(control)),
            Err(error) => Err(Error::new(
                ErrorCode::ResourceExhausted,
                format!("start a thread that reads Kafka: {error}"),
            )),
        }
    }

    /// Adds a split.
    pub(super) fn add(&self, split: Assigned) {
        self.0.orders.lock().unwrap_or_else(PoisonError::into_inner).add.push(split);
    }

    /// Commits offsets to the consumer group, sooner or later.
    pub(super) fn commit(&self, offsets: Vec<(TopicPartition, i64)>) {
        self.0.orders.lock().unwrap_or_else(PoisonError::into_inner).commit = Some(offsets);
    }
}

impl Drop for Fetcher {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }
}

fn consumer(settings: &FetchSettings, partitions: usize) -> Result<BaseConsumer<Context>> {
    // The client's queue is bounded per partition: share what one reader may hold.
    let queue_kb = (131_072 / partitions.max(1)).clamp(1_024, 65_536).to_string();
    settings.brokers.consumer(&[
        ("isolation.level", "read_committed"),
        ("auto.offset.reset", settings.reset),
        ("enable.partition.eof", "true"),
        ("queued.max.messages.kbytes", &queue_kb),
        // The default of a second would leave the queue empty for long when it was full once.
        ("fetch.queue.backoff.ms", "10"),
        ("topic.metadata.refresh.interval.ms", "60000"),
    ])
}
