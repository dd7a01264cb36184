//! Messages read and written, beside what `prost-reflect` makes of the same bytes.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Float32Array, Float64Array,
    Int32Array, Int64Array, RecordBatch, StringViewArray,
};
use arrow::datatypes::{Float64Type, Int8Type, Int32Type, Int64Type};
use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};
use tidegate_connector_spec::FormatOptions;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_types::{Field, Result, SqlType, TypeKind};

use crate::format::{
    DecodeError, Decoded, DecoderContext, EncoderContext, Records, decoder, encoder,
};

const PROTO3: &str = r#"
syntax = "proto3";
package shop;
enum Kind { NONE = 0; BOOK = 1; SONG = 5; }
message Inner { int32 x = 1; repeated string names = 2; }
message Order {
  int32 i = 1; sint32 si = 2; fixed32 fi = 3; uint32 ui = 4;
  int64 l = 5; sint64 sl = 6; sfixed64 fl = 7;
  float f = 8; double d = 9; bool b = 10; string s = 11; bytes y = 12; Kind k = 13;
  Inner inner = 14;
  repeated int32 packed = 15; repeated sint64 loose = 16 [packed = false]; repeated Kind kinds = 17;
  map<string, Inner> by_name = 18; map<int32, double> by_number = 19;
  oneof choice { string left = 20; int32 right = 21; }
  optional int32 maybe = 22;
  repeated Inner inners = 1000;
}"#;

const PROTO2: &str = r#"
syntax = "proto2";
option java_package = "com.shop"; option java_outer_classname = "Things";
message Old {
  required int32 id = 1; optional string name = 2 [default = "nobody"]; optional Color color = 3 [default = GREEN];
  repeated int32 list = 4; optional Old next = 5; optional group G = 6 { optional int32 z = 7; }
  message Part { optional int64 n = 1 [default = -7]; }
  optional Part part = 8;
  enum Color { RED = 1; GREEN = 2; }
}"#;

fn options(schema: &str, message: &str, more: &[(&str, &str)]) -> FormatOptions {
    let mut pairs = vec![("schema", schema), ("message-class-name", message)];
    pairs.extend_from_slice(more);
    FormatOptions::new("protobuf", &pairs).unwrap()
}

fn decode(
    options: &FormatOptions,
    columns: &[Field],
    messages: &[&[u8]],
) -> Result<Decoded, DecodeError> {
    let context =
        DecoderContext { options, declared: columns, read: columns, metadata: &[], origin: "t" };
    let mut records = Records::new();
    for message in messages {
        assert!(records.push(Some(message)));
    }
    decoder(&context)?.decode(&records)
}

fn encode(options: &FormatOptions, columns: &[Field], rows: &RecordBatch) -> Result<Records> {
    let mut out = Records::new();
    encoder(&EncoderContext { options, columns, declared: columns, origin: "t" })?
        .encode(rows, &mut out)?;
    Ok(out)
}

fn array(element: SqlType) -> SqlType {
    TypeKind::Array(Box::new(element)).nullable()
}

fn inner() -> SqlType {
    let fields = vec![
        Field::new("x", TypeKind::Int.nullable()),
        Field::new("names", array(TypeKind::STRING.nullable())),
    ];
    TypeKind::Row(fields).nullable()
}

fn map(key: TypeKind, value: SqlType) -> SqlType {
    TypeKind::Map(Box::new(key.not_null()), Box::new(value)).nullable()
}

/// All fields, in another order than their numbers have.
fn columns() -> Vec<Field> {
    let (int, long, text) =
        (TypeKind::Int.nullable(), TypeKind::BigInt.nullable(), TypeKind::STRING.nullable());
    [
        ("maybe", int.clone()),
        ("i", int.clone()),
        ("si", int.clone()),
        ("fi", int.clone()),
        ("ui", int.clone()),
        ("l", long.clone()),
        ("sl", long.clone()),
        ("fl", long.clone()),
        ("f", TypeKind::Float.nullable()),
        ("d", TypeKind::Double.nullable()),
        ("b", TypeKind::Boolean.nullable()),
        ("s", text.clone()),
        ("y", TypeKind::BYTES.nullable()),
        ("k", text.clone()),
        ("inner", inner()),
        ("packed", array(int.clone())),
        ("loose", array(long)),
        ("kinds", array(TypeKind::TinyInt.nullable())),
        ("by_name", map(TypeKind::STRING, inner())),
        ("by_number", map(TypeKind::Int, TypeKind::Double.nullable())),
        ("left", text),
        ("right", int),
        ("inners", array(inner())),
    ]
    .map(|(name, ty)| Field::new(name, ty))
    .to_vec()
}

