//! Writes the rows of one subtask at least once: records are handed to the client as they come, and
//! a checkpoint waits until the brokers have acknowledged all of them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{Producer, ThreadedProducer};
use tidegate_engine::Changes;
use tidegate_engine::connector::{Acknowledgements, SinkContext, SinkWriter, StagedUnit};
use tidegate_types::{Epoch, Error, ErrorCode, Result};

use super::client::{Context, error_code};
use super::in_flight::Side;
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
    /// The side of records written now; another behind each barrier.
    side: Side,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, context: SinkContext) -> Result<Self> {
        Ok(Self {
            producer: producer(&shared.brokers)?,
            encoder: RowEncoder::new(Arc::clone(&shared), context.subtask)?,
            side: 0,
            shared,
            context,
        })
    }

    /// Hands row `row` of the encoded batch to the client; `false` if its queue is full.
    fn send(&self, row: usize) -> Result<bool> {
        let record = self.encoder.record(row)?;
        let record = record.to_record(&self.shared.topics, self.side)?;
        let in_flight = self.producer.client().context().in_flight();
        in_flight.add(self.side);
        let Err((error, _)) = self.producer.send(record) else { return Ok(true) };
        in_flight.remove(self.side);
        match error {
            KafkaError::MessageProduction(Code::QueueFull) => Ok(false),
            error => Err(self.failed(&error, row)),
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
        delivered(&self.shared, self.producer.client().context())
    }

    /// Waits until every record is acknowledged.
    async fn flush(&mut self) -> Result<()> {
        acknowledged(&self.shared, &self.producer, self.side).await
    }
}

/// Waits until every record of a side is acknowledged. What is sent lingers for some milliseconds in
/// the client at most, so nothing has to be flushed; a flush would race with the client's own thread for
/// its events.
async fn acknowledged(
    shared: &Shared,
    producer: &ThreadedProducer<Context>,
    side: Side,
) -> Result<()> {
    let context = producer.client().context();
    let waited = tokio::time::timeout(FLUSH_TIMEOUT, context.in_flight().clone().wait(side)).await;
    delivered(shared, context)?;
    waited.map_err(|_| {
        let message = format!(
            "write {}: {} did not acknowledge all records within {} s",
            shared.describe(),
            shared.brokers.servers,
            FLUSH_TIMEOUT.as_secs()
        );
        Error::new(ErrorCode::Unavailable, message)
    })
}

/// Fails if the brokers refused a record that was sent before.
fn delivered(shared: &Shared, context: &Context) -> Result<()> {
    let Some((code, text)) = context.delivery_failure() else { return Ok(()) };
    let doing = format!("write {}", shared.describe());
    let error = shared.brokers.failed_with(&doing, Some(code), &text, context);
    Err(match error_code(code) {
        ErrorCode::BadRecord => {
            error.help("raise the topic's max.message.bytes, or write smaller rows")
        }
        _ => error,
    })
}

#[async_trait]
impl SinkWriter for Writer {
    async fn write(&mut self, changes: Changes) -> Result<()> {
        self.encoder.prepare(&self.producer).await?;
        self.check_deliveries()?;
        self.encoder.encode(&changes)?;
        for row in 0..changes.len() {
            if self.encoder.is_replaced(row) {
                continue;
            }
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
        Ok(Vec::new())
    }

    fn acknowledgements(&mut self) -> Option<Acknowledgements> {
        let (shared, producer) = (Arc::clone(&self.shared), self.producer.clone());
        let side = self.side;
        self.side = 1 - side;
        let wait = async move { acknowledged(&shared, &producer, side).await };
        Some(Acknowledgements(Box::pin(wait)))
    }

    async fn close(&mut self) -> Result<()> {
        self.flush().await
    }
}
