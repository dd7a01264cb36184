//! Layout of the state table `windows` of the aggregates, and refusing entries of another one.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tidegate_types::key_group::key_group;
use tidegate_types::{Error, ErrorCode, KeyGroupRange, Result};

use super::store::Groups;
use crate::operator::OperatorContext;

/// Name of the state table.
pub(super) const TABLE: &str = "windows";
/// Version of its layout.
pub(super) const VERSION: u16 = 1;

/// Columns of the state table: bounds of the window, keys, partial states.
pub(super) fn state_schema(bounds: &[&str], keys: &[DataType], states: &[DataType]) -> SchemaRef {
    let bounds = bounds.iter().map(|name| Field::new(*name, DataType::Int64, false));
    let named = |prefix: &'static str, types: &[DataType]| -> Vec<Field> {
        let types = types.iter().enumerate();
        types.map(|(i, ty)| Field::new(format!("{prefix}{i}"), ty.clone(), true)).collect()
    };
    let fields = bounds.chain(named("key", keys)).chain(named("state", states));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Layout of entries that belong to runs: `window_end`, `window_start`, `run`, keys, partial states.
#[derive(Clone)]
pub(super) struct RunLayout {
    pub(super) schema: SchemaRef,
    /// Number of key columns.
    pub(super) keys: usize,
}

impl RunLayout {
    /// Columns before the keys.
    pub(super) const BOUNDS: usize = 3;

    /// The layout for keys and partial states of these types.
    pub(super) fn new(keys: &[DataType], states: &[DataType]) -> Self {
        let bounds = ["window_end", "window_start", "run"];
        Self { schema: state_schema(&bounds, keys, states), keys: keys.len() }
    }

    /// Indices of the key columns.
    pub(super) fn key_columns(&self) -> Range<usize> {
        Self::BOUNDS..Self::BOUNDS + self.keys
    }

    /// Entries of groups of a slice `(end, start)`.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(super) fn entries(
        &self,
        slice: (i64, i64),
        run: i64,
        groups: &Groups,
        slots: &[u32],
    ) -> Result<RecordBatch> {
        self.batch(slice, run, slots.len(), groups.columns(slots)?)
    }

    /// Entries of a slice `(end, start)` from keys and partial states.
    ///
    /// # Errors
    /// `INTERNAL` on a defect of Arrow building.
    pub(super) fn batch(
        &self,
        (end, start): (i64, i64),
        run: i64,
        rows: usize,
        groups: Vec<ArrayRef>,
    ) -> Result<RecordBatch> {
        let bounds = [end, start, run];
        let bound = |bound| Arc::new(Int64Array::from_value(bound, rows)) as ArrayRef;
        let mut columns: Vec<ArrayRef> = bounds.map(bound).to_vec();
        columns.extend(groups);
        RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|error| Error::internal(format!("window state: {error}")))
    }
}

/// Which of restored entries with these hashes a subtask takes: those of key groups in `groups` that
/// are `live`, which is asked for the entry and its key group.
pub(crate) fn taken_of(
    hashes: &[u64],
    groups: KeyGroupRange,
    context: Option<&OperatorContext>,
    live: impl Fn(usize, u16) -> bool,
) -> Result<Vec<bool>> {
    let context = context.ok_or_else(|| Error::internal("restore before open"))?;
    let taken = hashes.iter().enumerate().map(|(row, hash)| {
        let group = key_group(*hash, context.key_groups);
        groups.contains(group) && live(row, group)
    });
    Ok(taken.collect())
}

/// The entries of a batch that are taken.
pub(super) fn keep(entries: &RecordBatch, taken: Vec<bool>) -> Result<RecordBatch> {
    filter_record_batch(entries, &BooleanArray::from(taken))
        .map_err(|error| Error::internal(error.to_string()))
}

/// Refuses entries of another table than [`TABLE`], or of another layout.
pub(super) fn check_entries(
    table: &str,
    version: u16,
    entries: &RecordBatch,
    expected: &SchemaRef,
) -> Result<()> {
    check_layout((table, version), (TABLE, VERSION), entries, expected)
}

/// Refuses entries of a table other than the known one, both with their versions.
pub(crate) fn check_layout(
    (table, version): (&str, u16),
    (known, known_version): (&str, u16),
    entries: &RecordBatch,
    expected: &SchemaRef,
) -> Result<()> {
    let incompatible = |what: String| Err(Error::new(ErrorCode::Incompatible, what));
    if table != known || version != known_version {
        return incompatible(format!(
            "the checkpoint has state table '{table}' version {version}, this operator keeps '{known}' version {known_version}"
        ));
    }
    let types = |schema: &SchemaRef| -> Vec<DataType> {
        schema.fields().iter().map(|field| field.data_type().clone()).collect()
    };
    let (have, want) = (types(&entries.schema()), types(expected));
    if have != want {
        return incompatible(format!(
            "state table '{table}' has columns {have:?} in the checkpoint, the job needs {want:?}"
        ));
    }
    Ok(())
}
