//! Which output column comes from where: from the value, from the key, or from what surrounds a record.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int8Array, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use tidegate_connector_spec::{FormatOptions, Options, VALUE_METADATA_PREFIX};
use tidegate_engine::element::Changes;
use tidegate_engine::metrics::SourceMetrics;
use tidegate_plan::arrow_type;
use tidegate_plan::operator::{MetadataColumn, Source as SourcePlan};
use tidegate_types::{Error, ErrorCode, Field, Result};

use super::batch::{RecordBatchBytes, Wanted};
use super::by_key::{Deleted, Keyless, Merged, is_by_key, upserts};
use super::key_columns::KeyColumns;
use super::metadata_columns;
use crate::format::{self, Decoded, Decoder, DecoderContext};

/// The output columns of a Kafka source.
#[derive(Debug)]
pub(super) struct RowLayout {
    schema: SchemaRef,
    origins: Vec<Origin>,
    value_declared: Vec<Field>,
    value_read: Vec<Field>,
    value_format: FormatOptions,
    value_metadata: Vec<MetadataColumn>,
    key_declared: Vec<Field>,
    key_read: Vec<Field>,
    key_format: Option<FormatOptions>,
    /// Of a table by key: what deletions have in the columns that the value holds.
    deleted: Option<Vec<Deleted>>,
    table: String,
}

#[derive(Debug, Clone)]
enum Origin {
    Value(usize),
    Key(usize),
    Metadata(MetadataColumn),
    /// What the value's format says beside the row, by index.
    ValueMetadata(usize),
}

impl RowLayout {
    /// The layout of a plan's source. A column that both key and value hold comes from the value, as
    /// in Flink.
    ///
    /// # Errors
    /// `INVALID_OPTION` for key fields and metadata keys that do not exist, and formats that cannot
    /// hold the columns.
    pub(super) fn new(plan: &SourcePlan, options: &Options) -> Result<Self> {
        let columns = KeyColumns::new(options, &plan.table.columns, &plan.table.primary_key)?;
        let by_key = is_by_key(options);
        let in_key = |field: &Field| columns.names.iter().position(|key| *key == field.name);
        let value_format = options.value_format()?;
        // To `raw` a record without value is a NULL like any other.
        let nullable = by_key && value_format.name() == "raw";
        // A format finds columns by their order in the key.
        let mut key_positions: Vec<usize> =
            plan.read.iter().filter(|_| by_key || columns.except_key).filter_map(in_key).collect();
        key_positions.sort_unstable();
        let in_key_read = |field: &Field| {
            let position = in_key(field)?;
            key_positions.iter().position(|known| *known == position)
        };
        let (mut origins, mut value_read, mut deleted) = (Vec::new(), Vec::new(), Vec::new());
        for field in &plan.read {
            match in_key_read(field) {
                Some(index) if columns.except_key => origins.push(Origin::Key(index)),
                place => {
                    origins.push(Origin::Value(value_read.len()));
                    value_read.push(if nullable { as_nullable(field) } else { field.clone() });
                    deleted.push(place.map_or_else(|| Deleted::unknown(field), Deleted::Key));
                }
            }
        }
        let key_read = key_positions.iter().filter_map(|position| {
            let column = columns.key.get(*position)?;
            let name = columns.names.get(*position)?;
            // The type as read: ROW columns may be reduced.
            let read = plan.read.iter().find(|field| field.name == *name)?;
            Some(Field::new(column.name.clone(), read.ty.clone()))
        });
        let key_read: Vec<Field> = key_read.collect();
        let mut value_metadata = Vec::new();
        for column in &plan.metadata {
            match column.key.strip_prefix(VALUE_METADATA_PREFIX) {
                Some(key) => {
                    origins.push(Origin::ValueMetadata(value_metadata.len()));
                    let (key, field) = (key.to_owned(), column.field.clone());
                    value_metadata.push(MetadataColumn { key, field });
                }
                None => {
                    metadata_columns::check(column)?;
                    origins.push(Origin::Metadata(column.clone()));
                }
            }
        }
        let fields: Vec<_> =
            plan.read.iter().chain(plan.metadata.iter().map(|m| &m.field)).cloned().collect();
        let layout = Self {
            schema: arrow_type::arrow_schema(&fields),
            origins,
            value_declared: match nullable {
                true => columns.value.iter().map(as_nullable).collect(),
                false => columns.value,
            },
            value_read,
            value_format,
            value_metadata,
            key_declared: columns.key,
            key_format: options.key_format()?.filter(|_| !key_read.is_empty()),
            key_read,
            deleted: by_key.then_some(deleted),
            table: plan.table.name.clone(),
        };
        layout.decoders()?;
        Ok(layout)
    }

