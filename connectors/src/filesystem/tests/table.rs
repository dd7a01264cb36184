//! A table of files for tests, with shorthands for reading and writing it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, StringViewArray};
use arrow::util::display::array_value_to_string;
use tidegate_engine::Changes;
use tidegate_engine::connector::{
    Read, ReaderContext, RestoredOutput, Sink, SinkContext, SinkWriter, Source, SourceReader,
    Split, StagedUnit,
};
use tidegate_engine::staging::StagingArea;
use tidegate_functions::Zone;
use tidegate_plan::arrow_type;
use tidegate_plan::operator::{self, MetadataColumn, Table};
use tidegate_types::{Attempt, Epoch, Error, Field, OperatorId, Result, TypeKind};

use crate::env::ConnectorEnv;
use crate::registry;

/// A table in a folder of its own.
pub(super) struct TestTable {
    pub(super) folder: tempfile::TempDir,
    pub(super) plan: Table,
    pub(super) metadata: Vec<MetadataColumn>,
    pub(super) now: Arc<AtomicI64>,
}

impl TestTable {
    /// Columns `id BIGINT`, `name STRING` in JSON files.
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display().to_string();
        let options = [("connector", "filesystem"), ("path", &path), ("format", "json")];
        let plan = Table {
            name: "t".into(),
            options: options.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            columns: vec![
                Field::new("id", TypeKind::BigInt.nullable()),
                Field::new("name", TypeKind::STRING.nullable()),
            ],
            partition_keys: Vec::new(),
            primary_key: Vec::new(),
            governed: None,
        };
        Self { folder, plan, metadata: Vec::new(), now: Arc::new(AtomicI64::new(0)) }
    }

    pub(super) fn set(mut self, key: &str, value: &str) -> Self {
        self.plan.options.insert(key.into(), value.into());
        self
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::File::create(&path).unwrap().write_all(content.as_ref()).unwrap();
        path
    }

    fn env(&self) -> ConnectorEnv {
        let now = Arc::clone(&self.now);
        let nowhere = || Arc::new(Mutex::new(Box::new(std::io::sink()) as Box<dyn Write + Send>));
        ConnectorEnv {
            clock: Arc::new(move || now.load(Ordering::Relaxed)),
            monotonic: Arc::new(std::time::Duration::default),
            zone: Zone::UTC,
            stdout: nowhere(),
            stderr: nowhere(),
        }
    }

    pub(super) fn source_reading(&self, read: &[&str]) -> Result<Arc<dyn Source>> {
        let columns = self.plan.columns.iter().filter(|field| read.contains(&field.name.as_str()));
        self.source_with(columns.cloned().collect())
    }

    pub(super) fn source_with(&self, read: Vec<Field>) -> Result<Arc<dyn Source>> {
        let plan = operator::Source {
            table: self.plan.clone(),
            read,
            metadata: self.metadata.clone(),
            pushed: Vec::new(),
            projection: Vec::new(),
            watermark: None,
        };
        registry::source(&plan, &self.env())
    }

    pub(super) fn source(&self) -> Arc<dyn Source> {
        self.source_with(self.plan.columns.clone()).unwrap()
    }

    fn sink(&self) -> Result<Arc<dyn Sink>> {
        let plan = operator::Sink {
            table: self.plan.clone(),
            metadata: Vec::new(),
            overwrite: false,
            insert: "t".into(),
        };
        registry::sink(&plan, &self.plan.columns, &self.env())
    }

    /// Why the table cannot be written.
    pub(super) fn sink_error(&self) -> Error {
        self.sink().err().unwrap()
    }

    pub(super) fn writer(&self, lineage: &str) -> Box<dyn SinkWriter> {
        let sink = self.sink().unwrap();
        let context = SinkContext {
            lineage: lineage.into(),
            operator: OperatorId(7),
            attempt: Attempt(1),
            subtask: 0,
            parallelism: 1,
            metrics: Arc::default(),
            staging: StagingArea::in_memory(),
        };
        sink.writer(context).unwrap()
    }

    /// Rows for the two columns.
    pub(super) fn rows(&self, ids: std::ops::Range<i64>) -> Changes {
        let names = ids.clone().map(|id| format!("name {id}"));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(ids)),
            Arc::new(StringViewArray::from_iter_values(names)),
        ];
        Changes::append(
            RecordBatch::try_new(arrow_type::arrow_schema(&self.plan.columns), columns).unwrap(),
        )
    }

    /// All rows that the table holds, sorted.
    pub(super) async fn read_all(&self) -> Vec<String> {
        let source = self.source();
        let splits = source.enumerate(&[], false).await.unwrap();
        let mut rows = Reading::new(source.as_ref(), splits, 100).unwrap().rest().await.unwrap();
        rows.sort();
        rows
    }

    /// Names of visible files below the folder, sorted.
    pub(super) fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(self.path()).unwrap().display().to_string());
                }
            }
        }
        found.sort();
        found
    }

    /// As [`Self::files`], without hidden ones.
    pub(super) fn visible_files(&self) -> Vec<String> {
        let hidden = |file: &String| file.split('/').any(|part| part.starts_with('.'));
        self.files().into_iter().filter(|file| !hidden(file)).collect()
    }
}

/// A reader of splits under test.
pub(super) struct Reading {
    pub(super) reader: Box<dyn SourceReader>,
    pub(super) context: ReaderContext,
    unfinished: usize,
}

impl Reading {
    pub(super) fn new(source: &dyn Source, splits: Vec<Split>, batch_rows: usize) -> Result<Self> {
        let context = ReaderContext {
            subtask: 0,
            parallelism: 1,
            batch_rows,
            linger: Duration::from_millis(1),
            metrics: Arc::default(),
        };
        let mut reader = source.reader(context.clone())?;
        let unfinished = splits.iter().filter(|split| !split.finished).count();
        reader.add_splits(splits)?;
        Ok(Self { reader, context, unfinished })
    }

    /// The next rows as text; `None` when all splits have finished.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<String>>> {
        while self.unfinished > 0 {
            match tokio::time::timeout(Duration::from_secs(20), self.reader.next())
                .await
                .unwrap()?
            {
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

/// Writes rows, prepares and commits.
pub(super) async fn write_and_commit(
    writer: &mut dyn SinkWriter,
    changes: Changes,
    epoch: u64,
) -> Vec<StagedUnit> {
    writer.write(changes).await.unwrap();
    let units = writer.prepare(Epoch(epoch)).await.unwrap();
    commit(writer, &units).await;
    units
}

/// Makes units visible.
pub(super) async fn commit(writer: &dyn SinkWriter, units: &[StagedUnit]) {
    let mut committer = writer.committer().unwrap();
    for unit in units {
        committer.commit(unit).await.unwrap();
    }
}

/// What a restored checkpoint with these units knew.
pub(super) fn restored(units: Vec<StagedUnit>) -> RestoredOutput {
    RestoredOutput { units, ..RestoredOutput::nothing() }
}

/// What `rows(ids)` reads as.
pub(super) fn expected(ids: std::ops::Range<i64>) -> Vec<String> {
    let mut rows: Vec<_> = ids.map(|id| format!("{id}|name {id}")).collect();
    rows.sort();
    rows
}
