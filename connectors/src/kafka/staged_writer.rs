//! Writes the rows of one subtask exactly once: records are staged in the checkpoint's storage, and
//! the [`committer`](super::committer) writes them once the checkpoint is complete.

use std::sync::Arc;

use async_trait::async_trait;
use tidegate_engine::Changes;
use tidegate_engine::connector::{Committer, RestoredOutput, SinkContext, SinkWriter, StagedUnit};
use tidegate_engine::staging::{StagedChunks, StagedOutput};
use tidegate_types::{Epoch, Error, ErrorCode, Result};

use super::committer::{KafkaCommitter, UnitPayload};
use super::markers::MarkerKey;
use super::recovery::Recovery;
use super::row_encoder::{Outgoing, RowEncoder};
use super::sink::Shared;
use super::staged_record;
use super::transaction::Transactions;

/// Rows between two looks at whether a chunk is full.
const ROWS_BETWEEN_ROLLS: usize = 256;

/// The writer of a subtask.
pub(super) struct StagedWriter {
    shared: Arc<Shared>,
    context: SinkContext,
    encoder: RowEncoder,
    output: StagedOutput,
    max_record: usize,
    /// Set up by `recover`.
    transactions: Option<Transactions>,
}

impl StagedWriter {
    pub(super) fn new(shared: Arc<Shared>, context: SinkContext) -> Result<Self> {
        Ok(Self {
            encoder: RowEncoder::new(Arc::clone(&shared), context.subtask)?,
            output: StagedOutput::new(Arc::clone(&context.staging)),
            max_record: shared.exactly_once()?.max_record,
            shared,
            context,
            transactions: None,
        })
    }

    /// Refuses what the client would refuse when it is too late.
    fn check_size(&self, record: &Outgoing<'_>) -> Result<()> {
        let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        if bytes <= self.max_record {
            return Ok(());
        }
        let message = format!(
            "table {}: a record of {bytes} bytes is larger than message.max.bytes ({})",
            self.shared.table, self.max_record
        );
        Err(Error::new(ErrorCode::BadRecord, message)
            .help("raise 'properties.message.max.bytes' and the topic's max.message.bytes"))
    }
}

#[async_trait]
impl SinkWriter for StagedWriter {
    async fn recover(&mut self, restored: RestoredOutput) -> Result<()> {
        let recovery = Recovery {
            shared: Arc::clone(&self.shared),
            own: MarkerKey {
                lineage: self.context.lineage.clone(),
                sink: self.context.operator,
                writer: self.context.subtask,
            },
            attempt: self.context.attempt,
        };
        self.transactions = Some(recovery.run(&restored).await?);
        Ok(())
    }

    fn committer(&self) -> Option<Box<dyn Committer>> {
        Some(Box::new(KafkaCommitter {
            transactions: self.transactions.clone(),
            chunks: StagedChunks::Own(Arc::clone(&self.context.staging)),
            attempt: self.context.attempt,
            failed: false,
        }))
    }

    async fn write(&mut self, changes: Changes) -> Result<()> {
        if let Some(transactions) = &self.transactions {
            self.encoder.prepare(transactions.client()).await?;
        }
        self.encoder.encode(&changes)?;
        for row in 0..changes.len() {
            if self.encoder.is_replaced(row) {
                continue;
            }
            let record = self.encoder.record(row)?;
            self.check_size(&record)?;
            let mut encoded = Ok(());
            self.output.record(|out| encoded = staged_record::encode(&record, out))?;
            encoded?;
            self.encoder.advance();
            if row % ROWS_BETWEEN_ROLLS == 0 && self.output.is_full() {
                self.output.roll().await?;
            }
        }
        if self.output.is_full() {
            self.output.roll().await?;
        }
        self.context.metrics.records.add(changes.len() as u64);
        self.context.metrics.bytes.add(self.encoder.bytes());
        Ok(())
    }

    async fn prepare(&mut self, epoch: Epoch) -> Result<Vec<StagedUnit>> {
        let chunks = self.output.seal();
        if chunks.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![StagedUnit {
            lineage: self.context.lineage.clone(),
            sink: self.context.operator,
            writer: self.context.subtask,
            epoch,
            payload: UnitPayload::encode(&self.shared.topics)?,
            chunks,
        }])
    }
}
