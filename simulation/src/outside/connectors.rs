//! The connectors of simulated workers: a feed to read and a sink that writes exactly once, as the Kafka sink does it:
//! output is staged in the checkpoint's storage, committed unit by unit with a marker, and settled at a start after older
//! runs are shut out.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use async_trait::async_trait;
use tidegate_engine::connector::{
    Committer, DeliveryGuarantee, RestoredOutput, Sink, SinkContext, SinkWriter, Source, StagedUnit,
};
use tidegate_engine::element::Changes;
use tidegate_engine::staging::{StagedChunks, StagedOutput};
use tidegate_plan::{StreamGraph, operator};
use tidegate_runtime::{Clock, failpoint};
use tidegate_types::{Attempt, Epoch, Error, ErrorCode, Field, Result};
use tidegate_worker::ConnectorFactory;
use tidegate_worker::service::ConnectorFactories;

use super::feed::{Feed, FeedTable};
use super::service::Failure;
use super::target::{Producer, Row, Target, Transaction};

/// The connectors of one process.
#[derive(Clone)]
pub(crate) struct Connectors {
    pub(crate) feed: Feed,
    pub(crate) target: Target,
    pub(crate) clock: Arc<dyn Clock>,
}

impl ConnectorFactories for Connectors {
    fn of_plan(&self, _: &StreamGraph) -> Result<Arc<dyn ConnectorFactory>> {
        Ok(Arc::new(self.clone()))
    }
}

impl ConnectorFactory for Connectors {
    fn source(&self, _: &operator::Source) -> Result<Arc<dyn Source>> {
        Ok(Arc::new(FeedTable { feed: self.feed, clock: self.clock.clone() }))
    }

    fn sink(&self, _: &operator::Sink, _: &[Field]) -> Result<Arc<dyn Sink>> {
        Ok(Arc::new(TargetTable(self.target.clone())))
    }
}

struct TargetTable(Target);

#[async_trait]
impl Sink for TargetTable {
    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::ExactlyOnce
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    fn writer(&self, context: SinkContext) -> Result<Box<dyn SinkWriter>> {
        let output = StagedOutput::new(context.staging.clone());
        Ok(Box::new(Writer { target: self.0.clone(), context, output, generation: None }))
    }
}

struct Writer {
    target: Target,
    context: SinkContext,
    output: StagedOutput,
    /// Of its own name, once it has taken that over.
    generation: Option<u64>,
}

fn unavailable(what: &str, failure: Failure) -> Error {
    Error::new(ErrorCode::Unavailable, format!("{what}: {failure:?}"))
}

fn producer(unit: &StagedUnit) -> Producer {
    (unit.lineage.clone(), unit.sink, unit.writer)
}

impl Writer {
    fn own(&self) -> Producer {
        (self.context.lineage.clone(), self.context.operator, self.context.subtask)
    }

    /// Takes over the names of all writers whose units are settled here, and its own.
    async fn take_over(&self, units: &[StagedUnit]) -> Result<BTreeMap<Producer, u64>> {
        let mut names: Vec<_> = units.iter().map(producer).chain([self.own()]).collect();
        names.sort();
        names.dedup();
        let mut taken = BTreeMap::new();
        for name in names {
            let generation = self.target.take_over(name.clone()).await;
            taken.insert(name, generation.map_err(|why| unavailable("take over a name", why))?);
        }
        Ok(taken)
    }

    /// The units that are not visible yet.
    async fn due<'a>(&self, restored: &'a RestoredOutput) -> Result<Vec<&'a StagedUnit>> {
        if failpoint::defect("skip-marker-check") {
            return Ok(restored.units.iter().collect());
        }
        let markers = self.target.markers(self.context.operator).await;
        let markers = markers.map_err(|why| unavailable("read markers", why))?;
        self.check_not_newer(restored, &markers)?;
        let is_due = |unit: &&StagedUnit| {
            markers.get(&producer(unit)).is_none_or(|visible| *visible < unit.epoch)
        };
        Ok(restored.units.iter().filter(is_due).collect())
    }

    /// Refuses to go on in the same lineage behind what is visible.
    fn check_not_newer(
        &self,
        restored: &RestoredOutput,
        markers: &BTreeMap<Producer, Epoch>,
    ) -> Result<()> {
        let own = restored.checkpoint.as_ref().filter(|from| from.lineage == self.context.lineage);
        let newer = own.and_then(|from| {
            markers.iter().find(|(name, epoch)| name.0 == from.lineage && **epoch > from.epoch)
        });
        newer.map_or(Ok(()), |(name, epoch)| {
            let message = format!("output of checkpoint {epoch} of {name:?} is visible already");
            Err(Error::new(ErrorCode::Incompatible, message))
        })
    }
}

