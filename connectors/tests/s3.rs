//! Files in a real S3 service, found through `TIDEGATE_S3_ENDPOINT` and the keys beside it.
#![cfg(feature = "s3")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests of a real service run in real time"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use tidegate_connectors::{ConnectorEnv, registry};
use tidegate_engine::Changes;
use tidegate_engine::connector::{
    Read, ReaderContext, RestoredOutput, Sink, SinkContext, SinkWriter, Source, SourceReader,
    Split, StagedUnit,
};
use tidegate_engine::staging::StagingArea;
use tidegate_functions::Zone;
use tidegate_plan::arrow_type;
use tidegate_plan::operator::{self, Table};
use tidegate_runtime::clock::SystemClock;
use tidegate_types::{Attempt, Epoch, ErrorCode, Field, OperatorId, TypeKind};

static FOLDERS: AtomicU32 = AtomicU32::new(0);

fn service(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run through `cargo xtask test`"))
}

fn env() -> ConnectorEnv {
    ConnectorEnv::new(&SystemClock::shared(), Zone::UTC)
}

/// Columns `id BIGINT`, `day STRING` in a folder of its own; `day` is the partition.
fn table(format: &str) -> Table {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let folder = FOLDERS.fetch_add(1, Ordering::Relaxed);
    let bucket = service("TIDEGATE_S3_BUCKET");
    let options = [
        ("connector", "filesystem".to_owned()),
        ("path", format!("s3://{bucket}/files/{now}-{}-{folder}", std::process::id())),
        ("format", format.to_owned()),
        ("s3.endpoint", service("TIDEGATE_S3_ENDPOINT")),
        ("s3.access-key", service("TIDEGATE_S3_ACCESS_KEY")),
        ("s3.secret-key", service("TIDEGATE_S3_SECRET_KEY")),
    ];
    Table {
        name: "t".into(),
        options: options.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
        columns: vec![
            Field::new("id", TypeKind::BigInt.nullable()),
            Field::new("day", TypeKind::STRING.nullable()),
        ],
        partition_keys: vec!["day".into()],
        primary_key: Vec::new(),
        governed: None,
    }
}

fn sink(table: &Table) -> Arc<dyn Sink> {
    let plan = operator::Sink {
        table: table.clone(),
        metadata: Vec::new(),
        overwrite: false,
        insert: "t".into(),
    };
    registry::sink(&plan, &table.columns, &env()).unwrap()
}

fn writer(table: &Table) -> Box<dyn SinkWriter> {
    let context = SinkContext {
        lineage: "l".into(),
        operator: OperatorId(1),
        attempt: Attempt(1),
        subtask: 0,
        parallelism: 1,
        metrics: Arc::default(),
        staging: StagingArea::in_memory(),
    };
    sink(table).writer(context).unwrap()
}

async fn commit(writer: &dyn SinkWriter, units: &[StagedUnit]) {
    let mut committer = writer.committer().unwrap();
    for unit in units {
        committer.commit(unit).await.unwrap();
    }
}

fn source(table: &Table) -> Arc<dyn Source> {
    let plan = operator::Source {
        table: table.clone(),
        read: table.columns.clone(),
        metadata: Vec::new(),
        pushed: Vec::new(),
        projection: Vec::new(),
        watermark: None,
    };
    registry::source(&plan, &env()).unwrap()
}

fn reader(source: &dyn Source, splits: Vec<Split>) -> Box<dyn SourceReader> {
    let context = ReaderContext {
        subtask: 0,
        parallelism: 1,
        batch_rows: 1_000,
        linger: Duration::from_millis(1),
        metrics: Arc::default(),
    };
    let mut reader = source.reader(context).unwrap();
    reader.add_splits(splits).unwrap();
    reader
}

async fn next(reader: &mut dyn SourceReader) -> Read {
    tokio::time::timeout(Duration::from_secs(30), reader.next()).await.unwrap().unwrap()
}

fn ids_of(rows: &RecordBatch) -> Vec<i64> {
    rows.column(0).as_primitive::<Int64Type>().values().to_vec()
}

/// All ids, sorted; none if nothing is there.
async fn read_all(table: &Table) -> Vec<i64> {
    let source = source(table);
    let splits = match source.enumerate(&[], false).await {
        Ok(splits) => splits,
        Err(error) if error.code() == ErrorCode::NotFound => return Vec::new(),
        Err(error) => panic!("{error}"),
    };
    let mut unfinished = splits.len();
    let mut reader = reader(source.as_ref(), splits);
    let mut ids = Vec::new();
    while unfinished > 0 {
        match next(reader.as_mut()).await {
            Read::Batch { rows, .. } => ids.extend(ids_of(&rows)),
            Read::Finished { .. } => unfinished -= 1,
        }
    }
    ids.sort_unstable();
    ids
}

