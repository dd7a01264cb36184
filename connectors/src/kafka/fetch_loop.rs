//! What the fetching thread does: takes records from the client and hands them on as batches of bytes.
//!
//! It blocks in librdkafka and while the reader is behind; what is fetched ahead is bounded by the
//! client's queue, by the batches being filled and by the channel.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use tidegate_types::{Error, ErrorCode, Result};
use tokio::sync::mpsc::Sender;

use super::batch::RecordBatchBytes;
use super::client::{Context, error_code};
use super::fetcher::{Assigned, Control, FetchSettings, Fetched};
use super::missing::{Found, Missing};

/// Longest wait for a record before orders are looked at.
const IDLE_WAIT: Duration = Duration::from_millis(50);
/// The shortest time that the client can wait.
const TICK: Duration = Duration::from_millis(1);
/// Records that are taken before orders and times are looked at again.
const BURST: usize = 256;
/// Bytes at which a batch is handed on, whatever its rows.
const BATCH_BYTES: usize = 4 << 20;
/// Bytes in all batches being filled at which they are handed on.
const PENDING_BYTES: usize = 32 << 20;
/// How long to wait for an answer about the end of a partition.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// The state of the thread.
pub(super) struct FetchLoop {
    settings: FetchSettings,
    consumer: BaseConsumer<Context>,
    control: Arc<Control>,
    sender: Sender<Result<Fetched>>,
    partitions: Vec<Partition>,
    /// Index in `partitions` by the client's topic handle and partition: no text is compared per record.
    by_handle: HashMap<(usize, i32), usize>,
    /// When the first of the records that wait in batches came.
    pending_since: Option<Duration>,
    pending_bytes: usize,
    /// Partitions that may have been read to their end.
    ended: Vec<usize>,
    /// Brokers say that something does not exist.
    missing: Option<Missing>,
}

struct Partition {
    assigned: Assigned,
    batch: RecordBatchBytes,
    /// Nothing more is taken.
    done: bool,
    /// The reader was told.
    reported: bool,
    /// The brokers have all records up to the end.
    end_exists: bool,
}

/// The reader is gone.
struct Gone;

impl FetchLoop {
    /// A loop that reads no split yet.
    pub(super) fn new(
        settings: FetchSettings,
        consumer: BaseConsumer<Context>,
        control: Arc<Control>,
        sender: Sender<Result<Fetched>>,
    ) -> Self {
        Self {
            settings,
            consumer,
            control,
            sender,
            partitions: Vec::new(),
            by_handle: HashMap::new(),
            pending_since: None,
            pending_bytes: 0,
            ended: Vec::new(),
            missing: None,
        }
    }

    /// Works until the reader is gone, or until an error, which goes through the channel.
    pub(super) fn run(mut self) {
        if let Err(error) = self.work() {
            // Fails only if the reader is gone, and then nobody wants to know.
            let _ = self.sender.blocking_send(Err(error));
        }
    }

