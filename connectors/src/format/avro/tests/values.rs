//! Values of all types, edges included.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, Float32Array,
    Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, ListArray, MapArray,
    StringViewArray, StructArray, Time32MillisecondArray, TimestampMicrosecondArray,
    TimestampMillisecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Int32Type};
use tidegate_plan::arrow_type::data_type;
use tidegate_types::TypeKind;

use super::*;

#[test]
fn scalars_survive_with_their_edges() {
    let cases: Vec<(TypeKind, ArrayRef)> = vec![
        (TypeKind::Boolean, Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        (TypeKind::TinyInt, Arc::new(Int8Array::from(vec![Some(i8::MIN), None, Some(i8::MAX)]))),
        (
            TypeKind::SmallInt,
            Arc::new(Int16Array::from(vec![Some(i16::MIN), None, Some(i16::MAX)])),
        ),
        (TypeKind::Int, Arc::new(Int32Array::from(vec![Some(i32::MIN), None, Some(i32::MAX)]))),
        (TypeKind::BigInt, Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(i64::MAX)]))),
        (
            TypeKind::Float,
            Arc::new(Float32Array::from(vec![Some(f32::MIN_POSITIVE), None, Some(-0.0)])),
        ),
        (
            TypeKind::Double,
            Arc::new(Float64Array::from(vec![Some(f64::INFINITY), None, Some(1e-300)])),
        ),
        (
            TypeKind::Decimal { precision: 38, scale: 4 },
            Arc::new(
                Decimal128Array::from(vec![Some(10_i128.pow(38) - 1), None, Some(-129)])
                    .with_precision_and_scale(38, 4)
                    .unwrap(),
            ),
        ),
        (TypeKind::STRING, Arc::new(StringViewArray::from(vec![Some("ä😀\"\n"), None, Some("")]))),
        (
            TypeKind::BYTES,
            Arc::new(BinaryViewArray::from(vec![Some(&b"\x00\xff\x80"[..]), None, Some(b"")])),
        ),
        (TypeKind::Date, Arc::new(Date32Array::from(vec![Some(-719_162), None, Some(2_932_896)]))),
        (
            TypeKind::Time { precision: 3 },
            Arc::new(Time32MillisecondArray::from(vec![Some(0), None, Some(86_399_999)])),
        ),
        (
            TypeKind::timestamp(3),
            Arc::new(TimestampMillisecondArray::from(vec![
                Some(-1),
                None,
                Some(253_402_300_799_999),
            ])),
        ),
    ];
    for (kind, array) in cases {
        let columns = [field("c", kind.nullable())];
        roundtrip(&[], &columns, &batch(&columns, vec![array]));
    }
    let correct = [("timestamp_mapping.legacy", "false")];
    let micros = TimestampMicrosecondArray::from(vec![Some(-1), None, Some(i64::MAX)]);
    let columns = [field("c", TypeKind::timestamp(6).nullable())];
    roundtrip(&correct, &columns, &batch(&columns, vec![Arc::new(micros.clone())]));
    let columns = [field("c", TypeKind::timestamp_ltz(6).nullable())];
    let zoned = Arc::new(micros.with_timezone("UTC"));
    roundtrip(&correct, &columns, &batch(&columns, vec![zoned]));
}

#[test]
fn nested_values_survive() {
    let inner = vec![
        field("x", TypeKind::Int.not_null()),
        field("y", TypeKind::Array(Box::new(TypeKind::Int.nullable())).nullable()),
    ];
    let row = TypeKind::Row(inner).nullable();
    let map = TypeKind::Map(Box::new(TypeKind::STRING.not_null()), Box::new(row.clone()));
    let columns = [field("m", map.nullable()), field("r", row.clone())];
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
    ]);
    let DataType::Struct(fields) = data_type(&row) else { panic!("a row") };
    let nulls = NullBuffer::from(vec![true, false, true]);
    let DataType::List(element) = fields[1].data_type() else { panic!("a list") };
    let (_, offsets, values, list_nulls) = lists.into_parts();
    let lists = ListArray::new(Arc::clone(element), offsets, values, list_nulls);
    let rows: ArrayRef = Arc::new(StructArray::new(
        fields,
        vec![Arc::new(Int32Array::from(vec![7, 0, -7])), Arc::new(lists)],
        Some(nulls),
    ));
    let DataType::Map(entries, _) = data_type(&columns[0].ty) else { panic!("a map") };
    let DataType::Struct(entry_fields) = entries.data_type().clone() else { panic!("entries") };
    let keys: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "b", "c"]));
    let maps = MapArray::new(
        entries,
        OffsetBuffer::new(vec![0, 2, 2, 3].into()),
        StructArray::new(entry_fields, vec![keys, Arc::clone(&rows)], None),
        None,
        false,
    );
    let rows = batch(&columns, vec![Arc::new(maps), rows]);
    roundtrip(&[], &columns, &rows);
    // Only a field of the row is read.
    let records = encode(&[], &columns, &rows).unwrap();
    let read = [field("r", TypeKind::Row(vec![field("x", TypeKind::Int.not_null())]).nullable())];
    let decoded = decode(&[], &columns, &read, &records).unwrap();
    assert_eq!((decoded.rows.num_columns(), decoded.rows.num_rows()), (1, 3));
    let none = decode(&[], &columns, &[], &records).unwrap();
    assert_eq!((none.rows.num_columns(), none.rows.num_rows()), (0, 3));
}