/// A message with a value in every field.
fn message() -> DynamicMessage {
    let options = options(PROTO3, "shop.Order", &[]);
    let descriptor = super::descriptor::message(&options).unwrap();
    let mut message = DynamicMessage::new(descriptor.clone());
    let inner = |x: i32| {
        let kind = descriptor.get_field_by_name("inner").unwrap().kind();
        let mut inner = DynamicMessage::new(kind.as_message().unwrap().clone());
        inner.set_field_by_name("x", Value::I32(x));
        let names = vec![Value::String("ä😀".into()), Value::String(String::new())];
        inner.set_field_by_name("names", Value::List(names));
        Value::Message(inner)
    };
    let list = |values: &[i32]| Value::List(values.iter().map(|v| Value::I32(*v)).collect());
    for (name, value) in [
        ("i", Value::I32(i32::MIN)),
        ("si", Value::I32(-7)),
        ("fi", Value::U32(u32::MAX)),
        ("ui", Value::U32(u32::MAX)),
        ("l", Value::I64(i64::MIN)),
        ("sl", Value::I64(i64::MIN)),
        ("fl", Value::I64(i64::MAX)),
        ("f", Value::F32(-0.5)),
        ("d", Value::F64(1e300)),
        ("b", Value::Bool(true)),
        ("s", Value::String("text".into())),
        ("y", Value::Bytes(vec![0, 255].into())),
        ("k", Value::EnumNumber(5)),
        ("inner", inner(1)),
        ("packed", list(&[1, -1, 300])),
        ("loose", Value::List(vec![Value::I64(-3), Value::I64(4)])),
        ("kinds", Value::List(vec![Value::EnumNumber(1), Value::EnumNumber(0)])),
        (
            "by_name",
            Value::Map([(prost_reflect::MapKey::String("one".to_owned()), inner(2))].into()),
        ),
        ("by_number", Value::Map([(prost_reflect::MapKey::I32(-1), Value::F64(0.0))].into())),
        ("right", Value::I32(0)),
        ("maybe", Value::I32(0)),
        ("inners", Value::List(vec![inner(3), inner(4)])),
    ] {
        message.set_field_by_name(name, value);
    }
    message
}

fn same_message(bytes: &[u8], expected: &DynamicMessage) {
    let found = DynamicMessage::decode(expected.descriptor(), bytes).unwrap();
    assert!(&found == expected, "{found}\n{expected}");
}

#[test]
fn every_field_is_read_and_written() {
    let (options, columns, message) = (options(PROTO3, "shop.Order", &[]), columns(), message());
    let bytes = message.encode_to_vec();
    let decoded = decode(&options, &columns, &[&bytes, &bytes]).unwrap();
    let column = |name: &str| decoded.rows.column_by_name(name).unwrap();
    assert_eq!(column("ui").as_primitive::<Int32Type>().values(), &[-1, -1]);
    assert_eq!(column("k").as_string_view().value(1), "SONG");
    assert_eq!(
        column("kinds").as_list::<i32>().value(1).as_primitive::<Int8Type>().values(),
        &[1, 0]
    );
    // In proto3 a scalar that is missing is its default, also in a oneof.
    assert_eq!(column("left").as_string_view().value(0), "");
    let mut written_columns = columns.clone();
    written_columns.retain(|column| column.name != "left");
    let kept: Vec<usize> =
        (0..columns.len()).filter(|index| columns[*index].name != "left").collect();
    let rows = decoded.rows.project(&kept).unwrap();
    let written = encode(&options, &written_columns, &rows).unwrap();
    same_message(written.get(1).unwrap(), &message);
}

