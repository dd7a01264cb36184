//! Layout of a table's entries in files: the key, whether it is gone, when it was last used, values.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, new_null_array};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use tidegate_types::key_group::key_group;
use tidegate_types::{Error, ErrorCode, KeyGroupRange, Result};

use crate::keys::hash::hash_columns;
use crate::operator::OperatorContext;

/// Version of the layout.
pub(crate) const VERSION: u16 = 1;

/// Columns of the entries of a table.
pub(crate) struct EntryLayout {
    table: &'static str,
    schema: SchemaRef,
    /// Number of key columns.
    keys: usize,
    /// Of them, the first so many decide the key group.
    partition: usize,
}

/// Entries that a restore takes.
pub(crate) struct Taken {
    /// Keys that are gone: columns and hashes.
    pub(crate) gone: (Vec<ArrayRef>, Vec<u64>),
    /// Keys, their hashes, times of last use in ms, values.
    pub(crate) keys: Vec<ArrayRef>,
    pub(crate) hashes: Vec<u64>,
    pub(crate) used: Int64Array,
    pub(crate) values: Vec<ArrayRef>,
}

impl EntryLayout {
    /// The layout of a table with keys, of which the first `partition` columns decide the key group, and
    /// values of these types.
    pub(crate) fn new(
        table: &'static str,
        keys: &[DataType],
        partition: usize,
        values: &[DataType],
    ) -> Self {
        let named = |prefix: &'static str, types: &[DataType]| -> Vec<Field> {
            let types = types.iter().enumerate();
            types.map(|(i, ty)| Field::new(format!("{prefix}{i}"), ty.clone(), true)).collect()
        };
        let mut fields = named("key", keys);
        fields.push(Field::new("gone", DataType::Boolean, false));
        fields.push(Field::new("used", DataType::Int64, true));
        fields.extend(named("state", values));
        Self { table, schema: Arc::new(Schema::new(fields)), keys: keys.len(), partition }
    }

    /// Name of the table.
    pub(crate) fn table(&self) -> &'static str {
        self.table
    }

    /// Entries of keys with values.
    pub(crate) fn live(
        &self,
        keys: Vec<ArrayRef>,
        used: Int64Array,
        values: Vec<ArrayRef>,
    ) -> Result<RecordBatch> {
        let rows = used.len();
        let gone: ArrayRef = Arc::new(BooleanArray::from(vec![false; rows]));
        let columns = keys.into_iter().chain([gone, Arc::new(used) as ArrayRef]).chain(values);
        self.batch(columns.collect())
    }

    /// Entries that say that keys are gone.
    pub(crate) fn gone(&self, keys: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
        let mut columns = keys;
        columns.push(Arc::new(BooleanArray::from(vec![true; rows])));
        let rest = &self.schema.fields()[columns.len()..];
        columns.extend(rest.iter().map(|field| new_null_array(field.data_type(), rows)));
        self.batch(columns)
    }

    fn batch(&self, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
        RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|error| Error::internal(format!("state table '{}': {error}", self.table)))
    }

    /// The entries that a restore takes: those of key groups in `groups` that the subtask owns.
    ///
    /// # Errors
    /// `INCOMPATIBLE` for another layout.
    pub(crate) fn take(
        &self,
        version: u16,
        entries: &RecordBatch,
        groups: KeyGroupRange,
        context: &OperatorContext,
    ) -> Result<Taken> {
        self.check(version, entries)?;
        let (mut partition, mut hashes) = (Vec::new(), Vec::new());
        hash_columns(entries, &(0..self.partition).collect::<Vec<_>>(), &mut partition)?;
        let all: Vec<usize> = (0..self.keys).collect();
        hash_columns(entries, &all, &mut hashes)?;
        let gone = entries.column(self.keys).as_boolean();
        let mine: Vec<bool> = partition
            .iter()
            .map(|hash| {
                let group = key_group(*hash, context.key_groups);
                groups.contains(group) && context.owned.contains(group)
            })
            .collect();
        let select = |wanted: bool| -> Result<(RecordBatch, Vec<u64>)> {
            let mask =
                mine.iter().enumerate().map(|(row, mine)| *mine && gone.value(row) == wanted);
            let mask = BooleanArray::from(mask.collect::<Vec<_>>());
            let rows = filter_record_batch(entries, &mask)
                .map_err(|error| Error::internal(error.to_string()))?;
            let hashes = hashes.iter().enumerate().filter(|(row, _)| mask.value(*row));
            Ok((rows, hashes.map(|(_, hash)| *hash).collect()))
        };
        let (gone, (live, hashes)) = (select(true)?, select(false)?);
        let columns = live.columns();
        Ok(Taken {
            gone: (gone.0.columns()[..self.keys].to_vec(), gone.1),
            keys: columns[..self.keys].to_vec(),
            hashes,
            used: columns[self.keys + 1].as_primitive::<Int64Type>().clone(),
            values: columns[self.keys + 2..].to_vec(),
        })
    }

    fn check(&self, version: u16, entries: &RecordBatch) -> Result<()> {
        let incompatible = |what: String| Err(Error::new(ErrorCode::Incompatible, what));
        if version != VERSION {
            return incompatible(format!(
                "the checkpoint has state table '{}' version {version}, this operator keeps version {VERSION}",
                self.table
            ));
        }
        let types = |schema: &SchemaRef| -> Vec<DataType> {
            schema.fields().iter().map(|field| field.data_type().clone()).collect()
        };
        let (have, want) = (types(&entries.schema()), types(&self.schema));
        if have != want {
            return incompatible(format!(
                "state table '{}' has columns {have:?} in the checkpoint, the job needs {want:?}",
                self.table
            ));
        }
        Ok(())
    }
}