#[test]
fn the_declaration_decides_what_may_be_null() {
    // A query gives what is NOT NULL, the column may be NULL.
    let (given, declared) =
        ([field("n", TypeKind::Int.not_null())], [field("n", TypeKind::Int.nullable())]);
    let options = options(&[]);
    let context =
        EncoderContext { options: &options, columns: &given, declared: &declared, origin: "t" };
    let rows = batch(&given, vec![Arc::new(Int32Array::from(vec![5]))]);
    let mut records = Records::new();
    encoder(&context).unwrap().encode(&rows, &mut records).unwrap();
    assert_eq!(records.get(0), Some(&[2, 10][..]));
}

#[test]
fn what_avro_does_not_hold_is_refused() {
    let refused = |pairs: &[(&str, &str)], ty: SqlType| {
        let columns = [field("c", ty)];
        let options = options(pairs);
        let context = EncoderContext {
            options: &options,
            columns: &columns,
            declared: &columns,
            origin: "t",
        };
        encoder(&context).err().unwrap().to_string()
    };
    assert!(refused(&[], TypeKind::timestamp(6).nullable()).contains("legacy mapping"));
    assert!(refused(&[], TypeKind::timestamp_ltz(3).nullable()).contains("legacy mapping"));
    let correct = [("timestamp_mapping.legacy", "false")];
    assert!(refused(&correct, TypeKind::timestamp(9).nullable()).contains("microseconds at most"));
    let key = Box::new(TypeKind::Int.not_null());
    let map = TypeKind::Map(key, Box::new(TypeKind::Int.nullable()));
    assert!(refused(&[], map.nullable()).contains("text keys"));
    let spaced = [field("a b", TypeKind::Int.nullable())];
    let options = options(&[]);
    let context =
        EncoderContext { options: &options, columns: &spaced, declared: &spaced, origin: "t" };
    assert!(encoder(&context).err().unwrap().to_string().contains("letters"));
}

#[test]
fn a_tombstone_gives_no_row_and_a_cut_record_is_named() {
    let columns = [field("n", TypeKind::Int.nullable()), field("s", TypeKind::STRING.nullable())];
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![1, 2])),
        Arc::new(StringViewArray::from(vec!["one", "two"])),
    ];
    let written = encode(&[], &columns, &batch(&columns, arrays)).unwrap();
    let mut records = Records::new();
    assert!(records.push(written.get(0)) && records.push(None) && records.push(written.get(1)));
    let decoded = decode(&[], &columns, &columns, &records).unwrap();
    assert_eq!((decoded.rows.num_rows(), decoded.origin(1)), (2, 2));
    let whole = written.get(1).unwrap();
    for length in 0..whole.len() {
        let mut records = Records::new();
        assert!(records.push(written.get(0)) && records.push(Some(&whole[..length])));
        let DecodeError::Record(bad) = decode(&[], &columns, &columns, &records).unwrap_err()
        else {
            panic!("a record is to blame")
        };
        assert_eq!((bad.record, bad.message.as_str()), (1, "the record ends too early"));
    }
}

/// Bytes changed by a fixed generator: whatever comes of it, it is no panic, and takes no endless time or memory.
#[test]
fn garbage_is_refused_or_read() {
    let row =
        TypeKind::Row(vec![field("x", TypeKind::Decimal { precision: 9, scale: 2 }.nullable())]);
    let columns = [
        field("a", TypeKind::Array(Box::new(row.nullable())).nullable()),
        field(
            "m",
            TypeKind::Map(
                Box::new(TypeKind::STRING.not_null()),
                Box::new(TypeKind::Date.nullable()),
            )
            .nullable(),
        ),
        field("s", TypeKind::STRING.nullable()),
        field("t", TypeKind::timestamp(3).nullable()),
    ];
    let mut seed = 11_u64;
    let mut next = |bound: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % bound
    };
    for _ in 0..20_000 {
        let mut records = Records::new();
        let bytes: Vec<u8> = (0..next(40))
            .map(|_| if next(3) == 0 { next(256) as u8 } else { next(6) as u8 })
            .collect();
        assert!(records.push(Some(&bytes)));
        for encoding in ["binary", "json"] {
            match decode(&[("encoding", encoding)], &columns, &columns, &records) {
                Ok(decoded) => assert_eq!(decoded.rows.num_rows(), 1),
                Err(DecodeError::Record(_)) => {}
                Err(DecodeError::Other(error)) => panic!("{error}"),
            }
        }
    }
}
