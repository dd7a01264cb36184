//! Writes staged units into the topics: one unit after the other, in parts of bounded size.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tidegate_engine::connector::{Committer, StagedUnit};
use tidegate_engine::staging::{ChunkRef, StagedChunks};
use tidegate_types::{Attempt, Error, ErrorCode, Result};

use super::markers::{self, Marker};
use super::settlement::key_of;
use super::transaction::{Part, Transactions};

/// Content that one transaction writes, unless a single chunk is larger: it is held in memory, and
/// must be written well within `transaction.timeout.ms`.
const PART_BYTES: u64 = 32 << 20;
const VERSION: u32 = 1;

/// What a unit says beside its chunks.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct UnitPayload {
    version: u32,
    /// The topics that records refer to by number.
    topics: Vec<String>,
}

impl UnitPayload {
    /// As JSON for the checkpoint.
    pub(super) fn encode(topics: &[String]) -> Result<serde_json::Value> {
        let payload = Self { version: VERSION, topics: topics.to_vec() };
        serde_json::to_value(payload).map_err(|error| Error::internal(error.to_string()))
    }

    fn decode(unit: &StagedUnit) -> Result<Self> {
        let what = || format!("staged output {} of checkpoint {}", key_of(unit), unit.epoch);
        let payload = serde_json::from_value::<Self>(unit.payload.clone())
            .map_err(|error| Error::new(ErrorCode::Corrupt, format!("{}: {error}", what())))?;
        if payload.version > VERSION {
            let message = format!(
                "{} has version {}, this release reads up to {VERSION}",
                what(),
                payload.version
            );
            return Err(Error::new(ErrorCode::Incompatible, message));
        }
        Ok(payload)
    }
}

/// Writes the chunks of a unit from number `visible` on.
///
/// # Errors
/// Unless it is certain that all of it is visible.
pub(super) async fn write_unit(
    transactions: &Transactions,
    chunks: &StagedChunks,
    attempt: Attempt,
    unit: &StagedUnit,
    visible: usize,
) -> Result<()> {
    let topics = UnitPayload::decode(unit)?.topics;
    let mut done = visible;
    while let Some(rest) = unit.chunks.get(done..).filter(|rest| !rest.is_empty()) {
        let take = part_length(rest);
        let mut contents = Vec::with_capacity(take);
        // All of it before the transaction begins: a slow store must not keep one open.
        for reference in rest.iter().take(take) {
            contents.push(chunks.read(reference).await?);
        }
        done += take;
        let marker = Marker { epoch: unit.epoch, chunks: done as u64 };
        let part = Part {
            chunks: contents,
            topics: topics.clone(),
            marker_key: key_of(unit).to_string(),
            marker_value: markers::encode(marker, unit.chunks.len() as u64, attempt)?,
        };
        let transactions = transactions.clone();
        let written = tokio::task::spawn_blocking(move || transactions.write(&part)).await;
        written.map_err(|_| Error::internal("writing a transaction ended early"))??;
    }
    Ok(())
}

/// Chunks that one transaction writes: at least one.
fn part_length(chunks: &[ChunkRef]) -> usize {
    let mut bytes = 0;
    let fit = chunks.iter().take_while(|chunk| {
        bytes += chunk.bytes;
        bytes <= PART_BYTES
    });
    fit.count().max(1)
}

/// Commits the units of one writer.
pub(super) struct KafkaCommitter {
    pub(super) transactions: Option<Transactions>,
    pub(super) chunks: StagedChunks,
    pub(super) attempt: Attempt,
    pub(super) failed: bool,
}

#[async_trait]
impl Committer for KafkaCommitter {
    async fn commit(&mut self, unit: &StagedUnit) -> Result<()> {
        let transactions = self.transactions.as_ref().filter(|_| !self.failed);
        let transactions = transactions
            .ok_or_else(|| Error::internal("a commit before the output was settled"))?;
        let written = write_unit(transactions, &self.chunks, self.attempt, unit, 0).await;
        self.failed = written.is_err();
        written
    }

    /// Never: it is not known whether the rows are visible, and finding out means to shut out whoever
    /// may write by now, which only a new run may do.
    fn may_retry(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_bounded_and_never_empty() {
        let chunk = |bytes| ChunkRef { path: "c".into(), bytes, records: 1, digest: "d".into() };
        assert_eq!(part_length(&[chunk(PART_BYTES * 2), chunk(1)]), 1);
        assert_eq!(part_length(&[chunk(PART_BYTES / 2), chunk(PART_BYTES / 2), chunk(1)]), 2);
        assert_eq!(part_length(&[chunk(1), chunk(1), chunk(1)]), 3);
    }
}
