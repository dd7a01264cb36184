//! Records of each format to rows and back. What Flink says of the same is in `integration-tests/flink/recorded`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int8Array, Int32Array, Int64Array, RecordBatch};
use arrow::datatypes::{TimestampMicrosecondType, TimestampMillisecondType};
use tidegate_connector_spec::{FormatOptions, format};
use tidegate_engine::element::Changes;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_plan::operator::MetadataColumn;
use tidegate_types::{Field, TypeKind};

use crate::format::{
    DecodeError, Decoded, DecoderContext, EncoderContext, Records, decoder, encoder,
};

const FORMATS: [&str; 4] = ["debezium-json", "canal-json", "maxwell-json", "ogg-json"];

fn columns() -> Vec<Field> {
    vec![
        Field::new("id", TypeKind::Int.not_null()),
        Field::new("name", TypeKind::STRING.nullable()),
    ]
}

fn decode_as(
    name: &str,
    options: &[(&str, &str)],
    columns: &[Field],
    metadata: &[MetadataColumn],
    lines: &[&[u8]],
) -> Result<Decoded, DecodeError> {
    let options = FormatOptions::new(name, options).unwrap();
    let context = DecoderContext {
        options: &options,
        declared: columns,
        read: columns,
        metadata,
        origin: "t",
    };
    let mut records = Records::new();
    for line in lines {
        assert!(records.push(Some(line)));
    }
    decoder(&context).unwrap().decode(&records)
}

fn decode(name: &str, options: &[(&str, &str)], lines: &[&str]) -> Result<Decoded, DecodeError> {
    let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
    decode_as(name, options, &columns(), &[], &lines)
}

/// Kind, id and name of each row.
fn rows(decoded: &Decoded) -> Vec<(i8, i32, Option<String>)> {
    let kinds = decoded.kinds.as_ref().unwrap();
    let ids = decoded.rows.column(0).as_any().downcast_ref::<Int32Array>().unwrap();
    let names = decoded.rows.column(1).as_string_view();
    let name = |row| names.is_valid(row).then(|| names.value(row).to_owned());
    (0..kinds.len()).map(|row| (kinds.value(row), ids.value(row), name(row))).collect()
}

fn row(kind: i8, id: i32, name: &str) -> (i8, i32, Option<String>) {
    (kind, id, (name != "-").then(|| name.to_owned()))
}

fn fault(decoded: Result<Decoded, DecodeError>) -> (usize, String) {
    let DecodeError::Record(bad) = decoded.unwrap_err() else { panic!("a record is to blame") };
    (bad.record, bad.message)
}

const LINES: &[&str] = &[
    r#"{"before":null,"after":{"id":1,"name":"a"},"op":"c","ts_ms":5}"#,
    r#"{"before":{"id":1,"name":"a"},"after":{"id":1,"name":"b"},"op":"u"}"#,
    r#"{"before":{"id":1,"name":"b"},"after":null,"op":"d"}"#,
    r#"{"before":null,"after":{"id":2,"name":null},"op":"r"}"#,
];

#[test]
fn operations_give_changes_and_their_records() {
    let decoded = decode("debezium-json", &[], LINES).unwrap();
    assert_eq!(decoded.kinds.as_ref().unwrap().values(), &[0, 1, 2, 3, 0]);
    let ids = decoded.rows.column(0).as_any().downcast_ref::<Int32Array>().unwrap();
    assert_eq!(ids.values(), &[1, 1, 1, 1, 2]);
    let names: Vec<_> = decoded.rows.column(1).as_string_view().iter().collect();
    assert_eq!(names, [Some("a"), Some("a"), Some("b"), Some("b"), None]);
    assert_eq!((0..5).map(|row| decoded.origin(row)).collect::<Vec<_>>(), [0, 1, 1, 2, 3]);
}

