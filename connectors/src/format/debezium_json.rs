//! `debezium-json`: changes of database rows, each a JSON object with the row before and after and the
//! operation, as Debezium writes them and Flink reads and writes them.
//!
//! `{"before": {…} | null, "after": {…} | null, "op": "c" | "r" | "u" | "d"}`, with `schema-include` inside
//! `"payload"`. A creation or snapshot read gives `+I`, an update `-U` and `+U`, a deletion `-D`. Written are
//! creations and deletions only: `+I` and `+U` as `c`, `-U` and `-D` as `d`, as Flink does.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int8Array, RecordBatch, RecordBatchOptions,
    StringViewArray, StructArray, UInt32Array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::interleave;
use arrow::datatypes::SchemaRef;
use tidegate_connector_spec::FormatOptions;
use tidegate_engine::element::Changes;
use tidegate_plan::RowKind;
use tidegate_plan::arrow_type::arrow_schema;
use tidegate_types::{Error, Field, Result, TypeKind};

use super::{
    BadRecord, DecodeError, Decoded, Decoder, DecoderContext, Encoder, EncoderContext, Records,
    json, read_schema,
};

/// Options that are those of `json`.
const OF_JSON: &[&str] = &[
    "ignore-parse-errors",
    "timestamp-format.standard",
    "map-null-key.mode",
    "map-null-key.literal",
    "encode.decimal-as-plain-number",
    "encode.ignore-null-fields",
];

fn json_options(options: &FormatOptions) -> Result<FormatOptions> {
    let given = OF_JSON.iter().filter_map(|key| Some((*key, options.text(key)?)));
    FormatOptions::new("json", &given.collect::<Vec<_>>())
}

/// A record: the row before and after, and the operation.
fn envelope(columns: &[Field]) -> Vec<Field> {
    let nullable =
        |field: &Field| Field::new(field.name.clone(), field.ty.clone().with_nullable(true));
    let row = TypeKind::Row(columns.iter().map(nullable).collect()).nullable();
    vec![
        Field::new("before", row.clone()),
        Field::new("after", row),
        Field::new("op", TypeKind::STRING.nullable()),
    ]
}

/// The decoder of a table's options.
///
/// # Errors
/// As that of `json`.
pub(super) fn decoder(context: &DecoderContext<'_>) -> Result<Box<dyn Decoder>> {
    let options = json_options(context.options)?;
    let wrapped = context.options.boolean("schema-include")?;
    // A row of no columns cannot be told from NULL: one is read to count by.
    let first = context.declared.iter().take(1).cloned();
    let counted: Vec<Field> = if context.read.is_empty() { first.collect() } else { Vec::new() };
    let read = if context.read.is_empty() { &counted } else { context.read };
    let mut fields = envelope(read);
    if wrapped {
        fields = vec![Field::new("payload", TypeKind::Row(fields).nullable())];
    }
    let inner = json::decoder(&DecoderContext {
        options: &options,
        declared: &fields,
        read: &fields,
        origin: context.origin,
    })?;
    Ok(Box::new(DebeziumDecoder {
        inner,
        schema: read_schema(context.read),
        wrapped,
        ignore_errors: options.boolean("ignore-parse-errors")?,
    }))
}

struct DebeziumDecoder {
    inner: Box<dyn Decoder>,
    schema: SchemaRef,
    wrapped: bool,
    ignore_errors: bool,
}

/// The rows of one record: whether it is the row after, and the kind.
fn changes_of(op: Option<&str>) -> Option<&'static [(bool, RowKind)]> {
    Some(match op? {
        "c" | "r" => &[(true, RowKind::Insert)],
        "u" => &[(false, RowKind::UpdateBefore), (true, RowKind::UpdateAfter)],
        "d" => &[(false, RowKind::Delete)],
        _ => return None,
    })
}