#[test]
fn what_is_missing_is_null_or_a_default() {
    let columns = columns();
    let decoded = decode(&options(PROTO3, "shop.Order", &[]), &columns, &[&[]]).unwrap();
    let column = |name: &str| decoded.rows.column_by_name(name).unwrap();
    for null in ["inner", "packed", "loose", "kinds", "by_name", "by_number", "inners"] {
        assert!(column(null).is_null(0), "{null}");
    }
    assert_eq!(column("i").as_primitive::<Int32Type>().value(0), 0);
    assert_eq!(column("k").as_string_view().value(0), "NONE");
    assert_eq!(column("maybe").as_primitive::<Int32Type>().value(0), 0);
    let all = options(PROTO3, "shop.Order", &[("read-default-values", "true")]);
    let decoded = decode(&all, &columns, &[&[]]).unwrap();
    assert!(decoded.rows.columns().iter().all(|column| column.is_valid(0)));
    // In proto2 what is missing is NULL, unless defaults are asked for.
    let old = vec![
        Field::new("id", TypeKind::Int.not_null()),
        Field::new("name", TypeKind::STRING.nullable()),
        Field::new("color", TypeKind::STRING.nullable()),
        Field::new(
            "part",
            TypeKind::Row(vec![Field::new("n", TypeKind::BigInt.nullable())]).nullable(),
        ),
    ];
    let message = [8, 1, 0x33, 0x38, 1, 0x34, 24, 9];
    let decoded = decode(&options(PROTO2, "Old", &[]), &old, &[&message]).unwrap();
    assert_eq!(decoded.rows.column(0).as_primitive::<Int32Type>().value(0), 1);
    assert!((1..4).all(|column| decoded.rows.column(column).is_null(0)));
    let all = options(PROTO2, "com.shop.Things$Old", &[("read-default-values", "true")]);
    let decoded = decode(&all, &old, &[&message]).unwrap();
    assert_eq!(decoded.rows.column(1).as_string_view().value(0), "nobody");
    assert_eq!(decoded.rows.column(2).as_string_view().value(0), "GREEN");
    let part = decoded.rows.column(3).as_struct();
    assert_eq!(part.column(0).as_primitive::<Int64Type>().value(0), -7);
    let DecodeError::Record(bad) =
        decode(&options(PROTO2, "Old", &[]), &old[1..2], &[&message, &[]]).unwrap_err()
    else {
        panic!("the record is to blame")
    };
    assert_eq!((bad.record, bad.message.as_str()), (1, "the required field 'id' is missing"));
}

#[test]
fn values_of_a_field_follow_each_other_anywhere() {
    let options = options(PROTO3, "shop.Order", &[]);
    let columns: Vec<Field> = columns()
        .into_iter()
        .filter(|column| ["i", "inner", "packed", "by_number", "k"].contains(&column.name.as_str()))
        .collect();
    let mut bytes = Vec::new();
    // The last scalar counts, messages are merged, lists go on, packed or not, maps keep the last value of a key.
    for part in [
        &[8, 1][..],
        &[0x72, 2, 8, 9],
        &[0x78, 5],
        &[0x9a, 1, 11, 8, 7, 17, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f],
        &[0x7a, 2, 6, 7],
        &[8, 2],
        &[0x72, 3, 18, 1, b'n'],
        &[0x9a, 1, 2, 8, 7],
        &[0x68, 99],
    ] {
        bytes.extend_from_slice(part);
    }
    let decoded = decode(&options, &columns, &[&bytes]).unwrap();
    let column = |name: &str| decoded.rows.column_by_name(name).unwrap();
    assert_eq!(column("i").as_primitive::<Int32Type>().value(0), 2);
    let inner = column("inner").as_struct();
    assert_eq!(inner.column(0).as_primitive::<Int32Type>().value(0), 9);
    assert_eq!(inner.column(1).as_list::<i32>().value(0).as_string_view().value(0), "n");
    assert_eq!(
        column("packed").as_list::<i32>().value(0).as_primitive::<Int32Type>().values(),
        &[5, 6, 7]
    );
    let numbers = column("by_number").as_map();
    assert_eq!(numbers.value_length(0), 1);
    assert_eq!(numbers.values().as_primitive::<Float64Type>().value(0), 0.0);
    assert_eq!(column("k").as_string_view().value(0), "UNRECOGNIZED");
}

