//! What a batch weighs on the wire, and making it weigh no more than its rows do.
//!
//! A string view refers to buffers that other rows share: a batch that was split by key would carry
//! the whole of them to every reader. [`compact`] copies what the rows refer to, if the rest is
//! large. [`pieces`] halves batches that are too large for one message.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, RecordBatch, RecordBatchOptions, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use tidegate_engine::element::Changes;
use tidegate_types::{Error, ErrorCode, Result};

/// Bytes above which a batch is sent in pieces.
pub(crate) const PIECE_BYTES: usize = 2 << 20;
/// The largest message: a single row may need one.
pub(crate) const MAX_MESSAGE_BYTES: usize = 128 << 20;
/// What a message costs beyond its rows: headers, padding, and its place in queues.
pub(crate) const MESSAGE_OVERHEAD: usize = 256;
/// Bytes of shared buffers that are sent along rather than copied away.
const SLACK: usize = 1024;

/// Rows that fit into one message, and what they cost.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) changes: Changes,
    pub(crate) charge: u32,
}

/// A batch as pieces that fit into a message each, in order. Checks the columns' types.
///
/// # Errors
/// `RESOURCE_EXHAUSTED` if a single row is larger than a message may be, `INTERNAL` if a column has
/// another type than the plan says.
pub(crate) fn pieces(changes: Changes, schema: &SchemaRef) -> Result<Vec<Piece>> {
    check_types(&changes.rows, schema)?;
    let mut pieces = Vec::with_capacity(1);
    let mut rest = vec![changes];
    while let Some(changes) = rest.pop() {
        let bytes = size(&changes);
        if bytes > PIECE_BYTES && changes.len() > 1 {
            let half = changes.len() / 2;
            rest.push(changes.slice(half, changes.len() - half));
            rest.push(changes.slice(0, half));
            continue;
        }
        if bytes > MAX_MESSAGE_BYTES - PIECE_BYTES {
            return Err(Error::new(
                ErrorCode::ResourceExhausted,
                format!(
                    "a row of {bytes} bytes is too large to be sent to another worker, the limit is {} bytes",
                    MAX_MESSAGE_BYTES - PIECE_BYTES
                ),
            )
            .help("drop or shorten the large column before the row is exchanged"));
        }
        let rows = compact_rows(&changes.rows).map_err(internal)?;
        let charge = (bytes + MESSAGE_OVERHEAD) as u32;
        pieces.push(Piece { changes: Changes { kinds: changes.kinds, rows }, charge });
    }
    Ok(pieces)
}

/// Bytes of the rows themselves: what they would take up without anything shared.
pub(crate) fn size(changes: &Changes) -> usize {
    let columns: usize = changes.rows.columns().iter().map(column_size).sum();
    columns + changes.kinds.as_ref().map_or(0, Array::len)
}

fn check_types(rows: &RecordBatch, schema: &SchemaRef) -> Result<()> {
    let actual = rows.schema();
    if Arc::ptr_eq(&actual, schema) {
        return Ok(());
    }
    if actual.fields().len() != schema.fields().len() {
        return Err(Error::internal(format!(
            "a batch of {} columns is sent on an edge of {}",
            actual.fields().len(),
            schema.fields().len()
        )));
    }
    let mut pairs = actual.fields().iter().zip(schema.fields());
    match pairs.find(|(actual, planned)| !actual.data_type().equals_datatype(planned.data_type())) {
        None => Ok(()),
        Some((actual, planned)) => Err(Error::internal(format!(
            "column {} of a batch has type {}, the plan says {}",
            planned.name(),
            actual.data_type(),
            planned.data_type()
        ))),
    }
}

fn column_size(array: &ArrayRef) -> usize {
    let bitmap = if array.nulls().is_some() { array.len().div_ceil(8) } else { 0 };
    let values = match array.data_type() {
        DataType::Utf8View => array.len() * 16 + array.as_string_view().total_buffer_bytes_used(),
        DataType::BinaryView => array.len() * 16 + array.as_binary_view().total_buffer_bytes_used(),
        DataType::Struct(_) => array.as_struct().columns().iter().map(column_size).sum(),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let (start, length) = range(list.offsets());
            (array.len() + 1) * 4 + column_size(&list.values().slice(start, length))
        }
        DataType::Map(_, _) => {
            let map = array.as_map();
            let (start, length) = range(map.offsets());
            let entries: ArrayRef = Arc::new(map.entries().slice(start, length));
            (array.len() + 1) * 4 + column_size(&entries)
        }
        other => match other.primitive_width() {
            Some(width) => array.len() * width,
            None => return array.to_data().get_slice_memory_size().unwrap_or(0),
        },
    };
    values + bitmap
}

fn compact_rows(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    if !rows.columns().iter().any(|column| has_views(column.data_type())) {
        return Ok(rows.clone());
    }
    let columns = rows.columns().iter().map(compact).collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(rows.schema(), columns, &options)
}

