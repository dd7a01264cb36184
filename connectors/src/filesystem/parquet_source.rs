//! Reads row groups of Parquet files: only the columns and nested fields that are needed, cast to
//! their declared types. Columns are found by name; one that a file lacks is NULL, as in Flink.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::StreamExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::{ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::schema::types::SchemaDescriptor;
use tidegate_types::{Error, ErrorCode, Field, Result, TypeKind};

use super::adapt::adapt_rows;
use super::object_reader::ObjectReader;
use super::source::Shared;
use super::split::{Part, SplitState};
use tidegate_storage::Location;

type Stream = ParquetRecordBatchStream<ObjectReader>;

/// Bytes of each row group of a file.
///
/// # Errors
/// `NOT_FOUND`, `UNAVAILABLE`, or `BAD_RECORD` if the file is not Parquet.
pub(super) async fn row_group_sizes(
    location: &Location,
    path: &Path,
    size: u64,
) -> Result<Vec<u64>> {
    let mut reader = object_reader(location, path, size);
    let metadata = ArrowReaderMetadata::load_async(&mut reader, ArrowReaderOptions::new()).await;
    let metadata = metadata.map_err(|error| parquet_error(&error, &location.display(path)))?;
    let groups = metadata.metadata().row_groups().iter();
    Ok(groups.map(|group| u64::try_from(group.compressed_size()).unwrap_or(0)).collect())
}

fn object_reader(location: &Location, path: &Path, size: u64) -> ObjectReader {
    ObjectReader::new(Arc::clone(&location.store), path.clone(), size)
}

/// Reads one split of a Parquet file.
pub(super) struct RowGroups {
    shared: Arc<Shared>,
    path: Path,
    state: SplitState,
    batch_rows: usize,
    schema: SchemaRef,
    /// Reading the footer. Kept here, so that a cancelled `next` loses nothing.
    opening: Option<BoxFuture<'static, Result<Stream>>>,
    stream: Option<Stream>,
}

impl RowGroups {
    /// Begins where `state` says.
    pub(super) fn new(
        shared: Arc<Shared>,
        path: Path,
        state: SplitState,
        batch_rows: usize,
    ) -> Self {
        let schema = shared.layout.decoded_schema();
        Self { shared, path, state, batch_rows, schema, opening: None, stream: None }
    }

    /// The position behind the rows that `next` has returned.
    pub(super) fn position(&self) -> &Part {
        &self.state.part
    }

    /// The next rows, at least one; `None` at the end of the split. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let Some(stream) = &mut self.stream else {
                let opening = self.opening.get_or_insert_with(|| {
                    let (shared, path) = (Arc::clone(&self.shared), self.path.clone());
                    Box::pin(open(shared, path, self.state.clone(), self.batch_rows))
                });
                let opened = opening.await;
                self.opening = None;
                self.stream = Some(opened?);
                continue;
            };
            let place = || self.shared.location.display(&self.path);
            let rows = match stream.next().await {
                None => return Ok(None),
                Some(Err(error)) => return Err(parquet_error(&error, &place())),
                Some(Ok(rows)) => rows,
            };
            if let Part::RowGroups { next_row, .. } = &mut self.state.part {
                *next_row += rows.num_rows() as u64;
            }
            if rows.num_rows() > 0 {
                return adapt_rows(&rows, &self.shared.layout.decoded, &self.schema, &place())
                    .map(Some);
            }
        }
    }
}

async fn open(
    shared: Arc<Shared>,
    path: Path,
    state: SplitState,
    batch_rows: usize,
) -> Result<Stream> {
    let place = shared.location.display(&path);
    let reader = object_reader(&shared.location, &path, state.size);
    let failed = |error: ParquetError| parquet_error(&error, &place);
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(failed)?;
    let Part::RowGroups { first, count, next_row } = state.part else {
        return Err(Error::internal("a range of bytes is no Parquet split"));
    };
    let groups = builder.metadata().num_row_groups();
    let end = count.map_or(groups, |count| first.saturating_add(count).min(groups));
    let mask = projection(builder.parquet_schema(), &shared.layout.decoded);
    builder
        .with_row_groups((first..end).collect())
        .with_projection(mask)
        .with_batch_size(batch_rows)
        .with_offset(usize::try_from(next_row).unwrap_or(usize::MAX))
        .build()
        .map_err(failed)
}

/// The leaves of the file's schema that hold the needed columns and fields.
fn projection(schema: &SchemaDescriptor, read: &[Field]) -> ProjectionMask {
    let mut wanted: Vec<Vec<&str>> = Vec::new();
    for field in read {
        add_paths(field, &mut Vec::new(), &mut wanted);
    }
    let leaves = (0..schema.num_columns()).filter(|leaf| {
        let column = schema.column(*leaf);
        let parts = column.path().parts();
        wanted.iter().any(|path| {
            parts.len() >= path.len()
                && path.iter().zip(parts).all(|(wanted, part)| *wanted == part.as_str())
        })
    });
    ProjectionMask::leaves(schema, leaves)
}

/// Adds the path of a column, or of each of its fields if it is a ROW.
fn add_paths<'a>(field: &'a Field, above: &mut Vec<&'a str>, wanted: &mut Vec<Vec<&'a str>>) {
    above.push(&field.name);
    match &field.ty.kind {
        TypeKind::Row(fields) | TypeKind::Structured { fields, .. } if !fields.is_empty() => {
            for inner in fields {
                add_paths(inner, above, wanted);
            }
        }
        _ => wanted.push(above.clone()),
    }
    above.pop();
}

pub(super) fn parquet_error(error: &ParquetError, place: &str) -> Error {
    let code = match error {
        ParquetError::External(inner) => match inner.downcast_ref::<object_store::Error>() {
            Some(object_store::Error::NotFound { .. }) => ErrorCode::NotFound,
            Some(_) => ErrorCode::Unavailable,
            None => ErrorCode::BadRecord,
        },
        _ => ErrorCode::BadRecord,
    };
    Error::new(code, format!("read Parquet file {place}: {error}"))
}
