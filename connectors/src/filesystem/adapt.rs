//! Columns of columnar files as the table declares them: found by name, cast, and NULL where a file lacks them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StructArray, new_null_array,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, SchemaRef};
use tidegate_plan::arrow_type;
use tidegate_types::{Error, ErrorCode, Field, Result};

/// A file's rows as the columns that were asked for.
///
/// # Errors
/// `BAD_RECORD` for a column that cannot be cast, or has a NULL where none may be.
pub(super) fn adapt_rows(
    rows: &RecordBatch,
    read: &[Field],
    schema: &SchemaRef,
    place: &str,
) -> Result<RecordBatch> {
    let column = |field: &Field| match rows.column_by_name(&field.name) {
        Some(column) => adapt(column, &arrow_type::data_type(&field.ty)).map_err(|why| {
            let message =
                format!("file {place}: column {} is not a {}: {why}", field.name, field.ty);
            Error::new(ErrorCode::BadRecord, message)
        }),
        None => Ok(new_null_array(&arrow_type::data_type(&field.ty), rows.num_rows())),
    };
    let columns = read.iter().map(column).collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|error| Error::new(ErrorCode::BadRecord, format!("file {place}: {error}")))
}

/// Casts an array; fields of structs are matched by name.
fn adapt(array: &ArrayRef, target: &DataType) -> Result<ArrayRef, String> {
    if array.data_type() == target {
        return Ok(Arc::clone(array));
    }
    let (DataType::Struct(fields), Some(source)) = (target, array.as_struct_opt()) else {
        let options = CastOptions { safe: false, ..CastOptions::default() };
        return cast_with_options(array, target, &options).map_err(|error| error.to_string());
    };
    let child = |field: &arrow::datatypes::FieldRef| match source.column_by_name(field.name()) {
        Some(child) => adapt(child, field.data_type()),
        None => Ok(new_null_array(field.data_type(), source.len())),
    };
    let children = fields.iter().map(child).collect::<Result<Vec<_>, _>>()?;
    let adapted = StructArray::try_new_with_length(
        fields.clone(),
        children,
        source.nulls().cloned(),
        source.len(),
    );
    adapted.map(|array| Arc::new(array) as ArrayRef).map_err(|error| error.to_string())
}
