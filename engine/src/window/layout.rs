//! Layout of the state table `windows` of the aggregates, and refusing entries of another one.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tidegate_types::{Error, ErrorCode, Result};

/// Name of the state table.
pub(super) const TABLE: &str = "windows";
/// Version of its layout.
pub(super) const VERSION: u16 = 1;

/// Columns of the state table: window end and start, keys, partial states.
pub(super) fn state_schema(keys: &[DataType], states: &[DataType]) -> SchemaRef {
    let bounds =
        ["window_end", "window_start"].map(|name| Field::new(name, DataType::Int64, false));
    let named = |prefix: &'static str, types: &[DataType]| -> Vec<Field> {
        let types = types.iter().enumerate();
        types.map(|(i, ty)| Field::new(format!("{prefix}{i}"), ty.clone(), true)).collect()
    };
    let fields = bounds.into_iter().chain(named("key", keys)).chain(named("state", states));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
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
pub(super) fn check_layout(
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
