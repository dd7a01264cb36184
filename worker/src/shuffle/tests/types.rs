//! Every Arrow type that a plan has travels, whole and in slices.

use arrow::array::{
    BinaryViewArray, BooleanArray, ListArray, MapArray, NullArray, RecordBatchOptions, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{Fields, IntervalUnit, TimeUnit};

use super::*;

fn nulls(rows: usize) -> NullBuffer {
    (0..rows).map(|row| row % 5 != 3).collect()
}

/// Lengths 0, 1, 2, 3, 0, …
fn offsets(rows: usize) -> OffsetBuffer<i32> {
    OffsetBuffer::from_lengths((0..rows).map(|row| row % 4))
}

fn array(ty: &DataType, rows: usize, nullable: bool) -> ArrayRef {
    let present = |row: usize| !nullable || row % 5 != 3;
    let text = |row: usize| present(row).then(|| "x".repeat(row % 40) + &row.to_string());
    match ty {
        DataType::Null => Arc::new(NullArray::new(rows)),
        DataType::Boolean => Arc::new(
            (0..rows).map(|row| present(row).then_some(row % 3 == 0)).collect::<BooleanArray>(),
        ),
        DataType::Utf8View => Arc::new((0..rows).map(text).collect::<StringViewArray>()),
        DataType::BinaryView => Arc::new(
            (0..rows).map(|row| text(row).map(String::into_bytes)).collect::<BinaryViewArray>(),
        ),
        DataType::Struct(fields) => {
            let columns = fields.iter().map(|f| array(f.data_type(), rows, f.is_nullable()));
            let nulls = nullable.then(|| nulls(rows));
            Arc::new(StructArray::new(fields.clone(), columns.collect(), nulls))
        }
        DataType::List(field) => {
            let offsets = offsets(rows);
            let values = array(field.data_type(), *offsets.last().unwrap() as usize, true);
            Arc::new(ListArray::new(field.clone(), offsets, values, nullable.then(|| nulls(rows))))
        }
        DataType::Map(field, ordered) => {
            let offsets = offsets(rows);
            let entries = array(field.data_type(), *offsets.last().unwrap() as usize, false);
            let entries = entries.as_struct().clone();
            let nulls = nullable.then(|| nulls(rows));
            Arc::new(MapArray::new(field.clone(), offsets, entries, nulls, *ordered))
        }
        DataType::Interval(_) | DataType::Date32 | DataType::Time32(_) => {
            let numbers = (0..rows).map(|row| present(row).then_some(row as i32 * 7));
            cast(&numbers.collect::<arrow::array::Int32Array>(), ty).unwrap()
        }
        other => {
            let numbers = (0..rows).map(|row| present(row).then_some(row as i64 % 100));
            cast(&numbers.collect::<Int64Array>(), other).unwrap()
        }
    }
}

fn map(key: DataType, value: DataType) -> DataType {
    let entries =
        Fields::from(vec![Field::new("key", key, false), Field::new("value", value, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
}

fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, true)))
}

fn all_types() -> Vec<DataType> {
    let nested = DataType::Struct(Fields::from(vec![
        Field::new("a", DataType::Int32, true),
        Field::new("b", list(DataType::Utf8View), true),
        Field::new("c", map(DataType::Utf8View, list(DataType::BinaryView)), true),
    ]));
    let utc = Some("UTC".into());
    vec![
        DataType::Null,
        DataType::Boolean,
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::Float32,
        DataType::Float64,
        DataType::Decimal128(38, 4),
        DataType::Utf8View,
        DataType::BinaryView,
        DataType::Date32,
        DataType::Time32(TimeUnit::Millisecond),
        DataType::Timestamp(TimeUnit::Millisecond, None),
        DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Timestamp(TimeUnit::Nanosecond, utc.clone()),
        DataType::Timestamp(TimeUnit::Millisecond, utc),
        DataType::Interval(IntervalUnit::YearMonth),
        DataType::Duration(TimeUnit::Millisecond),
        list(DataType::Int64),
        list(list(DataType::Utf8View)),
        map(DataType::Utf8View, DataType::Int32),
        map(DataType::Int64, nested.clone()),
        list(nested.clone()),
        nested,
    ]
}

async fn travels(schema: SchemaRef, batches: Vec<RecordBatch>) {
    let mut pair = Pair::open(ShuffleOptions::default(), 1, schema.clone()).await;
    let (mut sender, mut receiver) = (pair.sending.sender(0), pair.reading.receiver(0));
    for batch in batches {
        send(&mut sender, Element::Batch(Changes::append(batch.clone()))).await.unwrap();
        let Element::Batch(changes) = next(&mut receiver).await.unwrap() else { panic!() };
        assert_eq!(changes.rows, batch);
        assert!(Arc::ptr_eq(&changes.rows.schema(), &schema), "the plan's own schema");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_types_with_and_without_nulls_whole_and_sliced() {
    let fields: Fields = all_types()
        .into_iter()
        .enumerate()
        .map(|(index, ty)| Field::new(format!("c{index}"), ty, true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = |rows, nullable| {
        let columns = schema.fields().iter().map(|f| array(f.data_type(), rows, nullable));
        RecordBatch::try_new(schema.clone(), columns.collect()).unwrap()
    };
    let whole = batch(1_003, true);
    let batches = vec![
        whole.clone(),
        batch(257, false),
        whole.slice(13, 100),
        whole.slice(1_000, 3),
        whole.slice(3, 1),
        whole.slice(0, 0),
        batch(0, true),
    ];
    travels(schema, batches).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_without_columns_keep_their_rows() {
    let schema = Arc::new(Schema::empty());
    let batch = |rows| {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(schema.clone(), Vec::new(), &options).unwrap()
    };
    travels(schema.clone(), vec![batch(5), batch(0), batch(1_000_000)]).await;
}

#[test]
fn dictionaries_are_refused_by_name() {
    let ty = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let schema = Arc::new(Schema::new(vec![Field::new("d", list(ty), true)]));
    let encoder = super::super::encode::BatchEncoder::new(&schema, Default::default());
    let error = encoder.err().unwrap();
    assert!(error.message().contains("column d"), "{error}");
}