    /// What of each record has to be kept.
    pub(super) fn wanted(&self) -> Wanted {
        let has = |key: &str| {
            self.origins
                .iter()
                .any(|origin| matches!(origin, Origin::Metadata(column) if column.key == key))
        };
        Wanted {
            keys: self.key_format.is_some(),
            timestamps: has("timestamp") || has("timestamp-type"),
            headers: has("headers"),
            leader_epochs: has("leader-epoch"),
        }
    }

    /// Decoders for one reader.
    pub(super) fn decoders(&self) -> Result<Decoders> {
        let value = format::decoder(&DecoderContext {
            options: &self.value_format,
            declared: &self.value_declared,
            read: &self.value_read,
            metadata: &self.value_metadata,
            origin: &self.table,
        })?;
        let key = self.key_format.as_ref().map(|options| {
            format::decoder(&DecoderContext {
                options,
                declared: &self.key_declared,
                read: &self.key_read,
                metadata: &[],
                origin: &self.table,
            })
        });
        Ok(Decoders { value, key: key.transpose()? })
    }

    /// Decodes records into output rows; possibly none.
    ///
    /// # Errors
    /// `BAD_RECORD` naming topic, partition, offset, column and value.
    pub(super) fn decode(
        &self,
        decoders: &mut Decoders,
        batch: &RecordBatchBytes,
        topic: &str,
        partition: i32,
        metrics: &SourceMetrics,
    ) -> Result<Changes> {
        let from = From { batch, topic, partition };
        let place = |record: usize, part: &str| from.place(record, part);
        let values = decoders.value.decode(&batch.values).map_err(|error| {
            error.into_error(&batch.values, &self.value_format, |record| place(record, "value"))
        })?;
        metrics.bad_records.add(values.bad_records);
        let deletes = self.deleted.is_some() && batch.values.iter().any(|value| value.is_none());
        let from_key = self.origins.iter().any(|origin| matches!(origin, Origin::Key(_)));
        let keys = match (&mut decoders.key, &self.key_format) {
            (Some(decoder), Some(options)) if deletes || from_key => {
                let keys = decoder.decode(&batch.keys).map_err(|error| {
                    error.into_error(&batch.keys, options, |record| place(record, "key"))
                })?;
                metrics.bad_records.add(keys.bad_records);
                Some(keys)
            }
            _ => None,
        };
        let (kinds, columns) = match (&self.deleted, &keys) {
            (Some(deleted), Some(keys)) => {
                let (merged, skipped) = self.merge(&from, &values, keys, from_key)?;
                metrics.bad_records.add(skipped);
                let columns = self.merged_columns(&merged, deleted, &values, keys, &from)?;
                (Some(Int8Array::from(merged.kinds)), columns)
            }
            (by_key, keys) => {
                let columns = self.columns(&values, keys.as_ref(), &from)?;
                let kinds = by_key.as_ref().map(|_| upserts(values.rows.num_rows()));
                (kinds.or_else(|| values.kinds.clone()), columns)
            }
        };
        let rows = kinds.as_ref().map_or(values.rows.num_rows(), Int8Array::len);
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let rows = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options);
        let rows = rows.map_err(|error| {
            let message = format!("{}: {error}", place(0, "and the records behind it"));
            Error::new(ErrorCode::BadRecord, message)
        })?;
        Ok(Changes { kinds, rows })
    }

    /// The output columns where each row is one of the values.
    fn columns(
        &self,
        values: &Decoded,
        keys: Option<&Decoded>,
        from: &From<'_>,
    ) -> Result<Vec<ArrayRef>> {
        let keys = keys.map(|keys| (of_values(&key_rows(keys, from.batch.len()), values), keys));
        let column = |origin: &Origin| match (origin, &keys) {
            (Origin::Value(index), _) => Ok(Arc::clone(values.rows.column(*index))),
            (Origin::Key(index), Some((rows, keys))) => {
                take(keys.rows.column(*index), rows, None).map_err(internal)
            }
            (Origin::Key(_), None) => Err(Error::internal("a key column has no decoder")),
            (Origin::Metadata(column), _) => {
                let all = from.metadata(column)?;
                match &values.origins {
                    Some(origins) => take(&all, origins, None).map_err(internal),
                    None => Ok(all),
                }
            }
            (Origin::ValueMetadata(index), _) => {
                let column = values.metadata.get(*index).map(Arc::clone);
                column.ok_or_else(|| Error::internal("a metadata column was not decoded"))
            }
        };
        self.origins.iter().map(column).collect()
    }

    /// The rows of a table by key in the order of the records, and how many records were left out.
    fn merge(
        &self,
        from: &From<'_>,
        values: &Decoded,
        keys: &Decoded,
        key_needed: bool,
    ) -> Result<(Merged, u64)> {
        let format = self.key_format.as_ref().filter(|format| format.knows(IGNORE_ERRORS));
        let skip = format.map_or(Ok(false), |format| format.boolean(IGNORE_ERRORS))?;
        let by_record = key_rows(keys, from.batch.len());
        Merged::new(from.batch, values, &by_record, key_needed, skip).map_err(|Keyless(record)| {
            let place = from.place(record, "key");
            let message = format!("{place}: the record has none, but its table is one by key");
            let error = Error::new(ErrorCode::BadRecord, message);
            match format {
                Some(format) => {
                    let key = format.full_key(IGNORE_ERRORS);
                    error.help(format!(
                        "write keys, or set '{key}' = 'true' to skip and count such records"
                    ))
                }
                None => error.help("write keys"),
            }
        })
    }

    /// The output columns of a table by key.
    fn merged_columns(
        &self,
        merged: &Merged,
        deleted: &[Deleted],
        values: &Decoded,
        keys: &Decoded,
        from: &From<'_>,
    ) -> Result<Vec<ArrayRef>> {
        let column = |origin: &Origin| match origin {
            Origin::Value(index) => {
                let deleted = deleted.get(*index);
                let deleted = deleted.ok_or_else(|| Error::internal("a column has no stand-in"))?;
                merged.of_value(values.rows.column(*index), deleted, keys)
            }
            Origin::Key(index) => merged.of_key(keys.rows.column(*index)),
            Origin::Metadata(column) => merged.of_records(&from.metadata(column)?),
            // Formats with changes of their own cannot be had by key.
            Origin::ValueMetadata(_) => Err(Error::internal("a table by key has no such metadata")),
        };
        self.origins.iter().map(column).collect()
    }
}