#[async_trait]
impl SinkWriter for Writer {
    async fn recover(&mut self, restored: RestoredOutput) -> Result<()> {
        let taken = self.take_over(&restored.units).await?;
        if restored.checkpoint.is_some() {
            for unit in self.due(&restored).await? {
                let (Some(generation), Some(folder)) =
                    (taken.get(&producer(unit)), &restored.folder)
                else {
                    return Err(Error::internal("restored output without a place"));
                };
                let chunks = StagedChunks::Restored(folder.clone());
                let attempt = self.context.attempt;
                write(&self.target, *generation, attempt, unit, &chunks).await?;
            }
        }
        self.generation = taken.get(&self.own()).copied();
        Ok(())
    }

    fn committer(&self) -> Option<Box<dyn Committer>> {
        Some(Box::new(TargetCommitter {
            target: self.target.clone(),
            generation: self.generation?,
            attempt: self.context.attempt,
            chunks: StagedChunks::Own(self.context.staging.clone()),
            failed: false,
        }))
    }

    async fn write(&mut self, changes: Changes) -> Result<()> {
        for (part, seq) in rows(&changes.rows)? {
            self.output.record(|bytes| {
                bytes.extend_from_slice(&part.to_le_bytes());
                bytes.extend_from_slice(&seq.to_le_bytes());
            })?;
        }
        if self.output.is_full() {
            self.output.roll().await?;
        }
        Ok(())
    }

    async fn prepare(&mut self, epoch: Epoch) -> Result<Vec<StagedUnit>> {
        let chunks = self.output.seal();
        if chunks.is_empty() {
            return Ok(Vec::new());
        }
        let (lineage, sink, writer) = self.own();
        let payload = serde_json::Value::Null;
        Ok(vec![StagedUnit { lineage, sink, writer, epoch, payload, chunks }])
    }
}

fn rows(batch: &RecordBatch) -> Result<Vec<Row>> {
    let columns = (
        batch.columns().first().and_then(|column| column.as_primitive_opt::<Int32Type>()),
        batch.columns().get(1).and_then(|column| column.as_primitive_opt::<Int64Type>()),
    );
    let (Some(part), Some(seq)) = columns else {
        return Err(Error::internal("rows of another table"));
    };
    Ok(part.values().iter().copied().zip(seq.values().iter().copied()).collect())
}

/// Writes a unit in one transaction.
async fn write(
    target: &Target,
    generation: u64,
    attempt: Attempt,
    unit: &StagedUnit,
    chunks: &StagedChunks,
) -> Result<()> {
    let mut rows = Vec::new();
    for reference in &unit.chunks {
        let content = chunks.read(reference).await?;
        // A record is its length, the partition, the number.
        rows.extend(content.chunks_exact(16).filter_map(|record| {
            let part = i32::from_le_bytes(record.get(4..8)?.try_into().ok()?);
            Some((part, i64::from_le_bytes(record.get(8..16)?.try_into().ok()?)))
        }));
    }
    let (producer, epoch) = (producer(unit), unit.epoch);
    let transaction = Transaction { producer, generation, attempt, epoch, rows };
    match target.commit(transaction).await {
        Ok(true) => Ok(()),
        Ok(false) => {
            let message = format!("commit checkpoint {epoch}: a newer run has taken over");
            Err(Error::new(ErrorCode::Fenced, message))
        }
        Err(failure) => Err(unavailable("commit", failure)),
    }
}

struct TargetCommitter {
    target: Target,
    generation: u64,
    attempt: Attempt,
    chunks: StagedChunks,
    failed: bool,
}

#[async_trait]
impl Committer for TargetCommitter {
    async fn commit(&mut self, unit: &StagedUnit) -> Result<()> {
        if self.failed {
            return Err(Error::internal("a commit after one that failed"));
        }
        let written = write(&self.target, self.generation, self.attempt, unit, &self.chunks).await;
        self.failed = written.is_err();
        written
    }

    /// Never: whether the rows are visible is found out by a new run, which shuts this one out.
    fn may_retry(&self) -> bool {
        false
    }
}
