//! `blackhole`: takes every change and keeps none; for tests and benchmarks.

use std::sync::Arc;

use async_trait::async_trait;
use tidegate_engine::connector::{DeliveryGuarantee, Sink, SinkContext, SinkWriter, StagedUnit};
use tidegate_engine::element::Changes;
use tidegate_engine::metrics::SinkMetrics;
use tidegate_types::{Epoch, Result};

/// The sink. Takes any changelog; nothing is visible anywhere, so every guarantee holds.
#[derive(Debug, Default)]
pub(crate) struct Blackhole;

#[async_trait]
impl Sink for Blackhole {
    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::ExactlyOnce
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    fn writer(&self, context: SinkContext) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(Writer { metrics: context.metrics }))
    }
}

/// Counts.
struct Writer {
    metrics: Arc<SinkMetrics>,
}

#[async_trait]
impl SinkWriter for Writer {
    async fn write(&mut self, changes: Changes) -> Result<()> {
        self.metrics.records.add(changes.len() as u64);
        Ok(())
    }

    async fn prepare(&mut self, _epoch: Epoch) -> Result<Vec<StagedUnit>> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int8Array, Int32Array, RecordBatch};
    use tidegate_engine::staging::StagingArea;
    use tidegate_types::{Attempt, OperatorId};

    use super::*;

    #[tokio::test]
    async fn every_kind_of_change_is_counted() {
        let metrics = Arc::new(SinkMetrics::default());
        let context = SinkContext {
            lineage: "l".to_owned(),
            operator: OperatorId(1),
            attempt: Attempt(1),
            subtask: 0,
            parallelism: 1,
            metrics: Arc::clone(&metrics),
            staging: StagingArea::in_memory(),
        };
        let mut writer = Blackhole.writer(context).unwrap();
        let column = Arc::new(Int32Array::from(vec![1, 2, 3])) as arrow::array::ArrayRef;
        let rows = RecordBatch::try_from_iter([("a", column)]).unwrap();
        writer.write(Changes::append(rows.clone())).await.unwrap();
        writer.write(Changes { kinds: Some(Int8Array::from(vec![0, 1, 2])), rows }).await.unwrap();
        assert!(writer.prepare(Epoch(1)).await.unwrap().is_empty());
        assert_eq!(metrics.records.get(), 6);
    }
}