impl Decoder for DebeziumDecoder {
    fn decode(&mut self, records: &Records) -> Result<Decoded, DecodeError> {
        let envelopes = self.inner.decode(records)?;
        let payload = self.wrapped.then(|| envelopes.rows.column(0).as_struct());
        let column = |index: usize| match payload {
            Some(payload) => payload.column(index),
            None => envelopes.rows.column(index),
        };
        let (before, after) = (column(0).as_struct(), column(1).as_struct());
        let operations = column(2).as_string_view();
        let missing = payload.and_then(|payload| payload.nulls());
        let count = envelopes.rows.num_rows();
        let mut places = Vec::with_capacity(count);
        let (mut kinds, mut origins) = (Vec::new(), Vec::new());
        let mut bad_records = envelopes.bad_records;
        for row in 0..count {
            let record = envelopes.origin(row);
            let op = operations.is_valid(row).then(|| operations.value(row));
            let checked = match missing.is_some_and(|nulls| nulls.is_null(row)) {
                true => Err("the record has no \"payload\"; it has one if Kafka Connect adds the schema, else leave 'schema-include' out".to_owned()),
                false => check(op, before.is_valid(row), after.is_valid(row)),
            };
            let changes = match checked {
                Ok(changes) => changes,
                Err(_) if self.ignore_errors => {
                    bad_records += 1;
                    continue;
                }
                Err(message) => return Err(BadRecord { record, message }.into()),
            };
            for (is_after, kind) in changes {
                places.push((usize::from(*is_after), row));
                kinds.push(*kind as i8);
                origins.push(u32::try_from(record).unwrap_or(u32::MAX));
            }
        }
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for column in 0..self.schema.fields().len() {
            let sides = [before.column(column).as_ref(), after.column(column).as_ref()];
            let values = interleave(&sides, &places);
            columns.push(values.map_err(|error| Error::internal(error.to_string()))?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(kinds.len()));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options);
        let record = origins.first().map_or(0, |origin| *origin as usize);
        let rows = rows.map_err(|error| BadRecord {
            record,
            message: format!("this record or one behind it: {error}"),
        })?;
        Ok(Decoded {
            rows,
            origins: Some(UInt32Array::from(origins)),
            bad_records,
            kinds: Some(Int8Array::from(kinds)),
        })
    }
}

/// The rows that an operation gives, if the record has them.
fn check(
    op: Option<&str>,
    before: bool,
    after: bool,
) -> Result<&'static [(bool, RowKind)], String> {
    let Some(changes) = changes_of(op) else {
        return Err(match op {
            Some(op) => format!("'op' is '{op}': it must be c, r, u or d"),
            None => "there is no 'op'".to_owned(),
        });
    };
    for (is_after, _) in changes {
        if *is_after && !after {
            return Err("'after' is missing".to_owned());
        }
        if !*is_after && !before {
            return Err(
                "'before' is missing: the database must log full rows (in PostgreSQL REPLICA IDENTITY FULL)"
                    .to_owned(),
            );
        }
    }
    Ok(changes)
}

/// The encoder of a table's options.
///
/// # Errors
/// As that of `json`.
pub(super) fn encoder(context: &EncoderContext<'_>) -> Result<Box<dyn Encoder>> {
    if context.options.boolean("schema-include")? {
        let key = context.options.full_key("schema-include");
        return Err(Error::new(
            tidegate_types::ErrorCode::InvalidOption,
            format!("{}: '{key}' is for reading only", context.origin),
        ));
    }
    let options = json_options(context.options)?;
    let columns = envelope(context.columns);
    let inner = json::encoder(&EncoderContext {
        options: &options,
        columns: &columns,
        origin: context.origin,
    })?;
    Ok(Box::new(DebeziumEncoder { inner, schema: arrow_schema(&columns) }))
}

struct DebeziumEncoder {
    inner: Box<dyn Encoder>,
    schema: SchemaRef,
}

impl Encoder for DebeziumEncoder {
    fn encode(&mut self, rows: &RecordBatch, out: &mut Records) -> Result<()> {
        self.encode_changes(&Changes::append(rows.clone()), out)
    }

    fn encode_changes(&mut self, changes: &Changes, out: &mut Records) -> Result<()> {
        let count = changes.len();
        let added: BooleanArray =
            (0..count).map(|row| Some(RowKind::adds(changes.kind(row)))).collect();
        let removed: Vec<bool> = added.values().iter().map(|added| !added).collect();
        let arrow::datatypes::DataType::Struct(fields) = self.schema.field(0).data_type() else {
            return Err(Error::internal("a changed row is no struct"));
        };
        let side = |valid: NullBuffer| -> Result<ArrayRef> {
            let columns = changes.rows.columns().to_vec();
            let rows = StructArray::try_new(fields.clone(), columns, Some(valid));
            Ok(Arc::new(rows.map_err(|error| Error::internal(error.to_string()))?))
        };
        let before = side(NullBuffer::from(removed))?;
        let after = side(NullBuffer::new(added.values().clone()))?;
        let op = added.values().iter().map(|added| if added { "c" } else { "d" });
        let op: ArrayRef = Arc::new(StringViewArray::from_iter_values(op));
        let rows = RecordBatch::try_new(self.schema.clone(), vec![before, after, op]);
        self.inner.encode(&rows.map_err(|error| Error::internal(error.to_string()))?, out)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, Int64Array};

