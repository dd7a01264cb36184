//! Writes the rows of one subtask at least once: records are handed to the client as they come, and
//! a checkpoint waits until the brokers have acknowledged all of them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{Producer, ThreadedProducer};
use tidegate_engine::Changes;
use tidegate_engine::connector::{SinkContext, SinkWriter, StagedUnit};
use tidegate_types::{Epoch, Error, ErrorCode, Result};

use super::client::{Context, error_code};
use super::row_encoder::RowEncoder;
use super::sink::{Shared, producer};

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
    encoder: RowEncoder,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, context: SinkContext) -> Result<Self> {
        Ok(Self {
            producer: producer(&shared.brokers)?,
            encoder: RowEncoder::new(Arc::clone(&shared), context.subtask)?,
            shared,
            context,
        })
    }

    /// Hands row `row` of the encoded batch to the client; `false` if its queue is full.
    fn send(&self, row: usize) -> Result<bool> {
        let record = self.encoder.record(row)?;
        match self.producer.send(record.to_record(&self.shared.topics)?) {
            Ok(()) => Ok(true),
            Err((KafkaError::MessageProduction(Code::QueueFull), _)) => Ok(false),
            Err((error, _)) => Err(self.failed(&error, row)),
        }
    }

    fn failed(&self, error: &KafkaError, row: usize) -> Error {
        let doing = format!("write {}", self.shared.describe());
        let failed = self.shared.brokers.failed(&doing, error, self.producer.client().context());
        if failed.code() == ErrorCode::BadRecord {
            let bytes = self.encoder.value_bytes(row);
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

#[async_trait]
impl SinkWriter for Writer {
    async fn write(&mut self, changes: Changes) -> Result<()> {
        self.encoder.find_partitions(&self.producer).await?;
        self.check_deliveries()?;
        self.encoder.encode(&changes)?;
        for row in 0..changes.len() {
            while !self.send(row)? {
                self.check_deliveries()?;
                tokio::time::sleep(FULL_PAUSE).await;
            }
            self.encoder.advance();
        }
        self.context.metrics.records.add(changes.len() as u64);
        self.context.metrics.bytes.add(self.encoder.bytes());
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
