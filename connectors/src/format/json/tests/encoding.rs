//! Rows to records: Flink's recorded answers.

use super::*;

fn encoded(columns: &[Field], arrays: Vec<ArrayRef>, options: &[(&str, &str)]) -> Result<String> {
    let options = FormatOptions::new("json", options)?;
    let context =
        EncoderContext { options: &options, columns, declared: columns, origin: "table o" };
    let rows = RecordBatch::try_new(arrow_schema(columns), arrays).unwrap();
    let mut out = Records::with_terminator(b"\n");
    encoder(&context)?.encode(&rows, &mut out)?;
    assert_eq!(out.len(), rows.num_rows());
    Ok(String::from_utf8(out.bytes().to_vec()).unwrap())
}

#[test]
fn rows_are_written_as_flink_writes_them() {
    let row =
        K::Row(fields(&[("b", K::Decimal { precision: 5, scale: 2 }), ("c", K::timestamp(3))]));
    let list = K::Array(Box::new(K::Double.nullable()));
    let map = K::Map(Box::new(K::STRING.nullable()), Box::new(K::Int.nullable()));
    let columns = fields(&[
        ("bo", K::Boolean),
        ("r", row),
        ("l", list),
        ("m", map),
        ("by", K::BYTES),
        ("s", K::STRING),
        ("z", K::timestamp_ltz(3)),
    ]);
    let text = concat!(
        r#"{"bo":true,"r":{"b":1.5,"c":"2024-01-01 00:00:00"},"l":[1.0,2.5E10,"NaN",null],"m":{"a":1,"b":null},"by":"Cg==","s":"it's, \"ä\"","z":"2024-02-29 12:34:56.789Z"}"#,
        "\n",
        r#"{"bo":null,"r":null,"l":null,"m":{},"by":null,"s":null,"z":null}"#,
        "\n",
    );
    let lines: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
    let decoded = decode(&columns, &[], &lines).unwrap();
    assert_eq!(encoded(&columns, decoded.rows.columns().to_vec(), &[]).unwrap(), text);
    let without_nulls = encoded(
        &columns,
        decoded.rows.columns().to_vec(),
        &[("encode.ignore-null-fields", "true")],
    )
    .unwrap();
    assert!(without_nulls.ends_with("{\"m\":{}}\n"), "{without_nulls}");
    let plain = encoded(
        &columns,
        decoded.rows.columns().to_vec(),
        &[("encode.decimal-as-plain-number", "true")],
    )
    .unwrap();
    assert!(plain.contains("\"b\":1.50,"), "{plain}");
}

#[test]
fn keys_of_maps_must_be_text_to_be_written() {
    let map = K::Map(Box::new(K::Int.nullable()), Box::new(K::Int.nullable()));
    let columns = fields(&[("m", map)]);
    let options = FormatOptions::new("json", &[]).unwrap();
    let context = EncoderContext {
        options: &options,
        columns: &columns,
        declared: &columns,
        origin: "table o",
    };
    let error = encoder(&context).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("column m: JSON objects have text keys"), "{error}");
}

#[test]
fn schemas_are_those_of_the_declaration() {
    let columns =
        [Field::new("a", K::Int.not_null()), Field::new("b", K::timestamp_ltz(6).nullable())];
    let decoded = decode(&columns, &[], &[b"{\"a\":1}"]).unwrap();
    assert_eq!(decoded.rows.schema(), arrow_schema(&columns));
    assert!(decoded.rows.column(1).is_null(0));
    let empty: ArrayRef = Arc::new(StringViewArray::from_iter_values::<&str, _>([]));
    assert_eq!(encoded(&fields(&[("s", K::STRING)]), vec![empty], &[]).unwrap(), "");
}