fn as_nullable(field: &Field) -> Field {
    Field::new(field.name.clone(), field.ty.clone().with_nullable(true))
}

/// Skips records that cannot be read, in formats that can.
const IGNORE_ERRORS: &str = "ignore-parse-errors";

/// Records of a partition.
struct From<'a> {
    batch: &'a RecordBatchBytes,
    topic: &'a str,
    partition: i32,
}

impl From<'_> {
    /// Where a record is, for messages.
    fn place(&self, record: usize, part: &str) -> String {
        let offset = self.batch.offsets.get(record).copied().unwrap_or(-1);
        format!("topic {}, partition {}, offset {offset}, {part}", self.topic, self.partition)
    }

    /// A metadata column of all records.
    fn metadata(&self, column: &MetadataColumn) -> Result<ArrayRef> {
        metadata_columns::column(column, self.batch, self.topic, self.partition)
    }
}

/// For each record the row of its key; `None` where it has no key or a malformed one.
fn key_rows(keys: &Decoded, records: usize) -> Vec<Option<u32>> {
    let mut by_record: Vec<Option<u32>> = vec![None; records];
    for row in (0..keys.rows.num_rows()).rev() {
        if let (Some(slot), Ok(row_number)) =
            (by_record.get_mut(keys.origin(row)), u32::try_from(row))
        {
            *slot = Some(row_number);
        }
    }
    by_record
}

/// For each row of the values the row of its record's key.
fn of_values(by_record: &[Option<u32>], values: &Decoded) -> UInt32Array {
    let row_of = |row| by_record.get(values.origin(row)).copied().flatten();
    (0..values.rows.num_rows()).map(row_of).collect()
}

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::internal(error.to_string())
}

/// The decoders of one reader.
pub(super) struct Decoders {
    value: Box<dyn Decoder>,
    key: Option<Box<dyn Decoder>>,
}

impl Decoders {
    /// Gets what the decoding of a batch needs from elsewhere. May be given up and called again.
    pub(super) async fn prepare(&mut self, batch: &RecordBatchBytes) -> Result<()> {
        self.value.prepare(&batch.values).await?;
        match &mut self.key {
            Some(key) => key.prepare(&batch.keys).await,
            None => Ok(()),
        }
    }
}
