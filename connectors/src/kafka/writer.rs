//! Writes the rows of one subtask at least once: records are handed to the client as they come, and
//! a checkpoint waits until the brokers have acknowledged all of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray, MapArray, RecordBatch, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType};
use async_trait::async_trait;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use tidegate_engine::Changes;
use tidegate_engine::connector::{SinkContext, SinkWriter, StagedUnit};
use tidegate_types::{Epoch, Error, ErrorCode, Result};

use super::client::{Context, error_code};
use super::sink::{Partitioner, Shared, producer};
use crate::format::{Encoder, Records};

/// Pause while the client's queue is full.
const FULL_PAUSE: Duration = Duration::from_millis(2);
/// How long acknowledgements may take in all; the client gives a record up after
/// `delivery.timeout.ms` (two minutes by default), so this is a bound of last resort.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(300);

/// The writer of a subtask.
pub(super) struct Writer {
    shared: Arc<Shared>,
    context: SinkContext,
    producer: ThreadedProducer<Context>,
    value_encoder: Box<dyn Encoder>,
    key_encoder: Option<Box<dyn Encoder>>,
    values: Records,
    keys: Records,
    /// Number of partitions by topic, where the partitioner needs it; asked for at the first row.
    partitions: BTreeMap<String, i32>,
    /// Rows written, for turns.
    turn: i32,
}

/// Key, headers, timestamp and target of each row of a batch.
struct Envelopes {
    topics: Option<StringViewArray>,
    headers: Option<MapArray>,
    timestamps: Option<ArrayRef>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, context: SinkContext) -> Result<Self> {
        Ok(Self {
            producer: producer(&shared.brokers)?,
            value_encoder: shared.value_encoder()?,
            key_encoder: shared.key_encoder()?,
            shared,
            context,
            values: Records::new(),
            keys: Records::new(),
            partitions: BTreeMap::new(),
            turn: 0,
        })
    }

    fn encode(&mut self, rows: &RecordBatch) -> Result<()> {
        let project = |columns: &[usize]| {
            rows.project(columns).map_err(|error| Error::internal(error.to_string()))
        };
        self.values.clear();
        self.value_encoder.encode(&project(&self.shared.value_columns)?, &mut self.values)?;
        self.keys.clear();
        if let Some(encoder) = &mut self.key_encoder {
            encoder.encode(&project(&self.shared.key_columns)?, &mut self.keys)?;
        }
        Ok(())
    }

    /// The columns of `rows` that are not part of key or value.
    fn envelopes(&self, rows: &RecordBatch) -> Result<Envelopes> {
        let metadata = &self.shared.metadata;
        let column = |index: Option<usize>| index.and_then(|index| rows.columns().get(index));
        let millis = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        let wrong = |what: &str| {
            Error::new(
                ErrorCode::InvalidOption,
                format!(
                    "metadata column '{what}' of table {} has the wrong type",
                    self.shared.table
                ),
            )
        };
        Ok(Envelopes {
            topics: match column(metadata.topic) {
                Some(topics) => {
                    Some(topics.as_string_view_opt().cloned().ok_or_else(|| wrong("topic"))?)
                }
                None => None,
            },
            headers: match column(metadata.headers) {
                Some(headers) => {
                    Some(headers.as_map_opt().cloned().ok_or_else(|| wrong("headers"))?)
                }
                None => None,
            },
            timestamps: match column(metadata.timestamp) {
                Some(times) => Some(cast(times, &millis).map_err(|_| wrong("timestamp"))?),
                None => None,
            },
        })
    }

    /// Hands row `row` of the encoded batch to the client; `false` if its queue is full.
    fn send(&self, row: usize, envelopes: &Envelopes, turn: i32) -> Result<bool> {
        let topic = self.topic(row, envelopes)?;
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic);
        record.key = if self.key_encoder.is_some() { self.keys.get(row) } else { None };
        record.payload = self.values.get(row);
        record.partition = self.partition(topic, turn);
        record.timestamp = envelopes.timestamps.as_ref().and_then(|times| {
            let times = times.as_primitive_opt::<TimestampMillisecondType>()?;
            times.is_valid(row).then(|| times.value(row))
        });
        record.headers = envelopes.headers.as_ref().and_then(|headers| row_headers(headers, row));
        match self.producer.send(record) {
            Ok(()) => Ok(true),
            Err((KafkaError::MessageProduction(Code::QueueFull), _)) => Ok(false),
            Err((error, _)) => Err(self.failed(&error, row)),
        }
    }

    fn topic<'a>(&'a self, row: usize, envelopes: &'a Envelopes) -> Result<&'a str> {
        let only = self.shared.topics.first().map(String::as_str).unwrap_or_default();
        let Some(topics) = &envelopes.topics else {
            return Ok(only);
        };
        if topics.is_null(row) {
            let message =
                format!("table {}: the metadata column 'topic' is NULL", self.shared.table);
            return Err(Error::new(ErrorCode::BadRecord, message));
        }
        let topic = topics.value(row);
        if self.shared.topics.iter().any(|known| known == topic) {
            return Ok(topic);
        }
        let message = format!(
            "table {}: '{topic}' is not among the topics of the option 'topic'",
            self.shared.table
        );
        Err(Error::new(ErrorCode::BadRecord, message))
    }

    /// The partition of a row; `None`: the client decides by the key.
    fn partition(&self, topic: &str, turn: i32) -> Option<i32> {
        let count = self.partitions.get(topic).copied().filter(|count| *count > 0)?;
        match self.shared.partitioner {
            Partitioner::Default => None,
            Partitioner::Fixed => {
                i32::try_from(self.context.subtask).ok().map(|subtask| subtask % count)
            }
            Partitioner::RoundRobin => Some(turn.rem_euclid(count)),
        }
    }

    fn failed(&self, error: &KafkaError, row: usize) -> Error {
        let doing = format!("write {}", self.shared.describe());
        let failed = self.shared.brokers.failed(&doing, error, self.producer.client().context());
        if failed.code() == ErrorCode::BadRecord {
            let bytes = self.values.get(row).map_or(0, <[u8]>::len);
            return failed.help(format!(
                "the record has {bytes} bytes; raise 'properties.message.max.bytes' and the topic's max.message.bytes"
            ));
        }
        failed
    }

    /// Fails if the brokers refused a record that was sent before.
    fn check_deliveries(&self) -> Result<()> {
        let context = self.producer.client().context();
        let Some((code, text)) = context.delivery_failure() else {
            return Ok(());
        };
        let doing = format!("write {}", self.shared.describe());
        let kind = error_code(code);
        let error = self.shared.brokers.failed_with(&doing, Some(code), &text, context);
        Err(if kind == ErrorCode::BadRecord {
            error.help("raise the topic's max.message.bytes, or write smaller rows")
        } else {
            error
        })
    }

    /// Asks for the number of partitions where the partitioner needs it.
    async fn find_partitions(&mut self) -> Result<()> {
        if self.shared.partitioner == Partitioner::Default || !self.partitions.is_empty() {
            return Ok(());
        }
        let (shared, producer) = (Arc::clone(&self.shared), self.producer.clone());
        let counts = tokio::task::spawn_blocking(move || shared.partition_counts(&producer)).await;
        self.partitions =
            counts.map_err(|_| Error::internal("looking up partitions ended early"))??;
        Ok(())
    }

    /// Waits until every record is acknowledged.
    async fn flush(&mut self) -> Result<()> {
        if self.producer.in_flight_count() > 0 {
            let producer = self.producer.clone();
            let flushed = tokio::task::spawn_blocking(move || producer.flush(FLUSH_TIMEOUT)).await;
            let flushed =
                flushed.map_err(|_| Error::internal("waiting for acknowledgements ended early"))?;
            flushed.map_err(|error| self.failed(&error, 0))?;
        }
        self.check_deliveries()
    }
}

