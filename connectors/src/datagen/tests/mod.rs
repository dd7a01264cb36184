//! Values, and reading rows; here is what the tests share.

mod reading;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int32Type, Int64Type,
    Time32MillisecondType, TimestampMillisecondType,
};
use tidegate_engine::connector::Read;
use tidegate_engine::metrics::SourceMetrics;
use tidegate_functions::Zone;
use tidegate_plan::operator::Table;
use tidegate_types::{Field, TypeKind};

use super::*;

type K = TypeKind;

/// 2024-02-29 12:34:56.789 UTC
const NOW_MS: i64 = 1_709_210_096_789;

fn fields(columns: &[(&str, TypeKind)]) -> Vec<Field> {
    columns.iter().map(|(name, kind)| Field::new(*name, kind.clone().nullable())).collect()
}

fn source_of(declared: Vec<Field>, read: Vec<Field>, options: &[(&str, &str)]) -> Result<Datagen> {
    source_in(Zone::UTC, declared, read, options)
}

fn source_in(
    zone: Zone,
    declared: Vec<Field>,
    read: Vec<Field>,
    options: &[(&str, &str)],
) -> Result<Datagen> {
    let mut all: BTreeMap<String, String> =
        BTreeMap::from([("connector".to_owned(), "datagen".to_owned())]);
    all.extend(options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    let table = Table {
        name: "g".to_owned(),
        options: all.clone(),
        columns: declared,
        partition_keys: Vec::new(),
        primary_key: Vec::new(),
        governed: None,
    };
    let plan = operator::Source {
        table,
        read,
        metadata: Vec::new(),
        pushed: Vec::new(),
        projection: Vec::new(),
        watermark: None,
    };
    let output = || -> crate::env::PrintTarget {
        Arc::new(std::sync::Mutex::new(Box::new(std::io::sink())))
    };
    let env = ConnectorEnv {
        clock: Arc::new(|| NOW_MS),
        monotonic: Arc::new(std::time::Duration::default),
        zone,
        stdout: output(),
        stderr: output(),
    };
    Datagen::new(&plan, &Options::new(all)?, &env)
}

fn source(columns: &[(&str, TypeKind)], options: &[(&str, &str)]) -> Result<Datagen> {
    source_of(fields(columns), fields(columns), options)
}

/// The rows `0..rows` of a table.
fn rows(columns: &[(&str, TypeKind)], options: &[(&str, &str)], rows: u64) -> RecordBatch {
    let source = source(columns, options).unwrap();
    Generator { shared: source.shared }.generate(0, rows).unwrap().unwrap()
}

fn one_column(kind: TypeKind, options: &[(&str, &str)]) -> ArrayRef {
    Arc::clone(rows(&[("a", kind)], options, 1_000).column(0))
}

fn refused(columns: &[(&str, TypeKind)], options: &[(&str, &str)], part: &str) {
    let error = source(columns, options).err().map(|error| error.to_string());
    assert!(error.as_deref().is_some_and(|text| text.contains(part)), "{options:?}: {error:?}");
}

fn reader(source: &Datagen, splits: Vec<Split>) -> Box<dyn SourceReader> {
    let context = ReaderContext {
        subtask: 0,
        parallelism: 1,
        batch_rows: 100,
        linger: Duration::ZERO,
        metrics: Arc::new(SourceMetrics::default()),
    };
    let mut reader = source.reader(context).unwrap();
    reader.add_splits(splits).unwrap();
    reader
}

/// Reads up to `batches` batches, or to the end: the first column, and the splits as they stand then.
async fn read(source: &Datagen, splits: Vec<Split>, batches: usize) -> (Vec<i64>, Vec<Split>) {
    let open = splits.iter().filter(|split| !split.finished).count();
    let mut reader = reader(source, splits);
    let (mut found, mut finished, mut left) = (Vec::new(), 0, batches);
    while finished < open && left > 0 {
        match reader.next().await.unwrap() {
            Read::Batch { rows, .. } => {
                found.extend_from_slice(rows.column(0).as_primitive::<Int64Type>().values());
                left -= 1;
            }
            Read::Finished { .. } => finished += 1,
        }
    }
    (found, reader.snapshot().unwrap())
}
