//! Records of other schemas than the table's.

use arrow::array::{Array, AsArray, Int64Array};
use arrow::datatypes::{
    Decimal128Type, Float64Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMillisecondType,
};
use tidegate_types::TypeKind;

use super::*;
use crate::format::avro::codec::Codec;
use crate::format::avro::container::{FileSettings, Head};
use crate::format::avro::{Columns, Plan, json};

/// Reads records that were written in JSON with a schema.
fn read(writer: &str, records: &[&str], columns: &[Field], reader: Option<&str>) -> RecordBatch {
    let writer = schema(writer);
    let reader = reader.map(schema);
    let plan = Plan::new(Arc::clone(&writer), columns, reader.as_ref()).unwrap();
    let mut read = Columns::new(columns).unwrap();
    for record in records {
        let bytes = json::record_to_binary(&writer, record.as_bytes()).unwrap();
        read.push(&plan, &bytes).unwrap();
    }
    read.finish().unwrap()
}

fn refused(writer: &str, columns: &[Field]) -> String {
    Plan::new(schema(writer), columns, None).unwrap_err().to_string()
}

const OLD: &str = r#"{"type":"record","name":"R","fields":[
    {"name":"gone","type":{"type":"map","values":["null","R"]}},
    {"name":"n","type":"int"},
    {"name":"f","type":"float"},
    {"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]}},
    {"name":"u","type":["string","long","null"]},
    {"name":"d","type":{"type":"fixed","name":"F","size":3,"logicalType":"decimal","precision":6,"scale":1}}]}"#;

#[test]
fn fields_are_dropped_reordered_promoted_and_added() {
    let columns = [
        field("d", TypeKind::Decimal { precision: 8, scale: 3 }.nullable()),
        field("added", TypeKind::STRING.nullable()),
        field("e", TypeKind::STRING.not_null()),
        field("f", TypeKind::Double.not_null()),
        field("n", TypeKind::BigInt.not_null()),
    ];
    let record = r#"{"gone":{"a":null,"b":{"R":{"gone":{},"n":1,"f":0,"e":"A","u":null,"d":"\u0000\u0000\u0000"}}},
        "n":-5,"f":0.5,"e":"B","u":{"long":3},"d":"\u00ff\u00ff\u00f1"}"#;
    let rows = read(OLD, &[record, record], &columns, None);
    assert_eq!(rows.column(0).as_primitive::<Decimal128Type>().value(1), -1_500);
    assert!(rows.column(1).is_null(0));
    assert_eq!(rows.column(2).as_string_view().value(1), "B");
    assert_eq!(rows.column(3).as_primitive::<Float64Type>().value(0), 0.5);
    assert_eq!(rows.column(4).as_primitive::<Int64Type>().values(), &[-5, -5]);
}

