//! The columns that a file says it has, for schema imports.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use object_store::path::Path;
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use tidegate_storage::Location;
use tidegate_types::Result;

use super::object_reader::ObjectReader;
use super::orc_object::OrcObject;
use super::orc_source;
use super::parquet_source::parquet_error;

/// The columns of a Parquet file of known size.
///
/// # Errors
/// `NOT_FOUND`, `UNAVAILABLE`, or `BAD_RECORD` if the file is not Parquet.
pub(crate) async fn parquet(location: &Location, path: &Path, size: u64) -> Result<SchemaRef> {
    let place = location.display(path);
    let reader = ObjectReader::new(Arc::clone(&location.store), path.clone(), size);
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await;
    Ok(Arc::clone(builder.map_err(|error| parquet_error(&error, &place))?.schema()))
}

/// The columns of an ORC file of known size.
///
/// # Errors
/// As [`parquet`].
pub(crate) async fn orc(location: &Location, path: &Path, size: u64) -> Result<SchemaRef> {
    let object = OrcObject::new(Arc::clone(&location.store), path.clone(), size, None);
    let builder = orc_source::builder(object, &location.display(path)).await?;
    Ok(builder.schema())
}
