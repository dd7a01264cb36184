//! Which output column comes from where: from the value, from the key, or from what surrounds a record.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use tidegate_connector_spec::{FormatOptions, Options};
use tidegate_engine::element::Changes;
use tidegate_engine::metrics::SourceMetrics;
use tidegate_plan::arrow_type;
use tidegate_plan::operator::{MetadataColumn, Source as SourcePlan};
use tidegate_types::{Error, ErrorCode, Field, Result};

use super::batch::{RecordBatchBytes, Wanted};
use super::metadata_columns;
use crate::format::{self, Decoded, Decoder, DecoderContext};

/// The columns that keys and values hold.
#[derive(Debug, Clone)]
pub(super) struct KeyColumns {
    /// The key's columns, as the key's format names them, in the order of `key.fields`.
    pub(super) key: Vec<Field>,
    /// For each of them its name in the table.
    pub(super) names: Vec<String>,
    /// The value's columns, as declared.
    pub(super) value: Vec<Field>,
    /// Whether the value lacks the key's columns (`EXCEPT_KEY`).
    pub(super) except_key: bool,
}

impl KeyColumns {
    /// Splits physical columns by `key.fields`, `key.fields-prefix` and `value.fields-include`.
    ///
    /// # Errors
    /// `INVALID_OPTION` for a key field that is no column.
    pub(super) fn new(options: &Options, columns: &[Field]) -> Result<Self> {
        let names: Vec<String> =
            options.list("key.fields").into_iter().map(str::to_owned).collect();
        let prefix = options.text("key.fields-prefix").unwrap_or_default();
        let mut key = Vec::with_capacity(names.len());
        for name in &names {
            let Some(column) = columns.iter().find(|column| column.name == *name) else {
                let all: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
                let message =
                    format!("option 'key.fields' names '{name}', which is no column of the table");
                return Err(Error::new(ErrorCode::InvalidOption, message)
                    .help(format!("its columns are {}", all.join(", "))));
            };
            key.push(Field::new(name.strip_prefix(prefix).unwrap_or(name), column.ty.clone()));
        }
        let include = options.text("value.fields-include").unwrap_or("ALL");
        let except_key = include.eq_ignore_ascii_case("EXCEPT_KEY");
        let in_value = |column: &&Field| !(except_key && names.contains(&column.name));
        let value: Vec<_> = columns.iter().filter(in_value).cloned().collect();
        Ok(Self { key, names, value, except_key })
    }
}

/// The output columns of a Kafka source.
#[derive(Debug)]
pub(super) struct RowLayout {
    schema: SchemaRef,
    origins: Vec<Origin>,
    value_declared: Vec<Field>,
    value_read: Vec<Field>,
    value_format: FormatOptions,
    key_declared: Vec<Field>,
    key_read: Vec<Field>,
    key_format: Option<FormatOptions>,
    table: String,
}

#[derive(Debug, Clone)]
enum Origin {
    Value(usize),
    Key(usize),
    Metadata(MetadataColumn),
}

impl RowLayout {
    /// The layout of a plan's source. A column that both key and value hold comes from the value, as
    /// in Flink.
    ///
    /// # Errors
    /// `INVALID_OPTION` for key fields and metadata keys that do not exist, and formats that cannot
    /// hold the columns.
    pub(super) fn new(plan: &SourcePlan, options: &Options) -> Result<Self> {
        let columns = KeyColumns::new(options, &plan.table.columns)?;
        let from_key =
            |name: &str| columns.except_key && columns.names.iter().any(|key| key == name);
        let mut origins = Vec::new();
        let (mut value_read, mut key_positions) = (Vec::new(), Vec::new());
        for field in &plan.read {
            if from_key(&field.name) {
                let position =
                    columns.names.iter().position(|name| *name == field.name).unwrap_or_default();
                key_positions.push(position);
                origins.push(Origin::Key(position));
            } else {
                origins.push(Origin::Value(value_read.len()));
                value_read.push(field.clone());
            }
        }
        key_positions.sort_unstable();
        for origin in &mut origins {
            if let Origin::Key(position) = origin {
                *position =
                    key_positions.iter().position(|known| known == position).unwrap_or_default();
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
        for column in &plan.metadata {
            metadata_columns::check(column)?;
            origins.push(Origin::Metadata(column.clone()));
        }
        let fields: Vec<_> =
            plan.read.iter().chain(plan.metadata.iter().map(|m| &m.field)).cloned().collect();
        let layout = Self {
            schema: arrow_type::arrow_schema(&fields),
            origins,
            value_declared: columns.value,
            value_read,
            value_format: options.value_format()?,
            key_declared: columns.key,
            key_format: options.key_format()?.filter(|_| !key_read.is_empty()),
            key_read,
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
            origin: &self.table,
        })?;
        let key = self.key_format.as_ref().map(|options| {
            format::decoder(&DecoderContext {
                options,
                declared: &self.key_declared,
                read: &self.key_read,
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
        let place = |record: usize, part: &str| {
            let offset = batch.offsets.get(record).copied().unwrap_or(-1);
            format!("topic {topic}, partition {partition}, offset {offset}, {part}")
        };
        let values = decoders.value.decode(&batch.values).map_err(|error| {
            error.into_error(&batch.values, &self.value_format, |record| place(record, "value"))
        })?;
        metrics.bad_records.add(values.bad_records);
        let keys = match (&mut decoders.key, &self.key_format) {
            (Some(decoder), Some(options)) => {
                let keys = decoder.decode(&batch.keys).map_err(|error| {
                    error.into_error(&batch.keys, options, |record| place(record, "key"))
                })?;
                metrics.bad_records.add(keys.bad_records);
                Some((key_rows(&keys, &values, batch.len()), keys))
            }
            _ => None,
        };
        let rows = values.rows.num_rows();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.origins.len());
        for origin in &self.origins {
            columns.push(match (origin, &keys) {
                (Origin::Value(index), _) => Arc::clone(values.rows.column(*index)),
                (Origin::Key(index), Some((rows, keys))) => {
                    take(keys.rows.column(*index), rows, None).map_err(internal)?
                }
                (Origin::Key(_), None) => {
                    return Err(Error::internal("a key column has no decoder"));
                }
                (Origin::Metadata(column), _) => {
                    let all = metadata_columns::column(column, batch, topic, partition)?;
                    match &values.origins {
                        Some(origins) => take(&all, origins, None).map_err(internal)?,
                        None => all,
                    }
                }
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let rows = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options);
        let rows = rows.map_err(|error| {
            let message = format!("{}: {error}", place(0, "and the records behind it"));
            Error::new(ErrorCode::BadRecord, message)
        })?;
        Ok(Changes { kinds: values.kinds, rows })
    }
}

/// For each row the row of its record's key; NULL where the record has no key or a malformed one.
fn key_rows(keys: &Decoded, values: &Decoded, records: usize) -> UInt32Array {
    let mut by_record: Vec<Option<u32>> = vec![None; records];
    for row in (0..keys.rows.num_rows()).rev() {
        if let (Some(slot), Ok(row_number)) =
            (by_record.get_mut(keys.origin(row)), u32::try_from(row))
        {
            *slot = Some(row_number);
        }
    }
    (0..values.rows.num_rows())
        .map(|row| by_record.get(values.origin(row)).copied().flatten())
        .collect()
}

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::internal(error.to_string())
}

/// The decoders of one reader.
pub(super) struct Decoders {
    value: Box<dyn Decoder>,
    key: Option<Box<dyn Decoder>>,
}