#[test]
fn nulls_are_left_out_and_stand_in_lists_as_defaults() {
    let columns = vec![
        Field::new("i", TypeKind::Int.nullable()),
        Field::new("left", TypeKind::STRING.nullable()),
        Field::new("right", TypeKind::Int.nullable()),
        Field::new("k", TypeKind::STRING.nullable()),
    ];
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![None, Some(0), Some(3)])),
        Arc::new(StringViewArray::from(vec![Some("l"), Some("l"), Some("l")])),
        Arc::new(Int32Array::from(vec![Some(0), None, Some(1)])),
        Arc::new(StringViewArray::from(vec![None, Some("no such"), Some("BOOK")])),
    ];
    let rows = RecordBatch::try_new(arrow_schema(&columns), arrays).unwrap();
    let written = encode(&options(PROTO3, "shop.Order", &[]), &columns, &rows).unwrap();
    // Of a oneof the last column counts; a zero is written only where its presence means something.
    let expected: [&[u8]; 3] = [&[0xa8, 1, 0], &[0xa2, 1, 1, b'l'], &[8, 3, 0x68, 1, 0xa8, 1, 1]];
    assert_eq!(written.iter().map(Option::unwrap).collect::<Vec<_>>(), expected);
    let columns = vec![Field::new("names", array(TypeKind::STRING.nullable()))];
    let names = arrow::array::ListArray::new(
        Arc::new(arrow::datatypes::Field::new("item", arrow::datatypes::DataType::Utf8View, true)),
        arrow::buffer::OffsetBuffer::from_lengths([2]),
        Arc::new(StringViewArray::from(vec![None, Some("b")])),
        None,
    );
    let schema = arrow_schema(&columns);
    let names = arrow::compute::cast(&names, schema.field(0).data_type()).unwrap();
    let rows = RecordBatch::try_new(schema, vec![names]).unwrap();
    let options = options(PROTO3, "shop.Inner", &[("write-null-string-literal", "nil")]);
    let written = encode(&options, &columns, &rows).unwrap();
    assert_eq!(written.get(0).unwrap(), b"\x12\x03nil\x12\x01b");
}