#[test]
fn defaults_and_aliases_come_from_the_schema_of_the_reader() {
    let reader = r#"{"type":"record","name":"R","fields":[
        {"name":"number","aliases":["n"],"type":"long"},
        {"name":"list","type":{"type":"array","items":"int"},"default":[1,2]},
        {"name":"text","type":["string","null"],"default":"none"}]}"#;
    let columns = [
        field("number", TypeKind::BigInt.not_null()),
        field("list", TypeKind::Array(Box::new(TypeKind::Int.not_null())).not_null()),
        field("text", TypeKind::STRING.nullable()),
    ];
    let writer = r#"{"type":"record","name":"R","fields":[{"name":"n","type":"int"}]}"#;
    let rows = read(writer, &[r#"{"n":1}"#, r#"{"n":2}"#], &columns, Some(reader));
    assert_eq!(rows.column(0).as_primitive::<Int64Type>().values(), &[1, 2]);
    assert_eq!(
        rows.column(1).as_list::<i32>().value(1).as_primitive::<Int32Type>().values(),
        &[1, 2]
    );
    assert_eq!(rows.column(2).as_string_view().value(1), "none");
}

#[test]
fn times_are_converted_by_what_the_writer_says() {
    let writer = r#"{"type":"record","name":"R","fields":[
        {"name":"a","type":{"type":"long","logicalType":"timestamp-micros"}},
        {"name":"b","type":"long"},
        {"name":"c","type":{"type":"long","logicalType":"time-micros"}}]}"#;
    let columns = [
        field("a", TypeKind::timestamp(3).not_null()),
        field("b", TypeKind::timestamp(3).not_null()),
        field("c", TypeKind::Time { precision: 0 }.not_null()),
    ];
    let rows = read(writer, &[r#"{"a":-1500,"b":7,"c":86399999999}"#], &columns, None);
    assert_eq!(rows.column(0).as_primitive::<TimestampMillisecondType>().value(0), -2);
    assert_eq!(rows.column(1).as_primitive::<TimestampMillisecondType>().value(0), 7);
    assert_eq!(rows.column(2).as_primitive::<Time32MillisecondType>().value(0), 86_399_999);
}

#[test]
fn what_cannot_be_resolved_is_said_with_its_column() {
    for (column, message) in [
        (
            field("added", TypeKind::Int.not_null()),
            "column added: the schema of the records has no such field",
        ),
        (field("n", TypeKind::STRING.nullable()), "column n: the records have the type int"),
        (field("f", TypeKind::BigInt.nullable()), "the type float"),
        (field("e", TypeKind::Int.nullable()), "the type E"),
        (field("u", TypeKind::Boolean.nullable()), "column u: the records have the type"),
    ] {
        let error = refused(OLD, &[column]);
        assert!(error.contains(message), "{error}");
    }
    assert!(refused(r#""int""#, &[]).contains("no record"));
    // A union is read as far as its values can be.
    let writer = schema(
        r#"{"type":"record","name":"R","fields":[{"name":"u","type":["string","long","null"]}]}"#,
    );
    let columns = [field("u", TypeKind::BigInt.nullable())];
    let plan = Plan::new(Arc::clone(&writer), &columns, None).unwrap();
    let mut rows = Columns::new(&columns).unwrap();
    let push = |rows: &mut Columns, text: &str| {
        rows.push(&plan, &json::record_to_binary(&writer, text.as_bytes()).unwrap())
    };
    push(&mut rows, r#"{"u":{"long":3}}"#).unwrap();
    push(&mut rows, r#"{"u":null}"#).unwrap();
    let error = push(&mut rows, r#"{"u":{"string":"x"}}"#).unwrap_err();
    assert!(error.contains("a value of type string cannot be read as BIGINT"), "{error}");
}

#[test]
fn records_that_hold_themselves_end() {
    let writer =
        schema(r#"{"type":"record","name":"R","fields":[{"name":"r","type":["null","R"]}]}"#);
    let plan = Plan::new(writer, &[], None).unwrap();
    let mut rows = Columns::new(&[]).unwrap();
    assert!(rows.push(&plan, &[2; 100_000]).unwrap_err().contains("nested deeper"));
    assert!(rows.push(&plan, &[2, 2, 0]).is_ok());
}

#[test]
fn files_are_read_block_by_block_in_any_pieces() {
    let columns = [field("n", TypeKind::BigInt.not_null())];
    let values: Vec<i64> = (0..60_000).collect();
    let rows = batch(&columns, vec![Arc::new(Int64Array::from(values.clone()))]);
    for codec in ["null", "snappy", "zstandard", "xz"] {
        let settings =
            FileSettings::new(&options(&[("codec", codec)]), &columns, &columns).unwrap();
        let mut writer = settings.file("a");
        let mut file = writer.encode(&tidegate_engine::Changes::append(rows.clone())).unwrap();
        file.extend(writer.flush().unwrap());
        for length in [0, 3, 4, 20] {
            assert!(Head::read(&file[..length], false).unwrap().is_none());
        }
        let head = Head::read(&file, true).unwrap().unwrap();
        let mut blocks = head.reader(&columns).unwrap();
        let (mut at, mut found, mut count) = (head.length, Vec::new(), 0);
        while at < file.len() {
            assert_eq!(blocks.open(&file[at..at + 10], false).unwrap(), None);
            at += blocks.open(&file[at..], true).unwrap().unwrap();
            count += 1;
            while blocks.is_open() {
                let rows = blocks.rows(1_000).unwrap().unwrap();
                found.extend_from_slice(rows.column(0).as_primitive::<Int64Type>().values());
            }
        }
        assert!(found == values && count > 1, "{codec}: {count}");
        let last = file.len() - 1;
        file[last] ^= 1;
        assert!(blocks.open(&file[head.length..], true).is_ok());
        assert!(Head::read(&file[1..], true).unwrap_err().contains("no Avro file"));
        assert!(Codec::named(codec).is_some());
    }
}