/// The same values without what other rows of their buffers need.
pub(crate) fn compact(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(match array.data_type() {
        DataType::Utf8View => {
            let views = array.as_string_view();
            let held = views.data_buffers().iter().map(|buffer| buffer.len()).sum();
            if is_wasteful(held, views.total_buffer_bytes_used()) {
                Arc::new(views.gc())
            } else {
                array.clone()
            }
        }
        DataType::BinaryView => {
            let views = array.as_binary_view();
            let held = views.data_buffers().iter().map(|buffer| buffer.len()).sum();
            if is_wasteful(held, views.total_buffer_bytes_used()) {
                Arc::new(views.gc())
            } else {
                array.clone()
            }
        }
        DataType::Struct(_) if has_views(array.data_type()) => {
            Arc::new(compact_struct(array.as_struct())?)
        }
        DataType::List(field) if has_views(array.data_type()) => {
            let list = array.as_list::<i32>();
            let (start, length) = range(list.offsets());
            let values = compact(&list.values().slice(start, length))?;
            let offsets = from_zero(list.offsets());
            Arc::new(ListArray::try_new(field.clone(), offsets, values, list.nulls().cloned())?)
        }
        DataType::Map(field, ordered) if has_views(array.data_type()) => {
            let map = array.as_map();
            let (start, length) = range(map.offsets());
            let entries = compact_struct(&map.entries().slice(start, length))?;
            let (offsets, nulls) = (from_zero(map.offsets()), map.nulls().cloned());
            Arc::new(MapArray::try_new(field.clone(), offsets, entries, nulls, *ordered)?)
        }
        _ => array.clone(),
    })
}

fn compact_struct(array: &StructArray) -> Result<StructArray, ArrowError> {
    let columns = array.columns().iter().map(compact).collect::<Result<Vec<_>, _>>()?;
    StructArray::try_new(array.fields().clone(), columns, array.nulls().cloned())
}

fn is_wasteful(held: usize, used: usize) -> bool {
    held > used + used / 4 + SLACK
}

fn has_views(ty: &DataType) -> bool {
    match ty {
        DataType::Utf8View | DataType::BinaryView => true,
        DataType::List(field) | DataType::Map(field, _) => has_views(field.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_views(field.data_type())),
        _ => false,
    }
}

/// Start and length of the values that offsets refer to.
fn range(offsets: &OffsetBuffer<i32>) -> (usize, usize) {
    let start = offsets.first().copied().unwrap_or(0);
    let end = offsets.last().copied().unwrap_or(0);
    (start as usize, (end - start) as usize)
}

fn from_zero(offsets: &OffsetBuffer<i32>) -> OffsetBuffer<i32> {
    let start = offsets.first().copied().unwrap_or(0);
    if start == 0 {
        return offsets.clone();
    }
    OffsetBuffer::new(offsets.iter().map(|offset| offset - start).collect())
}

fn internal(error: ArrowError) -> Error {
    Error::internal(format!("compact a batch: {error}"))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringViewArray};

    use super::*;

    fn strings(rows: usize, length: usize) -> Changes {
        let text = |row: usize| {
            let digits = row.to_string();
            "0".repeat(length.saturating_sub(digits.len())) + &digits
        };
        let values: StringViewArray = (0..rows).map(|row| Some(text(row))).collect();
        let numbers = Int64Array::from_iter_values(0..rows as i64);
        let columns: Vec<(&str, ArrayRef)> =
            vec![("n", Arc::new(numbers)), ("s", Arc::new(values))];
        Changes::append(RecordBatch::try_from_iter(columns).unwrap())
    }

    #[test]
    fn a_slice_weighs_what_its_rows_do_and_loses_the_rest() {
        let whole = strings(10_000, 100);
        let slice = whole.slice(500, 10);
        assert_eq!(size(&slice), 10 * (8 + 16 + 100));
        let schema = whole.rows.schema();
        let piece = pieces(slice.clone(), &schema).unwrap().remove(0);
        assert_eq!(piece.charge as usize, 10 * (8 + 16 + 100) + MESSAGE_OVERHEAD);
        let column = piece.changes.rows.column(1).as_string_view();
        let held: usize = column.data_buffers().iter().map(|buffer| buffer.len()).sum();
        assert_eq!(held, 1_000);
        assert_eq!(piece.changes.rows, slice.rows);
    }

    #[test]
    fn a_large_batch_becomes_pieces_in_order() {
        let whole = strings(60_000, 100);
        let pieces = pieces(whole.clone(), &whole.rows.schema()).unwrap();
        assert!(pieces.len() > 2);
        assert!(pieces.iter().all(|piece| size(&piece.changes) <= PIECE_BYTES));
        let parts: Vec<Changes> = pieces.into_iter().map(|piece| piece.changes).collect();
        assert_eq!(Changes::concat(&parts).unwrap().rows, whole.rows);
    }

    #[test]
    fn a_row_that_no_message_can_carry_is_refused() {
        let whole = strings(1, MAX_MESSAGE_BYTES);
        let error = pieces(whole.clone(), &whole.rows.schema()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ResourceExhausted);
    }

    #[test]
    fn another_type_than_planned_is_a_defect() {
        let planned = strings(1, 1).rows.schema();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("n", Arc::new(Int64Array::from(vec![1]))),
            ("s", Arc::new(Int64Array::from(vec![1]))),
        ];
        let other = Changes::append(RecordBatch::try_from_iter(columns).unwrap());
        let error = pieces(other, &planned).unwrap_err();
        assert!(error.message().contains("column s"), "{error}");
    }
}