#[test]
fn what_does_not_fit_is_refused_with_its_place() {
    let refused = |options: &FormatOptions, column: Field| {
        decode(options, &[column], &[]).map(|_| ()).unwrap_err()
    };
    let order = options(PROTO3, "shop.Order", &[]);
    for (column, message) in [
        (
            Field::new("nope", TypeKind::Int.nullable()),
            "column nope: message shop.Order has no such field",
        ),
        (
            Field::new("i", TypeKind::BigInt.nullable()),
            "field 'i' is of the type int32, which is INT",
        ),
        (Field::new("inner", TypeKind::Int.nullable()), "field 'inner' is a message shop.Inner"),
        (Field::new("packed", TypeKind::Int.nullable()), "field 'packed' is an ARRAY"),
        (Field::new("by_name", TypeKind::Int.nullable()), "field 'by_name' is a MAP"),
        (
            Field::new(
                "inner",
                TypeKind::Row(vec![Field::new("z", TypeKind::Int.nullable())]).nullable(),
            ),
            "column inner.z: message shop.Inner has no such field",
        ),
    ] {
        let DecodeError::Other(error) = refused(&order, column) else { panic!("an option") };
        assert!(error.to_string().contains(message), "{error}");
    }
    let column = || Field::new("i", TypeKind::Int.nullable());
    for (options, message) in [
        (options(PROTO3, "shop.Nope", &[]), "there is no message 'shop.Nope'"),
        (options("message {", "x", &[]), "'protobuf.schema'"),
        (options("/nowhere/x.proto", "x", &[]), "'protobuf.schema'"),
        (FormatOptions::new("protobuf", &[("message-class-name", "x")]).unwrap(), "set either"),
        (options(PROTO3, "x", &[("descriptor-set", "/nowhere")]), "set one of"),
        (
            FormatOptions::new("protobuf", &[("schema", PROTO3)]).unwrap(),
            "'protobuf.message-class-name' is needed",
        ),
    ] {
        let DecodeError::Other(error) = refused(&options, column()) else { panic!("an option") };
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn a_descriptor_set_does_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let proto = folder.path().join("shop.proto");
    std::fs::write(&proto, PROTO3).unwrap();
    let set = protox::compile([&proto], [folder.path()]).unwrap();
    let path = folder.path().join("shop.desc");
    std::fs::write(&path, set.encode_to_vec()).unwrap();
    let columns = vec![Field::new("i", TypeKind::Int.nullable())];
    let pairs =
        [("descriptor-set", path.to_str().unwrap()), ("message-class-name", "shop.Shop.Order")];
    let by_set = FormatOptions::new("protobuf", &pairs).unwrap();
    let by_path = options(proto.to_str().unwrap(), "shop.Order", &[]);
    for options in [by_set, by_path] {
        let decoded = decode(&options, &columns, &[&[8, 5]]).unwrap();
        assert_eq!(decoded.rows.column(0).as_primitive::<Int32Type>().value(0), 5);
    }
}

/// Messages cut and with bytes changed by a fixed generator: read as `prost-reflect` reads them, or refused.
#[test]
fn garbage_is_refused_or_read() {
    let (options, columns) = (options(PROTO3, "shop.Order", &[]), columns());
    let whole = message().encode_to_vec();
    let descriptor = message().descriptor();
    let mut seed = 5_u64;
    let mut next = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % bound
    };
    let ignoring = self::options(PROTO3, "shop.Order", &[("ignore-parse-errors", "true")]);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..4_000 {
        let mut bytes = whole.clone();
        bytes.truncate(bytes.len() - next(2) * next(bytes.len()));
        let changes = next(4);
        for _ in 0..changes {
            if !bytes.is_empty() {
                let at = next(bytes.len());
                bytes[at] = next(256) as u8;
            }
        }
        match decode(&options, &columns, &[&bytes, &whole]) {
            Ok(decoded) => {
                read += 1;
                assert_eq!(decoded.rows.num_rows(), 2);
                // It does not pass over maps of another wire type, as the encoding's rules have it.
                let reference = DynamicMessage::decode(descriptor.clone(), bytes.as_slice());
                if let (0, Ok(message)) = (changes, reference) {
                    let i = message.get_field_by_name("i").unwrap().as_i32().unwrap();
                    let found = decoded.rows.column_by_name("i").unwrap();
                    assert_eq!(found.as_primitive::<Int32Type>().value(0), i);
                }
            }
            Err(DecodeError::Record(bad)) => {
                refused += 1;
                assert_eq!(bad.record, 0);
                let decoded = decode(&ignoring, &columns, &[&whole, &bytes, &whole]).unwrap();
                assert_eq!((decoded.rows.num_rows(), decoded.bad_records), (2, 1));
                assert_eq!(decoded.origin(1), 2);
            }
            Err(DecodeError::Other(error)) => panic!("{error}"),
        }
    }
    assert!(read > 100 && refused > 100, "{read} {refused}");
}

#[test]
fn scalars_survive_with_their_edges() {
    let columns: Vec<Field> = columns()
        .into_iter()
        .filter(|column| ["i", "l", "f", "d", "b", "s", "y"].contains(&column.name.as_str()))
        .collect();
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![i32::MIN, i32::MAX, -1])),
        Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX, -1])),
        Arc::new(Float32Array::from(vec![f32::MIN, -0.0, f32::INFINITY])),
        Arc::new(Float64Array::from(vec![f64::MIN, -0.0, f64::NEG_INFINITY])),
        Arc::new(BooleanArray::from(vec![true, false, true])),
        Arc::new(StringViewArray::from(vec!["ä😀", "", "a long text that is not inlined"])),
        Arc::new(BinaryViewArray::from(vec![&b"\x00"[..], b"", b"\xff\xfe"])),
    ];
    let rows = RecordBatch::try_new(arrow_schema(&columns), arrays).unwrap();
    let options = options(PROTO3, "shop.Order", &[]);
    let written = encode(&options, &columns, &rows).unwrap();
    let messages: Vec<&[u8]> = written.iter().map(Option::unwrap).collect();
    assert_eq!(decode(&options, &columns, &messages).unwrap().rows, rows);
}
