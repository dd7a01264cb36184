//! Rows as text, and batches of integers.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int8Array, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use tidegate_plan::RowKind;

use crate::element::Changes;

/// A row: its values as text, NULL as none.
pub(crate) type Row = Vec<Option<String>>;

/// The rows of a batch.
pub(crate) fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let options = FormatOptions::new();
    let columns: Vec<_> = batch
        .columns()
        .iter()
        .map(|c| (c, ArrayFormatter::try_new(c, &options).unwrap()))
        .collect();
    (0..batch.num_rows())
        .map(|row| {
            columns
                .iter()
                .map(|(column, text)| column.is_valid(row).then(|| text.value(row).to_string()))
                .collect()
        })
        .collect()
}

/// A row of integers.
pub(crate) fn ints(values: &[Option<i64>]) -> Row {
    values.iter().map(|value| value.map(|value| value.to_string())).collect()
}

/// A batch of rows of BIGINT columns; without kinds if all are inserts and `kinds` does not force them.
pub(crate) fn changes(schema: &SchemaRef, rows: &[(RowKind, Vec<Option<i64>>)]) -> Changes {
    let columns = (0..schema.fields().len()).map(|column| -> ArrayRef {
        let values = rows.iter().map(|(_, row)| row[column]).collect::<Int64Array>();
        arrow::compute::cast(&values, schema.field(column).data_type()).unwrap()
    });
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let batch =
        RecordBatch::try_new_with_options(Arc::clone(schema), columns.collect(), &options).unwrap();
    let plain = rows.iter().all(|(kind, _)| *kind == RowKind::Insert);
    let kinds = rows.iter().map(|(kind, _)| *kind as i8).collect::<Int8Array>();
    Changes { kinds: (!plain).then_some(kinds), rows: batch }
}