/// The headers of a row.
fn row_headers(headers: &MapArray, row: usize) -> Option<OwnedHeaders> {
    if headers.is_null(row) {
        return None;
    }
    let entries = headers.value(row);
    let keys = entries.column(0).as_string_view_opt()?;
    let values = entries.column(1).as_binary_view_opt()?;
    let mut owned = OwnedHeaders::new_with_capacity(keys.len());
    for (key, value) in keys.iter().zip(values.iter()) {
        owned = owned.insert(Header { key: key.unwrap_or_default(), value });
    }
    Some(owned)
}

#[async_trait]
impl SinkWriter for Writer {
    async fn write(&mut self, changes: Changes) -> Result<()> {
        if changes.kinds.as_ref().is_some_and(|kinds| kinds.values().iter().any(|kind| *kind != 0))
        {
            let message = format!(
                "table {}: the connector 'kafka' cannot take updates or deletes",
                self.shared.table
            );
            return Err(Error::new(ErrorCode::BadRecord, message));
        }
        self.find_partitions().await?;
        self.check_deliveries()?;
        self.encode(&changes.rows)?;
        let envelopes = self.envelopes(&changes.rows)?;
        for row in 0..changes.len() {
            while !self.send(row, &envelopes, self.turn)? {
                self.check_deliveries()?;
                tokio::time::sleep(FULL_PAUSE).await;
            }
            self.turn = self.turn.wrapping_add(1) & i32::MAX;
        }
        self.context.metrics.records.add(changes.len() as u64);
        let bytes = self.values.bytes().len() + self.keys.bytes().len();
        self.context.metrics.bytes.add(bytes as u64);
        Ok(())
    }

    async fn prepare(&mut self, _epoch: Epoch) -> Result<Vec<StagedUnit>> {
        self.flush().await?;
        Ok(Vec::new())
    }

    async fn close(&mut self) -> Result<()> {
        self.flush().await
    }
}
