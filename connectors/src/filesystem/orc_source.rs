//! Reads stripes of ORC files: only the columns that are needed, cast to their declared types. Columns are found by name,
//! or by their place in files of Hive that name them `_col0`, `_col1`, …; one that a file lacks is NULL, as in Flink.

use std::error::Error as StdError;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{Field as ArrowField, Schema, SchemaRef};
use arrow::error::ArrowError;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _};
use object_store::path::Path;
use orc_rust::projection::ProjectionMask;
use orc_rust::schema::{DataType, NamedColumn, RootDataType};
use orc_rust::{ArrowReaderBuilder, ArrowStreamReader};
use tidegate_engine::connector::ReaderContext;
use tidegate_storage::Location;
use tidegate_types::{Error, ErrorCode, Field, Result};

use super::adapt::adapt_rows;
use super::orc_check::check;
use super::orc_object::OrcObject;
use super::orc_times::{as_numbers, as_times, has_nanoseconds, typed};
use super::source::Shared;
use super::split::{Part, SplitState};
use crate::causes::causes;

/// Bytes of each stripe of a file.
///
/// # Errors
/// `NOT_FOUND`, `UNAVAILABLE`, or `BAD_RECORD` if the file is not ORC.
pub(super) async fn stripe_sizes(location: &Location, path: &Path, size: u64) -> Result<Vec<u64>> {
    let object = OrcObject::new(Arc::clone(&location.store), path.clone(), size, None);
    let place = location.display(path);
    let builder = builder(object, &place).await?;
    let stripes = builder.file_metadata().stripe_metadatas().iter();
    Ok(stripes.map(|stripe| stripe.index_length().saturating_add(stripe.data_length())).collect())
}

/// Reads the end of a file.
pub(super) async fn builder(
    mut object: OrcObject,
    place: &str,
) -> Result<ArrowReaderBuilder<OrcObject>> {
    let checked = guarded(place, check(&mut object)).await?;
    checked.map_err(|error| orc_error(&error, place))?;
    let builder = guarded(place, ArrowReaderBuilder::try_new_async(object)).await?;
    builder.map_err(|error| orc_error(&error, place))
}

/// Reads one split of an ORC file.
pub(super) struct Stripes {
    shared: Arc<Shared>,
    path: Path,
    state: SplitState,
    context: ReaderContext,
    schema: SchemaRef,
    /// Reading the footer. Kept here, so that a cancelled `next` loses nothing.
    opening: Option<BoxFuture<'static, Result<Opened>>>,
    opened: Option<Opened>,
}

struct Opened {
    stream: ArrowStreamReader<OrcObject>,
    /// Rows in front of the position, in the stripe that has it.
    skip: u64,
    columns: Vec<FileColumn>,
}

/// A column of the file that is read.
struct FileColumn {
    /// With its name in the table, and the type that the file says.
    field: ArrowField,
    is_char: bool,
    nanoseconds: bool,
}

impl FileColumn {
    /// The blanks at the end of a CHAR say nothing, as in Java's reader.
    fn adapt(&self, array: &ArrayRef) -> std::result::Result<ArrayRef, ArrowError> {
        match array.as_string_opt::<i32>().filter(|_| self.is_char) {
            Some(texts) => {
                let trimmed = texts.iter().map(|text| Some(text?.trim_end_matches(' ')));
                Ok(Arc::new(trimmed.collect::<StringArray>()))
            }
            None => as_times(array, self.field.data_type(), self.nanoseconds),
        }
    }
}

impl Opened {
    /// The columns by the names of the table.
    fn adapt(&self, rows: &RecordBatch) -> std::result::Result<RecordBatch, ArrowError> {
        let columns = self.columns.iter().zip(rows.columns());
        let columns = columns
            .map(|(column, array)| column.adapt(array))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        let fields = self.columns.iter().zip(&columns);
        let fields: Vec<_> = fields.map(|(column, array)| typed(&column.field, array)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
    }
}

impl Stripes {
    /// Begins where `state` says.
    pub(super) fn new(
        shared: Arc<Shared>,
        path: Path,
        state: SplitState,
        context: ReaderContext,
    ) -> Self {
        let schema = shared.layout.decoded_schema();
        Self { shared, path, state, context, schema, opening: None, opened: None }
    }

    /// The position behind the rows that `next` has returned.
    pub(super) fn position(&self) -> &Part {
        &self.state.part
    }