#[test]
fn an_envelope_may_carry_its_schema() {
    let line = format!(r#"{{"schema":{{"type":"struct"}},"payload":{}}}"#, LINES[1]);
    let decoded = decode("debezium-json", &[("schema-include", "true")], &[&line]).unwrap();
    assert_eq!(decoded.kinds.unwrap().values(), &[1, 2]);
    let bare = r#"{"schema":{"type":"struct"}}"#;
    let DecodeError::Record(error) =
        decode("debezium-json", &[("schema-include", "true")], &[&line, bare]).unwrap_err()
    else {
        panic!("the record is to blame")
    };
    assert_eq!(error.record, 1);
    assert!(error.message.contains("no \"payload\""), "{}", error.message);
}

#[test]
fn what_is_wrong_is_named_or_skipped() {
    let bad = r#"{"before":null,"after":{"id":1,"name":"b"},"op":"u"}"#;
    let DecodeError::Record(error) = decode("debezium-json", &[], &[LINES[0], bad]).unwrap_err()
    else {
        panic!("the record is to blame")
    };
    assert_eq!(error.record, 1);
    assert!(error.message.contains("REPLICA IDENTITY FULL"), "{}", error.message);
    let unknown = r#"{"before":null,"after":null,"op":"t"}"#;
    let options = &[("ignore-parse-errors", "true")];
    let decoded = decode("debezium-json", options, &[bad, unknown, LINES[0]]).unwrap();
    assert_eq!((decoded.rows.num_rows(), decoded.bad_records), (1, 2));
}

#[test]
fn canal_has_many_rows_and_partial_old_ones() {
    let lines = [
        r#"{"data":[{"id":1,"name":"a"},{"id":2,"name":null}],"old":null,"type":"INSERT"}"#,
        // The first names what was NULL, the second leaves what did not change out.
        r#"{"data":[{"id":1,"name":"b"},{"id":3,"name":"c"}],"old":[{"name":null},{"id":"2"}],"type":"UPDATE"}"#,
        r#"{"data":null,"type":"CREATE","sql":"create table t"}"#,
        r#"{"data":[{"id":"3","name":"c"}],"type":"DELETE"}"#,
    ];
    let decoded = decode("canal-json", &[], &lines).unwrap();
    assert_eq!(
        rows(&decoded),
        [
            row(0, 1, "a"),
            row(0, 2, "-"),
            row(1, 1, "-"),
            row(2, 1, "b"),
            row(1, 2, "c"),
            row(2, 3, "c"),
            row(3, 3, "c"),
        ]
    );
    let origins: Vec<_> = (0..7).map(|row| decoded.origin(row)).collect();
    assert_eq!(origins, [0, 0, 1, 1, 1, 1, 3]);
    for (line, message) in [
        (r#"{"data":[{"id":1}],"old":[],"type":"UPDATE"}"#, "'old' is missing"),
        (r#"{"data":[{"id":1}],"type":"UPDATE"}"#, "'old' is missing"),
        (r#"{"data":[null],"type":"INSERT"}"#, "'data' is missing"),
        (r#"{"data":[],"type":"ALTER"}"#, "'type' is 'ALTER'"),
        (r#"[{"data":[],"type":"INSERT"}]"#, "an array of changes"),
        (r#"{"data":[{"id":"x"}],"type":"INSERT"}"#, "is not a value of type INT"),
    ] {
        let (record, found) = fault(decode("canal-json", &[], &[lines[0], line]));
        assert!(record == 1 && found.contains(message), "{record}: {found}");
        // A field that cannot be read becomes NULL; `id` cannot.
        let ignoring = decode("canal-json", &[("ignore-parse-errors", "true")], &[line, lines[0]]);
        if !line.contains("\"x\"") {
            let ignoring = ignoring.unwrap();
            assert_eq!((ignoring.rows.num_rows(), ignoring.bad_records), (2, 1), "{line}");
        }
    }
}

#[test]
fn changes_of_other_tables_are_not_looked_at() {
    let lines = [
        r#"{"data":[{"id":"no number"}],"database":"db","table":"other","type":"INSERT"}"#,
        r#"{"data":[{"id":1,"name":"a"}],"database":"db","table":"users_1","type":"INSERT"}"#,
        r#"{"data":[{"id":2,"name":"a"}],"database":"xdb","table":"users_1","type":"INSERT"}"#,
        r#"{"data":[{"id":3,"name":"a"}],"database":"db","table":"users_2","type":"INSERT"}"#,
    ];
    let options = [("database.include", "db|other"), ("table.include", "users_.")];
    let decoded = decode("canal-json", &options, &lines).unwrap();
    assert_eq!(rows(&decoded), [row(0, 1, "a"), row(0, 3, "a")]);
    assert_eq!((decoded.origin(0), decoded.origin(1)), (1, 3));
    let bad = r#"{"data":[{"id":"x"}],"database":"db","table":"users_1","type":"INSERT"}"#;
    assert_eq!(fault(decode("canal-json", &options, &[lines[0], bad])).0, 1);
    let nowhere = r#"{"data":[{"id":1}],"type":"INSERT"}"#;
    let (record, message) = fault(decode("canal-json", &options, &[lines[0], nowhere]));
    assert!(record == 1 && message.contains("'database'"), "{message}");
    let context_options = FormatOptions::new("canal-json", &[("table.include", "(")]).unwrap();
    let columns = columns();
    let context = DecoderContext {
        options: &context_options,
        declared: &columns,
        read: &columns,
        metadata: &[],
        origin: "t",
    };
    let refused = decoder(&context).err().unwrap().to_string();
    assert!(refused.contains("canal-json.table.include"), "{refused}");
}

#[test]
fn maxwell_and_ogg_have_one_row_each() {
    let maxwell = [
        r#"{"data":{"id":1,"name":"a"},"type":"insert"}"#,
        r#"{"data":{"id":1,"name":"b"},"old":{"name":null},"type":"update"}"#,
        r#"{"data":{"id":2,"name":"b"},"old":{"id":1},"type":"update"}"#,
        r#"{"data":{"id":2,"name":"b"},"type":"delete"}"#,
    ];
    let changed = [
        row(0, 1, "a"),
        row(1, 1, "-"),
        row(2, 1, "b"),
        row(1, 1, "b"),
        row(2, 2, "b"),
        row(3, 2, "b"),
    ];
    assert_eq!(rows(&decode("maxwell-json", &[], &maxwell).unwrap()), changed);
    let ogg = [
        r#"{"after":{"id":1,"name":"a"},"op_type":"I"}"#,
        r#"{"before":{"id":1,"name":null},"after":{"id":1,"name":"b"},"op_type":"U"}"#,
        r#"{"before":{"id":1,"name":"b"},"after":{"id":2,"name":"b"},"op_type":"U"}"#,
        r#"{"before":{"id":2,"name":"b"},"op_type":"D"}"#,
    ];
    assert_eq!(rows(&decode("ogg-json", &[], &ogg).unwrap()), changed);
    let (_, message) = fault(decode("ogg-json", &[], &[r#"{"op_type":"T"}"#]));
    assert!(message.contains("I, U, D"), "{message}");
    let (_, message) = fault(decode("ogg-json", &[], &[r#"{"op_type":"D"}"#]));
    assert!(message.contains("REPLICA IDENTITY"), "{message}");
}

fn metadata_of(name: &str, options: &[(&str, &str)], line: &str) -> Vec<ArrayRef> {
    let all = format(name).unwrap().metadata.iter();
    let column = |spec: &tidegate_connector_spec::MetadataSpec| MetadataColumn {
        key: spec.key.to_owned(),
        field: Field::new(spec.key, (spec.ty)()),
    };
    let metadata: Vec<_> = all.map(column).collect();
    let decoded = decode_as(name, options, &columns(), &metadata, &[line.as_bytes()]).unwrap();
    assert!(decoded.metadata.iter().all(|column| column.len() == decoded.rows.num_rows()));
    decoded.metadata
}

fn text(column: &ArrayRef) -> &str {
    column.as_string_view().value(0)
}

fn millis(column: &ArrayRef) -> i64 {
    column.as_primitive::<TimestampMillisecondType>().value(0)
}

fn micros(column: &ArrayRef) -> i64 {
    column.as_primitive::<TimestampMicrosecondType>().value(0)
}

#[test]
fn metadata_stands_beside_the_rows() {
    let change = r#""before":null,"after":{"id":1},"op":"c","ts_ms":5,"source":{"db":"d","schema":"s","table":"t","ts_ms":7}"#;
    let bare = metadata_of("debezium-json", &[], &format!("{{{change}}}"));
    assert!(bare[0].is_null(0));
    let wrapped = format!(r#"{{"schema":{{"type":"struct"}},"payload":{{{change}}}}}"#);
    let all = metadata_of("debezium-json", &[("schema-include", "true")], &wrapped);
    assert_eq!(text(&all[0]), r#"{"type":"struct"}"#);
    for all in [&bare, &all] {
        assert_eq!((millis(&all[1]), millis(&all[2])), (5, 7));
        assert_eq!((text(&all[3]), text(&all[4]), text(&all[5])), ("d", "s", "t"));
        assert_eq!(all[6].as_map().value_length(0), 4);
    }
    let all = metadata_of(
        "canal-json",
        &[],
        r#"{"data":[{"id":1},{"id":2}],"type":"INSERT","database":"d","table":"t","sqlType":{"id":4},"pkNames":["id"],"ts":1,"es":2}"#,
    );
    assert_eq!((text(&all[0]), text(&all[1]), millis(&all[4]), millis(&all[5])), ("d", "t", 1, 2));
    assert_eq!((all[2].as_map().value_length(0), all[3].as_list::<i32>().value_length(1)), (1, 1));
    let all = metadata_of(
        "maxwell-json",
        &[],
        r#"{"data":{"id":1},"type":"insert","database":"d","table":"t","primary_key_columns":["id"],"ts":3}"#,
    );
    assert_eq!((text(&all[0]), text(&all[1]), millis(&all[3])), ("d", "t", 3000));
    let all = metadata_of(
        "ogg-json",
        &[],
        r#"{"after":{"id":1},"op_type":"I","table":"a.t","primary_keys":["id"],"current_ts":"1970-01-01T00:00:01.000002","op_ts":"1970-01-01 00:00:02.000003"}"#,
    );
    assert_eq!((text(&all[0]), micros(&all[2]), micros(&all[3])), ("a.t", 1_000_002, 2_000_003));
}

#[test]
fn metadata_that_cannot_be_read_is_the_fault_of_its_record() {
    let metadata = [MetadataColumn {
        key: "event-timestamp".to_owned(),
        field: Field::new("e", TypeKind::timestamp_ltz(6).nullable()),
    }];
    let lines: [&[u8]; 2] = [
        br#"{"after":{"id":1},"op_type":"I"}"#,
        br#"{"after":{"id":1},"op_type":"I","op_ts":"yesterday"}"#,
    ];
    let decoded = decode_as("ogg-json", &[], &columns(), &metadata, &lines);
    let (record, message) = fault(decoded);
    assert!(record == 1 && message.contains("op_ts"), "{message}");
    let options = [("ignore-parse-errors", "true")];
    let decoded = decode_as("ogg-json", &options, &columns(), &metadata, &lines).unwrap();
    assert_eq!((decoded.rows.num_rows(), decoded.bad_records), (1, 1));
}

#[test]
fn changes_are_written_as_insertions_and_deletions() {
    let columns = vec![Field::new("n", TypeKind::BigInt.nullable())];
    let rows = RecordBatch::try_new(
        arrow_schema(&columns),
        vec![Arc::new(Int64Array::from(vec![Some(1), Some(1), None, Some(3)]))],
    )
    .unwrap();
    let changes = Changes { kinds: Some(Int8Array::from(vec![0, 1, 2, 3])), rows };
    let written = |name: &str| -> Vec<String> {
        let options = FormatOptions::new(name, &[]).unwrap();
        let context = EncoderContext {
            options: &options,
            columns: &columns,
            declared: &columns,
            origin: "t",
        };
        let mut out = Records::new();
        encoder(&context).unwrap().encode_changes(&changes, &mut out).unwrap();
        out.iter().map(|line| String::from_utf8(line.unwrap().to_vec()).unwrap()).collect()
    };
    assert_eq!(
        written("debezium-json"),
        [
            r#"{"before":null,"after":{"n":1},"op":"c"}"#,
            r#"{"before":{"n":1},"after":null,"op":"d"}"#,
            r#"{"before":null,"after":{"n":null},"op":"c"}"#,
            r#"{"before":{"n":3},"after":null,"op":"d"}"#,
        ]
    );
    assert_eq!(written("ogg-json")[1], r#"{"before":{"n":1},"after":null,"op_type":"D"}"#);
    assert_eq!(written("canal-json")[2], r#"{"data":[{"n":null}],"type":"INSERT"}"#);
    assert_eq!(written("maxwell-json")[3], r#"{"data":{"n":3},"type":"delete"}"#);
}

/// Cut, and with bytes changed by a fixed generator: whatever comes of it, it is no panic.
#[test]
fn garbage_is_refused_or_passed_over() {
    let lines = [
        LINES[1],
        r#"{"data":[{"id":1,"name":"b"},{"id":3,"name":"c"}],"old":[{"name":null},{"id":"2"}],"type":"UPDATE","database":"d","table":"t","ts":1}"#,
        r#"{"data":{"id":1,"name":"b"},"old":{"name":null},"type":"update"}"#,
        r#"{"before":{"id":1,"name":null},"after":{"id":1,"name":"b"},"op_type":"U"}"#,
    ];
    let mut seed = 7_u64;
    let mut next = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % bound
    };
    for (name, line) in FORMATS.iter().zip(lines) {
        for round in 0..2_000 {
            let mut bytes = line.as_bytes().to_vec();
            bytes.truncate(bytes.len() - next(2) * next(bytes.len()));
            for _ in 0..next(4) {
                let at = next(bytes.len());
                bytes[at] = b"{}[]\",:nul0x\\\xff"[next(14)];
            }
            let ignore = [("ignore-parse-errors", if round % 2 == 0 { "true" } else { "false" })];
            let columns: Vec<Field> = columns()
                .into_iter()
                .map(|field| Field::new(field.name, field.ty.with_nullable(true)))
                .collect();
            match decode_as(name, &ignore, &columns, &[], &[&bytes, line.as_bytes()]) {
                Ok(decoded) => assert!(decoded.rows.num_rows() >= 2),
                Err(DecodeError::Record(bad)) => assert!(bad.record == 0 && round % 2 == 1),
                Err(DecodeError::Other(error)) => panic!("{error}"),
            }
        }
    }
}