fn rows(table: &Table, ids: std::ops::Range<i64>) -> Changes {
    let days = ids.clone().map(|id| format!("d{}", id % 2));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(ids)),
        Arc::new(StringViewArray::from_iter_values(days)),
    ];
    Changes::append(
        RecordBatch::try_new(arrow_type::arrow_schema(&table.columns), columns).unwrap(),
    )
}

async fn objects(table: &Table) -> Vec<String> {
    let (store, path) = tidegate_storage::open(&table.options["path"], &table.options).unwrap();
    let metas: Vec<_> = store.list(Some(&path)).try_collect().await.unwrap();
    metas.into_iter().map(|meta| meta.location.to_string()).collect()
}

#[tokio::test]
async fn rows_are_visible_once_with_the_commit() {
    for format in ["json", "parquet"] {
        let table = table(format);
        sink(&table).check().await.unwrap();
        let mut first = writer(&table);
        first.write(rows(&table, 0..10)).await.unwrap();
        let units = first.prepare(Epoch(1)).await.unwrap();
        assert_eq!(read_all(&table).await, Vec::<i64>::new(), "{format}");
        commit(first.as_ref(), &units).await;
        commit(first.as_ref(), &units).await;
        assert_eq!(read_all(&table).await, (0..10).collect::<Vec<_>>(), "{format}");
        // Output behind the checkpoint is lost in a crash, and removed by the run that follows.
        first.write(rows(&table, 90..95)).await.unwrap();
        first.prepare(Epoch(2)).await.unwrap();
        drop(first);
        let mut second = writer(&table);
        second.recover(RestoredOutput { units, ..RestoredOutput::nothing() }).await.unwrap();
        second.write(rows(&table, 10..14)).await.unwrap();
        let units = second.prepare(Epoch(2)).await.unwrap();
        commit(second.as_ref(), &units).await;
        assert_eq!(read_all(&table).await, (0..14).collect::<Vec<_>>(), "{format}");
        let left: Vec<_> =
            objects(&table).await.into_iter().filter(|name| name.contains("_staging")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[tokio::test]
async fn large_files_are_written_in_parts_and_read_from_the_middle() {
    let table = table("json");
    let mut writer = writer(&table);
    let count = 1_200_000;
    for start in (0..count).step_by(100_000) {
        writer.write(rows(&table, start..start + 100_000)).await.unwrap();
    }
    let units = writer.prepare(Epoch(1)).await.unwrap();
    commit(writer.as_ref(), &units).await;
    let source = source(&table);
    let splits = source.enumerate(&[], false).await.unwrap();
    let mut first = reader(source.as_ref(), splits);
    let mut ids = Vec::new();
    while ids.len() < 300_000 {
        if let Read::Batch { rows, .. } = next(first.as_mut()).await {
            ids.extend(ids_of(&rows));
        }
    }
    let splits = first.snapshot().unwrap();
    let mut unfinished = splits.iter().filter(|split| !split.finished).count();
    let mut second = reader(source.as_ref(), splits);
    while unfinished > 0 {
        match next(second.as_mut()).await {
            Read::Batch { rows, .. } => ids.extend(ids_of(&rows)),
            Read::Finished { .. } => unfinished -= 1,
        }
    }
    ids.sort_unstable();
    assert!(ids.into_iter().eq(0..count));
}

#[tokio::test]
async fn what_is_missing_or_refused_is_named() {
    let mut nowhere = table("json");
    nowhere.options.insert("path".into(), "s3://no-such-bucket-here/x".into());
    let error = sink(&nowhere).check().await.unwrap_err();
    assert!(error.to_string().contains("no-such-bucket-here"), "{error}");
    let mut refused = table("json");
    refused.options.insert("s3.secret-key".into(), "wrong".into());
    let error = source(&refused).enumerate(&[], false).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::PermissionDenied, "{error}");
    let mut silent = table("json");
    silent.options.insert("s3.endpoint".into(), "http://127.0.0.1:1".into());
    let started = std::time::Instant::now();
    let error = source(&silent).enumerate(&[], false).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable, "{error}");
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn a_place_is_opened_without_a_connection() {
    let options = BTreeMap::from([("s3.endpoint".to_owned(), "http://127.0.0.1:1".to_owned())]);
    let (_, path) = tidegate_storage::open("s3://bucket/some/folder/", &options).unwrap();
    assert_eq!(path.as_ref(), "some/folder");
}