    /// The next rows, at least one; `None` at the end of the split. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let Some(opened) = &mut self.opened else {
                let opening = self.opening.get_or_insert_with(|| {
                    let (shared, path) = (Arc::clone(&self.shared), self.path.clone());
                    Box::pin(open(shared, path, self.state.clone(), self.context.clone()))
                });
                let opened = opening.await;
                self.opening = None;
                self.opened = Some(opened?);
                continue;
            };
            let place = self.shared.location.display(&self.path);
            let mut rows = match guarded(&place, opened.stream.next()).await? {
                None => return Ok(None),
                Some(Err(error)) => return Err(orc_error(&error, &place)),
                Some(Ok(rows)) => rows,
            };
            let skipped = opened.skip.min(rows.num_rows() as u64);
            if skipped > 0 {
                opened.skip -= skipped;
                let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
                rows = rows.slice(skipped, rows.num_rows() - skipped);
            }
            if rows.num_rows() == 0 {
                continue;
            }
            let rows = opened.adapt(&rows).map_err(|error| damaged(&place, &error.to_string()))?;
            if let Part::Stripes { next_row, .. } = &mut self.state.part {
                *next_row += rows.num_rows() as u64;
            }
            return adapt_rows(&rows, &self.shared.layout.decoded, &self.schema, &place).map(Some);
        }
    }
}

async fn open(
    shared: Arc<Shared>,
    path: Path,
    state: SplitState,
    context: ReaderContext,
) -> Result<Opened> {
    let place = shared.location.display(&path);
    let Part::Stripes { first, count, mut next_row } = state.part else {
        return Err(Error::internal("a range of bytes is no ORC split"));
    };
    let store = Arc::clone(&shared.location.store);
    let object = OrcObject::new(store, path, state.size, Some(Arc::clone(&context.metrics)));
    let builder = builder(object, &place).await?;
    let metadata = builder.file_metadata();
    // Stripes that were read whole are not fetched again.
    let stripes = metadata.stripe_metadatas();
    let end = count.map_or(stripes.len(), |count| first.saturating_add(count).min(stripes.len()));
    let mut from = first;
    while let Some(stripe) = stripes.get(from).filter(|_| from < end)
        && next_row >= stripe.number_of_rows()
    {
        next_row -= stripe.number_of_rows();
        from += 1;
    }
    let offset = |index: usize| stripes.get(index).and_then(|s| usize::try_from(s.offset()).ok());
    let range = match (offset(from), end.checked_sub(1).and_then(offset)) {
        (Some(start), Some(last)) if from < end => start..last + 1,
        _ => 0..0,
    };
    let root = metadata.root_data_type();
    let by_place = is_of_hive(root);
    let layout = &shared.layout;
    // The columns of the file that are read, with their fields in the table.
    let wanted: Vec<(&NamedColumn, &Field)> = root
        .children()
        .iter()
        .enumerate()
        .filter_map(|(place, child)| {
            let name = match by_place {
                true => layout.declared.get(place).map(|field| field.name.as_str())?,
                false => child.name(),
            };
            let field = layout.decoded.iter().find(|field| field.name == name)?;
            Some((child, field))
        })
        .collect();
    let indices = wanted.iter().map(|(child, _)| child.data_type().column_index());
    let mask = ProjectionMask::roots(root, indices);
    let column = |(child, field): &(&NamedColumn, &Field)| FileColumn {
        field: ArrowField::new(&field.name, child.data_type().to_arrow_data_type(), true),
        is_char: matches!(child.data_type(), DataType::Char { .. }),
        nanoseconds: has_nanoseconds(&field.ty.kind),
    };
    let columns = wanted.iter().map(column).collect();
    let builder = builder
        .with_projection(mask)
        .with_batch_size(context.batch_rows)
        .with_file_byte_range(range);
    let numbers = as_numbers(&builder.schema());
    let builder = builder.with_schema(numbers);
    let stream = guarded(&place, async { builder.build_async() }).await?;
    Ok(Opened { stream, skip: next_row, columns })
}

/// Whether columns have the names that Hive made up.
fn is_of_hive(root: &RootDataType) -> bool {
    let made_up = |name: &str| {
        name.strip_prefix("_col")
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    };
    !root.children().is_empty() && root.children().iter().all(|child| made_up(child.name()))
}

/// The reader takes much of what a file says for granted, and panics where it is otherwise.
async fn guarded<T>(place: &str, reading: impl Future<Output = T>) -> Result<T> {
    AssertUnwindSafe(reading).catch_unwind().await.map_err(|panic| {
        let why = panic.downcast_ref::<String>().map(String::as_str);
        let why = why.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason");
        damaged(place, &format!("it is damaged ({why})"))
    })
}

fn damaged(place: &str, why: &str) -> Error {
    Error::new(ErrorCode::BadRecord, format!("read ORC file {place}: {why}"))
        .help("replace the file, or leave it out with 'source.path.regex-pattern'")
}

fn orc_error(error: &(dyn StdError + 'static), place: &str) -> Error {
    let code = causes(error).find_map(|cause| {
        cause.downcast_ref::<object_store::Error>().map(|error| match error {
            object_store::Error::NotFound { .. } => ErrorCode::NotFound,
            _ => ErrorCode::Unavailable,
        })
    });
    match code {
        Some(code) => Error::new(code, format!("read ORC file {place}: {error}")),
        None => damaged(place, &error.to_string()),
    }
}
