//! Which output column comes from where: from the file's records, from its folders, or from what the
//! store says about the file.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringViewArray,
    TimestampMillisecondArray, UInt32Array,
};
use arrow::compute::{cast, take};
use arrow::datatypes::{Schema, SchemaRef};
use object_store::path::Path;
use tidegate_plan::arrow_type;
use tidegate_plan::operator::Source as SourcePlan;
use tidegate_types::{Error, ErrorCode, Field, Result};

use super::partition;
use super::split::SplitState;

/// The output columns of a source of files.
#[derive(Debug)]
pub(super) struct RowLayout {
    /// The `read` columns, then the metadata columns.
    schema: SchemaRef,
    origins: Vec<Origin>,
    /// Partition keys with their types.
    keys: Vec<Field>,
    default_name: String,
    /// The columns that a record holds, as declared.
    pub(super) declared: Vec<Field>,
    /// Those of them to decode.
    pub(super) decoded: Vec<Field>,
}

/// Where an output column comes from.
#[derive(Debug, Clone)]
enum Origin {
    /// The decoded column with this index.
    Record(usize),
    /// The partition key with this index.
    Folder(usize),
    /// What the store says, under a metadata key, in the declared type.
    Metadata(String, Field),
}

impl RowLayout {
    /// The layout of a plan's source.
    ///
    /// # Errors
    /// `INVALID_OPTION` for partition keys that are no columns, unknown metadata keys, and a table
    /// whose columns are all partition keys.
    pub(super) fn new(plan: &SourcePlan, default_name: &str) -> Result<Self> {
        let table = &plan.table;
        let keys = partition_fields(&table.partition_keys, &table.columns, &table.name)?;
        let is_key = |field: &Field| table.partition_keys.contains(&field.name);
        let declared: Vec<_> =
            table.columns.iter().filter(|field| !is_key(field)).cloned().collect();
        let mut decoded = Vec::new();
        let mut origins = Vec::new();
        for field in &plan.read {
            match table.partition_keys.iter().position(|key| *key == field.name) {
                Some(key) => origins.push(Origin::Folder(key)),
                None => {
                    origins.push(Origin::Record(decoded.len()));
                    decoded.push(field.clone());
                }
            }
        }
        for column in &plan.metadata {
            origins.push(Origin::Metadata(column.key.clone(), column.field.clone()));
        }
        let fields: Vec<_> =
            plan.read.iter().chain(plan.metadata.iter().map(|m| &m.field)).cloned().collect();
        let schema = arrow_type::arrow_schema(&fields);
        Ok(Self { schema, origins, keys, default_name: default_name.to_owned(), declared, decoded })
    }

    /// What is the same for all rows of one file.
    ///
    /// # Errors
    /// `BAD_RECORD` if a partition folder is missing or holds no value of its column's type.
    pub(super) fn constants(
        &self,
        state: &SplitState,
        path: &Path,
        place: &str,
    ) -> Result<FileConstants> {
        let used = self.origins.iter().any(|origin| matches!(origin, Origin::Folder(_)));
        let texts = if used {
            partition::values_in_path(path, &self.keys, &self.default_name, place)?
        } else {
            Vec::new()
        };
        let constant = |origin: &Origin| match origin {
            Origin::Record(_) => Ok(None),
            Origin::Folder(key) => {
                let (Some(field), Some(text)) = (self.keys.get(*key), texts.get(*key)) else {
                    return Err(Error::internal("a partition key has no value"));
                };
                partition::parse_value(text.as_deref(), field, place).map(Some)
            }
            Origin::Metadata(key, field) => {
                metadata_value(key, field, state, path, place).map(Some)
            }
        };
        Ok(FileConstants { values: self.origins.iter().map(constant).collect::<Result<_>>()? })
    }

    /// The output rows for decoded ones.
    ///
    /// # Errors
    /// `BAD_RECORD` for a NULL in a column declared NOT NULL.
    pub(super) fn assemble(
        &self,
        decoded: &RecordBatch,
        constants: &FileConstants,
        place: &str,
    ) -> Result<RecordBatch> {
        let rows = decoded.num_rows();
        let zeros = UInt32Array::from(vec![0; rows]);
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.origins.len());
        for (origin, constant) in self.origins.iter().zip(&constants.values) {
            columns.push(match (origin, constant) {
                (_, Some(value)) => take(value, &zeros, None).map_err(internal)?,
                (Origin::Record(index), None) => Arc::clone(decoded.column(*index)),
                _ => return Err(Error::internal("a constant column has no value")),
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| Error::new(ErrorCode::BadRecord, format!("file {place}: {error}")))
    }

    /// The schema of the decoded columns.
    pub(super) fn decoded_schema(&self) -> Arc<Schema> {
        arrow_type::arrow_schema(&self.decoded)
    }
}

/// One-row columns with the values that all rows of a file share; `None` for decoded columns.
#[derive(Debug)]
pub(super) struct FileConstants {
    values: Vec<Option<ArrayRef>>,
}

/// The partition keys with their types.
///
/// # Errors
/// `INVALID_OPTION` for a key that is no column.
pub(super) fn partition_fields(
    keys: &[String],
    columns: &[Field],
    table: &str,
) -> Result<Vec<Field>> {
    let fields = keys.iter().map(|key| {
        columns.iter().find(|column| column.name == *key).cloned().ok_or_else(|| {
            let message =
                format!("table {table} is partitioned by {key}, which is not among its columns");
            Error::new(ErrorCode::InvalidOption, message)
        })
    });
    let fields = fields.collect::<Result<Vec<_>>>()?;
    if !fields.is_empty() && fields.len() == columns.len() {
        let message =
            format!("table {table}: all columns are partition keys, so files would be empty");
        return Err(Error::new(ErrorCode::InvalidOption, message));
    }
    Ok(fields)
}

fn metadata_value(
    key: &str,
    field: &Field,
    state: &SplitState,
    path: &Path,
    place: &str,
) -> Result<ArrayRef> {
    let text = |text: &str| -> ArrayRef { Arc::new(StringViewArray::from_iter_values([text])) };
    let value: ArrayRef = match key {
        "file.path" => text(place),
        "file.name" => text(path.filename().unwrap_or_default()),
        "file.size" => {
            Arc::new(Int64Array::from(vec![i64::try_from(state.size).unwrap_or(i64::MAX)]))
        }
        "file.modification-time" => {
            Arc::new(TimestampMillisecondArray::from(vec![state.modified_ms]).with_timezone("UTC"))
        }
        other => {
            let message = format!("connector 'filesystem' has no metadata column '{other}'");
            return Err(Error::new(ErrorCode::InvalidOption, message));
        }
    };
    cast(&value, &arrow_type::data_type(&field.ty)).map_err(|_| {
        let message = format!("metadata column {} cannot have the type {}", field.name, field.ty);
        Error::new(ErrorCode::InvalidOption, message)
    })
}

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::internal(error.to_string())
}