    fn work(&mut self) -> Result<()> {
        while !self.control.is_stopped() {
            self.take_orders()?;
            if self.burst()?.is_err() {
                return Ok(());
            }
            self.check_ends()?;
            self.look_for_missing()?;
            if self.flush_if_due().is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn take_orders(&mut self) -> Result<()> {
        let orders = self.control.take();
        if !orders.add.is_empty() {
            let new = orders.add.into_iter();
            self.partitions.extend(new.map(|assigned| Partition {
                assigned,
                batch: RecordBatchBytes::default(),
                done: false,
                reported: false,
                end_exists: false,
            }));
            self.assign()?;
        }
        if let Some(offsets) = orders.commit {
            let mut list = TopicPartitionList::with_capacity(offsets.len());
            for ((topic, partition), offset) in offsets {
                let _ = list.add_partition_offset(&topic, partition, Offset::Offset(offset));
            }
            if let Err(error) = self.consumer.commit(&list, CommitMode::Async) {
                tracing::warn!(%error, "offsets could not be committed to the consumer group; nothing depends on them");
            }
        }
        Ok(())
    }

    /// Reads all unfinished partitions from where they are. What the client had fetched ahead is
    /// fetched again.
    fn assign(&mut self) -> Result<()> {
        self.by_handle.clear();
        let mut list = TopicPartitionList::new();
        for Partition { assigned, .. } in self.partitions.iter().filter(|partition| !partition.done)
        {
            let added = list.add_partition_offset(
                &assigned.topic,
                assigned.partition,
                Offset::Offset(assigned.next),
            );
            added.map_err(|error| self.failed(&error))?;
        }
        self.consumer.assign(&list).map_err(|error| self.failed(&error))
    }

    /// Reads on when what was missing is there.
    fn look_for_missing(&mut self) -> Result<()> {
        let Some(missing) = &mut self.missing else { return Ok(()) };
        let open = self.partitions.iter().filter(|partition| !partition.done);
        let open = open.map(|open| (open.assigned.topic.as_str(), open.assigned.partition));
        match missing.look(&self.consumer, open) {
            Found::NotYet => Ok(()),
            Found::All => {
                tracing::info!("brokers know {} again", self.settings.describe);
                self.missing = None;
                self.assign()
            }
            Found::GivenUp(error) => Err(self.failed(&error)),
        }
    }

    fn failed(&self, error: &KafkaError) -> Error {
        self.settings.brokers.failed(
            &format!("read {}", self.settings.describe),
            error,
            self.consumer.context(),
        )
    }

    /// Takes what has come, waiting for the first record.
    fn burst(&mut self) -> Result<Result<(), Gone>> {
        let mut wait = self.wait();
        for _ in 0..BURST {
            let polled = self.consumer.poll(wait);
            let Some(polled) = polled else {
                return Ok(Ok(()));
            };
            wait = Duration::ZERO;
            let full = match polled {
                Ok(message) => accept(
                    &message,
                    &mut self.partitions,
                    &mut self.by_handle,
                    &mut self.pending_bytes,
                    &self.settings,
                )?,
                Err(error) => {
                    self.on_error(&error)?;
                    None
                }
            };
            if self.pending_since.is_none() && self.pending_bytes > 0 {
                self.pending_since = Some((self.settings.monotonic)());
            }
            if let Some(index) = full.filter(|index| self.is_full(*index))
                && self.flush(index).is_err()
            {
                return Ok(Err(Gone));
            }
        }
        Ok(Ok(()))
    }

    fn is_full(&self, index: usize) -> bool {
        self.partitions.get(index).is_some_and(|partition| {
            let batch = &partition.batch;
            partition.done
                || batch.len() >= self.settings.batch_rows
                || batch.bytes() >= BATCH_BYTES
        })
    }

    fn waited(&self, since: Duration) -> Duration {
        (self.settings.monotonic)().saturating_sub(since)
    }

    /// How long to wait for a record: whole milliseconds, since the client cannot wait for less and
    /// would be asked again and again.
    fn wait(&self) -> Duration {
        let wait = match self.pending_since {
            Some(since) => self.settings.linger.saturating_sub(self.waited(since)).min(IDLE_WAIT),
            None => IDLE_WAIT,
        };
        Duration::from_millis(wait.as_millis() as u64)
    }

    /// Whether what is pending has waited as long as it may, to within what the client can wait.
    fn is_due(&self) -> bool {
        let left = |since| self.settings.linger.saturating_sub(self.waited(since));
        self.pending_since.is_some_and(|since| left(since) < TICK)
    }

    fn flush_if_due(&mut self) -> Result<(), Gone> {
        if !self.is_due() && self.pending_bytes < PENDING_BYTES {
            return Ok(());
        }
        for index in 0..self.partitions.len() {
            self.flush(index)?;
        }
        Ok(())
    }

    /// Hands on what a partition has; waits while the reader is behind.
    fn flush(&mut self, index: usize) -> Result<(), Gone> {
        let Some(partition) = self.partitions.get_mut(index) else {
            return Ok(());
        };
        let news = partition.done && !partition.reported;
        if partition.batch.is_empty() && !news {
            return Ok(());
        }
        partition.reported = partition.done;
        let batch = std::mem::take(&mut partition.batch);
        self.pending_bytes = self.pending_bytes.saturating_sub(cost(&batch));
        let fetched = Fetched {
            split: partition.assigned.split,
            batch,
            next: partition.assigned.next,
            finished: partition.done,
        };
        if self.partitions.iter().all(|partition| partition.batch.is_empty()) {
            self.pending_since = None;
            self.pending_bytes = 0;
        }
        self.sender.blocking_send(Ok(fetched)).map_err(|_| Gone)
    }

    fn on_error(&mut self, error: &KafkaError) -> Result<()> {
        match error {
            KafkaError::PartitionEOF(number) => {
                let bounded = self.partitions.iter().enumerate().filter(|(_, partition)| {
                    partition.assigned.partition == *number
                        && partition.assigned.stop.is_some()
                        && !partition.done
                });
                self.ended.extend(bounded.map(|(index, _)| index));
                Ok(())
            }
            KafkaError::MessageConsumption(code) if error_code(*code) == ErrorCode::Unavailable => {
                tracing::warn!(%error, "reading {} goes on when the brokers answer", self.settings.describe);
                Ok(())
            }
            KafkaError::MessageConsumption(code)
                if error_code(*code) == ErrorCode::NotFound && is_gone(*code) =>
            {
                let message = format!(
                    "{}: records at the position of the job are not in the topic any more (brokers {})",
                    self.settings.describe, self.settings.brokers.servers
                );
                Err(Error::new(ErrorCode::NotFound, message).help(
                    "they were deleted before they were read; to go on without them, \
                     set 'properties.auto.offset.reset' to 'earliest' or 'latest'",
                ))
            }
            KafkaError::MessageConsumption(code) if error_code(*code) == ErrorCode::NotFound => {
                if self.missing.is_none() {
                    tracing::warn!(%error, "brokers do not know {}; asking again", self.settings.describe);
                    self.missing = Some(Missing::new(&self.settings.monotonic, error.clone()));
                }
                Ok(())
            }
            other => Err(self.failed(other)),
        }
    }

    /// Ends partitions of which nothing is left: the last offsets may be no records but markers of
    /// transactions, or compacted away, so that no record tells the end.
    ///
    /// The end of a partition says nothing about records that came before the brokers were asked how far
    /// it reaches. So where the job's end exists by now, the partition is read again from its position,
    /// and what counts is the end that is met then.
    fn check_ends(&mut self) -> Result<()> {
        let mut candidates = std::mem::take(&mut self.ended);
        candidates.sort_unstable();
        candidates.dedup();
        let mut again = false;
        for index in candidates {
            let Some(partition) =
                self.partitions.get_mut(index).filter(|partition| !partition.done)
            else {
                continue;
            };
            let Assigned { topic, partition: number, stop: Some(stop), .. } = &partition.assigned
            else {
                continue;
            };
            match self.consumer.fetch_watermarks(topic, *number, END_TIMEOUT) {
                Ok((_, high)) if high >= *stop && !partition.end_exists => {
                    partition.end_exists = true;
                    again = true;
                }
                Ok((_, high)) if high >= *stop => {
                    partition.assigned.next = *stop;
                    partition.done = true;
                    // A reader that is gone is noticed at the next flush or stop.
                    let _ = self.flush(index);
                }
                // The end is in the future: the next record, or the next end of the partition, tells.
                Ok(_) => {}
                Err(_) => self.ended.push(index),
            }
        }
        if again { self.assign() } else { Ok(()) }
    }
}

fn is_gone(code: rdkafka::error::RDKafkaErrorCode) -> bool {
    use rdkafka::error::RDKafkaErrorCode as Code;
    matches!(code, Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::NoOffset)
}

/// What a batch counts for; more than nothing also for records without bytes.
fn cost(batch: &RecordBatchBytes) -> usize {
    batch.bytes() + batch.len()
}

/// Adds a record to its partition's batch. Returns the partition if the batch may be full now.
fn accept(
    message: &BorrowedMessage<'_>,
    partitions: &mut [Partition],
    by_handle: &mut HashMap<(usize, i32), usize>,
    pending_bytes: &mut usize,
    settings: &FetchSettings,
) -> Result<Option<usize>> {
    let handle = (message.topic_ptr() as usize, message.partition());
    let index = match by_handle.get(&handle) {
        Some(index) => *index,
        None => {
            let topic = message.topic();
            let found = partitions.iter().position(|partition| {
                partition.assigned.partition == handle.1 && partition.assigned.topic == topic
            });
            let Some(found) = found else { return Ok(None) };
            by_handle.insert(handle, found);
            found
        }
    };
    let Some(partition) = partitions.get_mut(index) else {
        return Ok(None);
    };
    let offset = message.offset();
    // Going back is wrong, unless the table asked for that where offsets are gone.
    if partition.done || offset < partition.assigned.next && settings.reset == "error" {
        return Ok(None);
    }
    if partition.assigned.stop.is_some_and(|stop| offset >= stop) {
        partition.assigned.next = partition.assigned.stop.unwrap_or(offset);
        partition.done = true;
        return Ok(Some(index));
    }
    let before = cost(&partition.batch);
    if !partition.batch.push(message, settings.wanted) {
        let message = format!(
            "topic {}, partition {}, offset {offset}: the record is too large",
            message.topic(),
            handle.1
        );
        return Err(Error::new(ErrorCode::BadRecord, message));
    }
    *pending_bytes += cost(&partition.batch) - before;
    partition.assigned.next = offset + 1;
    if partition.assigned.stop.is_some_and(|stop| offset + 1 >= stop) {
        partition.done = true;
    }
    Ok(Some(index))
}