    use super::*;

    fn columns() -> Vec<Field> {
        vec![
            Field::new("id", TypeKind::Int.not_null()),
            Field::new("name", TypeKind::STRING.nullable()),
        ]
    }

    fn decode(options: &[(&str, &str)], lines: &[&str]) -> Result<Decoded, DecodeError> {
        let options = FormatOptions::new("debezium-json", options).unwrap();
        let columns = columns();
        let context =
            DecoderContext { options: &options, declared: &columns, read: &columns, origin: "t" };
        let mut records = Records::new();
        for line in lines {
            assert!(records.push(Some(line.as_bytes())));
        }
        decoder(&context).unwrap().decode(&records)
    }

    const LINES: &[&str] = &[
        r#"{"before":null,"after":{"id":1,"name":"a"},"op":"c","ts_ms":5}"#,
        r#"{"before":{"id":1,"name":"a"},"after":{"id":1,"name":"b"},"op":"u"}"#,
        r#"{"before":{"id":1,"name":"b"},"after":null,"op":"d"}"#,
        r#"{"before":null,"after":{"id":2,"name":null},"op":"r"}"#,
    ];

    #[test]
    fn operations_give_changes_and_their_records() {
        let decoded = decode(&[], LINES).unwrap();
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
        let decoded = decode(&[("schema-include", "true")], &[&line]).unwrap();
        assert_eq!(decoded.kinds.unwrap().values(), &[1, 2]);
        let bare = r#"{"schema":{"type":"struct"}}"#;
        let DecodeError::Record(error) =
            decode(&[("schema-include", "true")], &[&line, bare]).unwrap_err()
        else {
            panic!("the record is to blame")
        };
        assert_eq!(error.record, 1);
        assert!(error.message.contains("no \"payload\""), "{}", error.message);
    }

    #[test]
    fn what_is_wrong_is_named_or_skipped() {
        let bad = r#"{"before":null,"after":{"id":1,"name":"b"},"op":"u"}"#;
        let DecodeError::Record(error) = decode(&[], &[LINES[0], bad]).unwrap_err() else {
            panic!("the record is to blame")
        };
        assert_eq!(error.record, 1);
        assert!(error.message.contains("REPLICA IDENTITY FULL"), "{}", error.message);
        let unknown = r#"{"before":null,"after":null,"op":"t"}"#;
        let options = &[("ignore-parse-errors", "true")];
        let decoded = decode(options, &[bad, unknown, LINES[0]]).unwrap();
        assert_eq!((decoded.rows.num_rows(), decoded.bad_records), (1, 2));
    }

    #[test]
    fn changes_are_written_as_creations_and_deletions() {
        let options = FormatOptions::new("debezium-json", &[]).unwrap();
        let columns = vec![Field::new("n", TypeKind::BigInt.nullable())];
        let context = EncoderContext { options: &options, columns: &columns, origin: "t" };
        let rows = RecordBatch::try_new(
            arrow_schema(&columns),
            vec![Arc::new(Int64Array::from(vec![Some(1), Some(1), None, Some(3)]))],
        )
        .unwrap();
        let changes = Changes { kinds: Some(Int8Array::from(vec![0, 1, 2, 3])), rows };
        let mut out = Records::new();
        encoder(&context).unwrap().encode_changes(&changes, &mut out).unwrap();
        let lines: Vec<_> =
            out.iter().map(|line| String::from_utf8(line.unwrap().to_vec()).unwrap()).collect();
        assert_eq!(
            lines,
            [
                r#"{"before":null,"after":{"n":1},"op":"c"}"#,
                r#"{"before":{"n":1},"after":null,"op":"d"}"#,
                r#"{"before":null,"after":{"n":null},"op":"c"}"#,
                r#"{"before":{"n":3},"after":null,"op":"d"}"#,
            ]
        );
    }
}
