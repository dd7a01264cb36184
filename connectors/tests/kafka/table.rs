//! A Kafka table for tests, with shorthands for reading and writing it.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::util::display::array_value_to_string;
use tidegate_connectors::{ConnectorEnv, registry};
use tidegate_engine::connector::{
    Acknowledgements, Read, ReaderContext, Sink, SinkContext, SinkWriter, Source, SourceReader,
    Split, StagedUnit,
};
use tidegate_engine::staging::StagingArea;
use tidegate_functions::Zone;
use tidegate_plan::operator::{self, MetadataColumn, Table};
use tidegate_runtime::clock::SystemClock;
use tidegate_types::{Attempt, Epoch, Field, OperatorId, Result, TypeKind};

use super::broker::servers;

/// A table over a topic; options are set as in `WITH`.
#[derive(Clone)]
pub(super) struct TestTable {
    pub(super) plan: Table,
    pub(super) metadata: Vec<MetadataColumn>,
    pub(super) written_metadata: Vec<(usize, String)>,
}

impl TestTable {
    /// One column `id BIGINT` in JSON, from the beginning to the end as it is when reading starts.
    pub(super) fn new(topic: &str) -> Self {
        let servers = servers();
        let options = [
            ("connector", "kafka"),
            ("topic", topic),
            ("properties.bootstrap.servers", &servers),
            ("scan.startup.mode", "earliest-offset"),
            ("scan.bounded.mode", "latest-offset"),
            ("format", "json"),
        ];
        let plan = Table {
            name: "t".into(),
            options: options.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            columns: vec![Field::new("id", TypeKind::BigInt.nullable())],
            partition_keys: Vec::new(),
            primary_key: Vec::new(),
            governed: None,
        };
        Self { plan, metadata: Vec::new(), written_metadata: Vec::new() }
    }

    pub(super) fn set(mut self, key: &str, value: &str) -> Self {
        self.plan.options.insert(key.into(), value.into());
        self
    }

    pub(super) fn without(mut self, key: &str) -> Self {
        self.plan.options.remove(key);
        self
    }

    pub(super) fn column(mut self, name: &str, kind: TypeKind) -> Self {
        self.plan.columns.push(Field::new(name, kind.nullable()));
        self
    }

    pub(super) fn with_metadata(mut self, key: &str, kind: TypeKind) -> Self {
        self.metadata
            .push(MetadataColumn { key: key.into(), field: Field::new(key, kind.nullable()) });
        self
    }

    fn env() -> ConnectorEnv {
        ConnectorEnv::new(&SystemClock::shared(), Zone::UTC)
    }

    pub(super) fn source(&self) -> Result<Arc<dyn Source>> {
        let plan = operator::Source {
            table: self.plan.clone(),
            read: self.plan.columns.clone(),
            metadata: self.metadata.clone(),
            pushed: Vec::new(),
            projection: Vec::new(),
            watermark: None,
        };
        registry::source(&plan, &Self::env())
    }

    pub(super) async fn splits(&self) -> Result<Vec<Split>> {
        self.source()?.enumerate(&[], false).await
    }

    /// All rows up to the end, sorted.
    pub(super) async fn read_all(&self) -> Result<Vec<String>> {
        let source = self.source()?;
        let splits = source.enumerate(&[], false).await?;
        let mut rows = Reading::new(source.as_ref(), splits, 1000).rest().await?;
        rows.sort();
        Ok(rows)
    }

    /// The sink, for rows with `columns` (written metadata columns included).
    pub(super) fn sink(&self, columns: &[Field]) -> Result<Arc<dyn Sink>> {
        let plan = operator::Sink {
            table: self.plan.clone(),
            metadata: self.written_metadata.clone(),
            overwrite: false,
            insert: "t".into(),
        };
        registry::sink(&plan, columns, &Self::env())
    }
}

/// What a checkpoint does with a writer: it prepares, and waits until all is acknowledged.
pub(super) async fn checkpoint(
    writer: &mut Box<dyn SinkWriter>,
    epoch: u64,
) -> Result<Vec<StagedUnit>> {
    let units = writer.prepare(Epoch(epoch)).await?;
    if let Some(Acknowledgements(wait)) = writer.acknowledgements() {
        wait.await?;
    }
    Ok(units)
}

pub(super) fn sink_context(subtask: u32) -> SinkContext {
    SinkContext {
        lineage: "l".into(),
        operator: OperatorId(1),
        attempt: Attempt(1),
        subtask,
        parallelism: 4,
        metrics: Arc::default(),
        staging: StagingArea::in_memory(),
    }
}

/// A reader of splits under test.
pub(super) struct Reading {
    pub(super) reader: Box<dyn SourceReader>,
    pub(super) context: ReaderContext,
    unfinished: usize,
}

impl Reading {
    pub(super) fn new(source: &dyn Source, splits: Vec<Split>, batch_rows: usize) -> Self {
        let context = ReaderContext {
            subtask: 0,
            parallelism: 1,
            batch_rows,
            linger: Duration::from_millis(5),
            metrics: Arc::default(),
        };
        let mut reader = source.reader(context.clone()).unwrap();
        let unfinished = splits.iter().filter(|split| !split.finished).count();
        reader.add_splits(splits).unwrap();
        Self { reader, context, unfinished }
    }

    /// The next rows as text; `None` when all splits have finished.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<String>>> {
        while self.unfinished > 0 {
            let next = tokio::time::timeout(Duration::from_secs(30), self.reader.next()).await;
            match next.expect("rows or an end within 30 s")? {
                Read::Batch { rows, .. } => return Ok(Some(texts(&rows))),
                Read::Finished { .. } => self.unfinished -= 1,
            }
        }
        Ok(None)
    }

    /// All rows that are left.
    pub(super) async fn rest(&mut self) -> Result<Vec<String>> {
        let mut all = Vec::new();
        while let Some(rows) = self.next().await? {
            all.extend(rows);
        }
        Ok(all)
    }

    /// At least `count` rows.
    pub(super) async fn take(&mut self, count: usize) -> Vec<String> {
        let mut all = Vec::new();
        while all.len() < count {
            all.extend(self.next().await.unwrap().expect("more rows"));
        }
        all
    }
}

/// Each row as `value|value`.
pub(super) fn texts(rows: &RecordBatch) -> Vec<String> {
    let value = |column: &ArrayRef, row| {
        if column.is_null(row) {
            "NULL".to_owned()
        } else {
            array_value_to_string(column, row).unwrap()
        }
    };
    (0..rows.num_rows())
        .map(|row| {
            rows.columns().iter().map(|column| value(column, row)).collect::<Vec<_>>().join("|")
        })
        .collect()
}

/// Ids as text, sorted as text.
pub(super) fn ids(range: std::ops::Range<i64>) -> Vec<String> {
    let mut all: Vec<_> = range.map(|id| id.to_string()).collect();
    all.sort();
    all
}
